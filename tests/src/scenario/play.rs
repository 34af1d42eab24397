//! Plays a scenario: one process after another, each driven by `platform::drive`.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use tau_core::{
    journal,
    session::{Event, Journal, Session},
};
use tau_platform::{Clock, Http, MemoryStorage, Storage};

use super::{
    Carried, Death, Network, Scenario, Simulated, What, home::Home, stage::Stage,
    transcript::transcript, valid,
};

/// What came of a scenario, or of its first processes.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub carried: Carried,
    /// The session as it stands in storage.
    pub session: Option<Session>,
    /// Its records.
    pub journal: Journal,
    /// The whole store.
    pub rows: Vec<(String, Vec<u8>)>,
}

/// A request to a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where it went; empty for the model in the process.
    pub url: String,
    /// Its body; for the model in the process, its parts in words.
    pub body: String,
}

/// How far a scenario is after one process.
#[derive(Debug)]
pub enum Progress {
    /// Another process goes on.
    Next(Carried),
    /// It is over.
    Over(Played),
}

impl Played {
    /// The records as lines, with the end that an export has.
    #[must_use]
    pub fn transcript(&self) -> String {
        transcript(&self.journal)
    }

    /// Every event, oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.carried.events.iter().map(|(_, event)| event)
    }

    /// Reads back what is stored, and checks what always holds.
    pub(super) async fn so_far<H: Http + Clone, S: Storage + Clone>(
        scenario: &Scenario,
        home: &Home<H, S>,
    ) -> Result<Self, String> {
        let id = begun(scenario, home).id().clone();
        let rows = home.rows().await.map_err(|error| error.to_string())?;
        let range = journal::range(&id, 0, u32::MAX);
        let records = rows
            .iter()
            .filter(|(key, _)| *key >= range.start && *key < range.end);
        let journal: Journal = records.map(|(_, record)| record.clone()).collect();
        let carried = home.carried().clone();
        for request in &carried.requests {
            valid::request(&request.body)?;
        }
        let session = home.stored(&id).await?;
        if let Some(session) = &session {
            valid::conversation(session)?;
        }
        Ok(Self {
            carried,
            session,
            journal,
            rows,
        })
    }
}

/// Plays `scenario` on the simulator and checks what it expects. The error names the line that does
/// not hold.
///
/// # Panics
///
/// When the session does what the scenario did not foresee, or waits for what cannot come.
pub fn play(scenario: &Scenario) -> Result<Played, String> {
    let store = MemoryStorage::new();
    let mut carried = Carried::default();
    loop {
        let process = play_process(scenario, &Simulated, store.clone(), carried);
        match at_once(process)? {
            Progress::Next(next) => carried = next,
            Progress::Over(played) => return Ok(played),
        }
    }
}

/// The output of a future that waits for nothing real.
///
/// # Panics
///
/// When it does.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let Some(output) = future.now_or_never() else {
        panic!("something in the simulator waits for the real world");
    };
    output
}

/// Plays one process of `scenario`: the one that begins where `carried` says, over `network`, with
/// `store` as the processes before left it.
///
/// The error names the line that does not hold.
///
/// # Panics
///
/// When the session does what the scenario did not foresee, or waits for what cannot come.
pub async fn play_process<N: Network, S: Storage + Clone>(
    scenario: &Scenario,
    network: &N,
    store: S,
    carried: Carried,
) -> Result<Progress, String> {
    let first = carried.next;
    let steps = scenario.steps.get(first..).unwrap_or_default();
    let dies = steps.iter().find_map(|step| match &step.what {
        What::Crash(Death::At(point)) => Some(Some(*point)),
        What::Crash(Death::When(_)) | What::Reopen => Some(None),
        _ => None,
    });
    let replies = scenario.replies.get(carried.requests.len()..);
    let home = Home::begin(
        scenario,
        replies.unwrap_or_default(),
        network,
        store,
        carried,
        dies.flatten(),
    );
    let new = begun(scenario, &home);
    let mut session = home.stored(new.id()).await?.unwrap_or(new);
    let stage = Stage::begin(scenario, &home, &mut session);
    let done = stage.direct(&mut session, steps).await?;
    let after = first + done;
    let finished = after >= scenario.steps.len();
    if home.open() > 0 {
        return Err(format!(
            "{} connections stay open after the process",
            home.open()
        ));
    }
    let last = steps
        .get(done.saturating_sub(1))
        .map_or(0, |step| step.line);
    let played = Played::so_far(scenario, &home)
        .await
        .and_then(|played| match finished {
            true => still_the_same(played, &session),
            false => Ok(played),
        })
        .map_err(|why| format!("line {last}: {why}"))?;
    if !finished {
        return Ok(Progress::Next(home.end(after)));
    }
    if let Some(reply) = scenario.replies.get(played.carried.requests.len()) {
        return Err(format!(
            "line {}: this answer was never asked for",
            reply.line
        ));
    }
    Ok(Progress::Over(played))
}

/// The session as it begins.
pub(super) fn begun<H: Http + Clone, S: Storage + Clone>(
    scenario: &Scenario,
    home: &Home<H, S>,
) -> Session {
    let setup = &scenario.setup;
    Session::new(setup.config(), [setup.seed; 32], home.time().now())
}

/// What is in memory is what is stored, unless the store failed.
fn still_the_same(played: Played, session: &Session) -> Result<Played, String> {
    let stopped = played
        .events()
        .any(|event| matches!(event, Event::Stopped { .. }));
    match &played.session {
        Some(stored) if !stopped && stored.chain() != session.chain() => {
            Err("what is stored is not what the session says".into())
        }
        _ => Ok(played),
    }
}
