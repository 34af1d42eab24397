//! What is stored, restored, forked.

use alloc::{string::ToString, vec, vec::Vec};
use serde_json::json;

use super::harness::*;
use crate::{
    ids::CallId,
    journal::JournalError,
    policy::Extent,
    session::{Command, Effect, Outcome, Session},
};

/// A conversation that passes through every kind of stage.
pub(crate) fn busy() -> Home {
    let calls = vec![
        ("read", json!({})),
        ("shell", json!({})),
        ("nope", json!({})),
    ];
    Home::new([
        Reply::Fails(overloaded()),
        Reply::Calls(calls),
        Reply::Calls(vec![
            ("remember", json!({"text": "x"})),
            ("recall", json!({"query": "x"})),
        ]),
        Reply::Text("done"),
        Reply::Text("summary"),
        Reply::Text("more"),
        Reply::Hangs("half"),
    ])
}

pub(crate) fn play(home: &mut Home) {
    home.prompt("go");
    home.wait();
    home.tool("read", "contents");
    home.submit(Command::Approve {
        call_id: CallId("c1".into()),
        extent: Extent::Session,
        digest: None,
    });
    home.tool("shell", "ran");
    home.submit(Command::Compact);
    home.prompt("again");
    home.prompt("and again").submit(Command::Interrupt);
    home.submit(Command::Undo).submit(Command::Undo);
    home.submit(Command::Redo);
    let first = home.session.entries().path()[0].id.clone();
    home.submit(Command::Switch { to: first });
}

#[test]
fn what_is_restored_is_what_was_running_after_every_commit() {
    let mut home = busy();
    home.on_commit = |home| {
        let restored = Session::restore(&[], &home.journal()).unwrap();
        // A commit may be on its way already; compare once all are stored.
        if restored.chain() == home.session.chain() {
            assert_eq!(restored.state, home.session.state);
        }
    };
    play(&mut home);
    let restored = Session::restore(&[], &home.journal()).unwrap();
    assert_eq!(restored.state, home.session.state);
    assert_eq!(restored.chain(), home.session.chain());
}

#[test]
fn nothing_is_done_before_its_record_is_stored() {
    let mut session = Session::new(config(), SEED, crate::ids::UnixMillis(0));
    let prompt = Command::Prompt {
        text: "go".into(),
        images: vec![],
    };
    session.submit(prompt, crate::ids::UnixMillis(1)).unwrap();
    let (id, effect) = session.poll_effect().unwrap();
    assert!(matches!(effect, Effect::Commit(_)));
    assert_eq!(session.poll_effect(), None);
    assert_eq!(session.poll_event(), None);
    session.answer(
        id,
        crate::session::Answer::Committed(Ok(())),
        crate::ids::UnixMillis(2),
    );
    assert!(matches!(
        session.poll_effect(),
        Some((_, Effect::Generate(_)))
    ));
}

#[test]
fn a_model_call_in_flight_is_made_again_under_the_same_id() {
    let mut home = Home::new([Reply::Hangs("ha"), Reply::Text("whole")]);
    home.prompt("go");
    let before = home
        .session
        .state
        .turn
        .as_ref()
        .unwrap()
        .attempt()
        .unwrap()
        .effect;
    home.restart();
    assert_eq!(home.transcript(), ["User go", "Assistant whole"]);
    assert_eq!(home.requests.len(), 2);
    assert_eq!(before.0, 0);
}

#[test]
fn each_running_tool_is_restored_by_its_kind() {
    let calls = vec![
        ("read", json!({})),
        ("write", json!({})),
        ("shell", json!({})),
    ];
    let mut home = Home::new([Reply::Calls(calls), Reply::Text("done")]);
    home.prompt("go");
    home.submit(Command::Approve {
        call_id: CallId("c2".into()),
        extent: Extent::Call,
        digest: None,
    });
    let read = home
        .tools
        .iter()
        .find(|(_, run)| run.name == "read")
        .unwrap()
        .0;
    assert_eq!(home.tools.len(), 3);
    home.restart();
    let again: Vec<_> = home
        .tools
        .iter()
        .map(|(id, run)| (*id, run.name.as_str()))
        .collect();
    assert_eq!(
        again,
        [(read, "read")],
        "a read runs again as the same effect"
    );
    let waiting = home.session.waiting();
    assert_eq!(waiting[0].call.name, "shell");
    assert!(waiting[0].reason.contains("may have done its work") && waiting[0].may_have_run);
    home.submit(Command::Approve {
        call_id: CallId("c2".into()),
        extent: Extent::Call,
        digest: None,
    });
    home.tool("shell", "ran").tool("read", "contents");
    let line = &home.transcript()[2];
    assert!(
        line.contains("write=Error:Tau stopped while this ran"),
        "{line}"
    );
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
}

