//! What `cargo xtask eval train` needs of the detector.

use alloc::{vec, vec::Vec};

use super::{
    lexicon::disguises,
    model,
    prefilter::{BLOCK, HEAVY, PLACES, WORTH, place},
    shape::code,
    tokens::tokens,
    words::{BETRAYING, WORDS},
};

/// Words of a window of the model.
pub const WINDOW: usize = model::WINDOW;

/// After how many words the next window is weighed.
pub const STEP: usize = model::STEP;

/// Places for the model's weights.
pub const BUCKETS: usize = model::BUCKETS;

/// Markup that is a reason to look closer, and how much of one.
const MARKERS: &[(&str, u8)] = &[
    ("<|im_", 9),
    ("<|start", 9),
    ("<|end", 9),
    ("<|eot", 9),
    ("<|eom", 9),
    ("<|system", 9),
    ("<|user", 9),
    ("<|assis", 9),
    ("<|begin", 9),
    ("<|chat", 9),
    ("<｜", 9),
    ("[INST]", 8),
    ("[/INST", 8),
    ("<<SYS>", 9),
    ("<start_of", 8),
    ("<end_of_", 8),
    ("### Instruction", 8),
    ("### System", 8),
    ("### Human", 8),
    ("[SYSTEM", 6),
    ("<IMPORTANT", 8),
    ("<system", 6),
    ("</system", 6),
    ("<!-- ", 3),
    ("</user", 5),
];

/// Words that every attack of the plainest kind has: they weigh, however common.
const PLAINEST: &[&str] = &["ignore", "disregard", "previous", "instructions"];

/// A text's words as the model weighs them: for each its bucket, and the bucket of it with the
/// word before (the same as its own for the first).
#[must_use]
pub fn features(text: &str) -> Vec<(u16, u16)> {
    let mut features = Vec::new();
    let mut before = None;
    tokens(super::lexicon(), text, &mut |token| {
        if token.hash != 0 {
            let own = model::bucket(token.hash);
            let pair = before.map_or(own, |before| model::pair(before, token.hash));
            features.push((narrow(own), narrow(pair)));
            before = Some(token.hash);
        }
    });
    features
}

