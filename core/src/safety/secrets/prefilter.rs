//! Where in a text it is worth looking: every rule's first four letters, hashed into one small
//! table that is made at compile time.
//!
//! Invariant: no anchor is passed over. What is reported beside them costs time, nothing else.

const BITS: usize = 15;
const BUCKETS: usize = 256;
const NONE: u16 = u16::MAX;

/// The anchors, by the hash of their first four bytes.
pub(super) struct Table<const N: usize> {
    seen: [u8; 1 << (BITS - 3)],
    heads: [u16; BUCKETS],
    next: [u16; N],
}

/// Letters of either case become the same; so do a few signs, which does no harm.
const FOLD: u32 = 0x2020_2020;

#[inline(always)]
const fn hash(window: u32) -> u32 {
    (window | FOLD).wrapping_mul(0x9e37_79b1)
}

#[inline(always)]
const fn slot(hash: u32) -> usize {
    (hash >> (32 - BITS)) as usize
}

#[inline(always)]
const fn bucket(hash: u32) -> usize {
    (hash >> 24) as usize
}

impl<const N: usize> Table<N> {
    /// A table of the first four bytes of words.
    pub(super) const fn new(words: [[u8; 4]; N]) -> Self {
        let mut table = Self {
            seen: [0; 1 << (BITS - 3)],
            heads: [NONE; BUCKETS],
            next: [NONE; N],
        };
        let mut at = 0;
        while at < N {
            let hash = hash(u32::from_le_bytes(words[at]));
            table.seen[slot(hash) / 8] |= 1 << (slot(hash) % 8);
            table.next[at] = table.heads[bucket(hash)];
            table.heads[bucket(hash)] = at as u16;
            at += 1;
        }
        table
    }

    /// The first place from `from` on where an anchor may stand.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        rest.windows(4)
            .position(|window| {
                let slot = slot(hash(u32::from_le_bytes([
                    window[0], window[1], window[2], window[3],
                ])));
                self.seen[slot / 8] & (1 << (slot % 8)) != 0
            })
            .map(|at| from + at)
    }

    /// The places in the table of all words that may stand at `at`.
    pub(super) fn at(&self, bytes: &[u8], at: usize) -> impl Iterator<Item = usize> {
        let head = match bytes.get(at..at + 4) {
            Some(&[a, b, c, d]) => self.heads[bucket(hash(u32::from_le_bytes([a, b, c, d])))],
            _ => NONE,
        };
        core::iter::successors((head != NONE).then_some(usize::from(head)), |&word| {
            let next = self.next[word];
            (next != NONE).then_some(usize::from(next))
        })
    }
}
