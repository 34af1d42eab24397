//! The statistical model: how much the words of a stretch are those of attacks.
//!
//! Logistic regression over hashed words and pairs of neighbours, whichever comes first, in
//! windows of a fixed number of words. `cargo xtask eval train` makes `model.bin`; what it was
//! trained on stands in `docs/design/safety.md`.

use super::lexicon::then;

/// Words of a window.
pub(super) const WINDOW: usize = 64;

/// After how many words the next window is weighed.
pub(super) const STEP: usize = 16;

/// The fewest words that tell anything.
const FEWEST: usize = 8;

/// The fewest words that give a hint: a few words more or less like an attack's say nothing.
const FEWEST_FOR_A_HINT: usize = 12;

/// Places for weights: a power of two.
pub(super) const BUCKETS: usize = 1 << 15;

/// The bias, and the scores from which on evidence is weak and strong: three numbers of 16 bits,
/// little-endian. After them a weight for each bucket.
pub(super) const HEADER: usize = 6;

static MODEL: &[u8; HEADER + BUCKETS] = include_bytes!("model.bin");

/// The bucket of a word.
pub(super) fn bucket(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 17) as usize
}

/// The bucket of two words beside each other.
pub(super) fn pair(one: u32, other: u32) -> usize {
    bucket(then(one.min(other), one.max(other)))
}

/// The score of words whose weights sum up to `sum`, in units of the model.
fn score(sum: i32, words: usize) -> i32 {
    header(0) + sum * 16 / i32::from(ROOTS[words.clamp(1, WINDOW)])
}

/// Sixteen times the root of each number of words.
static ROOTS: [u8; WINDOW + 1] = {
    let mut roots = [0; WINDOW + 1];
    let mut words = 0;
    while words <= WINDOW {
        roots[words] = ((words as u32) << 8).isqrt() as u8;
        words += 1;
    }
    roots
};

fn header(place: usize) -> i32 {
    i32::from(i16::from_le_bytes([MODEL[2 * place], MODEL[2 * place + 1]]))
}

fn weight(bucket: usize) -> i32 {
    i32::from(MODEL[HEADER + bucket].cast_signed())
}

/// How strongly a window tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Weak,
    Strong,
}

/// Weighs words as they come.
pub(super) struct Weigher {
    weights: [i32; WINDOW],
    starts: [usize; WINDOW],
    count: usize,
    sum: i32,
    before: u32,
    end: usize,
    weighed: usize,
}

impl Weigher {
    pub(super) fn new() -> Self {
        Self {
            weights: [0; WINDOW],
            starts: [0; WINDOW],
            count: 0,
            sum: 0,
            before: 0,
            end: 0,
            weighed: 0,
        }
    }

    /// Takes the next word; tells of the window that ends there if it is one to tell of.
    pub(super) fn take(
        &mut self,
        hash: u32,
        start: usize,
        end: usize,
    ) -> Option<(Verdict, usize, usize)> {
        let place = self.count % WINDOW;
        let mut weight_here = weight(bucket(hash));
        if self.count > 0 {
            weight_here += weight(pair(self.before, hash));
        }
        if self.count >= WINDOW {
            self.sum -= self.weights[place];
        }
        self.weights[place] = weight_here;
        self.starts[place] = start;
        self.sum += weight_here;
        self.before = hash;
        self.count += 1;
        self.end = end;
        (self.count >= WINDOW && self.count.is_multiple_of(STEP))
            .then(|| self.verdict())
            .flatten()
    }

    /// Tells of what is left at the end.
    pub(super) fn finish(&mut self) -> Option<(Verdict, usize, usize)> {
        (self.count >= FEWEST && self.weighed != self.count)
            .then(|| self.verdict())
            .flatten()
    }

    fn verdict(&mut self) -> Option<(Verdict, usize, usize)> {
        self.weighed = self.count;
        let words = self.count.min(WINDOW);
        let score = score(self.sum, words);
        let start = self.starts[if self.count > WINDOW {
            self.count % WINDOW
        } else {
            0
        }];
        let verdict = if score >= header(2) {
            Verdict::Strong
        } else if score >= header(1) && words >= FEWEST_FOR_A_HINT {
            Verdict::Weak
        } else {
            return None;
        };
        Some((verdict, start, self.end))
    }
}
