//! KAMN's formula `v2-prd-8-2-anti-gaming`, and `v1-prd-8-2` before it, to the bit.
//!
//! For comparing figures alone: it counts endorsements and disputes that nobody signed, falls when a
//! new agent is first scored, rises when it is scored again and again, and never exceeds 950. What
//! decides in Tau is [`super::v3`].
//!
//! The rates are IEEE doubles, as upstream: 0.22 · 400 is 87.99…, and the fixtures say 87. Differences,
//! products and truncation are exact to the bit on every machine.

mod export;
mod record;

pub use export::{export, restore};
pub use record::{Dispute, Endorsement, Event, Record, RecordError, VerifiedCapability};

use super::{
    clamped,
    v3::{Abuse, response_points},
};

/// The formula's name.
pub const VERSION: &str = "v2-prd-8-2-anti-gaming";
/// The name of the formula without multiplier and abuse.
pub const VERSION_1: &str = "v1-prd-8-2";

/// What the formula reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs<'a> {
    /// Completed of finished tasks, 0 to 1.
    pub delivery_rate: f64,
    /// The mean response time, in milliseconds.
    pub response_ms: u64,
    /// Disputes of finished tasks, 0 to 1.
    pub dispute_rate: f64,
    /// Completed tasks.
    pub completed: u64,
    /// Failed tasks.
    pub failed: u64,
    /// Tasks handed on.
    pub delegated: u64,
    /// Endorsements.
    pub endorsements: u64,
    /// Disputes.
    pub disputes: u64,
    /// The height of the last change.
    pub last_height: u64,
    /// The heights at which a score was recorded.
    pub history: &'a [u64],
}

/// A score, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Between 0 and 1000.
    pub score: u16,
    /// How much volume and endorsements count, per mille.
    pub multiplier: u16,
    /// What was found amiss.
    pub abuse: Abuse,
}

/// The score, by version 2. `None` where a rate is not between 0 and 1.
#[must_use]
pub fn score(inputs: &Inputs<'_>) -> Option<Score> {
    let multiplier = multiplier(inputs);
    let abuse = abuse(inputs);
    let scaled = |points: i64| points * i64::from(multiplier) / 1000;
    let sum = base(inputs)? + scaled(volume(inputs)) + scaled(endorsed(inputs))
        - i64::from(abuse.points());
    Some(Score {
        score: clamped(sum),
        multiplier,
        abuse,
    })
}

/// The score, by version 1. `None` where a rate is not between 0 and 1.
#[must_use]
pub fn score_v1(inputs: &Inputs<'_>) -> Option<u16> {
    Some(clamped(base(inputs)? + volume(inputs) + endorsed(inputs)))
}

fn base(inputs: &Inputs<'_>) -> Option<i64> {
    let is_rate = |rate: f64| (0.0..=1.0).contains(&rate);
    if !is_rate(inputs.delivery_rate) || !is_rate(inputs.dispute_rate) {
        return None;
    }
    let delivery = truncated((inputs.delivery_rate - 0.5) * 400.0);
    let disputes = truncated(inputs.dispute_rate * 150.0);
    Some(500 + delivery + response_points(inputs.response_ms) - disputes)
}

fn volume(inputs: &Inputs<'_>) -> i64 {
    truncated(ratio(inputs.completed.min(1000), 1) * 0.1)
}

fn endorsed(inputs: &Inputs<'_>) -> i64 {
    i64::try_from(inputs.endorsements.min(50)).unwrap_or(50)
}

fn multiplier(inputs: &Inputs<'_>) -> u16 {
    let mut per_mille = if inputs.history.is_empty() {
        950
    } else {
        let (mut recent, mut mid, mut stale) = (0, 0, 0);
        for height in inputs.history {
            match inputs.last_height.saturating_sub(*height) {
                0..=128 => recent += 1,
                129..=512 => mid += 1,
                _ => stale += 1,
            }
        }
        550 + 120 * recent.min(3) + 40 * mid.min(4) + 10 * stale.min(8)
    };
    let tasks = inputs
        .completed
        .saturating_add(inputs.failed)
        .saturating_add(inputs.delegated);
    if tasks < 25 {
        per_mille -= 50;
    }
    if inputs.dispute_rate > 0.2 {
        per_mille -= 80;
    }
    u16::try_from(per_mille.clamp(500, 1000)).unwrap_or(500)
}

fn abuse(inputs: &Inputs<'_>) -> Abuse {
    let finished = inputs.completed.saturating_add(inputs.failed);
    let of_finished = |part: u64| {
        if finished == 0 {
            0.0
        } else {
            ratio(part, finished)
        }
    };
    Abuse::of(
        ratio(inputs.delegated, inputs.completed.max(1)) >= 0.60,
        of_finished(inputs.failed) >= 0.45 && inputs.failed >= 10,
        of_finished(inputs.disputes) >= 0.20 && inputs.disputes >= 5,
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 lose digits upstream as well"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "towards zero is what the formula says, and all values are within a few hundred"
)]
fn truncated(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests;
