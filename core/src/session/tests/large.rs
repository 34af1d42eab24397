//! Large contents: stored once, referred to, and told when they are missing or were changed.

use alloc::{format, string::String, vec::Vec};
use serde_json::json;

use super::harness::*;
use crate::{
    journal::{
        Blobs, JournalError,
        blob::{self, LARGE_BYTES},
        replay::replay,
        sections::session_section,
        sha256_hex,
    },
    message::Part,
    session::{Command, MergeHow, Session},
};

fn large(letter: char) -> String {
    let line = format!("Ship {letter} sailed on in the evening.\n");
    core::iter::repeat_n(line, LARGE_BYTES / 16).collect()
}

fn read() -> Reply {
    Reply::Calls(alloc::vec![("read", json!({"path": "a"}))])
}

fn contents(home: &Home) -> Vec<&(String, Vec<u8>)> {
    let rows = home.stored.iter();
    rows.filter(|(key, _)| key.starts_with("blob/")).collect()
}

/// Restored it is the same, and replayed it writes the same.
fn assert_whole(home: &Home) {
    let (journal, blobs) = (home.journal(), home.blobs());
    let restored = Session::restore_whole(&[], &journal, &blobs).unwrap();
    assert_eq!(restored.state, home.session.state);
    let text = session_section(&[], &journal, &blobs);
    let text = text.strip_suffix(b"\n").unwrap();
    let replayed = replay(text.split(|byte| *byte == b'\n')).unwrap();
    assert_eq!(replayed.hash, home.session.chain().hash);
}

#[test]
fn a_large_content_is_stored_once_however_often_it_is_said() {
    let mut home = Home::new([
        read(),
        Reply::Text("1"),
        read(),
        Reply::Text("2"),
        Reply::Text("3"),
        Reply::Text("4"),
    ]);
    let text = large('x');
    home.prompt("one").tool("read", &text);
    home.prompt("two").tool("read", &text);
    let other = home.session.view().head.unwrap();
    home.submit(Command::Undo).prompt(&text);
    let how = MergeHow::Append;
    home.submit(Command::Merge { from: other, how });
    let stored = contents(&home);
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].0, blob::key(&sha256_hex(text.as_bytes())));
    assert_eq!(stored[0].1, text.as_bytes());
    for record in home.journal() {
        assert!(
            record.len() < LARGE_BYTES,
            "a record has {} bytes",
            record.len()
        );
    }
    assert_whole(&home);
    home.restart().prompt("go on");
    let request = home.requests.last().unwrap();
    assert_eq!(
        request
            .messages
            .iter()
            .filter(|m| m.joined_text() == text)
            .count(),
        1
    );
}

#[test]
fn a_content_that_is_missing_or_was_changed_is_told_by_name() {
    let mut home = Home::new([Reply::Text("1")]);
    let text = large('x');
    home.prompt(&text);
    let hash = sha256_hex(text.as_bytes());
    let missing = Session::restore(&[], &home.journal()).unwrap_err();
    assert_eq!(
        missing,
        JournalError::MissingContent {
            seq: 1,
            hash: hash.clone()
        }
    );
    let mut blobs = Blobs::default();
    let changed = blobs.add(&hash, large('y').into_bytes()).unwrap_err();
    assert_eq!(changed, JournalError::AlteredContent { hash: hash.clone() });
    let section = session_section(&[], &home.journal(), &blobs);
    let section = section.strip_suffix(b"\n").unwrap();
    let diverged = replay(section.split(|byte| *byte == b'\n')).unwrap_err();
    assert!(
        diverged.why.contains(&hash) && diverged.line == 3,
        "{diverged}"
    );
}

#[test]
fn a_text_that_looks_like_a_reference_is_none() {
    let mut home = Home::new([Reply::Text("1")]);
    let secret = sha256_hex(b"something else that is stored");
    let text = format!("blob:sha256:{secret}");
    home.prompt(&text);
    let journal = home.journal();
    let record = core::str::from_utf8(&journal[1]).unwrap();
    assert!(!record.contains(&secret), "{record}");
    let said = home.session.entries().get(0).unwrap();
    let same = matches!(&said.message.parts[0], Part::Text { text: said } if *said == text);
    assert!(same);
    assert_whole(&home);
}

#[test]
fn a_journal_from_before_is_read_gone_on_with_and_replayed() {
    let mut home = Home::new([Reply::Text("1"), Reply::Text("2"), Reply::Text("3")]);
    home.session.apart_from = u64::MAX;
    home.prompt(&large('x'));
    assert!(contents(&home).is_empty());
    assert_whole(&home);
    home.restart().prompt(&large('y')).prompt(&large('x'));
    assert_eq!(contents(&home).len(), 2);
    assert_whole(&home);
}
