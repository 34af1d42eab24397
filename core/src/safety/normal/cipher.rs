//! Letter ciphers that keep words apart: Caesar's shift (rot13 among them) and Atbash, told by
//! which letters are frequent in English.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// How a text was made unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// Each letter moved on by so many places.
    Shift(u8),
    /// The alphabet turned round.
    Atbash,
}

/// Frequency of a to z in English, as 16 log2 of a letter's share beside an even one.
const ENGLISH: [i16; 26] = [
    17, -22, -8, 2, 27, -12, -15, 11, 14, -75, -37, 1, -11, 13, 15, -15, -84, 10, 11, 20, -8, -32,
    -11, -75, -15, -92,
];

/// The alphabet twice, so that a shift is a place to begin at.
static TWICE: [i16; 52] = {
    let mut twice = [0; 52];
    let mut i = 0;
    while i < 52 {
        twice[i] = ENGLISH[i % 26];
        i += 1;
    }
    twice
};

/// The fewest letters that tell.
const FEWEST: u32 = 24;

/// How much more English a reading must be than the text itself, for each letter.
const MARGIN: i32 = 9;

/// The cipher of a text that reads as English only without it.
#[must_use]
pub fn guess(text: &[u8]) -> Option<Cipher> {
    let mut counts = [0_i32; 26];
    let mut letters = 0;
    for byte in text.iter().filter(|b| b.is_ascii_alphabetic()) {
        counts[usize::from((byte | 0x20) - b'a')] += 1;
        letters += 1;
    }
    if letters < FEWEST {
        return None;
    }
    let likeness = |counts: &[i32; 26], english: &[i16]| -> i32 {
        counts
            .iter()
            .zip(english)
            .map(|(n, e)| n * i32::from(*e))
            .sum()
    };
    let plain = likeness(&counts, &TWICE);
    if plain > 0 {
        return None;
    }
    let mut turned = counts;
    turned.reverse();
    let mut best = (likeness(&turned, &TWICE), Cipher::Atbash);
    for shift in 1..26_u8 {
        let score = likeness(&counts, &TWICE[26 - usize::from(shift)..]);
        if score > best.0 {
            best = (score, Cipher::Shift(shift));
        }
    }
    let letters = i32::try_from(letters).unwrap_or(i32::MAX / 64);
    (best.0 - plain > MARGIN * letters && best.0 > 2 * letters).then_some(best.1)
}

/// The pieces of a text that are ciphered, each with its cipher. Neighbours with the same are one.
#[must_use]
pub fn pieces(text: &str) -> Vec<(Cipher, Range<usize>)> {
    let mut pieces: Vec<(Cipher, Range<usize>)> = Vec::new();
    let mut start = 0;
    let mut letters = 0;
    for (at, byte) in text.bytes().enumerate() {
        letters += u32::from(byte.is_ascii_alphabetic());
        // Cut where a line or, late enough, a word ends.
        let is_end =
            at + 1 == text.len() || byte == b'\n' || (byte == b' ' && letters >= 2 * FEWEST);
        if !is_end {
            continue;
        }
        if let Some(cipher) = guess(&text.as_bytes()[start..=at]) {
            match pieces.last_mut() {
                Some((same, range)) if *same == cipher && range.end == start => range.end = at + 1,
                _ => pieces.push((cipher, start..at + 1)),
            }
        }
        start = at + 1;
        letters = 0;
    }
    pieces
}

/// The text without the cipher. Every character keeps its place and length.
#[must_use]
pub fn undo(text: &str, cipher: Cipher) -> String {
    let turn = |place: u8| match cipher {
        Cipher::Shift(by) => (place + 26 - by % 26) % 26,
        Cipher::Atbash => 25 - place,
    };
    text.chars()
        .map(|c| match c {
            'a'..='z' => char::from(b'a' + turn(c as u8 - b'a')),
            'A'..='Z' => char::from(b'A' + turn(c as u8 - b'A')),
            c => c,
        })
        .collect()
}
