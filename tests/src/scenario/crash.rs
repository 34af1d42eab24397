//! The systematic crash: a conversation whose process dies at one place after another.

use futures_util::future::{Either, select};
use std::{cell::RefCell, collections::BTreeMap, future::poll_fn, pin::pin, rc::Rc, task::Poll};
use tau_core::{
    ids::UnixMillis,
    journal::{self, Body, Chain},
    session::{Command, Event, Journal, Session},
};
use tau_platform::{
    Clock, Shown, drive,
    open::{OpenError, open},
    sim::SimInbox,
};

use super::{
    Point, Scenario, ToolLog, What,
    home::{Home, World},
    valid,
};

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
    let mut world = World::default();
    let mut lives = Vec::new();
    for dies in deaths.iter().copied().map(Some).chain([None]) {
        let (life, after) = live(scenario, &world, dies)?;
        nothing_lost(&world.rows, &after.rows)?;
        world = after;
        lives.push(life);
    }
    let home = Home::begin(&scenario.setup, &world, None);
    let session = stored(scenario, &home)?;
    valid::conversation(&session)?;
    if session.is_running() {
        return Err("a turn is still running".into());
    }
    let journal = records(session.id(), &world);
    Ok(Ending {
        lives,
        session,
        journal,
        runs: world.runs,
    })
}

/// One process.
fn live(scenario: &Scenario, world: &World, dies: Option<Point>) -> Result<(Life, World), String> {
    let home = Home::begin(&scenario.setup, world, dies);
    let mut session = stored(scenario, &home)?;
    for reply in &scenario.replies[heard(&records(session.id(), world))..] {
        reply.load(&home.sim, &scenario.setup);
    }
    let begun = session.summary().turns as usize;
    let acknowledged = Rc::new(RefCell::new(Vec::new()));
    session.resume(home.sim.clock().now());
    let inbox = SimInbox::default();
    let mut turns = turns(scenario).skip(begun);
    if !session.is_running() {
        next(&mut turns, &inbox);
    }
    let (shown_inbox, shown_to) = (inbox.clone(), acknowledged.clone());
    let running = pin!(drive(&home, &mut session, inbox.clone(), |shown| {
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
                    },
                    false => Command::Approve {
                        call_id,
                        for_session: false,
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
    let died = matches!(home.sim.block_on(select(death, running)), Either::Left(_));
    for request in home.sim.http().bodies() {
        valid::request(&request)?;
    }
    let after = home.end();
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
        if !after.rows.values().any(told) {
            return Err(format!(
                "turn {} was told to be over and is not stored",
                turn.0
            ));
        }
    }
    Ok((life, after))
}

/// Gives the next command that begins a turn, or ends the inbox.
fn next(turns: &mut impl Iterator<Item = Command>, inbox: &SimInbox) {
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

fn stored(scenario: &Scenario, home: &Home) -> Result<Session, String> {
    let now: UnixMillis = home.sim.clock().now();
    let new = Session::new(scenario.setup.config(), [scenario.setup.seed; 32], now);
    match home.sim.block_on(open(home.sim.storage(), new.id())) {
        Ok(session) => Ok(session),
        Err(OpenError::Missing(_)) => Ok(new),
        Err(error) => Err(error.to_string()),
    }
}

fn records(session: &tau_core::ids::SessionId, world: &World) -> Journal {
    let range = journal::range(session, 0, u32::MAX);
    world
        .rows
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
    before: &BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
) -> Result<(), String> {
    let lost = before.iter().find(|(key, value)| {
        // The line in the list of sessions is the one thing that is rewritten.
        !key.starts_with("sessions/") && after.get(*key) != Some(value)
    });
    match lost {
        Some((key, _)) => Err(format!("{key} was lost or changed")),
        None => Ok(()),
    }
}
