//! Where to look closer: one pass over the bytes that finds blocks in which the words of attacks
//! are near each other, and blocks that do not look like prose.
//!
//! Each four characters in a row have a weight, most of them none; a block's weight is their sum.
//! There is no branch on what the bytes are, so no text is slow.

use alloc::{boxed::Box, vec, vec::Vec};
use core::ops::Range;

use super::{lexicon::letter, words::WORDS};
use crate::safety::normal::fold;

/// Bytes of a block.
const BLOCK: usize = 32;

/// How many blocks are weighed together.
const NEAR: usize = 4;

/// The weight of blocks near each other that is worth a closer look.
const HEAVY: u32 = 9;

/// Bytes beside heavy blocks that are looked at too.
const MARGIN: usize = 192;

/// A power of two: places for the weights of four characters.
const GRAMS: usize = 1 << 14;

const SPACES: u32 = 0;
const LETTERS: u32 = 8;
const VOWELS: u32 = 16;
const DIGITS: u32 = 24;
const MARKS: u32 = 32;
const OTHERS: u32 = 40;
/// The lowest bit of a byte's code, above the counts.
const CODE: u32 = 58;

/// Why a stretch of text is worth a closer look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reasons {
    /// It has words of attacks.
    pub(super) words: bool,
    /// It could be base64, hexadecimal, escapes or a list of numbers.
    pub(super) encoded: bool,
    /// It could be written letter by letter, or with marks between the letters.
    pub(super) spaced: bool,
    /// Its letters are not as frequent as in a language.
    pub(super) ciphered: bool,
}

impl Reasons {
    /// All of them.
    pub(super) const ALL: Self = Self {
        words: true,
        encoded: true,
        spaced: true,
        ciphered: true,
    };

    fn any(self) -> bool {
        self.words || self.encoded || self.spaced || self.ciphered
    }

    fn add(&mut self, other: Self) {
        self.words |= other.words;
        self.encoded |= other.encoded;
        self.spaced |= other.spaced;
        self.ciphered |= other.ciphered;
    }
}

/// The tables.
pub(super) struct Prefilter {
    /// For each byte: one in each count it belongs to, and its code.
    bytes: Box<[u64; 256]>,
    weights: Vec<u8>,
}

impl Prefilter {
    /// Makes the tables from the words.
    pub(super) fn new() -> Self {
        let mut filter = Self {
            bytes: Box::new([0; 256]),
            weights: vec![0; GRAMS],
        };
        for (byte, entry) in (0..=255_u8).zip(filter.bytes.iter_mut()) {
            *entry = u64::from(code(byte)) << CODE | 1 << counted(byte);
            if matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u') {
                *entry |= 1 << VOWELS;
            }
        }
        for (_, weight, row) in WORDS.iter().filter(|(_, weight, _)| *weight > 0) {
            for entry in row.split(", ") {
                filter.learn(entry, *weight);
            }
        }
        for (marker, weight) in MARKERS {
            filter.learn_exactly(marker, *weight);
        }
        filter
    }

    /// Gives the rarest four characters of an entry its weight.
    fn learn(&mut self, entry: &str, weight: u8) {
        let codes: Vec<u8> = core::iter::once(0)
            .chain(entry.trim_end_matches('*').bytes().map(code))
            .chain((!entry.ends_with('*')).then_some(0))
            .collect();
        let rarest = codes.windows(4).min_by_key(|gram| {
            gram.iter()
                .map(|c| COMMON[usize::from(*c).min(COMMON.len() - 1)])
                .sum::<u32>()
        });
        if let Some(gram) = rarest {
            self.weigh(gram, weight);
        }
    }

    fn learn_exactly(&mut self, marker: &str, weight: u8) {
        let codes: Vec<u8> = marker.bytes().map(code).collect();
        if let Some(gram) = codes.first_chunk::<4>() {
            self.weigh(gram, weight);
        }
    }

    fn weigh(&mut self, gram: &[u8], weight: u8) {
        let key = gram.iter().fold(0, |key, code| key << 6 | u32::from(*code));
        let known = &mut self.weights[place(key)];
        *known = weight.max(*known);
    }

    /// Calls `look` with each stretch that is worth it, in order. Stretches do not overlap.
    pub(super) fn search(&self, text: &str, look: &mut dyn FnMut(Range<usize>, Reasons)) {
        let bytes = text.as_bytes();
        let mut key = 0_u32;
        let mut near = [(0_u32, 0_u64); NEAR];
        let mut open: Option<(Range<usize>, Reasons)> = None;
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            let mut weight = 0_u32;
            let mut counts = 0_u64;
            for byte in block {
                let entry = self.bytes[usize::from(*byte)];
                key = key << 6 | (entry >> CODE) as u32;
                counts = counts.wrapping_add(entry);
                weight += u32::from(self.weights[place(key)]);
            }
            near[number % NEAR] = (weight, counts & ((1 << 48) - 1));
            let (sum, all) = near
                .iter()
                .fold((0, 0), |(w, c), (weight, counts)| (w + weight, c + counts));
            let mut reasons = shape(counts, all);
            reasons.words = sum >= HEAVY
                || (counts >> OTHERS & 0xff != 0 && is_disguised(bytes, number * BLOCK));
            if !reasons.any() {
                continue;
            }
            let start = (number * BLOCK).saturating_sub((NEAR - 1) * BLOCK + MARGIN);
            let end = (number * BLOCK + block.len() + MARGIN).min(bytes.len());
            match &mut open {
                Some((range, why)) if start <= range.end && range.end - range.start < LONGEST => {
                    range.end = end;
                    why.add(reasons);
                }
                _ => {
                    let begun = open.as_ref().map_or(0, |(range, _)| range.end);
                    if let Some((range, why)) = open.take() {
                        look(on_boundaries(text, range), why);
                    }
                    open = Some((start.max(begun)..end.max(begun), reasons));
                }
            }
        }
        if let Some((range, why)) = open {
            look(on_boundaries(text, range), why);
        }
    }
}

