//! What is found and what is not. Every secret here is put together when the tests run, so that no
//! scanner finds one in these files.

mod benign;
mod blocks;
mod bounds;
mod labelled;
mod tokens;

use alloc::{format, string::String};

use super::{Severity, scan};

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `length` characters of an alphabet, as if drawn: the same at each run.
fn drawn(length: usize, alphabet: &[u8]) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ (length as u64) << 7;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(alphabet[(state >> 33) as usize % alphabet.len()])
        })
        .collect()
}

/// Checks that exactly `value` is found in `before`, `value`, `after`, as `family`.
#[track_caller]
fn check(before: &str, value: &str, after: &str, family: &str) {
    let text = format!("{before}{value}{after}");
    let found = scan(&text);
    let spans: alloc::vec::Vec<_> = found
        .iter()
        .map(|finding| (&text[finding.start..finding.end], finding.family.as_ref()))
        .collect();
    assert_eq!(spans, [(value, family)], "in {text:?}");
    assert!(found[0].severity >= Severity::Medium, "in {text:?}");
}

/// Checks that nothing is found.
#[track_caller]
fn check_silent(text: &str) {
    let found = scan(text);
    assert!(
        found
            .iter()
            .all(|finding| finding.severity < Severity::Medium),
        "{found:?} in {text:?}"
    );
}
