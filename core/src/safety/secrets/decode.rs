//! One layer of encoding taken off, with the way back to the places of the original.

use alloc::{string::String, vec::Vec};

use super::bytes::{self, BASE64};

/// What each character of base64 of either alphabet stands for; 255 for any other.
static DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut at = 0;
    while at < 26 {
        digits[b'A' as usize + at] = at as u8;
        digits[b'a' as usize + at] = at as u8 + 26;
        at += 1;
    }
    at = 0;
    while at < 10 {
        digits[b'0' as usize + at] = at as u8 + 52;
        at += 1;
    }
    digits[b'+' as usize] = 62;
    digits[b'-' as usize] = 62;
    digits[b'/' as usize] = 63;
    digits[b'_' as usize] = 63;
    digits
};

/// The base64 of either alphabet that `text` begins with, decoded into at most `N` bytes.
pub(super) fn base64_head<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let mut out = [0; N];
    let mut length = 0;
    base64_bytes(&text[..text.len().min(N * 2)], |byte| {
        if let Some(place) = out.get_mut(length) {
            *place = byte;
            length += 1;
        }
    });
    (out, length)
}

/// Gives the bytes that base64 of either alphabet stands for, up to the first character outside of
/// both.
#[inline]
fn base64_bytes(text: &[u8], mut give: impl FnMut(u8)) {
    let mut rest = text;
    while let Some((four, more)) = rest.split_first_chunk::<4>() {
        let digits = four.map(|byte| u32::from(DIGITS[usize::from(byte)]));
        if digits.iter().any(|&digit| digit > 63) {
            break;
        }
        let held = digits.iter().fold(0, |held, digit| held << 6 | digit);
        let [_, bytes @ ..] = held.to_be_bytes();
        bytes.into_iter().for_each(&mut give);
        rest = more;
    }
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in rest.iter().take(4) {
        let digit = DIGITS[usize::from(byte)];
        if digit > 63 {
            break;
        }
        held = held << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            give((held >> bits) as u8);
        }
    }
}

/// Whether a run of base64 stands for text: its first bytes do.
pub(super) fn holds_text(run: &[u8]) -> bool {
    let (head, length) = base64_head::<18>(run);
    length >= 12 && head[..length].iter().all(|&byte| is_text(byte))
}

/// The text a run of base64 stands for, if it is one.
pub(super) fn base64_text(run: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(run.len());
    let mut is_plain = true;
    base64_bytes(run, |byte| {
        is_plain &= byte >= 0x80 || is_text(byte);
        decoded.push(byte);
    });
    String::from_utf8(decoded).ok().filter(|_| is_plain)
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

    /// Adds a piece that stands at `at` in the original.
    fn push(&mut self, at: usize, piece: &str) {
        if !piece.is_empty() {
            self.parts.push((self.text.len(), at));
            self.text.push_str(piece);
        }
    }

    /// Says where the original ends.
    fn end(&mut self, at: usize) {
        self.parts.push((self.text.len(), at));
    }

    /// The range of the original that a range of the text came from. `near` is the part that the
    /// last one came from, for the next is seldom far.
    pub(super) fn range(&self, start: usize, end: usize, near: &mut usize) -> (usize, usize) {
        (self.place(start, near), self.place(end, near))
    }

    fn place(&self, at: usize, near: &mut usize) -> usize {
        let next = |part: usize| self.parts.get(part + 1).is_none_or(|part| at < part.0);
        let is_in = |part: usize| self.parts.get(part).is_some_and(|part| part.0 <= at);
        let found = (*near..*near + 8).find(|&part| next(part));
        *near = match found {
            Some(part) if is_in(part) => part,
            _ => self
                .parts
                .partition_point(|&(here, _)| here <= at)
                .saturating_sub(1),
        };
        self.parts
            .get(*near)
            .map_or(at, |&(here, from)| from + at.saturating_sub(here))
    }
}

/// The next character of no width from `from` on, eight bytes at a time as long as all are ASCII;
/// its place and its length.
fn next_zero_width(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let high = u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
            at += high.trailing_zeros() as usize / 8;
            if high != 0 {
                break;
            }
        }
        let length = zero_width(bytes.get(at..)?);
        if length > 0 {
            return Some((at, length));
        }
        at += 1;
    }
}

/// The length of the character of no width that a text begins with.
fn zero_width(bytes: &[u8]) -> usize {
    match bytes {
        [0xc2, 0xad, ..] => 2,
        [0xe1, 0xa0, 0x8e, ..]
        | [0xe2, 0x80, 0x8b..=0x8f, ..]
        | [0xe2, 0x81, 0xa0..=0xa4, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

/// Whether a character has no width, and so parts nothing.
pub(in crate::safety) fn has_no_width(c: char) -> bool {
    zero_width(c.encode_utf8(&mut [0; 4]).as_bytes()) > 0
}

/// The text without characters of no width, if it has some.
pub(super) fn without_zero_width(text: &str) -> Option<Decoded> {
    let bytes = text.as_bytes();
    let mut next = Some(next_zero_width(bytes, 0)?);
    let mut decoded = Decoded::with_capacity(text.len());
    let mut at = 0;
    while let Some((place, length)) = next {
        decoded.push(at, text.get(at..place).unwrap_or_default());
        at = place + length;
        next = next_zero_width(bytes, at);
    }
    decoded.push(at, text.get(at..).unwrap_or_default());
    decoded.end(text.len());
    Some(decoded)
}

/// What the percent escape that begins at `at` stands for, if that is plain text.
fn escaped(bytes: &[u8], at: usize) -> Option<u8> {
    let &[b'%', high, low] = bytes.get(at..)?.first_chunk::<3>()? else {
        return None;
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?).filter(|&byte| is_text(byte))
}

/// The text with its percent escapes decoded, if some of them stand for characters of a token.
pub(super) fn without_percent(text: &str) -> Option<Decoded> {
    let bytes = text.as_bytes();
    let next = |from| {
        let mut at = from;
        loop {
            at = bytes::find(bytes, at, b'%')?;
            if let Some(byte) = escaped(bytes, at) {
                return Some((at, byte));
            }
            at += 1;
        }
    };
    let mut from = 0;
    loop {
        let (at, byte) = next(from)?;
        // Only what would not be escaped by a program that follows the rules is worth a look, and
        // what parts a name from its value.
        if bytes::is(byte, BASE64) || matches!(byte, b':' | b'=' | b'@' | b'"' | b'-' | b'_') {
            break;
        }
        from = at + 3;
    }
    let mut decoded = Decoded::with_capacity(text.len());
    let mut at = 0;
    while let Some((place, byte)) = next(at) {
        decoded.push(at, text.get(at..place).unwrap_or_default());
        let mut letter = [0; 4];
        decoded.push(place, char::from(byte).encode_utf8(&mut letter));
        at = place + 3;
    }
    decoded.push(at, text.get(at..).unwrap_or_default());
    decoded.end(text.len());
    Some(decoded)
}
