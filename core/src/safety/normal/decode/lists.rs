//! Lists of code points, each a number of its own, and Morse.

use super::{Decoded, GAP, is, readable};
use alloc::{string::String, vec::Vec};

/// The fewest items of a list worth undoing.
const FEWEST: usize = 10;

const BINARY: u8 = 1;
const OCTAL: u8 = 2;
const DECIMAL: u8 = 4;
const HEX: u8 = 8;
const MORSE: u8 = 16;

/// A list under way.
#[derive(Default)]
struct List {
    /// What every item so far could be.
    kinds: u8,
    items: usize,
    start: usize,
    end: usize,
}

/// Undoes lists of numbers and of Morse letters.
pub(super) fn decode(text: &str, found: &mut dyn FnMut(Decoded)) {
    let bytes = text.as_bytes();
    let mut list = List::default();
    let mut at = 0;
    while at < bytes.len() {
        if is_gap(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && !is_gap(bytes[at]) {
            at += 1;
        }
        let kinds = kinds(&bytes[start..at]);
        if list.kinds & kinds == 0 {
            finish(text, &list, found);
            list = List {
                kinds,
                start,
                ..List::default()
            };
        }
        if kinds != 0 {
            list.kinds &= kinds;
            list.items += 1;
            list.end = at;
        }
    }
    finish(text, &list, found);
}

fn is_gap(byte: u8) -> bool {
    is(byte, GAP)
}

/// What an item could be.
fn kinds(item: &[u8]) -> u8 {
    if item.len() > 8 {
        return 0;
    }
    let digits = item.strip_prefix(b"0x").unwrap_or(item);
    let mut kinds = 0;
    match item.len() {
        7 | 8 if item.iter().all(|b| matches!(b, b'0' | b'1')) => kinds |= BINARY,
        1..=3 if item.iter().all(u8::is_ascii_digit) => {
            kinds |= DECIMAL;
            if item.iter().all(|b| *b < b'8') {
                kinds |= OCTAL;
            }
        }
        _ => {}
    }
    if digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit) {
        kinds |= HEX;
    }
    if item.len() <= 7 && item.iter().all(|b| matches!(b, b'.' | b'-'))
        || item == b"/"
        || item == b"|"
    {
        kinds |= MORSE;
    }
    kinds
}

fn finish(text: &str, list: &List, found: &mut dyn FnMut(Decoded)) {
    if list.items < FEWEST {
        return;
    }
    let items = || {
        text[list.start..list.end]
            .split(|c: char| c.is_ascii() && is_gap(c as u8))
            .filter(|i| !i.is_empty())
    };
    let numbers = |radix: u32| -> Option<String> {
        let mut bytes = Vec::with_capacity(list.items);
        for item in items() {
            let digits = item.strip_prefix("0x").unwrap_or(item);
            let byte = u8::from_str_radix(digits, radix).ok()?;
            // One that no text has ends it: most lists are numbers.
            if !super::is_plausible(byte) {
                return None;
            }
            bytes.push(byte);
        }
        readable(bytes)
    };
    let mut best: Option<String> = None;
    for (kind, radix) in [(BINARY, 2), (OCTAL, 8), (DECIMAL, 10), (HEX, 16)] {
        if list.kinds & kind != 0
            && let Some(text) = numbers(radix)
            && best.as_ref().is_none_or(|best| words(&text) > words(best))
        {
            best = Some(text);
        }
    }
    if list.kinds & MORSE != 0 {
        best = readable(items().map(morse).collect());
    }
    if let Some(text) = best {
        found(Decoded {
            text,
            span: list.start..list.end,
            unusual: true,
        });
    }
}

/// How much of a text is letters and spaces: of two readings the one that has more is meant.
fn words(text: &str) -> usize {
    text.bytes()
        .filter(|b| b.is_ascii_alphabetic() || *b == b' ')
        .count()
}

/// Letters and digits in the order of their codes (ITU-R M.1677-1), as a tree: a dot goes to twice
/// the place, a dash to the next one.
const MORSE_TREE: &[u8; 64] = b"  etianmsurwdkgohvf l pjbxcyzq  54 3   2  +    16=/   ( 7   8 90";

fn morse(item: &str) -> u8 {
    if matches!(item, "/" | "|") {
        return b' ';
    }
    let place = item
        .bytes()
        .fold(1, |place: usize, b| place * 2 + usize::from(b == b'-'));
    match item {
        ".-.-.-" => b'.',
        "--..--" => b',',
        "..--.." => b'?',
        ".----." => b'\'',
        "-.-.--" => b'!',
        "---..." => b':',
        "-....-" => b'-',
        "..--.-" => b'_',
        _ => MORSE_TREE.get(place).copied().unwrap_or(b'*'),
    }
}
