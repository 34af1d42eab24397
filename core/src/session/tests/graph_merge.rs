//! Merging branches: what comes along, what stays whole, and what is not brought twice.

use alloc::{vec, vec::Vec};
use serde_json::json;

use super::{
    graph::{entry, last_request, refused},
    harness::*,
};
use crate::{
    ids::EntryId,
    journal::replay::replay,
    safety::Labels,
    session::{Command, CommandError, MergeHow, Origin, Session},
};

fn merge(from: EntryId, how: MergeHow) -> Command {
    Command::Merge { from, how }
}

/// Two branches behind one turn; the session stands on the second. The first read a file.
fn two_branches() -> (Home, EntryId) {
    let mut config = config();
    config.tools[0].yields = Labels::WORKSPACE;
    let mut home = Home::with(
        config,
        [
            Reply::Text("1"),
            Reply::Calls(vec![("read", json!({"path": "a"}))]),
            Reply::Text("read it"),
            Reply::Text("3"),
            Reply::Text("4"),
            Reply::Text("5"),
        ],
    );
    home.prompt("one").prompt("two").tool("read", "contents");
    let other = entry(&home, 5);
    home.submit(Command::Undo).prompt("three");
    (home, other)
}

#[test]
fn appended_entries_follow_the_head_and_name_what_they_are_copies_of() {
    let (mut home, other) = two_branches();
    home.submit(merge(other, MergeHow::Append));
    assert_eq!(
        home.transcript(),
        [
            "User one",
            "Assistant 1",
            "User three",
            "Assistant 3",
            "User two",
            "Assistant read()",
            "Tool read=Ok:contents",
            "Assistant read it"
        ]
    );
    let entries = home.session.entries();
    for (copy, of) in (8..12).zip(2..6) {
        let (copy, original) = (entries.get(copy).unwrap(), entries.get(of).unwrap());
        assert_eq!(copy.origin, Some(Origin::Copied { of }));
        assert_eq!(copy.message, original.message);
        assert_ne!(copy.id, original.id);
    }
    home.prompt("go on");
    let said = ["one", "1", "three", "3", "two", "", "", "read it", "go on"];
    assert_eq!(last_request(&home), said);
}

#[test]
fn a_squash_is_one_entry_that_tells_what_was_said() {
    let (mut home, other) = two_branches();
    home.submit(merge(other, MergeHow::Squash));
    let transcript = home.transcript();
    assert_eq!(transcript.len(), 5);
    for told in [
        "Person: two",
        "Agent called read",
        "contents",
        "Agent: read it",
    ] {
        assert!(transcript[4].contains(told), "{}", transcript[4]);
    }
    let graph = home.session.graph();
    assert_eq!(graph.entries[8].who, "summary");
    assert_eq!(
        graph.entries[8].merged_from,
        Some(graph.entries[5].id.clone())
    );
}

#[test]
fn what_comes_along_brings_its_labels() {
    for how in [MergeHow::Append, MergeHow::Squash] {
        let (mut home, other) = two_branches();
        let labels = |home: &Home| {
            let entries = home.session.entries();
            entries.path().last().unwrap().labels
        };
        assert_eq!(labels(&home), Labels::NONE);
        home.submit(merge(other, how));
        assert_eq!(labels(&home), Labels::WORKSPACE, "{how:?}");
    }
}

#[test]
fn what_was_merged_is_not_merged_again_and_only_the_rest_is() {
    for how in [MergeHow::Append, MergeHow::Squash] {
        let (mut home, other) = two_branches();
        let merged = merge(other.clone(), how);
        home.submit(merged.clone());
        assert_eq!(
            refused(&mut home, merged),
            CommandError::NothingToMerge {
                entry: other.clone()
            }
        );
        let here = home.session.view().head.unwrap();
        let before = home.transcript().len();
        home.submit(Command::Switch { to: other }).prompt("more");
        let other = home.session.view().head.unwrap();
        home.submit(Command::Switch { to: here });
        home.submit(merge(other, how));
        let transcript = home.transcript();
        let new = &transcript[before..];
        match how {
            MergeHow::Append => assert_eq!(new, ["User more", "Assistant 4"]),
            MergeHow::Squash => {
                assert_eq!(new.len(), 1);
                assert!(new[0].contains("Person: more") && !new[0].contains("two"));
            }
        }
    }
}

#[test]
fn a_branch_is_not_merged_into_what_follows_it() {
    let (mut home, _) = two_branches();
    let shared = entry(&home, 1);
    let error = refused(&mut home, merge(shared.clone(), MergeHow::Append));
    assert_eq!(error, CommandError::NothingToMerge { entry: shared });
    let calls = entry(&home, 3);
    let error = refused(&mut home, merge(calls.clone(), MergeHow::Append));
    assert_eq!(error, CommandError::MidTurn { entry: calls });
}

#[test]
fn one_undo_takes_a_merge_back() {
    for how in [MergeHow::Append, MergeHow::Squash] {
        let (mut home, other) = two_branches();
        let before = home.transcript();
        home.submit(merge(other, how)).submit(Command::Undo);
        assert_eq!(home.transcript(), before);
    }
}

#[test]
fn a_merge_stores_names_not_texts() {
    let (mut home, other) = two_branches();
    home.submit(merge(other, MergeHow::Append));
    let journal = home.journal();
    let record = core::str::from_utf8(journal.last().unwrap()).unwrap();
    assert!(record.contains("\"appended\""), "{record}");
    assert!(!record.contains("contents"), "{record}");
}

#[test]
fn merges_are_restored_and_replayed() {
    for how in [MergeHow::Append, MergeHow::Squash] {
        let (mut home, other) = two_branches();
        home.submit(merge(other, how)).prompt("go on");
        let journal = home.journal();
        let restored = Session::restore(&[], &journal).unwrap();
        assert_eq!(restored.state, home.session.state);
        let replayed = replay(journal.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(replayed.hash, home.session.chain().hash);
    }
}
