//! Where in a text it is worth looking: every rule's first four letters, hashed into one small
//! table that is made at compile time.
//!
//! Invariant: no anchor is passed over. What is reported beside them costs time, nothing else.

use super::bytes;

/// How many bits of the hash a place in the table stands for.
const BITS: usize = 14;
const BUCKETS: usize = 1024;
const NONE: u16 = u16::MAX;
/// How many places are looked at together.
const STEP: usize = 8;

/// That an anchor of the beginnings of words is there, and that another one is.
const BOUND: u8 = 1;
const FREE: u8 = 2;

/// The anchors, by the hash of their first four bytes.
pub(super) struct Table<const N: usize> {
    seen: [u8; 1 << BITS],
    heads: [u16; BUCKETS],
    next: [u16; N],
}

/// Letters of either case become the same; so do a few signs, which does no harm.
const FOLD: u32 = 0x2020_2020;

const FOLD_EIGHT: u64 = 0x2020_2020_2020_2020;

#[inline(always)]
const fn hash(window: [u8; 4]) -> u32 {
    mix(u32::from_le_bytes(window) | FOLD)
}

#[inline(always)]
const fn mix(folded: u32) -> u32 {
    folded.wrapping_mul(0x9e37_79b1)
}

#[inline(always)]
const fn slot(hash: u32) -> usize {
    (hash >> (32 - BITS)) as usize
}

#[inline(always)]
const fn bucket(hash: u32) -> usize {
    (hash >> 22) as usize
}

impl<const N: usize> Table<N> {
    /// A table of the first four bytes of words. The first `bound` of them stand at the beginning
    /// of a word only.
    pub(super) const fn new(words: [[u8; 4]; N], bound: usize) -> Self {
        let mut table = Self {
            seen: [0; 1 << BITS],
            heads: [NONE; BUCKETS],
            next: [NONE; N],
        };
        let mut at = 0;
        while at < N {
            let hash = hash(words[at]);
            table.seen[slot(hash)] |= if at < bound { BOUND } else { FREE };
            table.next[at] = table.heads[bucket(hash)];
            table.heads[bucket(hash)] = at as u16;
            at += 1;
        }
        table
    }

    /// Calls `visit` with every place where an anchor may stand, in order, and the words that may
    /// stand there. What it gives back is the first place that is still of interest.
    #[inline]
    pub(super) fn visit(&self, bytes: &[u8], mut visit: impl FnMut(usize, usize) -> usize) {
        let mut block = 0;
        while block + 4 <= bytes.len() {
            block = self.skip(bytes, block);
            let end = block + STEP;
            let mut at = block;
            while at < end
                && let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>)
            {
                let hash = hash(*window);
                let mut clear = at + 1;
                let seen = self.seen[slot(hash)];
                if seen != 0 && (seen & FREE != 0 || bytes::begins_at(bytes, at)) {
                    let mut word = self.heads[bucket(hash)];
                    while word != NONE {
                        clear = clear.max(visit(at, usize::from(word)));
                        word = self.next[usize::from(word)];
                    }
                }
                at = clear;
            }
            block = at.max(end);
        }
    }

    /// The first block from `from` on with an anchor in it, or the last that is not whole.
    #[inline(never)]
    fn skip(&self, bytes: &[u8], from: usize) -> usize {
        let mut at = from;
        // Eight places without a branch between them.
        while let Some(rest) = bytes.get(at..)
            && let Some(low) = rest.first_chunk::<8>()
            && let Some(high) = rest.get(4..).and_then(<[u8]>::first_chunk::<8>)
        {
            let low = u64::from_le_bytes(*low) | FOLD_EIGHT;
            let high = u64::from_le_bytes(*high) | FOLD_EIGHT;
            let seen = |folded: u64| self.seen[slot(mix(folded as u32))];
            let any = seen(low)
                | seen(low >> 8)
                | seen(low >> 16)
                | seen(low >> 24)
                | seen(high)
                | seen(high >> 8)
                | seen(high >> 16)
                | seen(high >> 24);
            if any != 0 {
                break;
            }
            at += STEP;
        }
        at
    }
}
