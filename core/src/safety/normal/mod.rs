//! Text as a reader takes it, with the way back to the text as it came.
//!
//! Case, width, accents, imitated letters, invisible and tag characters are folded; what was
//! written letter by letter, or with marks strewn in, is closed up. Encodings of a whole text are
//! undone in `decode`.
//!
//! Invariant: a span of the normal text maps to a span of the original on character boundaries.

pub mod cipher;
pub mod decode;
mod fold;
mod spaced;

pub use fold::{NOTHING, SPACE, fold, is_imitation, is_tag, is_unspaced};
pub use spaced::close_up;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// A text made comparable, and where its pieces came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// The normal text.
    pub text: String,
    /// For each byte of it, where the original character began; and at last where the text ended.
    origins: Vec<u32>,
}

impl Normal {
    /// Where a span of the normal text came from, as bytes of the original.
    #[must_use]
    pub fn origin(&self, span: Range<usize>) -> Range<usize> {
        let last = self.origins.len().saturating_sub(1);
        let at = |i: usize| self.origins.get(i.min(last)).map_or(0, |o| *o as usize);
        let start = at(span.start);
        // The end is where the next character began: one original character can fold to many
        // bytes, and characters without a shape belong to what they follow.
        let mut end = span.end;
        while end < last && at(end) <= at(span.end.saturating_sub(1)) {
            end += 1;
        }
        start..at(end).max(start)
    }

    fn push(&mut self, c: char, origin: usize) {
        self.text.push(c);
        let origin = u32::try_from(origin).unwrap_or(u32::MAX);
        self.origins.resize(self.text.len(), origin);
    }

    fn finish(mut self, length: usize) -> Self {
        self.origins.push(u32::try_from(length).unwrap_or(u32::MAX));
        self
    }
}

/// The normal form of a text: a small letter for each letter, a space for whatever parts words
/// beyond ASCII, nothing for what has no shape.
#[must_use]
pub fn normalise(text: &str) -> Normal {
    let mut normal = Normal::default();
    normal.text.reserve(text.len());
    normal.origins.reserve(text.len() + 1);
    for (at, c) in text.char_indices() {
        match fold(c) {
            NOTHING => {}
            folded => normal.push(folded, at),
        }
    }
    normal.finish(text.len())
}

#[cfg(test)]
mod tests;