/// A conversation whose process dies in the middle of everything.
pub(crate) fn interrupted_by_restarts() -> Home {
    let calls = vec![
        ("read", json!({})),
        ("write", json!({})),
        ("shell", json!({})),
    ];
    let mut home = Home::new([
        Reply::Fails(overloaded()),
        Reply::Hangs("ha"),
        Reply::Calls(calls),
        Reply::Text("done"),
    ]);
    home.prompt("go").restart().wait();
    home.restart();
    home.submit(Command::Approve {
        call_id: CallId("c2".into()),
        extent: Extent::Call,
        digest: None,
    });
    home.restart();
    home.submit(Command::Deny {
        call_id: CallId("c2".into()),
        reason: Some("no".into()),
        absent: false,
    });
    home.tool("read", "contents");
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
    home
}

/// A session whose process died while a read and a write were running, interrupted before it was
/// resumed.
pub(crate) fn interrupted_at_rest() -> Home {
    let calls = vec![
        ("shell", json!({})),
        ("read", json!({})),
        ("write", json!({})),
    ];
    let mut home = Home::new([Reply::Calls(calls), Reply::Text("done")]);
    home.prompt("go");
    home.session = Session::restore(&[], &home.journal()).unwrap();
    home.submit(Command::Interrupt).prompt("go on");
    home
}

#[test]
fn a_turn_given_up_after_a_crash_does_not_blame_the_person() {
    let home = interrupted_at_rest();
    let line = &home.transcript()[2];
    assert!(
        line.contains("write=Error:Tau stopped while this ran"),
        "{line}"
    );
    assert!(
        line.contains("shell=Cancelled:the person interrupted"),
        "{line}"
    );
}

#[test]
fn the_policy_of_the_home_holds_again_when_a_session_is_opened() {
    let mut home = Home::new([Reply::Calls(vec![("shell", json!({}))])]);
    let policy = crate::policy::Policy::preset(crate::policy::Preset::Permissive);
    home.submit(Command::SetPolicy { policy });
    home.session = Session::restore(&[], &home.journal()).unwrap();
    home.session.configure(config(), home.now);
    home.prompt("go");
    assert_eq!(home.session.waiting().len(), 1);
}

#[test]
fn an_approval_is_still_waited_for_after_a_restart() {
    let mut home = Home::new([
        Reply::Calls(vec![("shell", json!({}))]),
        Reply::Text("done"),
    ]);
    home.prompt("go").restart().restart();
    assert_eq!(home.session.waiting().len(), 1);
    home.submit(Command::Approve {
        call_id: CallId("c0".into()),
        extent: Extent::Call,
        digest: None,
    });
    home.tool("shell", "ran");
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
}

#[test]
fn an_attempt_that_waits_is_waited_for_after_a_restart() {
    let mut home = Home::new([Reply::Fails(overloaded()), Reply::Text("there")]);
    home.prompt("go").restart();
    assert_eq!(home.requests.len(), 1);
    home.wait();
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
}

#[test]
fn every_changed_byte_of_a_journal_is_found() {
    let mut home = busy();
    play(&mut home);
    let journal = home.journal();
    let intact = Session::restore(&[], &journal).unwrap();
    for (number, record) in journal.iter().enumerate() {
        for place in (0..record.len()).step_by(7) {
            let mut changed = journal.clone();
            changed[number][place] ^= 1;
            // The last record has none after it that names it: its change shows in the hash.
            if let Ok(session) = Session::restore(&[], &changed) {
                assert_eq!(number, journal.len() - 1);
                assert_ne!(session.chain().hash, intact.chain().hash);
            }
        }
    }
}

#[test]
fn a_journal_with_a_hole_or_from_the_future_is_refused() {
    let mut home = Home::new([Reply::Text("a")]);
    home.prompt("go");
    let mut journal = home.journal();
    let newer = journal[1].clone();
    let newer = alloc::string::String::from_utf8(newer)
        .unwrap()
        .replace("\"v\":1", "\"v\":99");
    let mut future = journal.clone();
    future[1] = newer.into_bytes();
    let error = Session::restore(&[], &future).unwrap_err();
    assert_eq!(error, JournalError::Newer { seq: 1, found: 99 });
    journal.remove(1);
    let error = Session::restore(&[], &journal).unwrap_err();
    assert_eq!(error.to_string(), "record 1 is missing, 2 follows");
    assert_eq!(
        Session::restore(&[], &vec![]).unwrap_err(),
        JournalError::Empty
    );
}

#[test]
fn a_fork_continues_without_a_copy_and_is_restored_with_its_past() {
    let mut home = Home::new([Reply::Text("a"), Reply::Text("b"), Reply::Text("c")]);
    home.prompt("one");
    let original = home.journal();
    let parent = home.session.clone();
    home.session = home.session.fork([9; 32], home.now).unwrap();
    home.prompt("two");
    let fork = home.journal();
    assert_eq!(
        home.transcript(),
        ["User one", "Assistant a", "User two", "Assistant b"]
    );
    assert_eq!(fork.len(), 4, "its creation and its own turn");
    let restored = Session::restore(core::slice::from_ref(&original), &fork).unwrap();
    assert_eq!(restored.entries(), home.session.entries());
    assert!(Session::restore(&[], &fork).is_err(), "its past is missing");
    // The original goes on; the fork is still the same.
    home.session = parent;
    home.prompt("three");
    let restored = Session::restore(&[home.journal()], &fork).unwrap();
    assert_eq!(restored.entries().len(), 4);
}
