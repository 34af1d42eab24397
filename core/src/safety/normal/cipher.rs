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

/// Places for letters: as many as make a whole number of vectors. Those without a letter count zero.
const LETTERS: usize = 32;

/// The alphabet twice, so that a shift is a place to begin at.
static TWICE: [i16; 2 * LETTERS] = {
    let mut twice = [0; 2 * LETTERS];
    let mut i = 0;
    while i < 52 {
        twice[i] = ENGLISH[i % 26];
        i += 1;
    }
    twice
};

/// The fewest letters that tell.
const FEWEST: i32 = 24;

/// How much like English a reading must be, for each letter.
const LIKE: i32 = 2;

/// The most bytes that are counted: they fit into 16 bits.
const MOST: usize = 16 * 1024;

/// How much more English a reading must be than the text itself, for each letter.
const MARGIN: i32 = 9;

/// The cipher of a text that reads as English only without it.
#[must_use]
pub fn guess(text: &[u8]) -> Option<Cipher> {
    let mut counts = [0_i16; LETTERS];
    for byte in text.iter().take(MOST) {
        let place = (byte | 0x20).wrapping_sub(b'a');
        counts[usize::from(place.min(31))] += 1;
    }
    counts[26..].fill(0);
    let letters = counts.iter().map(|n| i32::from(*n)).sum::<i32>();
    if letters < FEWEST {
        return None;
    }
    // Products of 16 bits, summed in 32: a few instructions for all letters.
    let likeness = |counts: &[i16; LETTERS], english: &[i16]| -> i32 {
        counts
            .iter()
            .zip(english)
            .map(|(n, e)| i32::from(*n) * i32::from(*e))
            .sum()
    };
    let plain = likeness(&counts, &TWICE[..LETTERS]);
    if plain > 0 || is_even(likeness(&counts, &counts), letters) {
        return None;
    }
    let mut turned = counts;
    turned[..26].reverse();
    let mut best = (likeness(&turned, &TWICE[..LETTERS]), Cipher::Atbash);
    for shift in 1..26_u8 {
        let score = likeness(&counts, &TWICE[26 - usize::from(shift)..][..LETTERS]);
        if score > best.0 {
            best = (score, Cipher::Shift(shift));
        }
    }
    (best.0 - plain > MARGIN * letters && best.0 > LIKE * letters).then_some(best.1)
}

/// Whether letters whose counts have this sum of squares are used so evenly that no order of the
/// alphabet makes them English: by the inequality of Cauchy and Schwarz.
fn is_even(squares: i32, letters: i32) -> bool {
    const SUM: i64 = sum_of(1);
    const SPREAD: i64 = 26 * sum_of(2) - SUM * SUM;
    let letters = i64::from(letters);
    let spread = 26 * i64::from(squares) - letters * letters;
    let least = letters * (26 * i64::from(LIKE) - SUM);
    SPREAD * spread <= least * least
}

const fn sum_of(power: u32) -> i64 {
    let mut sum = 0;
    let mut letter = 0;
    while letter < ENGLISH.len() {
        sum += (ENGLISH[letter] as i64).pow(power);
        letter += 1;
    }
    sum
}

/// The pieces of a text that are ciphered, each with its cipher. Neighbours with the same are one.
#[must_use]
pub fn pieces(text: &str) -> Vec<(Cipher, Range<usize>)> {
    let mut pieces: Vec<(Cipher, Range<usize>)> = Vec::new();
    let mut start = 0;
    let mut letters = 0;
    for (at, byte) in text.bytes().enumerate() {
        letters += i32::from(byte.is_ascii_alphabetic());
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
    let turned = text
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' => b'a' + turn(b - b'a'),
            b'A'..=b'Z' => b'A' + turn(b - b'A'),
            b => b,
        })
        .collect();
    // Only letters of ASCII changed, into such.
    String::from_utf8(turned).unwrap_or_default()
}
