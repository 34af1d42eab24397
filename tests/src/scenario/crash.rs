//! The systematic crash: a conversation whose process dies at one place after another.

use futures_util::future::Either;
use std::{cell::RefCell, collections::BTreeMap, future::poll_fn, pin::pin, rc::Rc, task::Poll};
use tau_core::{
    ids::SessionId,
    journal::{self, Body, Chain},
    policy::Extent,
    session::{Command, Event, Journal, Session},
};
use tau_platform::{Clock, Inbox, MemoryStorage, Shown, drive, sim::SimHttp};

use super::{
    Carried, Point, Scenario, Simulated, ToolLog, What,
    home::Home,
    pace::{GatedInbox, pace},
    play::{at_once, begun},
    valid,
};

type SimHome = Home<SimHttp, MemoryStorage>;

/// How one process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Where it was to die.
    pub dies: Option<Point>,
    /// Whether it did.
    pub died: bool,
    /// What its home did.
    pub operations: usize,
}

/// What is left in the end.
#[derive(Debug)]
pub struct Ending {
    /// The processes, in order.
    pub lives: Vec<Life>,
    /// The session.
    pub session: Session,
    /// Its records.
    pub journal: Journal,
    /// Every run of a tool.
    pub runs: Vec<ToolLog>,
}

/// Plays the prompts of `scenario` in processes that die at `deaths`, one after another, and in a
/// last one that does not. Each takes up what the one before left; a model that was not heard is
/// asked again. A person approves what is asked, but nothing that may have been done already.
///
/// The error tells what was lost or done twice.
///
/// # Panics
///
/// When the session does what the scenario did not foresee, or waits for what cannot come.
pub fn survive(scenario: &Scenario, deaths: &[Point]) -> Result<Ending, String> {
    let store = MemoryStorage::new();
    let mut carried = Carried::default();
    let mut lives = Vec::new();
    for dies in deaths.iter().copied().map(Some).chain([None]) {
        let before = store.rows();
        let (life, after) = at_once(live(scenario, &store, carried, dies))?;
        nothing_lost(before, &rows(&store))?;
        carried = after;
        lives.push(life);
    }
    let home = home(scenario, &store, carried.clone(), None);
    let session = at_once(stored(scenario, &home))?;
    valid::conversation(&session)?;
    if session.is_running() {
        return Err("a turn is still running".into());
    }
    let journal = records(session.id(), &store);
    Ok(Ending {
        lives,
        session,
        journal,
        runs: carried.runs,
    })
}

/// One process.
async fn live(
    scenario: &Scenario,
    store: &MemoryStorage,
    carried: Carried,
    dies: Option<Point>,
) -> Result<(Life, Carried), String> {
    let asked = carried.requests.len();
    let home = home(scenario, store, carried, dies);
    let mut session = stored(scenario, &home).await?;
    let begun = session.summary().turns as usize;
    let acknowledged = Rc::new(RefCell::new(Vec::new()));
    session.resume(home.time().now());
    let inbox = Inbox::default();
    let mut turns = turns(scenario).skip(begun);
    if !session.is_running() {
        next(&mut turns, &inbox);
    }
    let (shown_inbox, shown_to) = (inbox.clone(), acknowledged.clone());
    let gated = GatedInbox {
        inbox: inbox.clone(),
        gate: home.gate().clone(),
    };
    let running = pin!(drive(&home, &mut session, gated, |shown| {
        let Shown::Event(event) = shown else { return };
        match event {
            Event::ApprovalRequested {
                call_id,
                may_have_run,
                ..
            } => {
                shown_inbox.push(match may_have_run {
                    true => Command::Deny {
                        call_id,
                        reason: None,
                        absent: false,
                    },
                    false => Command::Approve {
                        call_id,
                        extent: Extent::Call,
                        digest: None,
                    },
                });
            }
            Event::TurnFinished { turn, .. } => {
                shown_to.borrow_mut().push(turn);
                next(&mut turns, &shown_inbox);
            }
            _ => {}
        }
    }));
    let death = pin!(poll_fn(|cx| match home.is_dead(cx.waker()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }));
    let ended = pace(home.time(), home.gate(), death, running).await;
    let died = matches!(ended, Either::Left(_));
    let after = home.end(0);
    for request in &after.requests[asked..] {
        valid::request(&request.body)?;
    }
    let stored = rows(store);
    let life = Life {
        dies,
        died,
        operations: home.operations(),
    };
    for turn in acknowledged.borrow().iter() {
        let told = |bytes: &Vec<u8>| {
            let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
            record["type"] == "turn_finished" && record["turn"] == turn.0
        };
        if !stored.values().any(told) {
            return Err(format!(
                "turn {} was told to be over and is not stored",
                turn.0
            ));
        }
    }
    Ok((life, after))
}

/// Gives the next command that begins a turn, or ends the inbox.
fn next(turns: &mut impl Iterator<Item = Command>, inbox: &Inbox) {
    match turns.next() {
        Some(command) => inbox.push(command),
        None => inbox.close(),
    }
}

fn turns(scenario: &Scenario) -> impl Iterator<Item = Command> {
    scenario.steps.iter().filter_map(|step| match &step.what {
        What::Prompt { text, images } => Some(Command::Prompt {
            text: text.clone(),
            images: images.clone(),
        }),
        What::Compact => Some(Command::Compact),
        _ => None,
    })
}

/// A process with the answers that are not heard yet.
fn home(
    scenario: &Scenario,
    store: &MemoryStorage,
    carried: Carried,
    dies: Option<Point>,
) -> SimHome {
    let setup = &scenario.setup;
    let new = Session::new(setup.config(), [setup.seed; 32], Carried::default().now);
    let heard = heard(&records(new.id(), store));
    let replies = scenario.replies.get(heard..).unwrap_or_default();
    Home::begin(scenario, replies, &Simulated, store.clone(), carried, dies)
}

async fn stored(scenario: &Scenario, home: &SimHome) -> Result<Session, String> {
    let new = begun(scenario, home);
    Ok(home.stored(new.id()).await?.unwrap_or(new))
}

fn rows(store: &MemoryStorage) -> BTreeMap<String, Vec<u8>> {
    store.rows().into_iter().collect()
}

fn records(session: &SessionId, store: &MemoryStorage) -> Journal {
    let range = journal::range(session, 0, u32::MAX);
    rows(store)
        .range(range.start..range.end)
        .map(|(_, record)| record.clone())
        .collect()
}

/// Model calls whose end is stored.
fn heard(journal: &Journal) -> usize {
    let mut chain = Chain::default();
    let bodies = journal
        .iter()
        .filter_map(|bytes| Some(chain.read(bytes).ok()?.body));
    let ends = |body: &Body| {
        matches!(
            body,
            Body::Answer { .. } | Body::AttemptFailed { .. } | Body::Compacted { .. }
        )
    };
    bodies.filter(ends).count()
}

/// Records are only ever added.
fn nothing_lost(
    before: Vec<(String, Vec<u8>)>,
    after: &BTreeMap<String, Vec<u8>>,
) -> Result<(), String> {
    let lost = before.into_iter().find(|(key, value)| {
        // The line in the list of sessions is the one thing that is rewritten.
        !key.starts_with("sessions/") && after.get(key) != Some(value)
    });
    match lost {
        Some((key, _)) => Err(format!("{key} was lost or changed")),
        None => Ok(()),
    }
}
