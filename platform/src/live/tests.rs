//! A served session in virtual time.

use alloc::{string::ToString, vec::Vec};
use futures_util::{
    StreamExt,
    future::{join, select},
};
use tau_core::ids::UnixMillis;

use super::*;
use crate::{
    clock::Clock,
    open::open,
    sim::{SimHost, config},
};

fn prompt(text: &str) -> Command {
    Command::Prompt {
        text: text.into(),
        images: Vec::new(),
    }
}

/// Runs a session beside `script`, which ends it.
fn beside(home: &SimHost, live: &Live, script: impl Future<Output = ()>) -> Left {
    let mut session = Session::new(config(), [7; 32], home.clock().now());
    let run = live.run(home, &mut session);
    let (left, ()) = home.block_on(join(run, script));
    left
}

async fn until_finished(watch: &mut Watch) -> Vec<(Mark, Event)> {
    let mut seen = Vec::new();
    while let Some((mark, event)) = watch.next().await {
        let finished = matches!(event, Event::TurnFinished { .. });
        seen.push((mark, event));
        if finished {
            break;
        }
    }
    seen
}

fn text(seen: &[(Mark, Event)]) -> alloc::string::String {
    let deltas = seen.iter().filter_map(|(_, event)| match event {
        Event::TextDelta { text } => Some(text.as_str()),
        _ => None,
    });
    deltas.collect()
}

#[test]
fn commands_are_answered_in_their_order_and_events_reach_every_watcher() {
    let home = SimHost::new();
    home.model().say(10, &["a", "b"]);
    let live = Live::new(1);
    let left = beside(&home, &live, async {
        let (mut one, mut two) = (live.watch(None), live.watch(None));
        let (first, second) =
            join(live.submit(prompt("hi")), live.submit(prompt("too soon"))).await;
        assert_eq!(first, Ok(()));
        assert_eq!(second, Err(CommandError::Busy));
        let (one, two) = join(until_finished(&mut one), until_finished(&mut two)).await;
        assert_eq!(text(&one), "ab");
        assert_eq!(one, two);
        live.close();
    });
    assert_eq!(left, Left::Idle);
}

#[test]
fn a_watcher_that_was_away_goes_on_behind_its_mark() {
    let home = SimHost::new();
    home.model().say(10, &["a ", "b ", "c"]);
    let live = Live::new(1);
    beside(&home, &live, async {
        let mut watch = live.watch(None);
        live.submit(prompt("hi")).await.unwrap();
        let mut before = Vec::new();
        while text(&before) != "a " {
            before.push(watch.next().await.unwrap());
        }
        drop(watch);
        home.clock().sleep(1_000).await;
        let mark: Mark = before.last().unwrap().0.to_string().parse().unwrap();
        let mut again = live.watch(Some(mark));
        assert!(again.resumed);
        let after = until_finished(&mut again).await;
        assert_eq!(
            text(&before) + &text(&after),
            "a b c",
            "nothing twice, nothing lost"
        );
        assert_eq!(after[0].0.number, mark.number + 1);
        live.close();
    });
}

#[test]
fn a_newcomer_gets_the_unfinished_message_from_its_beginning() {
    let home = SimHost::new();
    home.model().say(1, &["old"]);
    home.model().say(10, &["a ", "b ", "c"]);
    let live = Live::new(1);
    beside(&home, &live, async {
        let mut watch = live.watch(None);
        live.submit(prompt("one")).await.unwrap();
        until_finished(&mut watch).await;
        live.submit(prompt("two")).await.unwrap();
        home.clock().sleep(25).await;
        for mark in [None, Some(Mark { life: 2, number: 1 })] {
            let mut late = live.watch(mark);
            assert!(!late.resumed);
            let (_, first) = late.next().await.unwrap();
            assert!(matches!(first, Event::ModelCalled { .. }), "{first:?}");
            let (_, second) = late.next().await.unwrap();
            assert_eq!(second, Event::TextDelta { text: "a ".into() });
        }
        let id = Session::new(config(), [7; 32], UnixMillis(0)).id().clone();
        let view = open(home.storage(), &id);
        assert_eq!(
            view.await.unwrap().view().entries.len(),
            3,
            "what is stored comes from the store"
        );
        until_finished(&mut watch).await;
        live.close();
    });
}

#[test]
fn a_watcher_that_falls_too_far_behind_is_let_go() {
    let home = SimHost::new();
    let words: Vec<&str> = core::iter::repeat_n("x ", 5_000).collect();
    home.model().say(1, &words);
    let live = Live::new(1);
    beside(&home, &live, async {
        let mut slow = live.watch(None);
        let mut quick = live.watch(None);
        live.submit(prompt("hi")).await.unwrap();
        assert!(slow.next().await.is_some());
        until_finished(&mut quick).await;
        assert_eq!(slow.next().await, None);
        live.close();
    });
}

#[test]
fn a_newcomer_gets_all_of_a_message_however_many_pieces_it_came_in() {
    let home = SimHost::new();
    let words: Vec<&str> = core::iter::repeat_n("x ", 6_000).collect();
    home.model().say(1, &words);
    let live = Live::new(1);
    beside(&home, &live, async {
        let mut early = live.watch(None);
        live.submit(prompt("hi")).await.unwrap();
        assert!(early.next().await.is_some());
        home.clock().sleep(5_500).await;
        let so_far = live.mark();
        let mut late = live.watch(None);
        let seen = until_finished(&mut late).await;
        assert_eq!(text(&seen).len(), 12_000, "from its beginning");
        assert!(seen.len() < 6_000 && seen[0].0.number <= so_far.number);
        while early.next().await.is_some() {}
        live.close();
    });
}

#[test]
fn nobody_waits_for_a_run_that_is_over() {
    let home = SimHost::new();
    home.model().say(1_000, &["never heard"]);
    let live = Live::new(1);
    let mut session = Session::new(config(), [7; 32], home.clock().now());
    let mut watch = live.watch(None);
    {
        let run = core::pin::pin!(live.run(&home, &mut session));
        let script = core::pin::pin!(async {
            live.submit(prompt("hi")).await.unwrap();
        });
        // Dropped in the middle of the turn.
        home.block_on(async {
            select(run, script).await;
        });
    }
    let late = live.submit(Command::Interrupt);
    assert_eq!(home.block_on(late), Err(CommandError::Stopped));
    let rest = home.block_on(async {
        let mut rest = 0;
        while watch.next().await.is_some() {
            rest += 1;
        }
        rest
    });
    assert!(rest > 0, "what had happened is still told");
}

#[test]
fn marks_are_read_as_they_are_written_and_nothing_else_is() {
    let mark = Mark {
        life: 1_767_225_600_000,
        number: 42,
    };
    assert_eq!(mark.to_string().parse(), Ok(mark));
    for wrong in [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "a-b",
        "1 -2",
        "99999999999999999999-1",
    ] {
        assert_eq!(wrong.parse::<Mark>(), Err(UnknownMark), "{wrong:?}");
    }
    let ahead = Live::new(1).watch(Some(Mark {
        life: 1,
        number: u64::MAX,
    }));
    assert!(!ahead.resumed, "a mark of the future is not one of ours");
}
