use alloc::vec::Vec;

use super::*;
use crate::session::tests::{
    durability::{busy, interrupted_at_rest, interrupted_by_restarts, play},
    harness::Home,
};

fn lines(home: &Home) -> Vec<Vec<u8>> {
    let mut lines = home.journal();
    let chain = home.session.chain();
    let end = End {
        records: chain.next_seq,
        hash: chain.hash.clone(),
    };
    lines.push(serde_json::to_vec(&end).unwrap());
    lines
}

fn run(lines: &[Vec<u8>]) -> Result<Replayed, Diverged> {
    replay(lines.iter().map(Vec::as_slice))
}

#[test]
fn objects_are_written_in_the_order_of_their_keys() {
    // A dependency that turns serde_json's `preserve_order` on would change what other builds of
    // Tau wrote, and with it every hash.
    let object: Value = serde_json::from_str(r#"{"b":1,"a":2}"#).unwrap();
    assert_eq!(object.to_string(), r#"{"a":2,"b":1}"#);
}

#[test]
fn a_session_replays_to_the_same_hash() {
    let mut home = busy();
    play(&mut home);
    let replayed = run(&lines(&home)).unwrap();
    assert_eq!(replayed.hash, home.session.chain().hash);
    assert_eq!(replayed.records, home.session.chain().next_seq);
}

#[test]
fn an_edited_record_is_told_at_its_line() {
    let mut home = busy();
    play(&mut home);
    let lines = lines(&home);
    for place in 0..lines.len() {
        let text = String::from_utf8(lines[place].clone()).unwrap();
        // A change that is still a readable record.
        let edited = text.replacen("\"at\":1", "\"at\":2", 1);
        if edited == text {
            continue;
        }
        let mut changed = lines.clone();
        changed[place] = edited.into_bytes();
        assert_eq!(run(&changed).unwrap_err().line, place + 1);
    }
}

#[test]
fn a_forged_decision_is_told_even_when_the_chain_was_made_anew() {
    let mut home = busy();
    play(&mut home);
    let mut chain = Chain::default();
    let mut forged = Vec::new();
    for bytes in home.journal() {
        let mut record = Record::read(&bytes).unwrap();
        if let Body::Answer { usage, .. } = &mut record.body {
            usage.cost_nano_usd += 1;
        }
        forged.push(chain.append(record.body, record.at).1);
    }
    let diverged = run(&forged).unwrap_err();
    assert!(diverged.why.contains("usage was"), "{diverged}");
}

#[test]
fn a_shortened_file_is_told() {
    let mut home = busy();
    play(&mut home);
    let mut lines = lines(&home);
    let end = lines.pop().unwrap();
    lines.pop();
    lines.push(end);
    assert!(run(&lines).is_err());
    assert_eq!(run(&[]).unwrap_err().line, 1);
    assert_eq!(run(&[b"nonsense".to_vec()]).unwrap_err().line, 1);
    assert!(run(&[lines[1].clone()]).is_err());
}

#[test]
fn a_session_that_was_restored_in_between_replays_too() {
    for home in [interrupted_by_restarts(), interrupted_at_rest()] {
        run(&lines(&home)).unwrap();
    }
}

#[test]
fn a_recording_of_the_time_before_memory_had_scopes_goes_the_same_way() {
    let recorded = include_str!("before-scopes.jsonl");
    assert!(recorded.contains(r#""memory_namespace":"me""#));
    let replayed = replay(recorded.lines().map(str::as_bytes));
    assert_eq!(
        replayed.map(|done| done.records),
        Ok(recorded.lines().count() as u64 - 1)
    );
}
