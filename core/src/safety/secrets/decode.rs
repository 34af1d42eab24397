//! One layer of encoding taken off, with the way back to the places of the original.

use alloc::{string::String, vec::Vec};

use super::bytes::{self, BASE64, HEX};

/// The base64 of either alphabet that `text` begins with, decoded into at most `N` bytes.
pub(super) fn base64_head<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let mut out = [0; N];
    let mut length = 0;
    for byte in base64_bytes(text).take(N) {
        out[length] = byte;
        length += 1;
    }
    (out, length)
}

/// The bytes that base64 of either alphabet stands for, up to the first character outside of both.
pub(super) fn base64_bytes(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut digits = text.iter().map_while(|&byte| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        })
    });
    let (mut held, mut bits) = (0_u32, 0);
    core::iter::from_fn(move || {
        while bits < 8 {
            held = held << 6 | u32::from(digits.next()?);
            bits += 6;
        }
        bits -= 8;
        Some((held >> bits) as u8)
    })
}

/// Whether a run of base64 stands for text: its first bytes do.
pub(super) fn holds_text(run: &[u8]) -> bool {
    let (head, length) = base64_head::<18>(run);
    length >= 12 && head[..length].iter().all(|&byte| is_text(byte))
}

/// The text a run of base64 stands for, if it is one.
pub(super) fn base64_text(run: &[u8]) -> Option<String> {
    let decoded: Vec<u8> = base64_bytes(run).collect();
    String::from_utf8(decoded)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte >= 0x80 || is_text(byte)))
}

/// Whether a byte is one of plain text.
pub(super) fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// A text with characters taken out or decoded, and where its parts came from.
pub(super) struct Decoded {
    pub(super) text: String,
    /// For each part that came over in one piece, where it begins here and in the original.
    parts: Vec<(usize, usize)>,
}

impl Decoded {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            parts: Vec::new(),
        }
    }

    /// Adds a character that stands at `at` in the original.
    fn push(&mut self, at: usize, c: char) {
        let here = self.text.len();
        let goes_on = |&(start, from): &(usize, usize)| from + here - start == at;
        if !self.parts.last().is_some_and(goes_on) {
            self.parts.push((here, at));
        }
        self.text.push(c);
    }

    /// Says where the original ends.
    fn end(&mut self, at: usize) {
        self.parts.push((self.text.len(), at));
    }

    /// The range of the original that a range of the text came from.
    pub(super) fn range(&self, start: usize, end: usize) -> (usize, usize) {
        (self.place(start), self.place(end))
    }

    fn place(&self, at: usize) -> usize {
        let next = self.parts.partition_point(|&(here, _)| here <= at);
        next.checked_sub(1)
            .map_or(at, |part| self.parts[part].1 + at - self.parts[part].0)
    }
}

fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Whether one of them is there, eight bytes at a time as long as all are ASCII.
fn has_zero_width(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let ascii = rest
            .first_chunk::<8>()
            .is_some_and(|word| u64::from_le_bytes(*word) & 0x8080_8080_8080_8080 == 0);
        let mut places = at..bytes.len().min(at + 8);
        if !ascii && places.any(|place| begins_zero_width(&bytes[place..])) {
            return true;
        }
        at += 8;
    }
    false
}

fn begins_zero_width(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xc2, 0xad, ..]
            | [0xe1, 0xa0, 0x8e, ..]
            | [0xe2, 0x80, 0x8b..=0x8f, ..]
            | [0xe2, 0x81, 0xa0..=0xa4, ..]
            | [0xef, 0xbb, 0xbf, ..]
    )
}

/// The text without characters of no width, if it has some.
pub(super) fn without_zero_width(text: &str) -> Option<Decoded> {
    if text.is_ascii() || !has_zero_width(text.as_bytes()) {
        return None;
    }
    let mut decoded = Decoded::with_capacity(text.len());
    for (at, c) in text.char_indices().filter(|&(_, c)| !is_zero_width(c)) {
        decoded.push(at, c);
    }
    decoded.end(text.len());
    Some(decoded)
}

/// The text with its percent escapes decoded, if some of them stand for characters of a token.
pub(super) fn without_percent(text: &str) -> Option<Decoded> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return None;
    }
    let escaped = |at: usize| -> Option<u8> {
        let digits = bytes.get(at..at + 3)?;
        let hex = |byte| bytes::is(byte, HEX).then(|| char::from(byte).to_digit(16))?;
        (digits[0] == b'%').then_some(())?;
        let byte = (hex(digits[1])? * 16 + hex(digits[2])?) as u8;
        (is_text(byte)).then_some(byte)
    };
    let mut from = 0;
    loop {
        from = bytes::find(bytes, from, b'%')?;
        // Only what would not be escaped by a program that follows the rules is worth a look, and
        // what parts a name from its value.
        if escaped(from).is_some_and(|byte| {
            bytes::is(byte, BASE64) || matches!(byte, b':' | b'=' | b'@' | b'"' | b'-' | b'_')
        }) {
            break;
        }
        from += 1;
    }
    let mut decoded = Decoded::with_capacity(text.len());
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        if let Some(byte) = escaped(at) {
            decoded.push(at, char::from(byte));
            rest.nth(1);
        } else {
            decoded.push(at, c);
        }
    }
    decoded.end(text.len());
    Some(decoded)
}
