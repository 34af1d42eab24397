//! What a block of bytes looks like, by how many of which kind there are.

use super::prefilter::{BLOCK, Reason};
use crate::safety::normal::cipher;

/// Where each count begins in the sum of a block; a block has no more than 63 bytes.
const SPACES: u32 = 0;
const SMALL: u32 = 6;
const CAPITALS: u32 = 12;
const VOWELS: u32 = 18;
const DIGITS: u32 = 24;
const OTHERS: u32 = 30;
/// Marks of each kind: all, those strewn between letters, those of escapes.
const MARKS: u32 = 36;
const STREWN: u32 = 42;
const ESCAPES: u32 = 48;

/// For each byte: one in each count it belongs to.
pub(super) static BYTES: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = 1 << counted(byte as u8);
        if matches!(byte as u8 | 0x20, b'a' | b'e' | b'i' | b'o' | b'u') && byte < 0x80 {
            table[byte] += 1 << VOWELS;
        }
        match byte as u8 {
            b'*' | b'~' | b'^' | b'|' | b'+' => table[byte] += 1 << STREWN,
            b'%' | b'\\' | b'&' => table[byte] += 1 << ESCAPES,
            _ => {}
        }
        byte += 1;
    }
    table
};

/// Which count a byte belongs to.
const fn counted(byte: u8) -> u32 {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' => SPACES,
        b'a'..=b'z' => SMALL,
        b'A'..=b'Z' => CAPITALS,
        b'0'..=b'9' => DIGITS,
        0x80.. => OTHERS,
        _ => MARKS,
    }
}

/// A byte's code of six bits: zero for what parts words; letters that are taken for each other
/// have one code.
pub(crate) const fn code(byte: u8) -> u8 {
    match byte {
        b'<' => 27,
        b'[' => 28,
        b'#' => 29,
        b'!' => 30,
        b'|' => 31,
        0x80.. => 32 | byte & 31,
        b'l' | b'L' | b'1' => 9,
        b'0' => 15,
        b'3' => 5,
        b'4' | b'@' => 1,
        b'5' | b'$' => 19,
        b'7' => 20,
        b'6' | b'9' => 7,
        b'8' => 2,
        b'2' => 26,
        b'a'..=b'z' => byte - b'a' + 1,
        b'A'..=b'Z' => byte - b'A' + 1,
        _ => 0,
    }
}

/// What a block is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape(u64);

impl Shape {
    /// From the sum of the bytes' entries.
    pub(super) fn new(sum: u64) -> Self {
        Self(sum)
    }

    fn count(self, what: u32) -> u64 {
        self.0 >> what & 63
    }

    fn letters(self) -> u64 {
        self.count(SMALL) + self.count(CAPITALS)
    }

    /// Whether the block is like any of prose, so that no reason needs a look.
    pub(super) fn is_plain(self) -> bool {
        let (spaces, letters) = (self.count(SPACES), self.letters());
        (3..12).contains(&spaces)
            && letters >= 8
            && self.count(MARKS) < 12
            && self.count(STREWN) < 5
            && self.count(ESCAPES) < 5
            && self.count(OTHERS) == 0
            && self.count(VOWELS) * 3 >= letters
            && (self.count(DIGITS) < 14 || letters > 10)
    }

    /// Whether the block has as many marks as markup and addresses have.
    pub(super) fn has_markup(self) -> bool {
        self.count(MARKS) >= 3
    }

    /// Whether the block could be base64 or the like, or a list of numbers.
    fn is_encoded(self) -> bool {
        let (spaces, letters) = (self.count(SPACES), self.letters());
        let (digits, marks) = (self.count(DIGITS), self.count(MARKS));
        // In base64 and hexadecimal letters, capitals and digits are mixed as in no words.
        let is_mixed = digits >= 3 || (self.count(CAPITALS) >= 6 && self.count(SMALL) >= 6);
        (spaces <= 1 && marks <= 2 && letters + digits >= 28 && is_mixed)
            || (spaces <= 2 && self.count(ESCAPES) >= 5 && digits >= 4)
            || (digits >= 14 && letters <= 10 && spaces >= 2)
            || (marks >= 14 && letters + digits <= 4 && spaces >= 4)
    }
}

