//! A process may die next to anything it does: nothing acknowledged is lost, nothing that must not
//! be repeated is repeated, and the conversation goes on.

use std::collections::BTreeMap;
use tau_core::{
    journal::replay::replay,
    session::{Command, Event, Session, StoreError},
};
use tau_platform::{
    Clock, Shown, drive,
    open::open,
    sim::{Exchange, SimHost, timed},
};
use tau_tests::{
    scenario::{Ending, Point, Scenario, Side, parse, survive, transcript},
    wire::{self, Frame, Piece, Tokens},
};

fn everything_once() -> Scenario {
    parse(include_str!("../scenarios/everything-once.md")).expect("a scenario")
}

fn any(nth: usize, side: Side) -> Point {
    Point {
        operation: None,
        nth,
        side,
    }
}

/// How often each call of a tool ran that must not run twice.
fn repeated(ending: &Ending) -> Option<String> {
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for run in ending.runs.iter().filter(|run| run.name != "read") {
        *runs.entry(&run.call).or_default() += 1;
    }
    runs.into_iter()
        .find(|(_, times)| *times > 1)
        .map(|(call, times)| format!("{call} ran {times} times"))
}

/// Plays with these deaths and checks what must hold whatever they are.
fn check(scenario: &Scenario, deaths: &[Point]) -> Ending {
    let ending = survive(scenario, deaths).unwrap_or_else(|why| panic!("{deaths:?}: {why}"));
    if let Some(why) = repeated(&ending) {
        panic!("{deaths:?}: {why}");
    }
    assert_eq!(
        ending.session.summary().turns,
        4,
        "{deaths:?}: every turn is there, once"
    );
    let text = transcript(&ending.journal);
    let replayed = replay(text.lines().map(str::as_bytes));
    match replayed {
        Ok(replayed) => assert_eq!(replayed.hash, ending.session.chain().hash, "{deaths:?}"),
        Err(diverged) => panic!("{deaths:?}: {diverged}"),
    }
    ending
}

#[test]
fn a_process_that_dies_next_to_any_operation_loses_and_repeats_nothing() {
    let scenario = everything_once();
    let whole = check(&scenario, &[]);
    let operations = whole.lives[0].operations;
    assert!(
        operations > 60,
        "the scenario does {operations} things, too few to be of use"
    );
    for nth in 1..=operations {
        for side in [Side::Before, Side::After] {
            let ending = check(&scenario, &[any(nth, side)]);
            assert!(ending.lives[0].died, "operation {nth} was reached");
        }
    }
}

#[test]
fn a_process_that_dies_again_and_again_still_gets_there() {
    let scenario = everything_once();
    for step in 3..14 {
        // The nth operation of each process: every one gets a little further.
        let deaths: Vec<Point> = (0..40)
            .map(|life| {
                any(
                    step + life % 5,
                    if life % 2 == 0 {
                        Side::Before
                    } else {
                        Side::After
                    },
                )
            })
            .collect();
        check(&scenario, &deaths);
    }
}

#[test]
fn a_process_that_dies_twice_in_a_row_loses_and_repeats_nothing() {
    let scenario = everything_once();
    let operations = check(&scenario, &[]).lives[0].operations;
    for first in (1..=operations).step_by(7) {
        for second in (1..=operations - first).step_by(5) {
            check(
                &scenario,
                &[any(first, Side::After), any(second, Side::Before)],
            );
        }
    }
}

fn saying(text: &str) -> Exchange {
    let pieces = [Piece::Text(text.into())];
    let frames = wire::stream(tau_core::model::Api::OpenAi, &pieces, Tokens::default());
    let bytes: Vec<u8> = frames
        .into_iter()
        .flat_map(|frame| match frame {
            Frame::Bytes(bytes) => bytes,
            _ => Vec::new(),
        })
        .collect();
    Exchange::ok(bytes)
}

fn prompt(text: &str) -> Command {
    Command::Prompt {
        text: text.into(),
        images: Vec::new(),
    }
}

#[test]
fn two_processes_on_one_session_never_interleave() {
    let home = SimHost::new();
    let config = everything_once().setup.config();
    let mut first = Session::new(config, [7; 32], home.clock().now());
    home.http().expect(saying("one"));
    home.run(&mut first, [(0, prompt("first"))]);

    let mut second = home
        .block_on(open(home.storage(), first.id()))
        .expect("it is stored");
    home.http().expect(saying("two"));
    home.run(&mut first, [(0, prompt("still first"))]);
    let before = home.storage().rows();
    let (shown, _) = home.run(&mut second, [(0, prompt("second"))]);

    let conflict = StoreError::Conflict {
        session: first.id().clone(),
    };
    assert!(
        shown.contains(&Shown::Event(Event::Stopped { error: conflict })),
        "{shown:?}"
    );
    assert_eq!(
        home.storage().rows(),
        before,
        "the one who lost stored nothing"
    );
    assert_eq!(home.http().left(), 0, "and sent nothing");
    let stored = home
        .block_on(open(home.storage(), first.id()))
        .expect("it is intact");
    assert_eq!(stored.chain(), first.chain());
}

#[test]
fn of_two_processes_at_the_same_time_one_wins_and_the_other_stops() {
    let home = SimHost::new();
    let config = everything_once().setup.config();
    let mut first = Session::new(config, [7; 32], home.clock().now());
    home.http().expect(saying("hello"));
    home.run(&mut first, [(0, prompt("hello"))]);
    let mut second = home
        .block_on(open(home.storage(), first.id()))
        .expect("it is stored");

    // Only the winner's request is answered: another one would end the test.
    home.storage().delay(10);
    home.http().expect(saying("one of two"));
    let (mut stopped, mut finished) = (0, 0);
    let mut count = |shown: &Shown| match shown {
        Shown::Event(Event::Stopped { .. }) => stopped += 1,
        Shown::Event(Event::TurnFinished { .. }) => finished += 1,
        _ => {}
    };
    let counted = std::cell::RefCell::new(&mut count);
    home.block_on(async {
        let inbox = || timed(home.clock(), [(5, prompt("race"))]);
        let one = drive(&home, &mut first, inbox(), |shown| {
            counted.borrow_mut()(&shown)
        });
        let two = drive(&home, &mut second, inbox(), |shown| {
            counted.borrow_mut()(&shown)
        });
        futures_util::future::join(one, two).await
    });
    assert_eq!((stopped, finished), (1, 1));
    let stored = home
        .block_on(open(home.storage(), first.id()))
        .expect("it is intact");
    assert_eq!(stored.entries().len(), 4);
}
