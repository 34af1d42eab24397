//! Routines of a served session in virtual time.

use futures_util::future::join;
use tau_core::{
    safety::Gate,
    session::{Outcome, Session},
};

use super::*;
use crate::{
    open::open,
    sim::{SimHost, config},
};

fn session(home: &SimHost) -> Session {
    Session::new(config(), [7; 32], home.clock().now())
}

fn store(home: &SimHost, routine: &Routine) {
    let stored = home.block_on(home.storage().commit(routine.save()));
    assert_eq!(stored, Ok(()));
}

/// A routine that is due in a minute, and then every minute.
fn every_minute(home: &SimHost) -> Routine {
    let first = home.clock().now().plus(60_000);
    let id = session(home).id().clone();
    Routine::new(
        "r",
        &id,
        "look around",
        first,
        Some(60_000),
        &Gate::default(),
    )
    .unwrap()
}

/// Serves a session beside `script`.
fn beside<F: Future<Output = ()>>(home: &SimHost, script: impl FnOnce(Live) -> F) {
    let live = Live::new(1);
    let mut session = session(home);
    let run = live.run(home, &mut session);
    home.block_on(join(run, script(live.clone())));
}

#[test]
fn what_is_due_is_said_and_its_run_is_on_record() {
    let home = SimHost::new();
    home.model().say(10, &["all quiet"]);
    let routine = every_minute(&home);
    store(&home, &routine);
    let (storage, clock, id) = (home.storage(), home.clock(), routine.session.clone());
    beside(&home, async |live| {
        assert_eq!(run_due(storage, clock, &live, &id).await, Ok(0), "too soon");
        let due = next_due(storage, &id).await.unwrap().unwrap();
        clock.sleep_until(due).await;
        assert_eq!(run_due(storage, clock, &live, &id).await, Ok(1));
        assert_eq!(
            run_due(storage, clock, &live, &id).await,
            Ok(0),
            "only once"
        );
        live.close();
    });
    let runs = home.block_on(runs(storage, &id, "r")).unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].outcome, Some(Outcome::Answered));
    let session = home.block_on(open(storage, &id)).unwrap();
    assert_eq!(
        session.entries().path()[0].message.joined_text(),
        "look around"
    );
    let next = home.block_on(next_due(storage, &id)).unwrap();
    assert_eq!(next, Some(routine.next.unwrap().plus(60_000)));
}

fn prompt(text: &str) -> Command {
    Command::Prompt {
        text: text.into(),
        images: Vec::new(),
    }
}

#[test]
fn what_is_due_while_another_turn_runs_is_said_after_it() {
    let home = SimHost::new();
    home.model().say(100_000, &["slow"]);
    home.model().say(10, &["all quiet"]);
    let routine = every_minute(&home);
    store(&home, &routine);
    let (storage, clock, id) = (home.storage(), home.clock(), routine.session.clone());
    beside(&home, async |live| {
        live.submit(prompt("a long one")).await.unwrap();
        clock.sleep(61_000).await;
        assert_eq!(run_due(storage, clock, &live, &id).await, Ok(1));
        live.close();
    });
    let runs = home.block_on(runs(storage, &id, "r")).unwrap();
    assert_eq!(runs[0].outcome, Some(Outcome::Answered));
    assert_eq!(runs[0].turn.map(|turn| turn.0), Some(2));
}

#[test]
fn a_routine_removed_while_another_speaks_stays_removed() {
    let home = SimHost::new();
    home.model().say(1_000, &["first"]);
    let first = every_minute(&home);
    let second = Routine {
        id: "s".into(),
        ..first.clone()
    };
    store(&home, &first);
    store(&home, &second);
    let (storage, clock, id) = (home.storage(), home.clock(), first.session.clone());
    beside(&home, async |live| {
        clock.sleep(60_000).await;
        let said = run_due(storage, clock, &live, &id);
        let removed = async {
            clock.sleep(500).await;
            assert_eq!(remove(storage, &id, "s").await, Ok(true));
            assert_eq!(remove(storage, &id, "r").await, Ok(true), "in its own turn");
        };
        let (said, ()) = join(said, removed).await;
        assert_eq!(said, Ok(1));
        live.close();
    });
    let left = home.storage().rows();
    assert!(
        left.iter()
            .all(|(key, _)| !key.starts_with("run/") && !key.starts_with("routine/")),
        "{left:?}"
    );
}

#[test]
fn a_due_time_that_another_took_is_passed_over() {
    let home = SimHost::new();
    let routine = every_minute(&home);
    let (storage, clock, id) = (home.storage(), home.clock(), routine.session.clone());
    let (moved, run) = routine.fire(routine.next.unwrap()).unwrap();
    home.block_on(storage.commit(moved.begin(&run))).unwrap();
    store(&home, &routine);
    beside(&home, async |live| {
        clock.sleep(60_000).await;
        assert_eq!(run_due(storage, clock, &live, &id).await, Ok(0));
        live.close();
    });
    assert_eq!(home.block_on(next_due(storage, &id)), Ok(moved.next));
}

#[test]
fn a_run_whose_process_died_is_completed_from_the_journal() {
    let home = SimHost::new();
    home.model().say(10, &["all quiet"]);
    let routine = every_minute(&home);
    store(&home, &routine);
    let (storage, clock, id) = (home.storage(), home.clock(), routine.session.clone());
    let (moved, run) = routine.fire(routine.next.unwrap()).unwrap();
    home.block_on(clock.sleep_until(run.started));
    home.block_on(storage.commit(moved.begin(&run))).unwrap();
    // Another process heard the answer.
    beside(&home, async |live| {
        live.submit(prompt("look around")).await.unwrap();
        live.close();
    });
    home.block_on(settle(storage, &id)).unwrap();
    let settled = home.block_on(runs(storage, &id, "r")).unwrap();
    assert_eq!(settled[0].outcome, Some(Outcome::Answered));
    assert!(settled[0].turn.is_some());
}

#[test]
fn a_run_that_never_got_to_its_prompt_says_so() {
    let home = SimHost::new();
    let routine = every_minute(&home);
    let (storage, id) = (home.storage(), routine.session.clone());
    let (moved, run) = routine.fire(routine.next.unwrap()).unwrap();
    home.block_on(storage.commit(moved.begin(&run))).unwrap();
    home.block_on(settle(storage, &id)).unwrap();
    let settled = home.block_on(runs(storage, &id, "r")).unwrap();
    assert!(settled[0].refused.as_ref().unwrap().contains("before"));
}

#[test]
fn a_routine_goes_with_its_runs_and_old_runs_are_forgotten() {
    let home = SimHost::new();
    let mut routine = every_minute(&home);
    let (storage, id) = (home.storage(), routine.session.clone());
    for _ in 0..KEPT_RUNS + 20 {
        let (moved, run) = routine.fire(routine.next.unwrap()).unwrap();
        home.block_on(storage.commit(moved.begin(&run))).unwrap();
        routine = moved;
    }
    home.block_on(forget_old(storage, &id, "r")).unwrap();
    let kept = home.block_on(runs(storage, &id, "r")).unwrap();
    assert_eq!(kept.len(), KEPT_RUNS);
    assert_eq!(home.block_on(remove(storage, &id, "r")), Ok(true));
    assert_eq!(home.block_on(remove(storage, &id, "r")), Ok(false));
    assert!(storage.rows().is_empty());
}
