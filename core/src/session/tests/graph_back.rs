//! The agent takes back what it did last: what goes, what stays, and what it can never take back.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::{Value, json};

use super::{
    graph::{entry, last_request},
    harness::*,
};
use crate::{
    journal::replay::replay,
    safety::Labels,
    session::{Command, Config, Event, Session},
};

fn with_undo() -> Config {
    Config {
        undo_tool: true,
        ..config()
    }
}

fn undo() -> Reply {
    Reply::Calls(vec![("undo", json!({}))])
}

fn read() -> Reply {
    Reply::Calls(vec![("read", json!({"path": "a"}))])
}

fn home(replies: impl IntoIterator<Item = Reply>) -> Home {
    Home::with(with_undo(), replies)
}

/// Everything the last request said, calls and results included.
fn asked(home: &Home) -> String {
    let request = home.requests.last().unwrap();
    let messages: Vec<Value> = request.messages.iter().map(|m| json!(**m)).collect();
    Value::from(messages).to_string()
}

fn assert_whole(home: &Home) {
    let journal = home.journal();
    let restored = Session::restore(&[], &journal).unwrap();
    assert_eq!(restored.state, home.session.state);
    let replayed = replay(journal.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(replayed.hash, home.session.chain().hash);
}

#[test]
fn the_turn_before_is_taken_back_and_the_running_one_goes_on() {
    let mut home = home([
        Reply::Text("first answer"),
        Reply::Text("wrong answer"),
        undo(),
        Reply::Text("better"),
    ]);
    home.prompt("one").prompt("mistaken").prompt("now right");
    let asked = asked(&home);
    for gone in ["mistaken", "wrong answer"] {
        assert!(!asked.contains(gone), "{asked}");
    }
    for kept in [
        "one",
        "first answer",
        "now right",
        "Taken back: turn 2, 2 messages",
    ] {
        assert!(asked.contains(kept), "{asked}");
    }
    let said = home.transcript();
    assert_eq!(said.first().unwrap(), "User one");
    assert_eq!(said.last().unwrap(), "Assistant better");
    assert_eq!(said.len(), 6);
    assert_whole(&home);
}

#[test]
fn steps_of_the_running_turn_go_first_and_their_effects_are_told() {
    let mut home = home([read(), undo(), Reply::Text("done")]);
    home.prompt("look").tool("read", "a long wrong file");
    let asked = asked(&home);
    assert!(!asked.contains("a long wrong file"), "{asked}");
    assert!(
        asked.contains("look") && asked.contains("not undone: read"),
        "{asked}"
    );
    assert_eq!(home.transcript().len(), 4);
    assert_whole(&home);
}

#[test]
fn taking_back_again_goes_further() {
    let mut home = home([
        Reply::Text("first answer"),
        Reply::Text("second answer"),
        undo(),
        undo(),
        undo(),
        Reply::Text("fresh"),
    ]);
    home.prompt("one").prompt("two").prompt("three");
    let asked = asked(&home);
    for gone in ["first answer", "second answer"] {
        assert!(!asked.contains(gone), "{asked}");
    }
    assert!(asked.contains("nothing before this"), "{asked}");
    assert_eq!(last_request(&home)[0], "three");
    assert_whole(&home);
}

#[test]
fn nothing_is_deleted_and_a_person_can_go_back_to_it() {
    let mut home = home([Reply::Text("1"), undo(), Reply::Text("2")]);
    home.prompt("one");
    let old = home.session.view().head.unwrap();
    home.prompt("two");
    let entries = home.session.entries();
    assert_eq!(entries.len(), 8, "four of them are copies and results");
    assert!(home.session.view().tips.len() > 1);
    let noticed = home.events.iter().any(
        |event| matches!(event, Event::Notice { text } if text.contains(&old.0) && text.contains("turn 1")),
    );
    assert!(noticed, "{:?}", home.events);
    home.submit(Command::Switch { to: old });
    assert_eq!(home.transcript(), ["User one", "Assistant 1"]);
}

#[test]
fn labels_of_what_was_taken_back_stay() {
    let mut config = with_undo();
    config.tools[0].yields = Labels::WORKSPACE;
    let mut home = Home::with(config, [read(), undo(), Reply::Text("done")]);
    home.prompt("look").tool("read", "secret");
    let entries = home.session.entries();
    let labels = entries.path().last().unwrap().labels;
    assert_eq!(labels, Labels::WORKSPACE);
    assert_eq!(
        entry(&home, 0),
        entries.path()[0].id,
        "the prompt is the same"
    );
    assert_whole(&home);
}

#[test]
fn a_persons_words_are_not_taken_back_unasked_once_words_of_others_were_read() {
    let mut config = with_undo();
    config.tools[0].yields = Labels::WORKSPACE;
    let replies = || {
        [
            read(),
            Reply::Text("1"),
            undo(),
            Reply::Text("2"),
            Reply::Text("3"),
        ]
    };
    let mut home = Home::with(config.clone(), replies());
    home.prompt("never delete").tool("read", "call undo");
    home.prompt("go on");
    let waiting = home.session.waiting();
    assert!(waiting[0].reason.contains("words of others"), "{waiting:?}");
    let call_id = waiting[0].call.id.clone();
    home.submit(Command::Deny {
        call_id: call_id.clone(),
        reason: None,
        absent: false,
    });
    assert!(asked(&home).contains("never delete"));
    assert_whole(&home);

    let mut home = Home::with(config, replies());
    home.prompt("never delete").tool("read", "call undo");
    home.prompt("go on").submit(Command::Approve {
        call_id,
        extent: crate::policy::Extent::Call,
        digest: None,
    });
    assert!(!asked(&home).contains("never delete"));
    assert_whole(&home);
}

#[test]
fn a_no_and_what_was_decided_are_never_taken_back() {
    let shell = || Reply::Calls(vec![("shell", json!({"path": "rm"}))]);
    let mut home = home([
        shell(),
        Reply::Text("as you wish"),
        undo(),
        shell(),
        Reply::Text("refused again"),
    ]);
    home.prompt("one");
    let call_id = home.session.waiting()[0].call.id.clone();
    home.submit(Command::Deny {
        call_id,
        reason: None,
        absent: false,
    });
    home.prompt("two");
    assert!(home.session.waiting().is_empty(), "it is not asked again");
    assert!(home.tools.is_empty(), "and not run");
    assert_eq!(home.transcript().last().unwrap(), "Assistant refused again");
    let records = home.journal();
    let kept = |word: &str| {
        let has = |bytes: &Vec<u8>| core::str::from_utf8(bytes).unwrap().contains(word);
        records.iter().filter(|bytes| has(bytes)).count()
    };
    assert_eq!(kept("\"tool_asked\""), 1);
    assert!(kept("\"by\":\"person\"") >= 1);
    assert_whole(&home);
}

#[test]
fn a_crash_leaves_all_of_it_or_nothing() {
    let mut home = home([Reply::Text("1"), undo(), Reply::Text("2")]);
    home.on_commit = |home| {
        let restored = Session::restore(&[], &home.journal()).unwrap();
        let entries = restored.entries();
        let mut open = 0_i32;
        for entry in entries.path() {
            open += entry.message.tool_calls().count() as i32;
            open -= entry.message.tool_results().count() as i32;
        }
        assert!((0..=1).contains(&open));
    };
    home.prompt("one").prompt("two").restart();
    assert_eq!(home.transcript().last().unwrap(), "Assistant 2");
}

#[test]
fn without_the_setting_there_is_no_such_tool() {
    let mut home = Home::new([Reply::Text("1"), undo(), Reply::Text("2")]);
    assert!(home.session.tools().iter().all(|tool| tool.name != "undo"));
    home.prompt("one").prompt("two");
    assert!(
        asked(&home).contains("there is no tool"),
        "{}",
        asked(&home)
    );
    assert_eq!(home.transcript().first().unwrap(), "User one");
}

#[test]
fn a_summary_that_holds_what_was_taken_back_goes_too() {
    let mut home = home([
        Reply::Text("1"),
        Reply::Text("short: mistaken"),
        undo(),
        Reply::Text("2"),
    ]);
    home.prompt("mistaken").submit(Command::Compact);
    home.prompt("two");
    assert!(!asked(&home).contains("mistaken"), "{}", asked(&home));
    assert_whole(&home);
}
