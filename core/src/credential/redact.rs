//! Taking known values out of whatever comes back, in the spellings a server or a program is
//! likely to give them.
//!
//! A value is found as it is, in either case, with any of its characters escaped (`%2d`, `\u002d`,
//! `\x2d`, `&#45;`), in base64 at any alignment and in either alphabet, in hexadecimal, and with
//! white space or invisible characters between; and its first half, if the rest was cut away. What
//! is compressed, encrypted or spelt otherwise is not found.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// A shorter value is not looked for: it stands in every other text by chance.
pub const LEAST_BYTES: usize = 8;
/// A shorter beginning of a value is not taken for it.
const LEAST_CUT: usize = 12;
/// Characters that may stand between two of a value.
const GAP: usize = 8;
/// Invisible in most places, and so a way to split a value that nobody sees.
const INVISIBLE: [&[u8]; 7] = [
    "\u{ad}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200c}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{200e}".as_bytes(),
    "\u{2060}".as_bytes(),
    "\u{feff}".as_bytes(),
];

/// Finds the values it was given. They are wiped with it.
#[derive(Default)]
pub struct Redactor {
    patterns: Vec<Pattern>,
    /// For every byte, the patterns that may have it in their first and in their second place, one
    /// bit each; patterns share bits when there are many. Most places are done with by these.
    likely: Vec<[u64; 2]>,
}

struct Pattern {
    /// What is written in its place.
    mark: String,
    spelling: Spelling,
    /// Folded as its spelling folds.
    bytes: Zeroizing<Vec<u8>>,
    /// How many of them at the beginning are taken for the whole, whatever follows: outputs are
    /// cut, and other values may begin alike.
    enough: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// The value itself, or its hexadecimal digits, in either case.
    Text,
    /// Case matters; the two alphabets are one.
    Base64,
}

impl core::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Looks for `value` from now on; `name` is written in its place, as `[redacted:NAME]`. A value
    /// below [`LEAST_BYTES`] is passed over.
    pub fn add(&mut self, name: &str, value: &str) {
        let value = value.trim().as_bytes();
        if value.len() < LEAST_BYTES {
            return;
        }
        let mark = format!("[redacted:{name}]");
        for at in 0..3 {
            self.push(&mark, Spelling::Base64, base64_at(at, value));
        }
        let mut hex = Zeroizing::new(Vec::with_capacity(value.len() * 2));
        for byte in value {
            hex.extend([byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]));
        }
        self.push(&mark, Spelling::Text, hex);
        self.push(&mark, Spelling::Text, Zeroizing::new(value.to_vec()));
    }

    /// Whether it looks for anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// `text` without the values; `None` when none is in it.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        let mut flow = Flow::default();
        flow.held.extend_from_slice(text.as_bytes());
        let out = flow.end(self);
        // A match begins and ends between characters, so this holds.
        (flow.found > 0).then(|| match String::from_utf8(out) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    fn push(&mut self, mark: &str, spelling: Spelling, mut bytes: Zeroizing<Vec<u8>>) {
        bytes.iter_mut().for_each(|b| *b = spelling.fold(*b));
        self.likely.resize(256, [0; 2]);
        let bit = 1 << (self.patterns.len() % 64);
        for byte in 0..=u8::MAX {
            let places = &mut self.likely[usize::from(byte)];
            let is = |at: usize| bytes.get(at) == Some(&spelling.fold(byte));
            // An escape may stand for anything, and a gap or an invisible one come second.
            if is(0) || matches!(byte, b'%' | b'\\' | b'&') {
                places[0] |= bit;
            }
            if is(1) || !byte.is_ascii_graphic() || matches!(byte, b'%' | b'\\' | b'&') {
                places[1] |= bit;
            }
        }
        self.patterns.push(Pattern {
            mark: mark.to_owned(),
            spelling,
            enough: (bytes.len() / 2).max(LEAST_CUT),
            bytes,
        });
    }

    /// The first place from `from` on where a value is, or may begin if more follows.
    fn find(&self, text: &[u8], from: usize, more: bool) -> Place<'_> {
        if self.patterns.is_empty() {
            return Place::None;
        }
        let likely = |at: usize, place: usize| match text.get(at) {
            Some(byte) => self.likely[usize::from(*byte)][place],
            None => u64::MAX,
        };
        for start in from..text.len() {
            let bits = match likely(start, 0) {
                0 => continue,
                // Two bytes of an escape or an invisible character say nothing.
                bits if !text[start].is_ascii_alphanumeric() => bits,
                bits => bits & likely(start + 1, 1),
            };
            if bits == 0 {
                continue;
            }
            let mut longest = Place::None;
            let mut reach = start;
            // A value may hold what looks like an escape: both readings are tried.
            let patterns = self.patterns.iter().enumerate();
            let likely = patterns.filter(|(number, _)| bits >> (number % 64) & 1 == 1);
            let readings = likely.flat_map(|(_, p)| [(p, false), (p, true)]);
            for (pattern, unescaping) in readings {
                match pattern.read(text, start, unescaping) {
                    // It may yet be the longer one.
                    Match::Open(_) if more => return Place::Open { start },
                    Match::Open(end) | Match::Whole(end) if end > reach => {
                        reach = end;
                        let mark = &pattern.mark;
                        longest = Place::At { start, end, mark };
                    }
                    _ => {}
                }
            }
            if reach > start {
                return longest;
            }
        }
        Place::None
    }
}

