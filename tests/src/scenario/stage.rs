//! One process of a scenario: its commands at their time, and what it shows.

use futures_util::future::Either;
use std::{
    cell::RefCell,
    collections::BTreeSet,
    future::{pending, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};
use tau_core::{
    ids::{CallId, EntryId},
    session::{Command, CommandError, Event, Session},
};
use tau_platform::{Clock, Http, Inbox, Shown, Storage, drive};

use super::{
    Check, Death, Played, Scenario, Step, What, When,
    home::Home,
    pace::{GatedInbox, pace},
    play,
};

/// One process at work.
pub(super) struct Stage<'s, H, S> {
    scenario: &'s Scenario,
    home: Home<H, S>,
    inbox: Inbox,
    state: Rc<RefCell<State>>,
}

/// What the process has shown, and what it is waited for.
#[derive(Default)]
struct State {
    /// Events seen since the last command.
    recent: BTreeSet<String>,
    asked: BTreeSet<String>,
    running: bool,
    prompted_at: u64,
    replies_due: usize,
    waker: Option<Waker>,
}

impl<'s, H: Http + Clone, S: Storage + Clone> Stage<'s, H, S> {
    pub(super) fn begin(scenario: &'s Scenario, home: &Home<H, S>, session: &mut Session) -> Self {
        let state = State {
            running: session.is_running(),
            prompted_at: home.time().elapsed_ms(),
            ..State::default()
        };
        home.carried().refused = None;
        home.carried().took_ms = 0;
        session.resume(home.time().now());
        Self {
            scenario,
            home: home.clone(),
            inbox: Inbox::default(),
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// Does `steps` until the process ends; gives how many.
    pub(super) async fn direct(
        &self,
        session: &mut Session,
        steps: &[Step],
    ) -> Result<usize, String> {
        let home = self.home.clone();
        let inbox = GatedInbox {
            inbox: self.inbox.clone(),
            gate: home.gate().clone(),
        };
        let (shows, state) = (home.clone(), self.state.clone());
        let mut running = pin!(drive(&home, session, inbox, move |shown| {
            state.borrow_mut().see(&shows, shown);
        }));
        let performing = pin!(self.perform(steps));
        match pace(home.time(), home.gate(), performing, running.as_mut()).await {
            Either::Left(Ok(Exit::Died(done))) => Ok(done),
            Either::Left(Ok(Exit::Left(done))) => {
                self.inbox.close();
                let never = pin!(pending::<()>());
                pace(home.time(), home.gate(), never, running).await;
                Ok(done)
            }
            Either::Left(Err(why)) => Err(why),
            Either::Right(left) => Err(format!("the loop ended by itself: {left:?}")),
        }
    }

    async fn perform(&self, steps: &[Step]) -> Result<Exit, String> {
        for (done, step) in (1..).zip(steps) {
            let _watched = Watched(step.line);
            match &step.what {
                What::Reopen => {
                    self.idle().await;
                    return Ok(Exit::Left(done));
                }
                What::Crash(Death::When(when)) => {
                    self.reach(when).await;
                    return Ok(Exit::Died(done));
                }
                What::Crash(Death::At(_)) => {
                    poll_fn(|cx| match self.home.is_dead(cx.waker()) {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    })
                    .await;
                    return Ok(Exit::Died(done));
                }
                What::Expect(checks) => {
                    self.idle().await;
                    let played = Played::so_far(self.scenario, &self.home)
                        .await
                        .map_err(|why| format!("line {}: {why}", step.line))?;
                    Check::all(checks, &played)?;
                }
                what => self.command(step.line, what).await?,
            }
        }
        let _watched = Watched(steps.last().map_or(0, |step| step.line));
        self.idle().await;
        Ok(Exit::Left(steps.len()))
    }

    async fn command(&self, line: usize, what: &What) -> Result<(), String> {
        let command = match what {
            What::Prompt { text, images } => {
                self.idle().await;
                self.begin_turn();
                Command::Prompt {
                    text: text.clone(),
                    images: images.clone(),
                }
            }
            What::PromptNow { text } => Command::Prompt {
                text: text.clone(),
                images: Vec::new(),
            },
            What::Interrupt(when) => {
                self.reach(when).await;
                Command::Interrupt
            }
            What::Approve { call, extent, when } => {
                self.asked(call).await;
                self.reach(when).await;
                Command::Approve {
                    call_id: CallId(call.clone()),
                    extent: *extent,
                    digest: None,
                }
            }
            What::Deny { call, reason } => {
                self.asked(call).await;
                Command::Deny {
                    call_id: CallId(call.clone()),
                    reason: reason.clone(),
                    absent: false,
                }
            }
            What::Policy(policy) => {
                self.idle().await;
                Command::SetPolicy {
                    policy: policy.clone(),
                }
            }
            What::Compact => {
                self.idle().await;
                self.begin_turn();
                Command::Compact
            }
            What::Wait(millis) => {
                self.home.time().sleep(*millis).await;
                return Ok(());
            }
            What::Undo => {
                self.idle().await;
                self.begin_turn();
                Command::Undo
            }
            What::Redo => {
                self.idle().await;
                self.begin_turn();
                Command::Redo
            }
            What::Switch(nth) => {
                self.idle().await;
                let to = self.entry(*nth).await;
                self.begin_turn();
                Command::Switch {
                    to: to.map_err(|why| format!("line {line}: {why}"))?,
                }
            }
            What::SwitchTo(name) => {
                self.idle().await;
                self.begin_turn();
                Command::SwitchTo { name: name.clone() }
            }
            What::Branch(name) => {
                self.idle().await;
                self.begin_turn();
                Command::Branch {
                    name: name.clone(),
                    at: None,
                }
            }
            What::Merge(nth, how) => {
                self.idle().await;
                let from = self.entry(*nth).await;
                self.begin_turn();
                Command::Merge {
                    from: from.map_err(|why| format!("line {line}: {why}"))?,
                    how: *how,
                }
            }
            What::Reopen | What::Crash(_) | What::Expect(_) => return Ok(()),
        };
        self.state.borrow_mut().recent.clear();
        self.state.borrow_mut().replies_due += 1;
        self.inbox.push(command);
        self.until(|state| state.replies_due == 0).await;
        Ok(())
    }

    /// The name of the `nth` entry that is stored, from 1.
    async fn entry(&self, nth: usize) -> Result<EntryId, String> {
        let id = play::begun(self.scenario, &self.home).id().clone();
        let stored = self.home.stored(&id).await?;
        let entries = stored.as_ref().map(Session::entries);
        let place = nth.checked_sub(1);
        let entry = entries.and_then(|entries| entries.get(place?));
        // A name nobody has: what the session says of that is for the scenario to expect.
        Ok(entry.map_or_else(
            || EntryId("ffffffffffffffff".into()),
            |entry| entry.id.clone(),
        ))
    }

    fn begin_turn(&self) {
        let mut state = self.state.borrow_mut();
        state.prompted_at = self.home.time().elapsed_ms();
        self.home.carried().refused = None;
        state.running = true;
    }

    async fn idle(&self) {
        self.until(|state| !state.running && state.replies_due == 0)
            .await;
    }

    async fn asked(&self, call: &str) {
        self.until(|state| state.asked.contains(call)).await;
        self.state.borrow_mut().asked.remove(call);
    }

    async fn reach(&self, when: &When) {
        match when {
            When::Now => {}
            When::At(millis) => {
                let since = self.state.borrow().prompted_at;
                let clock = self.home.time();
                let passed = clock.elapsed_ms() - since;
                clock.sleep(millis.saturating_sub(passed)).await;
            }
            When::On(event) => self.until(|state| state.recent.contains(event)).await,
        }
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if holds(&state) {
                return Poll::Ready(());
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// How a process ends, and after how many steps.
enum Exit {
    /// By itself.
    Left(usize),
    /// In the middle of everything.
    Died(usize),
}

impl State {
    fn see<H: Http + Clone, S: Storage + Clone>(&mut self, home: &Home<H, S>, shown: Shown) {
        let at_ms = home.time().elapsed_ms();
        match shown {
            Shown::Reply(reply) => {
                self.replies_due = self.replies_due.saturating_sub(1);
                if let Err(error) = reply {
                    // A prompt that is refused because one is running ends nothing.
                    self.running &=
                        matches!(error, CommandError::Busy | CommandError::NotWaiting { .. });
                    home.carried().refused = Some(error.to_string());
                }
            }
            Shown::Event(event) => {
                self.recent.insert(kind(&event));
                match &event {
                    Event::ApprovalRequested { call_id, .. } => {
                        self.asked.insert(call_id.0.clone());
                    }
                    Event::TurnFinished { .. } | Event::Stopped { .. } | Event::Moved { .. } => {
                        self.running = false;
                        home.carried().took_ms = at_ms - self.prompted_at;
                    }
                    _ => {}
                }
                home.carried().events.push((at_ms, event));
            }
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// An event's type, as it is serialised.
pub(super) fn kind(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    json["type"].as_str().unwrap_or_default().to_owned()
}

/// Tells on a panic which step was under way.
struct Watched(usize);

impl Drop for Watched {
    #[expect(clippy::print_stderr, reason = "beside the panic's own message")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while at line {} of the scenario", self.0);
        }
    }
}
