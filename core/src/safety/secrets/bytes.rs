//! Classes of bytes, and runs of them.
//!
//! A class is a set of bits; a byte belongs to it if it has one of them. No byte above 0x7f belongs
//! to any class, so a run begins and ends on characters' boundaries.

use core::ops::Range;

/// `0-9`
pub(super) const DIGIT: u8 = 1;
/// `a-f`
const HEX_LOWER: u8 = 2;
/// `g-z`
const REST_LOWER: u8 = 4;
/// `A-F`
const HEX_UPPER: u8 = 8;
/// `G-Z`
const REST_UPPER: u8 = 16;
/// `_ -`
pub(super) const DASHES: u8 = 32;
/// `+ /`
const SLASHES: u8 = 64;
/// `. ~`
const DOTS: u8 = 128;

/// `a-z`
pub(super) const LOWER: u8 = HEX_LOWER | REST_LOWER;
/// `A-Z`
pub(super) const UPPER: u8 = HEX_UPPER | REST_UPPER;
/// Hexadecimal in either case.
pub(super) const HEX: u8 = DIGIT | HEX_LOWER | HEX_UPPER;
/// `A-Z 0-9`
pub(super) const CAPITALS: u8 = DIGIT | UPPER;
/// Letters and digits.
pub(super) const WORD: u8 = DIGIT | LOWER | UPPER;
/// Letters, digits, `_` and `-`: base64 for URLs.
pub(super) const NAME: u8 = WORD | DASHES;
/// Letters, digits, `_`, `-`, `.` and `~`.
pub(super) const DOTTED: u8 = NAME | DOTS;
/// Base64 without its padding.
pub(super) const BASE64: u8 = WORD | SLASHES;
/// Whatever tokens are made of.
pub(super) const TOKEN: u8 = NAME | SLASHES | DOTS;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LOWER,
            b'g'..=b'z' => REST_LOWER,
            b'A'..=b'F' => HEX_UPPER,
            b'G'..=b'Z' => REST_UPPER,
            b'_' | b'-' => DASHES,
            b'+' | b'/' => SLASHES,
            b'.' | b'~' => DOTS,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

/// Whether `byte` belongs to `class`.
#[inline(always)]
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Whether the byte at `at` exists and belongs to `class`.
#[inline]
pub(super) fn is_at(bytes: &[u8], at: usize, class: u8) -> bool {
    bytes.get(at).is_some_and(|&byte| is(byte, class))
}

/// Where the run of `class` that begins at `from` ends, looked for up to `limit` bytes on.
pub(super) fn run_end(bytes: &[u8], from: usize, class: u8, limit: usize) -> usize {
    let end = bytes.len().min(from.saturating_add(limit));
    let rest = bytes.get(from..end).unwrap_or_default();
    from + rest
        .iter()
        .position(|&byte| !is(byte, class))
        .unwrap_or(rest.len())
}

/// Where the run of `class` that ends at `to` begins, looked for up to `limit` bytes back.
pub(super) fn run_start(bytes: &[u8], to: usize, class: u8, limit: usize) -> usize {
    let from = to.saturating_sub(limit);
    let rest = bytes.get(from..to).unwrap_or_default();
    rest.iter()
        .rposition(|&byte| !is(byte, class))
        .map_or(from, |at| from + at + 1)
}

/// Whether a token may begin at `at`: no letter or digit stands before it, unless that is the
/// letter of an escape such as `\n`.
#[inline]
pub(super) fn begins_at(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else {
        return true;
    };
    !is(bytes[before], WORD)
        || (matches!(bytes[before], b'n' | b'r' | b't') && before > 0 && bytes[before - 1] == b'\\')
}

/// Whether `needle` occurs in `haystack`, whatever the case of its letters.
pub(super) fn contains_folded(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}

/// The first place of `byte` from `from` on, eight places at a time.
pub(super) fn find(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let zeros = u64::from_le_bytes(*chunk) ^ (LOW * u64::from(byte));
        if zeros.wrapping_sub(LOW) & !zeros & HIGH != 0 {
            break;
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter()
        .position(|&found| found == byte)
        .map(|place| at + place)
}

/// The first place of `needle` within `range`, and the place behind it.
pub(super) fn find_all(bytes: &[u8], range: Range<usize>, needle: &[u8]) -> Option<(usize, usize)> {
    let bytes = bytes.get(..range.end)?;
    let mut at = range.start;
    loop {
        at = find(bytes, at, *needle.first()?)?;
        if bytes[at..].starts_with(needle) {
            return Some((at, at + needle.len()));
        }
        at += 1;
    }
}