/// Bytes that come in pieces: what may be the beginning of a value is held back until it is known.
#[derive(Debug, Default)]
pub struct Flow {
    held: Zeroizing<Vec<u8>>,
    found: u64,
}

impl Flow {
    /// Takes the next piece and gives out what is certain.
    pub fn push(&mut self, redactor: &Redactor, piece: &[u8]) -> Vec<u8> {
        if redactor.is_empty() && self.held.is_empty() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        self.settle(redactor, true)
    }

    /// What was held back, once nothing follows.
    pub fn end(&mut self, redactor: &Redactor) -> Vec<u8> {
        self.settle(redactor, false)
    }

    /// How many values were taken out so far.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Gives out what is certain and keeps the rest.
    fn settle(&mut self, redactor: &Redactor, more: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut from = 0;
        loop {
            let place = redactor.find(&self.held, from, more);
            let until = match place {
                Place::None => self.held.len(),
                Place::Open { start } | Place::At { start, .. } => start,
            };
            out.extend_from_slice(self.held.get(from..until).unwrap_or_default());
            match place {
                Place::At { end, mark, .. } => {
                    out.extend_from_slice(mark.as_bytes());
                    self.found += 1;
                    from = end;
                }
                _ => {
                    self.held.drain(..until);
                    return out;
                }
            }
        }
    }
}

enum Place<'r> {
    None,
    At {
        start: usize,
        end: usize,
        mark: &'r str,
    },
    /// The text ends before it is certain.
    Open {
        start: usize,
    },
}

/// What a pattern is at one place.
#[derive(Clone, Copy)]
enum Match {
    No,
    /// So far, to the end of the text; what of it is enough goes to this place.
    Open(usize),
    /// To this place.
    Whole(usize),
}

impl Pattern {
    fn read(&self, text: &[u8], start: usize, unescaping: bool) -> Match {
        let mut at = start;
        let mut enough = start;
        for (number, wanted) in self.bytes.iter().enumerate() {
            let mut gap = 0;
            if number >= self.enough {
                enough = at;
            }
            loop {
                let (byte, length) = match unit(text, at, unescaping) {
                    Unit::Byte(byte, length) => (byte, length),
                    Unit::Invisible(length) => (b' ', length),
                    Unit::End => return Match::Open(enough),
                };
                at += length;
                if self.spelling.fold(byte) == *wanted {
                    break;
                }
                gap += 1;
                if number == 0 || gap > GAP || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0) {
                    return match enough > start {
                        true => Match::Whole(enough),
                        false => Match::No,
                    };
                }
            }
        }
        Match::Whole(at)
    }
}

