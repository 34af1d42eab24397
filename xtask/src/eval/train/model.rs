//! Logistic regression over hashed words, in windows; an attack is as strong as its strongest.

use tau_core::safety::injection::training::{self, BUCKETS, STEP, WINDOW};

/// Buckets of the words of a window.
pub(super) type Window = Vec<u16>;

/// How often the texts are gone through.
const ROUNDS: usize = 12;

/// What a wrong step costs at first (AdaGrad's rate, Duchi and others 2011).
const RATE: f32 = 0.35;

/// How strongly weights are drawn to zero.
const DECAY: f32 = 2e-5;

/// How much an attack counts beside an ordinary window, which are many more.
const ATTACK_WORTH: f32 = 6.0;

/// How many weights are kept: the others make no difference worth their bytes.
const KEPT: usize = 6000;

/// The largest weight of the packed form.
const LARGEST: f32 = 127.0;

/// A trained model, in units of its packed form.
pub(super) struct Model {
    weights: Vec<i8>,
    bias: i16,
    /// From which score on evidence is weak, and strong.
    thresholds: [i16; 2],
}

/// The windows of a text.
pub(super) fn windows(text: &str) -> Vec<Window> {
    let features = training::features(text);
    if features.is_empty() {
        return Vec::new();
    }
    let last = features.len().saturating_sub(WINDOW);
    let mut windows: Vec<Window> = Vec::new();
    let mut start = 0;
    loop {
        let words = &features[start..(start + WINDOW).min(features.len())];
        windows.push(words.iter().flat_map(|(own, pair)| [*own, *pair]).collect());
        if start >= last {
            return windows;
        }
        start = (start + STEP).min(last);
    }
}

/// How much each entry of a window counts: a window of two entries a word is of length one.
fn share(window: &Window) -> f32 {
    1.0 / ((window.len() / 2).max(1) as f32).sqrt()
}

/// The state of training.
struct Learner {
    weights: Vec<f32>,
    /// Squares of the steps so far, for each weight and at last for the bias.
    squares: Vec<f32>,
    bias: f32,
}

impl Learner {
    fn score(&self, window: &Window) -> f32 {
        self.bias
            + share(window)
                * window
                    .iter()
                    .map(|i| self.weights[usize::from(*i)])
                    .sum::<f32>()
    }

    fn learn(&mut self, window: &Window, target: f32, worth: f32) {
        let error = worth * (target - 1.0 / (1.0 + (-self.score(window)).exp()));
        let share = share(window);
        for i in window {
            let i = usize::from(*i);
            let step = error * share - DECAY * self.weights[i];
            self.squares[i] += step * step;
            self.weights[i] += RATE * step / (self.squares[i].sqrt() + 1e-3);
        }
        self.squares[BUCKETS] += error * error;
        self.bias += 0.2 * RATE * error / (self.squares[BUCKETS].sqrt() + 1e-3);
    }
}

impl Model {
    /// Trains on attacks and ordinary texts, each as its windows. `alarms` are, of 1,000 ordinary
    /// texts, how many may score weak and strong.
    pub(super) fn train(
        attacks: &[Vec<Window>],
        ordinary: &[Vec<Window>],
        alarms: [usize; 2],
    ) -> Self {
        let mut learner = Learner {
            weights: vec![0.0; BUCKETS],
            squares: vec![0.0; BUCKETS + 1],
            bias: -1.0,
        };
        let negatives: Vec<&Window> = ordinary
            .iter()
            .flat_map(|text| text.iter().step_by(WINDOW / STEP))
            .collect();
        let all = attacks.len() + negatives.len();
        for round in 0..ROUNDS {
            // A walk through all places in an order that looks random and is always the same.
            let stride = (0..)
                .map(|i| all * 5 / 8 + 1 + round * 7 + i)
                .find(|s| gcd(*s, all) == 1)
                .unwrap_or(1);
            for i in 0..all {
                let place = i * stride % all;
                if let Some(attack) = attacks.get(place) {
                    if let Some(window) = strongest(attack, |w| learner.score(w)) {
                        learner.learn(window, 1.0, ATTACK_WORTH);
                    }
                } else {
                    learner.learn(negatives[place - attacks.len()], 0.0, 1.0);
                }
            }
        }
        Self::pack(&learner, ordinary, alarms)
    }

    fn pack(learner: &Learner, ordinary: &[Vec<Window>], alarms: [usize; 2]) -> Self {
        let mut sizes: Vec<f32> = learner.weights.iter().map(|w| w.abs()).collect();
        sizes.sort_by(|one, other| other.total_cmp(one));
        let (largest, smallest) = (sizes[KEPT / 100].max(1e-6), sizes[KEPT]);
        let scale = LARGEST / largest;
        let weights = learner
            .weights
            .iter()
            .map(|w| {
                if w.abs() < smallest {
                    0
                } else {
                    (w * scale).round().clamp(-LARGEST, LARGEST) as i8
                }
            })
            .collect();
        let mut model = Self {
            weights,
            bias: (learner.bias * scale).round() as i16,
            thresholds: [i16::MAX; 2],
        };
        let mut scores: Vec<i32> = ordinary
            .iter()
            .filter_map(|text| text.iter().map(|w| model.score(w)).max())
            .collect();
        scores.sort_unstable_by(|one, other| other.cmp(one));
        for (threshold, alarms) in model.thresholds.iter_mut().zip(alarms) {
            let place = scores.len() * alarms / 1000;
            let least = scores.get(place).copied().unwrap_or(0) + 1;
            *threshold = i16::try_from(least.max(1)).unwrap_or(i16::MAX);
        }
        model
    }

    /// The score, as the detector computes it.
    fn score(&self, window: &Window) -> i32 {
        let sum: i32 = window
            .iter()
            .map(|i| i32::from(self.weights[usize::from(*i)]))
            .sum();
        let root = (((window.len() / 2).max(1) << 8).isqrt()) as i32;
        i32::from(self.bias) + sum * 16 / root
    }

    /// Whether a text's windows are strong evidence.
    pub(super) fn is_strong(&self, windows: &[Window]) -> bool {
        windows
            .iter()
            .any(|window| self.score(window) >= i32::from(self.thresholds[1]))
    }

    /// The bytes that the detector reads.
    pub(super) fn packed(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = [self.bias, self.thresholds[0], self.thresholds[1]]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        bytes.extend(self.weights.iter().map(|w| w.cast_unsigned()));
        bytes
    }
}

fn strongest(windows: &[Window], score: impl Fn(&Window) -> f32) -> Option<&Window> {
    windows
        .iter()
        .map(|w| (score(w), w))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, w)| w)
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 {
        one
    } else {
        gcd(other, one % other)
    }
}