/// The reasons to look closer at a block that starts at `at`, the last of those that are `near`.
pub(super) fn suspect(
    bytes: &[u8],
    at: usize,
    last: Shape,
    near: &[(u32, Shape)],
) -> [Option<Reason>; 4] {
    let (spaces, marks, letters) = (last.count(SPACES), last.count(MARKS), last.letters());
    let around = |what: u32| near.iter().map(|(_, shape)| shape.count(what)).sum::<u64>();
    let is_loose = letters >= 7
        && (spaces >= 12 || marks >= 12 || last.count(STREWN) >= 5)
        && is_spaced(&bytes[at..(at + BLOCK).min(bytes.len())]);
    // Few vowels: a look at every second block is enough.
    let is_odd = last.count(VOWELS) * 3 < letters
        && at / BLOCK % 2 == 1
        && {
            let all = around(SMALL) + around(CAPITALS);
            all >= 60 && around(VOWELS) * 4 < all && around(MARKS) + around(DIGITS) <= 16
        }
        && is_ciphered(bytes, at);
    [
        (last.count(OTHERS) > 0 && is_disguised(bytes, at)).then_some(Reason::Words),
        last.is_encoded().then_some(Reason::Encoded),
        is_loose.then_some(Reason::Spaced),
        is_odd.then_some(Reason::Ciphered),
    ]
}

/// Whether letters stand alone, or marks that do not part words stand between them.
fn is_spaced(block: &[u8]) -> bool {
    let alone = block.windows(3).filter(|w| {
        w[1].is_ascii_alphabetic()
            && !w[0].is_ascii_alphanumeric()
            && !w[2].is_ascii_alphanumeric()
            && w[0] == w[2]
    });
    let strewn = block.windows(2).filter(|w| {
        matches!(w[0], b'*' | b'~' | b'^' | b'|' | b'+')
            && (w[1].is_ascii_alphabetic() || w[1] >= 0x80 || w[1] == b' ')
    });
    alone.count() >= 5 || strewn.count() >= 5
}

/// Whether the blocks up to the one at `at` read as English only without a cipher.
fn is_ciphered(bytes: &[u8], at: usize) -> bool {
    let start = at.saturating_sub(3 * BLOCK);
    cipher::guess(&bytes[start..(at + BLOCK).min(bytes.len())]).is_some()
}

/// Whether a block has invisible characters, or letters of other scripts beside Latin ones.
fn is_disguised(bytes: &[u8], start: usize) -> bool {
    let end = (start + BLOCK).min(bytes.len());
    (start..end).any(|i| {
        let at = |n: usize| bytes.get(i + n).copied().unwrap_or(0);
        let beside_latin = || at(2).is_ascii_alphabetic() || (i > 0 && bytes[i - 1].is_ascii_alphabetic());
        match bytes[i] {
            0xe2 => matches!((at(1), at(2)), (0x80, 0x8b..=0x8f | 0xaa..=0xae) | (0x81, 0xa0..=0xaf) | (0x92, 0x9c..) | (0x93, ..=0xa9)),
            0xef => matches!((at(1), at(2)), (0xbb, 0xbf) | (0xbc, 0xa1..=0xba) | (0xbd, 0x81..=0x9c)),
            0xf0 => matches!((at(1), at(2)), (0x9d, 0x90..=0x9f) | (0x9f, 0x84..=0x87)),
            0xf3 => true,
            0xc2 => at(1) == 0xad,
            0xcc..=0xd6 => beside_latin(),
            0xe1 => matches!(at(1), 0xb4..=0xb6 | 0x8e..=0x8f),
            _ => false,
        }
    })
}
