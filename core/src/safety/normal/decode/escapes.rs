//! Escapes: `%69`, `\x69`, `\u0069`, `&#105;`, `&#x69;`.

use super::{Decoded, ESCAPE, hex, is};
use alloc::vec::Vec;

/// How many escapes within [`REACH`] bytes of each other make a text worth undoing.
const FEWEST: usize = 6;

/// How far the next escape may be.
const REACH: usize = 48;

/// Undoes stretches of escapes.
pub(super) fn decode(text: &str, found: &mut dyn FnMut(Decoded)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is(bytes[at], ESCAPE) {
            at += 1;
            continue;
        }
        let Some((_, length)) = escape(&bytes[at..]) else {
            at += 1;
            continue;
        };
        let start = at;
        let (mut count, mut end) = (1, at + length);
        let mut next = end;
        while next < bytes.len() && next - end <= REACH {
            match escape(&bytes[next..]) {
                Some((_, length)) => {
                    count += 1;
                    next += length;
                    end = next;
                }
                None => next += 1,
            }
        }
        // What follows without a space belongs to it.
        while end < bytes.len() && !bytes[end].is_ascii_whitespace() && bytes[end].is_ascii() {
            end += 1;
        }
        if count >= FEWEST {
            stretch(text, start, end, found);
        }
        at = end;
    }
}

fn stretch(text: &str, start: usize, end: usize, found: &mut dyn FnMut(Decoded)) {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(end - start);
    let mut at = start;
    while at < end {
        if let Some((c, length)) = escape(&bytes[at..end]) {
            match u8::try_from(c) {
                // Percent and \x give bytes of UTF-8.
                Ok(byte) => plain.push(byte),
                Err(_) => plain.extend_from_slice(
                    char::from_u32(c)
                        .unwrap_or(' ')
                        .encode_utf8(&mut [0; 4])
                        .as_bytes(),
                ),
            }
            at += length;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    if let Some(text) = super::readable(plain) {
        found(Decoded {
            text,
            span: start..end,
            unusual: false,
        });
    }
}

/// The code an escape at the beginning stands for, and its length.
fn escape(bytes: &[u8]) -> Option<(u32, usize)> {
    match bytes {
        [b'%', a, b, ..] | [b'\\', b'x' | b'X', a, b, ..]
            if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() =>
        {
            Some((
                u32::from(hex(*a) << 4 | hex(*b)),
                if bytes[0] == b'%' { 3 } else { 4 },
            ))
        }
        [b'\\', b'u', digits @ ..] => number(digits.get(..4)?, 16).map(|c| (c, 6)),
        [b'&', b'#', b'x' | b'X', digits @ ..] => entity(digits, 16).map(|(c, n)| (c, n + 4)),
        [b'&', b'#', digits @ ..] => entity(digits, 10).map(|(c, n)| (c, n + 3)),
        _ => None,
    }
}

fn entity(digits: &[u8], radix: u32) -> Option<(u32, usize)> {
    let length = digits.iter().take(8).position(|b| *b == b';')?;
    Some((number(&digits[..length], radix)?, length))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(core::str::from_utf8(digits).ok()?, radix).ok()
}
