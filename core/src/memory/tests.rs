use alloc::{vec, vec::Vec};

use super::*;

fn rows(texts: &[&str]) -> Vec<(String, Vec<u8>)> {
    let entry = |(number, text): (usize, &&str)| {
        let id = format!("{number}");
        let entry =
            Memory::by_person(&id, text, UnixMillis(number as u64), &Gate::default()).unwrap();
        (key("default", &id), entry.to_bytes())
    };
    texts.iter().enumerate().map(entry).collect()
}

fn found(texts: &[&str], query: &str) -> Vec<String> {
    search(&rows(texts), query, 8)
        .into_iter()
        .map(|entry| entry.text)
        .collect()
}

#[test]
fn a_rare_word_counts_more_than_a_common_one() {
    let texts = [
        "error in the parser",
        "error in the lexer",
        "error E0463 in the linker",
    ];
    assert_eq!(found(&texts, "error E0463")[0], "error E0463 in the linker");
}

#[test]
fn an_entry_without_a_word_of_the_query_is_not_found() {
    assert_eq!(
        found(&["my cat is called Tom"], "what is the weather"),
        Vec::<String>::new()
    );
    assert_eq!(
        found(&["my cats are called Tom and Jerry"], "Which cat?").len(),
        1
    );
}

#[test]
fn unreadable_rows_are_left_out() {
    let mut rows = rows(&["tea at four"]);
    rows.push(("memory/default/x".into(), vec![0xff]));
    assert_eq!(search(&rows, "tea", 8).len(), 1);
}

#[test]
fn limits_are_told() {
    assert_eq!(
        Memory::by_person("1", " ", UnixMillis(0), &Gate::default()),
        Err(MemoryError::Empty)
    );
    let long = "x".repeat(TEXT_LIMIT_BYTES + 1);
    let error = Memory::by_person("1", &long, UnixMillis(0), &Gate::default()).unwrap_err();
    assert!(alloc::string::ToString::to_string(&error).contains("8193 bytes, at most 8192"));
}
