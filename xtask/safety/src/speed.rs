//! Bytes a second, beside what other programs of the same machine do in the same run.
//!
//! The best of several short batches is taken: whatever else runs on the machine only ever adds time.

use aho_corasick::AhoCorasick;
use regex::{RegexSet, RegexSetBuilder};
use serde::Serialize;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{
    subject::Scan,
    texts::{self, Random, Text},
};

/// How fast something reads a text.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    /// What reads.
    pub(crate) scan: String,
    pub(crate) text: String,
    pub(crate) bytes: usize,
    pub(crate) mb_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aim_mb_per_s: Option<f64>,
}

/// A hostile text and what it costs.
#[derive(Debug, Serialize)]
pub(crate) struct Worst {
    pub(crate) scan: &'static str,
    pub(crate) text: String,
    pub(crate) mb_per_s: f64,
    /// The time for 16 times as much, beside 16 times the time: 1 is linear.
    pub(crate) growth: f64,
}

/// Bytes a second of `work` on `bytes` bytes: the best of many short batches.
pub(crate) fn mb_per_s(bytes: usize, batch: Duration, mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    work();
    let once = start.elapsed().max(Duration::from_nanos(50));
    let times = (batch.as_nanos() / once.as_nanos()).clamp(1, 100_000) as u32;
    let best = (0..BATCHES).map(|_| {
        let start = Instant::now();
        for _ in 0..times {
            work();
        }
        start.elapsed() / times
    });
    let best = best.min().unwrap_or(once).max(Duration::from_nanos(1));
    bytes as f64 / 1e6 / best.as_secs_f64()
}

const BATCH: Duration = Duration::from_millis(2);
/// Some of them run undisturbed, even on a busy machine.
const BATCHES: u32 = 60;

/// Every scan and every peer on the ordinary texts.
pub(crate) fn ordinary(texts: &[Text]) -> Vec<Speed> {
    let peers = Peers::new();
    let mut found = Vec::new();
    for Text { name, text } in texts {
        for scan in Scan::ALL {
            found.push(Speed {
                scan: scan.name().into(),
                text: name.clone(),
                bytes: text.len(),
                mb_per_s: mb_per_s(text.len(), BATCH, || {
                    black_box(scan.run(black_box(text)));
                }),
                aim_mb_per_s: (name == "prose").then_some(scan.aim_mb_per_s()),
            });
        }
        for (peer, mb_per_s) in peers.measure(text) {
            found.push(Speed {
                scan: peer.into(),
                text: name.clone(),
                bytes: text.len(),
                mb_per_s,
                aim_mb_per_s: None,
            });
        }
    }
    found
}

/// The slowest hostile texts of each scan, the slowest first: all of those by name, then what a
/// search over their mixtures finds within `time`.
pub(crate) fn worst(time: Duration) -> Vec<Worst> {
    let named = texts::hostile(texts::BYTES);
    let mut found = Vec::new();
    for scan in Scan::ALL {
        let mut all: Vec<(f64, String, String)> = named
            .iter()
            .map(|text| {
                (
                    quick(scan, &text.text),
                    text.name.clone(),
                    text.text.clone(),
                )
            })
            .collect();
        all.extend(search(scan, time / 3));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, name, text) in all.into_iter().take(5) {
            let mb_per_s = mb_per_s(text.len(), BATCH, || {
                black_box(scan.run(black_box(&text)));
            });
            found.push(Worst {
                scan: scan.name(),
                text: name,
                mb_per_s,
                growth: growth(scan, &text, mb_per_s),
            });
        }
    }
    found
}

fn quick(scan: Scan, text: &str) -> f64 {
    let best = (0..4).map(|_| {
        let start = Instant::now();
        black_box(scan.run(black_box(text)));
        start.elapsed()
    });
    let best = best.min().unwrap_or_default().max(Duration::from_nanos(1));
    text.len() as f64 / 1e6 / best.as_secs_f64()
}

/// How much longer than linear 16 times the text takes.
fn growth(scan: Scan, text: &str, mb_per_s: f64) -> f64 {
    let long = text.repeat(16);
    let start = Instant::now();
    black_box(scan.run(black_box(&long)));
    let slow = long.len() as f64 / 1e6 / start.elapsed().as_secs_f64();
    mb_per_s / slow
}

