//! Plays a scenario: one process after another, each driven by `platform::drive`.

use tau_core::{
    journal,
    session::{CommandError, Event, Journal, Session},
};
use tau_platform::{
    Clock, Shown,
    open::{OpenError, open},
};

use super::{
    Death, Reply, Scenario, ToolLog, What,
    home::{Home, World},
    stage::Stage,
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

/// A scenario on its way.
pub(super) struct Script<'s> {
    scenario: &'s Scenario,
    world: World,
    /// Answers not asked for yet.
    replies: Vec<&'s Reply>,
    pub(super) played: Played,
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
    pub(super) fn collect(&mut self, home: &Home, stage: &Stage) {
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
    pub(super) fn store(&mut self, home: &Home) -> Result<(), String> {
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
