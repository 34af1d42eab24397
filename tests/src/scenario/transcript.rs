//! A transcript: the journal's records as lines, and its end, as an export has them.

use tau_core::{
    journal::{Chain, replay::End},
    session::Journal,
};

/// The records as JSON lines, then `{"type":"end", …}` with their number and the last one's hash.
///
/// # Panics
///
/// When a record does not continue the one before it.
#[must_use]
pub fn transcript(journal: &Journal) -> String {
    let mut chain = Chain::default();
    let mut text = String::new();
    for bytes in journal {
        let read = chain.read(bytes);
        assert!(read.is_ok(), "a stored record cannot be read: {read:?}");
        text.push_str(&String::from_utf8_lossy(bytes));
        text.push('\n');
    }
    let end = End {
        records: chain.next_seq,
        hash: chain.hash,
    };
    text.push_str(&serde_json::to_string(&end).unwrap_or_default());
    text.push('\n');
    text
}

/// The first line in which two transcripts differ, with both lines; `None` if they are the same.
#[must_use]
pub fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (mut old, mut new) = (expected.lines(), found.lines());
    for line in 1.. {
        let (old, new) = (old.next(), new.next());
        if old != new || old.is_none() {
            let (old, new) = (old.unwrap_or("(nothing)"), new.unwrap_or("(nothing)"));
            return Some(format!(
                "line {line} differs\n  expected {old}\n  found    {new}"
            ));
        }
    }
    None
}
