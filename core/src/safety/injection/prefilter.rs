//! Where to look closer: one pass over the bytes that finds blocks in which the words of attacks
//! are near each other, and blocks that do not look like prose.
//!
//! Each five characters in a row have a weight, most of them none; a block's weight is their sum.
//! The weights are made by `cargo xtask eval train` from [`super::words`], so that what is common
//! in ordinary text weighs nothing. There is no branch on what the bytes are, so no text is slow.

use alloc::boxed::Box;
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
}

impl Reason {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Words, Self::Encoded, Self::Spaced, Self::Ciphered];

    /// Bytes beside a block that are looked at too: before the blocks weighed, and after.
    fn margin(self) -> usize {
        match self {
            Self::Words => 64,
            Self::Encoded | Self::Spaced => 2 * BLOCK,
            Self::Ciphered => 4 * BLOCK,
        }
    }
}

/// The weights, a byte each.
pub(super) struct Prefilter(Box<[u8]>);

impl Prefilter {
    /// Unpacks the weights.
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|place| worth(PACKED, place)).collect())
    }
}

/// Calls `look` with each stretch that is worth it. Those of one reason come in order.
pub(super) fn search(filter: &Prefilter, text: &str, look: &mut dyn FnMut(Range<usize>, Reason)) {
    let bytes = text.as_bytes();
    let Ok(weights) = <&[u8; PLACES]>::try_from(&*filter.0) else {
        return;
    };
    let mut key = 0_u32;
    let mut near = [(0_u32, Shape::default()); NEAR];
    let mut open: [Option<Range<usize>>; 4] = [None, None, None, None];
    let mut number = 0;
    let mut weigh = |block: &[u8; BLOCK]| {
        let mut weight = 0_u32;
        let mut counts = 0_u64;
        for pair in block.chunks_exact(2) {
            let (one, two) = (
                shape::BYTES[usize::from(pair[0])],
                shape::BYTES[usize::from(pair[1])],
            );
            key = key << 12 | ((one >> shape::CODE) << 6 | two >> shape::CODE) as u32;
            counts = counts.wrapping_add(one).wrapping_add(two);
            weight += u32::from(weights[place(key)]);
        }
        let shape = Shape::new(counts);
        near[number % NEAR] = (weight, shape);
        let sum: u32 = near.iter().map(|(weight, _)| weight).sum();
        let at = number * BLOCK;
        number += 1;
        if sum >= HEAVY {
            extend(text, &mut open[0], at, Reason::Words, look);
        }
        if shape.has_markup() && is_markup(bytes, at) {
            extend(text, &mut open[0], at, Reason::Words, look);
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

/// The weight at a place.
pub(crate) fn worth(weights: &[u8; PLACES / 4], place: usize) -> u8 {
    let class = weights[place / 4] >> (place % 4 * 2) & 3;
    (WORTH >> (class * 4) & 15) as u8
}

/// Where the weight of the last five codes of a key is.
pub(crate) fn place(key: u32) -> usize {
    ((key << 2).wrapping_mul(0x9e37_79b1) >> 15) as usize
}