/// The longest stretch, so that reasons of one place do not cost the whole text.
const LONGEST: usize = 16 * 1024;

fn on_boundaries(text: &str, range: Range<usize>) -> Range<usize> {
    text.ceil_char_boundary(range.start)..text.ceil_char_boundary(range.end)
}

/// What the counts of a block, and of it with those before it, look like.
fn shape(block: u64, near: u64) -> Reasons {
    let count = |of: u64, what: u32| of >> what & 0xff;
    let (spaces, letters) = (count(block, SPACES), count(block, LETTERS));
    let (digits, marks) = (count(block, DIGITS), count(block, MARKS));
    let (many_letters, vowels) = (count(near, LETTERS), count(near, VOWELS));
    Reasons {
        words: false,
        encoded: spaces <= 1 && letters + digits > 16 || digits >= 14 || marks >= 14 && letters < 8,
        spaced: letters >= 7
            && (spaces >= 12 && spaces < 20 || marks >= 7)
            && letters + spaces + marks > 24,
        ciphered: many_letters >= 60 && vowels * 100 < many_letters * 27,
    }
}

/// Whether a block has invisible characters, or letters of other scripts beside Latin ones.
fn is_disguised(bytes: &[u8], start: usize) -> bool {
    let end = (start + BLOCK).min(bytes.len());
    (start..end).any(|i| {
        let at = |n: usize| bytes.get(i + n).copied().unwrap_or(0);
        let beside_latin = || at(2).is_ascii_alphabetic() || (i > 0 && bytes[i - 1].is_ascii_alphabetic());
        match bytes[i] {
            0xe2 => matches!((at(1), at(2)), (0x80, 0x8b..=0x8f | 0xaa..=0xae) | (0x81, 0xa0..=0xaf) | (0x92, 0x9c..) | (0x93, _)),
            0xef => matches!((at(1), at(2)), (0xbb, 0xbf) | (0xbc, 0xa1..=0xba) | (0xbd, 0x81..=0x9c)),
            0xf0 => matches!((at(1), at(2)), (0x9d, 0x90..=0x9f) | (0x9f, 0x84..=0x87)),
            0xf3 => true,
            0xc2 => at(1) == 0xad,
            0xcc | 0xcd | 0xce | 0xcf | 0xd0..=0xd6 => beside_latin(),
            0xe1 => matches!(at(1), 0xb4..=0xb6 | 0x8e..=0x8f),
            _ => false,
        }
    })
}

/// Which count a byte belongs to.
fn counted(byte: u8) -> u32 {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' => SPACES,
        b'a'..=b'z' | b'A'..=b'Z' => LETTERS,
        b'0'..=b'9' => DIGITS,
        0x80.. => OTHERS,
        _ => MARKS,
    }
}

/// A byte's code of six bits: zero for what parts words, letters alike that count as one.
fn code(byte: u8) -> u8 {
    match byte {
        b'<' => 27,
        b'[' => 28,
        b'#' => 29,
        b'!' => 30,
        b'|' => 31,
        0x80.. => 32 | byte & 31,
        _ => match letter(fold(char::from(byte))) {
            0 => 0,
            letter => u8::try_from(letter).map_or(0, |l| l - b'a' + 1),
        },
    }
}

fn place(key: u32) -> usize {
    ((key & 0x00ff_ffff).wrapping_mul(0x9e37_79b1) >> 18) as usize
}

/// How common a code is: hundredths of a bit of what it does not tell. Space, then a to z.
const COMMON: &[u32] = &[
    90, 78, 40, 50, 58, 90, 45, 44, 55, 85, 10, 25, 60, 48, 76, 78, 46, 5, 74, 75, 84, 52, 36, 42,
    12, 44, 5, 5, 5, 5, 5, 5, 30,
];

/// Markup that is a reason by itself. Its first four characters count.
const MARKERS: &[(&str, u8)] = &[
    ("<|im", 9),
    ("<|st", 9),
    ("<|en", 9),
    ("<|eo", 9),
    ("<|sy", 9),
    ("<|us", 9),
    ("<|as", 9),
    ("<|be", 9),
    ("<|ST", 9),
    ("<|EN", 9),
    ("<｜", 9),
    ("[INS", 7),
    ("[/IN", 7),
    ("<<SY", 9),
    ("<sta", 3),
    ("<end", 3),
    ("### ", 1),
    ("[SYS", 5),
    ("<IMP", 6),
    ("<sys", 5),
    ("[sys", 5),
    ("<!--", 4),
    ("<ins", 3),
    ("<pro", 2),
    ("<sec", 2),
    ("<use", 2),
    ("<ass", 3),
];
