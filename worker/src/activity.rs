//! What a running session is doing, as its events tell: whether the object must be kept awake.

use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};
use tau_core::{ids::CallId, session::Event};

/// Shared by what watches the session and by the alarm.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    in_turn: bool,
    /// Calls that wait for a person.
    waiting: Vec<CallId>,
    /// Calls that run.
    running: Vec<CallId>,
    wakers: Vec<Waker>,
}

impl State {
    /// A turn in which only a person's answer is missing needs nobody awake.
    fn is_working(&self) -> bool {
        self.in_turn && (self.waiting.is_empty() || !self.running.is_empty())
    }
}

impl Activity {
    /// A session is in the middle of a turn or not: it was opened, or is gone.
    pub(crate) fn begin(&self, in_turn: bool) {
        let mut state = self.state.borrow_mut();
        state.in_turn = in_turn;
        state.waiting.clear();
        state.running.clear();
        drop(state);
        self.wake();
    }

    /// Something happened; says whether that began or ended the work.
    pub(crate) fn see(&self, event: &Event) -> bool {
        let mut state = self.state.borrow_mut();
        let before = (state.in_turn, state.is_working());
        match event {
            Event::TurnStarted { .. } | Event::Compacting { .. } => state.in_turn = true,
            Event::TurnFinished { .. } | Event::Stopped { .. } => {
                state.in_turn = false;
                state.waiting.clear();
                state.running.clear();
            }
            Event::ApprovalRequested { call_id, .. } => {
                remove(&mut state.waiting, call_id);
                state.waiting.push(call_id.clone());
            }
            Event::ToolStarted { call_id, .. } => {
                remove(&mut state.waiting, call_id);
                remove(&mut state.running, call_id);
                state.running.push(call_id.clone());
            }
            Event::ToolDenied { call_id, .. } => {
                remove(&mut state.waiting, call_id);
            }
            Event::ToolFinished { result } => {
                remove(&mut state.waiting, &result.call_id);
                remove(&mut state.running, &result.call_id);
            }
            _ => {}
        }
        let after = (state.in_turn, state.is_working());
        drop(state);
        if before != after {
            self.wake();
        }
        before.1 != after.1
    }

    pub(crate) fn is_working(&self) -> bool {
        self.state.borrow().is_working()
    }

    /// Returns once there is no work.
    pub(crate) async fn quiet(&self) {
        self.until(|state| !state.is_working()).await;
    }

    /// Returns once there is no turn, not even one that waits.
    pub(crate) async fn rest(&self) {
        self.until(|state| !state.in_turn).await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if is_so(&state) {
                return Poll::Ready(());
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        let wakers = core::mem::take(&mut self.state.borrow_mut().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn remove(calls: &mut Vec<CallId>, call_id: &CallId) {
    calls.retain(|known| known != call_id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_core::{
        ids::{EntryId, TurnId},
        model::Usage,
        session::Outcome,
    };

    fn asked(id: &str) -> Event {
        Event::ApprovalRequested {
            call_id: CallId(id.into()),
            name: "http".into(),
            arguments: tau_core::json::Value::Null,
            reason: String::new(),
            may_have_run: false,
            notice: tau_core::tool::notice::Notice::default(),
        }
    }

    fn started(id: &str) -> Event {
        Event::ToolStarted {
            call_id: CallId(id.into()),
            name: "http".into(),
            arguments: tau_core::json::Value::Null,
        }
    }

    #[test]
    fn a_summary_that_is_asked_for_is_work_until_its_turn_ends() {
        let activity = Activity::default();
        assert!(activity.see(&Event::Compacting { turn: TurnId(2) }) && activity.is_working());
        let ended = Event::TurnFinished {
            turn: TurnId(2),
            outcome: Outcome::Answered,
            usage: Usage::default(),
        };
        assert!(activity.see(&ended) && !activity.is_working());
    }

    #[test]
    fn only_waiting_for_a_person_is_no_work() {
        let activity = Activity::default();
        let begun = Event::TurnStarted {
            turn: TurnId(1),
            entry: EntryId("e".into()),
        };
        assert!(activity.see(&begun) && activity.is_working());
        activity.see(&started("a"));
        assert!(!activity.see(&asked("b")), "another call still runs");
        let result = tau_core::message::ToolResult {
            call_id: CallId("a".into()),
            name: "http".into(),
            status: tau_core::message::ToolStatus::Ok,
            text: String::new(),
            images: Vec::new(),
            duration_ms: 0,
            labels: tau_core::safety::Labels::NONE,
            ran: None,
        };
        assert!(activity.see(&Event::ToolFinished { result }));
        assert!(!activity.is_working());
        assert!(activity.see(&started("b")) && activity.is_working());
        let ended = Event::TurnFinished {
            turn: TurnId(1),
            outcome: Outcome::Answered,
            usage: Usage::default(),
        };
        assert!(activity.see(&ended) && !activity.is_working());
    }
}
