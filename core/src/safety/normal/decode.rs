//! Encodings of a text, undone once: base64, hexadecimal, percent and other escapes, and lists of
//! code points in binary, octal, decimal or hexadecimal, and Morse.
//!
//! Invariant: every byte of a text goes into at most a fixed number of decoders, and what comes
//! out is never decoded again, so the work is linear whatever is nested.

mod escapes;
mod lists;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// The shortest run of base64 or hexadecimal worth undoing, in characters.
const SHORTEST_RUN: usize = 20;

/// What a byte can be part of: a run of base64 digits.
const DIGIT: u8 = 1;
/// What a byte can be part of: what parts the items of a list.
const GAP: u8 = 2;
/// What a byte can be part of: the beginning of an escape.
const ESCAPE: u8 = 4;

static BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b if value(b).is_some() => DIGIT,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b';' | b'[' | b']' | b'{' | b'}' | b'('
            | b')' | b'"' => GAP,
            b'%' | b'\\' | b'&' => ESCAPE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn is(byte: u8, what: u8) -> bool {
    BYTES[usize::from(byte)] & what != 0
}

/// A piece of a text that was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it says.
    pub text: String,
    /// Where its encoding lies, as bytes of the text.
    pub span: Range<usize>,
    /// Whether the encoding is one that nobody uses for text without a wish to hide it.
    pub unusual: bool,
}

/// Undoes each encoded piece of a text.
pub fn decode(text: &str, found: &mut dyn FnMut(Decoded)) {
    runs(text, found);
    escapes::decode(text, found);
    lists::decode(text, found);
}

/// Undoes runs of base64 and hexadecimal digits.
fn runs(text: &str, found: &mut dyn FnMut(Decoded)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is(bytes[at], DIGIT) {
            at += 1;
            continue;
        }
        let start = at;
        at = end_of_run(bytes, start);
        if at - start >= SHORTEST_RUN
            && let Some(text) = run(&bytes[start..at])
        {
            found(Decoded {
                text,
                span: start..at,
                unusual: false,
            });
        }
    }
}

/// Where a run of digits ends; one that is wrapped goes on in the next line.
fn end_of_run(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut line = start;
    loop {
        while at < bytes.len() && is(bytes[at], DIGIT) {
            at += 1;
        }
        let end = at;
        let mut next = at;
        while next < bytes.len() && matches!(bytes[next], b'\r' | b'\n') {
            next += 1;
        }
        // A word in the next line is no part of it, another run of digits is.
        let goes_on = || {
            bytes[next..]
                .iter()
                .take_while(|b| is(**b, DIGIT))
                .take(16)
                .count()
                == 16
        };
        let is_wrapped = end - line >= 40 && next > end && next - end <= 2 && goes_on();
        if !is_wrapped {
            while at < bytes.len() && bytes[at] == b'=' {
                at += 1;
            }
            return at;
        }
        line = next;
        at = next;
    }
}

fn run(digits: &[u8]) -> Option<String> {
    let digits: Vec<u8> = digits
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n' | b'='))
        .collect();
    if digits.iter().all(|b| matches!(b, b'0' | b'1')) {
        return readable(
            digits
                .chunks_exact(8)
                .map(|byte| byte.iter().fold(0, |sum, b| sum << 1 | (b & 1)))
                .collect(),
        );
    }
    let as_hex = digits.iter().all(u8::is_ascii_hexdigit).then(|| {
        digits
            .chunks_exact(2)
            .map(|pair| hex(pair[0]) << 4 | hex(pair[1]))
            .collect()
    });
    if let Some(text) = as_hex.and_then(readable) {
        return Some(text);
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4 + 3);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            bits = bits << 6 | u32::from(value(digit)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, one, two, three] = bits.to_be_bytes();
        let decoded = [one, two, three];
        let decoded = &decoded[..group.len() * 3 / 4];
        // A word, a path or a picture fails in its first bytes.
        if !decoded.iter().all(|b| is_plausible(*b)) {
            return None;
        }
        bytes.extend_from_slice(decoded);
    }
    readable(bytes)
}

fn is_plausible(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || matches!(byte, b'\n' | b'\r' | b'\t')
}

/// The text, if it looks like one: no controls, and mostly letters and spaces.
fn readable(bytes: Vec<u8>) -> Option<String> {
    if bytes.len() < 8 || !bytes.iter().all(|b| is_plausible(*b)) {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    let (mut letters, mut count) = (0, 0);
    for c in text.chars() {
        count += 1;
        letters += usize::from(
            c.is_ascii_alphabetic() || c == ' ' || (!c.is_ascii() && super::fold(c) != ' '),
        );
    }
    (letters * 10 >= count * 6).then_some(text)
}

/// The value of a base64 digit of either alphabet.
const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}
