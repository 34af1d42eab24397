//! Trust: a score between 0 and 1000 for each agent, and what it lets an agent do.
//!
//! ```text
//!   signed attestations ──> attest::Book ──> v3::Evidence ──> v3::score ──> Tier ──> gates, routing
//!   KAMN's counters ──────> v2::Record ───────────────────> v2::score       (compatibility alone)
//! ```
//!
//! Version 3 decides. It is a function of the attestations and of the height it is asked at, in whole
//! numbers, so anybody who has them comes to the same score. Version 2 is KAMN's own formula to the
//! bit, for those who compare figures with it: it counts what nobody signed.
//!
//! Invariants: a score is never read from a message; one that is not known is below every threshold.

mod correction;
mod tier;
pub mod v2;
pub mod v3;

pub use correction::{
    Correction, CorrectionPolicy, Evidence as CorrectionEvidence, Refusal, decide,
};
pub use tier::{Gates, Tier};

/// The score of an agent nothing is known of.
pub const DEFAULT_SCORE: u16 = 500;
/// The best score.
pub const MAX_SCORE: u16 = 1000;

/// Tau's earlier scale, 0 to 100.
#[must_use]
pub fn to_percent(score: u16) -> u8 {
    // 1000 / 10 fits.
    u8::try_from(score.min(MAX_SCORE) / 10).unwrap_or(100)
}

/// Cut to what a score can be.
fn clamped(score: i64) -> u16 {
    u16::try_from(score.clamp(0, i64::from(MAX_SCORE))).unwrap_or(0)
}
