//! Where to look closer: one pass over the bytes that finds blocks in which the words of attacks
//! are near each other, and blocks that do not look like prose.
//!
//! Each five characters in a row have a weight, most of them none; a block's weight is their sum.
//! The weights are made by `cargo xtask eval train` from [`super::words`], so that what is common
//! in ordinary text weighs nothing. There is no branch on what the bytes are, so no text is slow.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use super::{
    markup,
    shape::{self, Shape},
};

/// Bytes of a block.
pub(super) const BLOCK: usize = 32;

/// How many blocks are weighed together.
const NEAR: usize = 4;

/// The weight of blocks near each other that is worth a closer look.
pub(crate) const HEAVY: u32 = 10;

/// The longest stretch, so that one that never ends is looked at in pieces.
const LONGEST: usize = 16 * 1024;

/// What two stretches of one reason share, so that nothing is cut in two.
const OVERLAP: usize = 256;

/// Places for weights: a power of two. Each weight is one of four, in two bits.
pub(super) const PLACES: usize = 1 << 17;

static PACKED: &[u8; PLACES / 4] = include_bytes!("prefilter.bin");

/// What the four weights come to, four bits each.
pub(crate) const WORTH: u32 = 0xc420;

/// Why a stretch of text is worth a closer look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It has words of attacks.
    Words,
    /// It could be base64, hexadecimal, escapes or a list of numbers.
    Encoded,
    /// It could be written letter by letter, or with marks between the letters.
    Spaced,
    /// Its letters are as frequent as in no language, but for a cipher.
    Ciphered,
    /// It has elements that are not shown, or addresses that ask for something. Where the words are
    /// looked at, this is too.
    Markup,
}

impl Reason {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Words,
        Self::Encoded,
        Self::Spaced,
        Self::Ciphered,
        Self::Markup,
    ];

    /// Bytes beside a block that are looked at too: before the blocks weighed, and after.
    fn margin(self) -> usize {
        match self {
            Self::Words | Self::Markup => 64,
            Self::Encoded | Self::Spaced => 2 * BLOCK,
            Self::Ciphered => 4 * BLOCK,
        }
    }
}

/// The tables, made ready.
pub(super) struct Prefilter {
    /// The weights, a byte each.
    weights: Box<[u8]>,
    /// For each byte, its code as a part of [`hashed`].
    codes: [u32; 256],
}

impl Prefilter {
    /// Unpacks the weights.
    pub(super) fn new() -> Self {
        let mut fours = [[0; 4]; 256];
        let mut codes = [0; 256];
        for (byte, (four, hash)) in (0..=u8::MAX).zip(fours.iter_mut().zip(&mut codes)) {
            *four = [0, 1, 2, 3].map(|place| worth_of(byte >> (place * 2) & 3));
            *hash = hashed(u32::from(shape::code(byte)));
        }
        let mut weights = Vec::with_capacity(PLACES);
        for byte in PACKED {
            weights.extend_from_slice(&fours[usize::from(*byte)]);
        }
        Self {
            weights: weights.into_boxed_slice(),
            codes,
        }
    }
}

/// Calls `look` with each stretch that is worth it. Those of one reason come in order.
pub(super) fn search(filter: &Prefilter, text: &str, look: &mut dyn FnMut(Range<usize>, Reason)) {
    let bytes = text.as_bytes();
    let Ok(weights) = <&[u8; PLACES]>::try_from(&*filter.weights) else {
        return;
    };
    let codes = &filter.codes;
    let mut hash = 0_u32;
    let mut near = [(0_u32, Shape::default()); NEAR];
    let mut open: [Option<Range<usize>>; 5] = [const { None }; 5];
    let mut number = 0;
    let mut weigh = |block: &[u8; BLOCK]| {
        let mut weight = 0_u32;
        let mut counts = 0_u64;
        let mut rolled = hash;
        for four in block.as_chunks::<4>().0 {
            let [one, two, three, last] = four.map(usize::from);
            // The hash of a sum is the sum of the hashes, so no key has to be put together.
            let first = (codes[one] << 6).wrapping_add(codes[two]);
            let second = (codes[three] << 6).wrapping_add(codes[last]);
            let half = (rolled << 12).wrapping_add(first);
            rolled = (half << 12).wrapping_add(second);
            weight += u32::from(weights[(half >> TO_PLACE) as usize])
                + u32::from(weights[(rolled >> TO_PLACE) as usize]);
            counts = counts
                .wrapping_add(shape::BYTES[one].wrapping_add(shape::BYTES[two]))
                .wrapping_add(shape::BYTES[three].wrapping_add(shape::BYTES[last]));
        }
        hash = rolled;
        let shape = Shape::new(counts);
        near[number % NEAR] = (weight, shape);
        let sum: u32 = near.iter().map(|(weight, _)| weight).sum();
        let at = number * BLOCK;
        number += 1;
        if sum >= HEAVY {
            extend(text, &mut open[0], at, Reason::Words, look);
        }
        if shape.has_markup() && is_markup(bytes, at) {
            extend(text, &mut open[4], at, Reason::Markup, look);
        }
        if !shape.is_plain() {
            for reason in shape::suspect(bytes, at, shape, &near)
                .into_iter()
                .flatten()
            {
                extend(text, &mut open[reason as usize], at, reason, look);
            }
        }
    };
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        weigh(block);
    }
    if !rest.is_empty() {
        let mut block = [b' '; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        weigh(&block);
    }
    for (range, reason) in open.into_iter().zip(Reason::ALL) {
        if let Some(range) = range {
            look(on_boundaries(text, range), reason);
        }
    }
}

#[inline(never)]
fn is_markup(bytes: &[u8], at: usize) -> bool {
    markup::is_worth_a_look(bytes, at, (at + BLOCK).min(bytes.len()))
}

/// Adds a block to the stretch that is open, or ends that and opens another.
#[cold]
fn extend(
    text: &str,
    open: &mut Option<Range<usize>>,
    at: usize,
    reason: Reason,
    look: &mut dyn FnMut(Range<usize>, Reason),
) {
    let start = at.saturating_sub((NEAR - 1) * BLOCK + reason.margin());
    let end = (at + BLOCK + reason.margin()).min(text.len());
    match open {
        Some(range) if start <= range.end && range.end - range.start < LONGEST => range.end = end,
        _ => {
            let before = open.take();
            let begun = before
                .as_ref()
                .map_or(0, |range| range.end.saturating_sub(OVERLAP));
            *open = Some(start.max(begun)..end);
            if let Some(range) = before {
                look(on_boundaries(text, range), reason);
            }
        }
    }
}

fn on_boundaries(text: &str, range: Range<usize>) -> Range<usize> {
    text.ceil_char_boundary(range.start)..text.ceil_char_boundary(range.end)
}

/// What a class of weights comes to.
fn worth_of(class: u8) -> u8 {
    (WORTH >> (class * 4) & 15) as u8
}

/// How far a hash is shifted to be a place.
const TO_PLACE: u32 = 15;

/// The hash of the last five codes of a key.
fn hashed(key: u32) -> u32 {
    (key << 2).wrapping_mul(0x9e37_79b1)
}

/// Where the weight of the last five codes of a key is.
#[cfg(feature = "train")]
pub(crate) fn place(key: u32) -> usize {
    (hashed(key) >> TO_PLACE) as usize
}