impl Spelling {
    fn fold(self, byte: u8) -> u8 {
        match (self, byte) {
            (Self::Text, byte) => byte.to_ascii_lowercase(),
            // The URL-safe alphabet.
            (Self::Base64, b'-') => b'+',
            (Self::Base64, b'_') => b'/',
            (Self::Base64, byte) => byte,
        }
    }
}

/// The characters of base64 that `value` alone decides, `at` bytes into a group of three.
fn base64_at(at: usize, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(at + value.len()));
    padded.resize(at, 0);
    padded.extend_from_slice(value);
    let all = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
    let own = (at * 8).div_ceil(6)..padded.len() * 8 / 6;
    Zeroizing::new(all.as_bytes().get(own).unwrap_or_default().to_vec())
}

/// One character of a text, in bytes.
enum Unit {
    /// What it means and how long it is.
    Byte(u8, usize),
    /// Nothing that is seen.
    Invisible(usize),
    /// The text ends within it.
    End,
}

fn unit(text: &[u8], at: usize, unescaping: bool) -> Unit {
    let rest = text.get(at..).unwrap_or_default();
    let Some(first) = rest.first() else {
        return Unit::End;
    };
    if unescaping && matches!(first, b'%' | b'\\' | b'&') {
        return escape(rest);
    }
    if first.is_ascii() {
        return Unit::Byte(*first, 1);
    }
    for invisible in INVISIBLE {
        if rest.starts_with(invisible) {
            return Unit::Invisible(invisible.len());
        }
        if invisible.starts_with(rest) {
            return Unit::End;
        }
    }
    Unit::Byte(*first, 1)
}

/// An escaped character at the start of `rest`; what is none is itself.
fn escape(rest: &[u8]) -> Unit {
    let itself = Unit::Byte(rest[0], 1);
    let digits = |from: usize, count: usize| {
        let mut value = 0;
        for place in from..from + count {
            match rest.get(place).map(|b| char::from(*b).to_digit(16)) {
                None => return Some(None),
                Some(None) => return None,
                Some(Some(digit)) => value = value << 4 | digit,
            }
        }
        Some(Some(value))
    };
    // Outer `None`: not one. Inner: the text ends within it.
    let (code, length) = match (rest[0], rest.get(1)) {
        (_, None) => return Unit::End,
        (b'%', _) => (digits(1, 2), 3),
        (b'\\', Some(b'x')) => (digits(2, 2), 4),
        (b'\\', Some(b'u')) => (digits(2, 4), 6),
        (b'\\', Some(b'n' | b'r' | b't')) => return Unit::Byte(b' ', 2),
        (b'\\', Some(plain @ (b'/' | b'"' | b'\'' | b'\\'))) => return Unit::Byte(*plain, 2),
        (b'&', Some(_)) => return entity(rest),
        _ => return itself,
    };
    match code {
        None => itself,
        Some(None) => Unit::End,
        Some(Some(code)) => u8::try_from(code).map_or(itself, |byte| Unit::Byte(byte, length)),
    }
}

/// A character reference of HTML at the start of `rest`.
fn entity(rest: &[u8]) -> Unit {
    /// `&#x00002d;` and no longer.
    const LONGEST: usize = 10;
    const NAMED: [(&[u8], u8); 5] = [
        (b"amp", b'&'),
        (b"lt", b'<'),
        (b"gt", b'>'),
        (b"quot", b'"'),
        (b"apos", b'\''),
    ];
    let head = rest.get(..rest.len().min(LONGEST)).unwrap_or_default();
    let Some(end) = head.iter().position(|b| *b == b';') else {
        let is_open = rest.len() < LONGEST
            && rest[1..]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'#');
        return if is_open {
            Unit::End
        } else {
            Unit::Byte(b'&', 1)
        };
    };
    let name = &head[1..end];
    let number = name.strip_prefix(b"#").and_then(|number| {
        let number = core::str::from_utf8(number).ok()?;
        match number.strip_prefix(['x', 'X']) {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        }
    });
    let named = || NAMED.iter().find(|(known, _)| *known == name);
    match number.or_else(|| named().map(|(_, byte)| *byte)) {
        Some(byte) => Unit::Byte(byte, end + 1),
        None => Unit::Byte(b'&', 1),
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests;