fn narrow(bucket: usize) -> u16 {
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// The prefilter's weights: what the words are worth, less the more their letters make of ordinary
/// text heavy, until no more than `hot` of 1,000 blocks of that are.
#[must_use]
pub fn prefilter(ordinary: &[&str], attacks: &[&str], hot: usize) -> Vec<u8> {
    let (mut weights, kept) = worths(ordinary);
    let ordinary: Vec<Hits> = ordinary
        .iter()
        .map(|text| Hits::new(text, 0, &weights))
        .collect();
    let attacks: Vec<Hits> = attacks
        .iter()
        .flat_map(|text| [Hits::new(text, 0, &weights), Hits::new(text, 1, &weights)])
        .collect();
    let blocks: usize = ordinary.iter().map(|hits| hits.blocks).sum();
    loop {
        let mut harm = vec![0_u64; PLACES];
        let mut heavy = 0;
        for hits in &ordinary {
            heavy += hits.weigh(&weights, &mut |sum| sum >= HEAVY, &mut harm);
        }
        if heavy * 1000 <= blocks * hot {
            return weights;
        }
        let mut use_of = vec![0_u64; PLACES];
        for hits in &attacks {
            let mut most = 0;
            hits.weigh(
                &weights,
                &mut |sum| {
                    most = most.max(sum);
                    false
                },
                &mut [],
            );
            hits.weigh(&weights, &mut |sum| sum == most && sum > 0, &mut use_of);
        }
        let mut worst: Vec<(u64, usize)> = harm
            .iter()
            .enumerate()
            .filter(|(place, harm)| **harm > 0 && !kept.contains(place))
            .map(|(place, harm)| (harm * 1_000 / (use_of[place] * 20 + 20), place))
            .collect();
        worst.sort_unstable_by(|one, other| other.cmp(one));
        for (_, place) in worst.iter().take(12) {
            let class = weights[place / 4] >> (place % 4 * 2) & 3;
            weights[place / 4] -= u8::from(class > 0) << (place % 4 * 2);
        }
    }
}

/// Where in a text the prefilter's weights are, by block.
struct Hits {
    at: Vec<(u32, u32)>,
    blocks: usize,
}

impl Hits {
    fn new(text: &str, shift: usize, weights: &[u8]) -> Self {
        let bytes = text.as_bytes();
        let bytes = &bytes[shift.min(bytes.len())..];
        let mut key = 0_u32;
        let mut at = Vec::new();
        for (i, byte) in bytes.iter().enumerate() {
            key = key << 6 | u32::from(code(*byte));
            let place = place(key);
            if i % 2 == 1 && weights[place / 4] >> (place % 4 * 2) & 3 > 0 {
                at.push(((i / BLOCK) as u32, place as u32));
            }
        }
        Self {
            at,
            blocks: bytes.len().div_ceil(BLOCK),
        }
    }

    /// Counts the blocks whose sum with those before is `wanted`, and adds what each place gave.
    fn weigh(
        &self,
        weights: &[u8],
        wanted: &mut dyn FnMut(u32) -> bool,
        gave: &mut [u64],
    ) -> usize {
        let worth = |place: u32| {
            let place = place as usize;
            WORTH >> ((weights[place / 4] >> (place % 4 * 2) & 3) * 4) & 15
        };
        let (mut low, mut high, mut sum, mut found) = (0, 0, 0, 0);
        for block in 0..self.blocks as u32 {
            while high < self.at.len() && self.at[high].0 <= block {
                sum += worth(self.at[high].1);
                high += 1;
            }
            while low < high && self.at[low].0 + 4 <= block {
                sum -= worth(self.at[low].1);
                low += 1;
            }
            if wanted(sum) {
                found += 1;
                for (_, place) in &self.at[low..high] {
                    if let Some(gave) = gave.get_mut(*place as usize) {
                        *gave += u64::from(worth(*place));
                    }
                }
            }
        }
        found
    }
}

/// What the words are worth, less the more common their letters are in ordinary text.
fn worths(ordinary: &[&str]) -> (Vec<u8>, Vec<usize>) {
    let mut seen = vec![0_u32; PLACES];
    let mut all = 0_u64;
    for text in ordinary {
        let mut key = 0_u32;
        for byte in text.bytes() {
            key = key << 6 | u32::from(code(byte));
            seen[place(key)] += 1;
            all += 1;
        }
    }
    let mut weights = vec![0_u8; PLACES / 4];
    let mut kept = Vec::new();
    let mut learn = |codes: &[u8], worth: u8, is_plainest: bool| {
        let keys: Vec<usize> = codes
            .windows(5)
            .map(|gram| place(gram.iter().fold(0, |key, code| key << 6 | u32::from(*code))))
            .collect();
        // Only every second place of a text is looked up, so two neighbours have to be known.
        let common = |at: usize| {
            keys[at..(at + 2).min(keys.len())]
                .iter()
                .map(|k| seen[*k])
                .max()
                .unwrap_or(0)
        };
        let Some(best) =
            (0..keys.len().saturating_sub(1).max(1).min(keys.len())).min_by_key(|at| common(*at))
        else {
            return;
        };
        for key in &keys[best..(best + 2).min(keys.len())] {
            let class: u8 = match worth {
                8.. => 3,
                4.. => 2,
                _ => 1,
            };
            let common = match all / u64::from(seen[*key]).max(1) {
                0..5_000 => 3,
                5_000..12_000 => 2,
                12_000..30_000 => 1,
                _ => 0,
            };
            let class = if is_plainest {
                2
            } else {
                class.saturating_sub(common)
            };
            if is_plainest {
                kept.push(*key);
            }
            let (byte, shift) = (*key / 4, *key % 4 * 2);
            if weights[byte] >> shift & 3 < class {
                weights[byte] = weights[byte] & !(3 << shift) | class << shift;
            }
        }
    };
    for (_, worth, row) in WORDS.iter().filter(|(_, worth, _)| *worth > 1) {
        for entry in row.split(", ") {
            let ends = !entry.ends_with('*');
            let codes: Vec<u8> = core::iter::once(0)
                .chain(
                    entry
                        .trim_end_matches('*')
                        .bytes()
                        .filter(|b| *b != b'\'')
                        .map(code),
                )
                .chain(ends.then_some(0))
                .collect();
            learn(&codes, *worth, PLAINEST.contains(&entry));
        }
    }
    for word in BETRAYING.split(',').map(str::trim) {
        for (disguise, _) in disguises(word) {
            let codes: Vec<u8> = disguise.into_iter().map(code).collect();
            learn(&codes, 8, true);
        }
    }
    for (marker, worth) in MARKERS {
        let codes: Vec<u8> = marker.bytes().map(code).collect();
        learn(&codes, *worth, false);
    }
    (weights, kept)
}
