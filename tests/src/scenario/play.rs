//! Plays a scenario: one process after another, each driven by `platform::drive`.

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
    journal,
    session::{Command, CommandError, Event, Journal, Session},
};
use tau_platform::{
    Clock, Shown, drive,
    open::{OpenError, open},
    sim::SimInbox,
};

use super::{
    Check, Death, Reply, Scenario, Step, ToolLog, What, When,
    home::{Home, World},
    transcript::transcript,
    valid,
};

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// The session as it stands in storage.
    pub session: Option<Session>,
    /// Its records.
    pub journal: Journal,
    /// Every request that reached a model, oldest first.
    pub requests: Vec<Request>,
    /// Every run of a tool.
    pub runs: Vec<ToolLog>,
    /// Everything shown, with the time since the beginning in ms.
    pub shown: Vec<(u64, Shown)>,
    /// What the last command that was refused was told.
    pub refused: Option<CommandError>,
    /// From the last prompt to the end of its turn, in ms.
    pub took_ms: u64,
    /// The whole store.
    pub rows: Vec<(String, Vec<u8>)>,
}

/// A request to a model.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it went; empty for the model in the process.
    pub url: String,
    /// Its body; for the model in the process, its parts in words.
    pub body: String,
}

impl Played {
    /// The records as lines, with the end that an export has.
    #[must_use]
    pub fn transcript(&self) -> String {
        transcript(&self.journal)
    }

    /// Every event, oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.shown.iter().filter_map(|(_, shown)| match shown {
            Shown::Event(event) => Some(event),
            Shown::Reply(_) => None,
        })
    }
}

/// Plays `scenario` and checks what it expects. The error names the line that does not hold.
///
/// # Panics
///
/// When the session does what the scenario did not foresee, or waits for what cannot come.
pub fn play(scenario: &Scenario) -> Result<Played, String> {
    let mut script = Script {
        scenario,
        world: World::default(),
        replies: scenario.replies.iter().collect(),
        played: Played {
            session: None,
            journal: Journal::new(),
            requests: Vec::new(),
            runs: Vec::new(),
            shown: Vec::new(),
            refused: None,
            took_ms: 0,
            rows: Vec::new(),
        },
    };
    let mut next = 0;
    loop {
        next = script.process(next)?;
        if next >= scenario.steps.len() {
            break;
        }
    }
    if let Some(reply) = script.replies.first() {
        return Err(format!(
            "line {}: this answer was never asked for",
            reply.line
        ));
    }
    Ok(script.played)
}

struct Script<'s> {
    scenario: &'s Scenario,
    world: World,
    /// Answers not asked for yet.
    replies: Vec<&'s Reply>,
    played: Played,
}

impl<'s> Script<'s> {
    /// Runs one process from the step `first` on; gives the step that the next one begins with.
    fn process(&mut self, first: usize) -> Result<usize, String> {
        let scenario = self.scenario;
        let steps = &scenario.steps[first..];
        let dies = steps.iter().find_map(|step| match &step.what {
            What::Crash(Death::At(point)) => Some(Some(*point)),
            What::Crash(Death::When(_)) | What::Reopen => Some(None),
            _ => None,
        });
        let home = Home::begin(&self.scenario.setup, &self.world, dies.flatten());
        for reply in &self.replies {
            reply.load(&home.sim, &scenario.setup);
        }
        let mut session = self.session(&home)?;
        let stage = Stage::begin(&home, &mut session);
        let done = stage.direct(self, &mut session, steps)?;
        self.collect(&home, &stage);
        let after = first + done;
        let finished = after >= self.scenario.steps.len();
        if home.open() > 0 {
            return Err(format!(
                "{} connections stay open after the process",
                home.open()
            ));
        }
        let last = steps
            .get(done.saturating_sub(1))
            .map_or(0, |step| step.line);
        self.store(&home)
            .and_then(|()| {
                if finished {
                    self.still_the_same(&session)
                } else {
                    Ok(())
                }
            })
            .map_err(|why| format!("line {last}: {why}"))?;
        Ok(after)
    }

    /// The stored session; a new one at first.
    fn session(&self, home: &Home) -> Result<Session, String> {
        let config = self.scenario.setup.config();
        let now = home.sim.clock().now();
        let new = Session::new(config, [self.scenario.setup.seed; 32], now);
        let stored = home.sim.block_on(open(home.sim.storage(), new.id()));
        match stored {
            Ok(session) => Ok(session),
            Err(OpenError::Missing(_)) => Ok(new),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes what the process did so far into the account.
    fn collect(&mut self, home: &Home, stage: &Stage) {
        let sent = home.sim.http().requests();
        let bodies = home.sim.http().bodies();
        let sent = sent.into_iter().zip(bodies).map(|(sent, body)| Request {
            url: sent.url,
            body,
        });
        let asked = home.sim.model().requests();
        let asked = asked.into_iter().map(|request| Request {
            url: String::new(),
            body: valid::in_words(&request),
        });
        let requests: Vec<Request> = sent.chain(asked).collect();
        let new = requests.len() - stage.collected.get();
        stage.collected.set(requests.len());
        self.played.requests.extend(
            requests
                .into_iter()
                .rev()
                .take(new)
                .collect::<Vec<_>>()
                .into_iter()
                .rev(),
        );
        self.replies.drain(..new.min(self.replies.len()));
        self.played
            .shown
            .append(&mut stage.state.borrow_mut().shown);
        let state = stage.state.borrow();
        self.played.refused.clone_from(&state.refused);
        self.played.took_ms = state.took_ms;
        self.world = home.end();
        self.played.runs.clone_from(&self.world.runs);
    }

    /// Reads back what is stored, and checks what always holds.
    fn store(&mut self, home: &Home) -> Result<(), String> {
        let id = Session::new(
            self.scenario.setup.config(),
            [self.scenario.setup.seed; 32],
            self.world.now,
        )
        .id()
        .clone();
        let rows = self.world.rows.iter();
        self.played.rows = rows
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let range = journal::range(&id, 0, u32::MAX);
        let records = self.world.rows.range(range.start..range.end);
        self.played.journal = records.map(|(_, record)| record.clone()).collect();
        for request in &self.played.requests {
            valid::request(&request.body)?;
        }
        self.played.session = None;
        if self.played.journal.is_empty() {
            return Ok(());
        }
        let session = self.session(home)?;
        valid::conversation(&session)?;
        self.played.session = Some(session);
        Ok(())
    }

    /// What is in memory is what is stored, unless the store failed.
    fn still_the_same(&self, session: &Session) -> Result<(), String> {
        let stopped = self
            .played
            .events()
            .any(|event| matches!(event, Event::Stopped { .. }));
        match &self.played.session {
            Some(stored) if !stopped && stored.chain() != session.chain() => {
                Err("what is stored is not what the session says".into())
            }
            _ => Ok(()),
        }
    }
}

/// One process at work.
struct Stage {
    home: Home,
    inbox: SimInbox,
    state: Rc<RefCell<State>>,
    /// Requests that are in the account already.
    collected: Cell<usize>,
}

#[derive(Default)]
struct State {
    shown: Vec<(u64, Shown)>,
    /// Events seen since the last command.
    recent: BTreeSet<String>,
    asked: BTreeSet<String>,
    running: bool,
    prompted_at: u64,
    took_ms: u64,
    replies_due: usize,
    refused: Option<CommandError>,
    waker: Option<Waker>,
}

impl Stage {
    fn begin(home: &Home, session: &mut Session) -> Self {
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
    fn direct(
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