/// Mixtures of units, changed as long as the change makes the scan slower.
fn search(scan: Scan, time: Duration) -> Vec<(f64, String, String)> {
    let units = texts::units();
    let mut random = Random(0x7a75 + scan as u64);
    let end = Instant::now() + time;
    let mut best: Vec<(f64, String, String)> = Vec::new();
    while Instant::now() < end {
        let mut parts: Vec<&str> = (0..1 + random.below(4))
            .map(|_| units[random.below(units.len())])
            .collect();
        let mut speed = f64::INFINITY;
        let mut failures = 0;
        while failures < 12 && Instant::now() < end {
            let mut changed = parts.clone();
            match random.below(4) {
                0 if changed.len() < 6 => changed.insert(
                    random.below(changed.len() + 1),
                    units[random.below(units.len())],
                ),
                1 if changed.len() > 1 => drop(changed.remove(random.below(changed.len()))),
                _ => {
                    let at = random.below(changed.len());
                    changed[at] = units[random.below(units.len())];
                }
            }
            let text = texts::repeated(&changed.concat(), texts::BYTES);
            let now = quick(scan, &text);
            if now < speed * 0.98 {
                (speed, parts, failures) = (now, changed, 0);
            } else {
                failures += 1;
            }
        }
        let unit = parts.concat();
        best.push((
            speed,
            format!("{unit:?} repeated"),
            texts::repeated(&unit, texts::BYTES),
        ));
        best.sort_by(|a, b| a.0.total_cmp(&b.0));
        best.truncate(5);
    }
    best
}

/// What others do with the same bytes.
struct Peers {
    words: AhoCorasick,
    attacks: RegexSet,
    tokens: RegexSet,
}

/// What an attack is most often made of.
const WORDS: [&str; 40] = [
    "ignore",
    "disregard",
    "forget",
    "override",
    "bypass",
    "previous",
    "above",
    "prior",
    "instructions",
    "instruction",
    "prompt",
    "system",
    "developer mode",
    "jailbreak",
    "do anything now",
    "pretend",
    "act as",
    "you are now",
    "roleplay",
    "unrestricted",
    "no restrictions",
    "without restrictions",
    "reveal",
    "repeat the words",
    "verbatim",
    "print your",
    "initial prompt",
    "hidden",
    "secret",
    "confidential",
    "exfiltrate",
    "send to",
    "upload",
    "curl",
    "wget",
    "base64",
    "important:",
    "attention",
    "new task",
    "do not tell",
];

/// A handful of the patterns that filters of attacks are made of.
const ATTACKS: [&str; 8] = [
    r"(ignore|disregard|forget|override)\s+(all|any|the|your)?\s*(previous|prior|above|earlier)",
    r"(reveal|print|show|repeat)\s+(me\s+)?(your|the)\s+(system|initial|hidden)\s+(prompt|instructions)",
    r"you\s+are\s+now\s+\w+",
    r"(developer|dan|god)\s+mode",
    r"do\s+anything\s+now",
    r"<\|?(im_start|system|assistant)\|?>",
    r"new\s+(instructions|task)\s*:",
    r"(without|no)\s+(any\s+)?(restrictions|limits|filters)",
];

/// A handful of the patterns that filters of secrets are made of.
const TOKENS: [&str; 10] = [
    r"\b(A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    r"\bgh[pousr]_[0-9a-zA-Z]{36}\b",
    r"\bglpat-[0-9a-zA-Z_-]{20}\b",
    r"\bxox[bpars]-[0-9a-zA-Z-]{10,72}\b",
    r"\bsk_(live|test)_[0-9a-zA-Z]{24,99}\b",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\bnpm_[0-9a-zA-Z]{36}\b",
    r"(?i)(password|passwd|secret|token|api_?key)\s*[:=]\s*\S{8,64}",
];

impl Peers {
    fn new() -> Self {
        let set = |patterns: &[&str]| {
            let built = RegexSetBuilder::new(patterns)
                .case_insensitive(true)
                .build();
            built.unwrap_or_else(|_| RegexSet::empty())
        };
        let words = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(WORDS);
        Self {
            words: words.unwrap_or_else(|error| unreachable!("forty words: {error}")),
            attacks: set(&ATTACKS),
            tokens: set(&TOKENS),
        }
    }

    fn measure(&self, text: &str) -> [(&'static str, f64); 4] {
        let speed = |work: &mut dyn FnMut() -> usize| {
            mb_per_s(text.len(), BATCH, || {
                black_box(work());
            })
        };
        let mut copy = vec![0; text.len()];
        let mut copied = || {
            black_box(&mut copy).copy_from_slice(black_box(text.as_bytes()));
            copy.len()
        };
        let words = &mut || self.words.find_iter(black_box(text)).count();
        let attacks = &mut || self.attacks.matches(black_box(text)).len();
        let tokens = &mut || self.tokens.matches(black_box(text)).len();
        [
            ("memory copy", speed(&mut copied)),
            ("aho-corasick, 40 words", speed(words)),
            ("regex set, 8 attacks", speed(attacks)),
            ("regex set, 10 secrets", speed(tokens)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_of_the_peers_are_all_taken() {
        let peers = Peers::new();
        assert_eq!(
            (peers.attacks.len(), peers.tokens.len()),
            (ATTACKS.len(), TOKENS.len())
        );
    }

    #[test]
    fn the_speed_of_a_wait_is_its_time() {
        let speed = mb_per_s(1_000_000, Duration::from_millis(1), || {
            std::thread::sleep(Duration::from_millis(2));
        });
        assert!((50.0..=500.0).contains(&speed), "{speed}");
    }
}
