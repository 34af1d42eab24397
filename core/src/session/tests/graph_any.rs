//! Whatever is said, undone, branched and merged in whatever order: what always holds.

use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};
use proptest::prelude::*;
use serde_json::json;

use super::harness::*;
use crate::{
    journal::replay::replay,
    message::Role,
    session::{Command, Config, MergeHow, Session},
};

/// One thing a person or the model does.
#[derive(Clone, Debug)]
enum Act {
    Say,
    SayAndRead,
    SayAndTakeBack,
    Undo,
    Redo,
    Switch(prop::sample::Index),
    SwitchTo(u8),
    Branch(u8),
    Bookmark(u8),
    Forget(u8),
    Merge(prop::sample::Index, MergeHow),
    Compact,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let any = any::<prop::sample::Index>;
    let name = || 0_u8..4;
    let act = prop_oneof![
        4 => Just(Act::Say),
        2 => Just(Act::SayAndRead),
        2 => Just(Act::SayAndTakeBack),
        3 => Just(Act::Undo),
        2 => Just(Act::Redo),
        2 => any().prop_map(Act::Switch),
        1 => name().prop_map(Act::SwitchTo),
        1 => name().prop_map(Act::Branch),
        1 => name().prop_map(Act::Bookmark),
        1 => name().prop_map(Act::Forget),
        2 => any().prop_map(|at| Act::Merge(at, MergeHow::Append)),
        1 => any().prop_map(|at| Act::Merge(at, MergeHow::Squash)),
        1 => Just(Act::Compact),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..24)
}

fn act(home: &mut Home, act: &Act, number: usize) {
    let place = |home: &Home, at: &prop::sample::Index| {
        let entries = home.session.entries();
        let place = (!entries.is_empty()).then(|| at.index(entries.len()))?;
        Some(entries.get(place)?.id.clone())
    };
    let named = |name: &u8| format!("n{name}");
    let command = match act {
        Act::Say => {
            home.replies.extend([Reply::Text("said")]);
            home.prompt(&format!("prompt {number}"));
            return;
        }
        Act::SayAndRead => {
            let call = Reply::Calls(vec![("read", json!({"path": "a"}))]);
            home.replies.extend([call, Reply::Text("read")]);
            home.prompt(&format!("prompt {number}"))
                .tool("read", "contents");
            return;
        }
        Act::SayAndTakeBack => {
            let call = Reply::Calls(vec![("undo", json!({}))]);
            home.replies.extend([call, Reply::Text("anew")]);
            home.prompt(&format!("prompt {number}"));
            return;
        }
        Act::Restart => {
            home.restart();
            return;
        }
        Act::Undo => Command::Undo,
        Act::Redo => Command::Redo,
        Act::Switch(at) => match place(home, at) {
            Some(to) => Command::Switch { to },
            None => return,
        },
        Act::Merge(at, how) => match place(home, at) {
            Some(from) => Command::Merge { from, how: *how },
            None => return,
        },
        Act::SwitchTo(name) => Command::SwitchTo { name: named(name) },
        Act::Branch(name) => Command::Branch {
            name: named(name),
            at: None,
        },
        Act::Bookmark(name) => Command::Bookmark {
            name: named(name),
            at: None,
        },
        Act::Forget(name) => Command::Forget { name: named(name) },
        Act::Compact => {
            home.replies.push_front(Reply::Text("in short"));
            if home.session.submit(Command::Compact, home.now).is_err() {
                home.replies.pop_front();
            }
            home.run();
            return;
        }
    };
    // Refusals are fine: nothing changed.
    let before = home.session.state.clone();
    match home.session.submit(command, home.now) {
        Ok(()) => {
            home.run();
        }
        Err(_) => assert_eq!(home.session.state, before),
    }
}

fn check(home: &Home) {
    let session = &home.session;
    let entries: Vec<_> = session.entries().iter().collect();
    let ids: BTreeSet<&String> = entries.iter().map(|entry| &entry.id.0).collect();
    assert_eq!(
        ids.len(),
        entries.len(),
        "every entry has a name of its own"
    );
    for (place, entry) in entries.iter().enumerate() {
        assert!(entry.parent.is_none_or(|parent| parent < place));
        let calls = |message: &crate::message::Message| -> Vec<_> {
            message.tool_calls().map(|call| call.id.clone()).collect()
        };
        if entry.message.role == Role::Tool {
            let parent = entries[entry.parent.expect("results follow their calls")];
            let answered: Vec<_> = entry
                .message
                .tool_results()
                .map(|r| r.call_id.clone())
                .collect();
            assert_eq!(calls(&parent.message), answered);
        }
        if let Some(parent) = entry.parent
            && !calls(&entries[parent].message).is_empty()
        {
            assert_eq!(entry.message.role, Role::Tool, "nothing comes between");
        }
    }
    let path = session.entries().path();
    if let Some(last) = path.last() {
        assert!(last.message.tool_calls().next().is_none(), "it rests");
    }
    // Whatever was said is still to be reached from the end of some branch.
    let mut reached = BTreeSet::new();
    let tips = session.entries().tips();
    for tip in tips {
        let back = session.entries().back_from(Some(tip));
        reached.extend(back.map(|(place, _)| place));
    }
    for (place, entry) in entries.iter().enumerate() {
        let is_call = entry.message.tool_calls().next().is_some();
        assert!(is_call || reached.contains(&place), "entry {place} is lost");
    }
    let view = session.view();
    assert_eq!(view.entries.len(), entries.len());
    let restored = Session::restore(&[], &home.journal()).unwrap();
    assert_eq!(restored.state, session.state);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_moves_keeps_every_entry_and_every_group(acts in acts()) {
        let config = Config { undo_tool: true, ..config() };
        // Nothing is stored before the first prompt, so it is said.
        let mut home = Home::with(config, [Reply::Text("first")]);
        home.prompt("first");
        for (number, one) in acts.iter().enumerate() {
            act(&mut home, one, number);
            check(&home);
        }
        let journal = home.journal();
        let replayed = replay(journal.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(&replayed.hash, &home.session.chain().hash);
    }
}
