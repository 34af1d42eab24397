//! One process of a scenario: its commands at their time, and what it shows.

use futures_util::future::{Either, select};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};
use tau_core::{
    ids::CallId,
    session::{Command, CommandError, Event, Session},
};
use tau_platform::{Clock, Shown, drive, sim::SimInbox};

use super::{Check, Death, Step, What, When, home::Home, play::Script};

/// One process at work.
pub(super) struct Stage {
    home: Home,
    inbox: SimInbox,
    pub(super) state: Rc<RefCell<State>>,
    /// Requests that are in the account already.
    pub(super) collected: Cell<usize>,
}

/// What the process has shown, and what it is waited for.
#[derive(Default)]
pub(super) struct State {
    pub(super) shown: Vec<(u64, Shown)>,
    /// Events seen since the last command.
    recent: BTreeSet<String>,
    asked: BTreeSet<String>,
    running: bool,
    prompted_at: u64,
    pub(super) took_ms: u64,
    replies_due: usize,
    pub(super) refused: Option<CommandError>,
    waker: Option<Waker>,
}

impl Stage {
    pub(super) fn begin(home: &Home, session: &mut Session) -> Self {
        let state = State {
            running: session.is_running(),
            prompted_at: home.sim.clock().elapsed_ms(),
            ..State::default()
        };
        session.resume(home.sim.clock().now());
        Self {
            home: home.clone(),
            inbox: SimInbox::default(),
            state: Rc::new(RefCell::new(state)),
            collected: Cell::new(0),
        }
    }

    /// Does `steps` until the process ends; gives how many.
    pub(super) fn direct(
        &self,
        script: &mut Script<'_>,
        session: &mut Session,
        steps: &[Step],
    ) -> Result<usize, String> {
        let home = self.home.clone();
        let (clock, state) = (home.sim.clock().clone(), self.state.clone());
        let running = pin!(drive(&home, session, self.inbox.clone(), move |shown| {
            state.borrow_mut().see(clock.elapsed_ms(), shown);
        }));
        let performing = pin!(self.perform(script, steps));
        let ended = home.sim.block_on(select(performing, running));
        match ended {
            Either::Left((Ok(Exit::Died(done)), _)) => Ok(done),
            Either::Left((Ok(Exit::Left(done)), running)) => {
                self.inbox.close();
                home.sim.block_on(running);
                Ok(done)
            }
            Either::Left((Err(why), _)) => Err(why),
            Either::Right((left, _)) => Err(format!("the loop ended by itself: {left:?}")),
        }
    }

    async fn perform(&self, script: &mut Script<'_>, steps: &[Step]) -> Result<Exit, String> {
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
                    script.collect(&self.home, self);
                    script
                        .store(&self.home)
                        .map_err(|why| format!("line {}: {why}", step.line))?;
                    Check::all(checks, &script.played)?;
                }
                what => self.command(what).await,
            }
        }
        let _watched = Watched(steps.last().map_or(0, |step| step.line));
        self.idle().await;
        Ok(Exit::Left(steps.len()))
    }

    async fn command(&self, what: &What) {
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
            What::Approve {
                call,
                for_session,
                when,
            } => {
                self.asked(call).await;
                self.reach(when).await;
                Command::Approve {
                    call_id: CallId(call.clone()),
                    for_session: *for_session,
                }
            }
            What::Deny { call, reason } => {
                self.asked(call).await;
                Command::Deny {
                    call_id: CallId(call.clone()),
                    reason: reason.clone(),
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
                self.home.sim.clock().sleep(*millis).await;
                return;
            }
            What::Reopen | What::Crash(_) | What::Expect(_) => return,
        };
        self.state.borrow_mut().recent.clear();
        self.state.borrow_mut().replies_due += 1;
        self.inbox.push(command);
        self.until(|state| state.replies_due == 0).await;
    }

    fn begin_turn(&self) {
        let mut state = self.state.borrow_mut();
        state.prompted_at = self.home.sim.clock().elapsed_ms();
        state.refused = None;
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
                let clock = self.home.sim.clock();
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
    fn see(&mut self, at_ms: u64, shown: Shown) {
        match &shown {
            Shown::Reply(reply) => {
                self.replies_due = self.replies_due.saturating_sub(1);
                if let Err(error) = reply {
                    // A prompt that is refused because one is running ends nothing.
                    self.running &=
                        matches!(error, CommandError::Busy | CommandError::NotWaiting { .. });
                    self.refused = Some(error.clone());
                }
            }
            Shown::Event(event) => {
                self.recent.insert(kind(event));
                match event {
                    Event::ApprovalRequested { call_id, .. } => {
                        self.asked.insert(call_id.0.clone());
                    }
                    Event::TurnFinished { .. } | Event::Stopped { .. } => {
                        self.running = false;
                        self.took_ms = at_ms - self.prompted_at;
                    }
                    _ => {}
                }
            }
        }
        self.shown.push((at_ms, shown));
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
