//! The score that decides: whole numbers, from what others signed.
//!
//! ```text
//!   n         = completed + failed
//!   delivery  = 200 · (2 · completed − n) / (n + 2), towards zero
//!   response  = ≤ 1 s: 100, ≤ 5 s: 50, ≤ 30 s: 0, slower: −50; nothing while n = 0
//!   penalty   = min(150, 150 · upheld / max(n, 1))
//!   volume    = min(completed, 1000) / 10
//!   endorse   = min(50, sum of the distinct endorsers' scores / 1000)
//!   abuse     = 80 ring, 70 burst, 60 churn, 140 for two or more
//!   raw       = 500 + delivery + response − penalty + volume + endorse − abuse
//!   score     = raw ≤ 500: raw; else 500 + (raw − 500) · m / 1000,
//!               m = 1000, 800, 500 for a last completed task up to 128, up to 512, more blocks ago
//! ```
//!
//! Good reputation fades, bad reputation does not. Invariants: a further success with an average in the
//! same class of response never lowers a score, a further upheld dispute never raises one.

use super::{DEFAULT_SCORE, clamped};

/// Thresholds of the response classes, in milliseconds, and what each is worth.
pub(super) const RESPONSE_CLASSES: [(u64, i64); 3] = [(1_000, 100), (5_000, 50), (30_000, 0)];
/// What an answer slower than all classes is worth.
pub(super) const SLOW: i64 = -50;

/// What is known of an agent: counted from admitted attestations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Tasks that those who paid for them call completed.
    pub completed: u64,
    /// Tasks that those who paid for them call failed.
    pub failed: u64,
    /// The mean of their response times, in milliseconds.
    pub response_ms: u64,
    /// Disputes that were decided against it.
    pub upheld: u64,
    /// How many different agents endorse it.
    pub endorsers: u64,
    /// The sum of their scores.
    pub endorser_scores: u64,
    /// How many of them it endorses in turn.
    pub mutual: u64,
    /// Blocks since the last completed task; `None` if there is none.
    pub age: Option<u64>,
}

/// What looks like an attempt on the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abuse {
    /// Nothing.
    None,
    /// Endorsements that go round in a circle.
    Ring,
    /// Many failures.
    Burst,
    /// Many disputes.
    Churn,
    /// Two or more of these.
    Compound,
}

impl Abuse {
    pub(super) fn of(ring: bool, burst: bool, churn: bool) -> Self {
        match (ring, burst, churn) {
            (false, false, false) => Self::None,
            (true, false, false) => Self::Ring,
            (false, true, false) => Self::Burst,
            (false, false, true) => Self::Churn,
            _ => Self::Compound,
        }
    }

    /// The points it costs.
    #[must_use]
    pub fn points(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Ring => 80,
            Self::Burst => 70,
            Self::Churn => 60,
            Self::Compound => 140,
        }
    }
}

/// What each term of the formula comes to, in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For tasks completed and failed.
    pub delivery: i64,
    /// For the mean response time.
    pub response: i64,
    /// For disputes that were lost, never above 0.
    pub penalty: i64,
    /// For many completed tasks.
    pub volume: i64,
    /// For endorsements.
    pub endorse: i64,
    /// For what was found amiss, never above 0.
    pub abuse: i64,
}

impl Terms {
    /// The score before fading and cutting.
    #[must_use]
    pub fn raw(&self) -> i64 {
        i64::from(DEFAULT_SCORE)
            + self.delivery
            + self.response
            + self.penalty
            + self.volume
            + self.endorse
            + self.abuse
    }
}

/// A score, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Between 0 and 1000.
    pub score: u16,
    /// Before fading and cutting.
    pub raw: i64,
    /// What was found amiss.
    pub abuse: Abuse,
    /// How much of what is above 500 is left, per mille.
    pub freshness: u16,
}

/// The score of what is known.
#[must_use]
pub fn score(evidence: &Evidence) -> Score {
    let raw = terms(evidence).raw();
    let freshness = freshness(evidence.age);
    let middle = i64::from(DEFAULT_SCORE);
    let faded = if raw > middle {
        middle + (raw - middle) * i64::from(freshness) / 1000
    } else {
        raw
    };
    Score {
        score: clamped(faded),
        raw,
        abuse: abuse(evidence),
        freshness,
    }
}

/// What each term of the formula comes to.
#[must_use]
pub fn terms(evidence: &Evidence) -> Terms {
    let (completed, failed) = (wide(evidence.completed), wide(evidence.failed));
    let (n, upheld) = (completed + failed, wide(evidence.upheld));
    Terms {
        delivery: points(200 * (completed - failed) / (n + 2)),
        response: if n == 0 {
            0
        } else {
            response_points(evidence.response_ms)
        },
        penalty: -points((150 * upheld / n.max(1)).min(150)),
        volume: points(completed.min(1000) / 10),
        endorse: points((wide(evidence.endorser_scores) / 1000).min(50)),
        abuse: -i64::from(abuse(evidence).points()),
    }
}

pub(super) fn response_points(response_ms: u64) -> i64 {
    RESPONSE_CLASSES
        .iter()
        .find(|(most, _)| response_ms <= *most)
        .map_or(SLOW, |(_, points)| *points)
}

fn abuse(evidence: &Evidence) -> Abuse {
    let at_least = |part: u64, whole: u64, percent: i128| {
        whole > 0 && wide(part) * 100 >= wide(whole) * percent
    };
    let n = evidence.completed.saturating_add(evidence.failed);
    Abuse::of(
        evidence.mutual >= 3 && at_least(evidence.mutual, evidence.endorsers, 60),
        evidence.failed >= 10 && at_least(evidence.failed, n, 45),
        // Disputes about no finished task at all weigh as about one.
        evidence.upheld >= 5 && at_least(evidence.upheld, n.max(1), 20),
    )
}

fn freshness(age: Option<u64>) -> u16 {
    match age {
        Some(0..=128) => 1000,
        Some(129..=512) => 800,
        _ => 500,
    }
}

fn wide(count: u64) -> i128 {
    i128::from(count)
}

/// Each term is at most a few hundred.
fn points(term: i128) -> i64 {
    i64::try_from(term).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(completed: u64, failed: u64, response_ms: u64, age: u64) -> Evidence {
        Evidence {
            completed,
            failed,
            response_ms,
            age: Some(age),
            ..Evidence::default()
        }
    }

    #[test]
    fn scores_are_the_worked_examples() {
        assert_eq!(score(&Evidence::default()).score, 500);
        assert_eq!(score(&some(9, 1, 900, 0)).score, 733);
        for (age, expected) in [
            (0, 781),
            (128, 781),
            (129, 724),
            (300, 724),
            (512, 724),
            (513, 640),
            (900, 640),
        ] {
            let known = Evidence {
                upheld: 1,
                endorsers: 5,
                endorser_scores: 5 * 800,
                ..some(120, 10, 900, age)
            };
            assert_eq!(score(&known).score, expected, "at age {age}");
        }
    }

    #[test]
    fn abuse_costs_by_its_kind() {
        let ring = Evidence {
            endorsers: 5,
            mutual: 3,
            ..some(20, 0, 900, 0)
        };
        assert_eq!(score(&ring).abuse, Abuse::Ring);
        assert_eq!(score(&Evidence { mutual: 2, ..ring }).abuse, Abuse::None);
        assert_eq!(
            score(&Evidence {
                endorsers: 6,
                ..ring
            })
            .abuse,
            Abuse::None
        );
        let burst = some(12, 10, 900, 0);
        assert_eq!(score(&burst).abuse, Abuse::Burst);
        assert_eq!(score(&some(11, 9, 900, 0)).abuse, Abuse::None);
        assert_eq!(score(&some(13, 10, 900, 0)).abuse, Abuse::None);
        let churn = Evidence {
            upheld: 5,
            ..some(25, 0, 900, 0)
        };
        assert_eq!(score(&churn).abuse, Abuse::Churn);
        assert_eq!(
            score(&Evidence {
                completed: 26,
                ..churn
            })
            .abuse,
            Abuse::None
        );
        let both = Evidence { upheld: 5, ..burst };
        assert_eq!((score(&both).abuse, both.failed), (Abuse::Compound, 10));
        assert_eq!(Abuse::Compound.points(), 140);
    }

    #[test]
    fn the_best_there_is_can_be_reached_and_the_worst_is_not_below_zero() {
        let best = Evidence {
            endorsers: 60,
            endorser_scores: 60_000,
            ..some(1_000_000, 0, 1, 0)
        };
        assert_eq!(score(&best).score, 949);
        let worst = Evidence {
            upheld: u64::MAX,
            ..some(0, u64::MAX, u64::MAX, 0)
        };
        assert_eq!(score(&worst).raw, 500 - 199 - 50 - 150 - 140);
    }

    fn evidence() -> impl Strategy<Value = Evidence> {
        let few = 0..60_u64;
        (
            (few.clone(), few.clone(), 0..40_000_u64, few.clone()),
            (
                few.clone(),
                0..60_000_u64,
                few,
                prop::option::of(0..700_u64),
            ),
        )
            .prop_map(
                |((completed, failed, response_ms, upheld), (endorsers, sum, mutual, age))| {
                    Evidence {
                        completed,
                        failed,
                        response_ms,
                        upheld,
                        endorsers,
                        endorser_scores: sum,
                        mutual: mutual.min(endorsers),
                        age,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn scores_stay_in_bounds(known in evidence(), big in any::<[u64; 7]>()) {
            prop_assert!(score(&known).score <= 1000);
            let [completed, failed, response_ms, upheld, endorsers, endorser_scores, mutual] = big;
            let big = Evidence { completed, failed, response_ms, upheld, endorsers, endorser_scores, mutual, age: None };
            prop_assert!(score(&big).score <= 1000);
        }

        #[test]
        fn another_success_never_lowers_a_score(known in evidence()) {
            let before = score(&known).score;
            let after = score(&Evidence { completed: known.completed + 1, age: Some(0), ..known }).score;
            prop_assert!(after >= before, "{before} -> {after}");
        }

        #[test]
        fn another_upheld_dispute_never_raises_a_score(known in evidence()) {
            let before = score(&known).score;
            let after = score(&Evidence { upheld: known.upheld + 1, ..known }).score;
            prop_assert!(after <= before, "{before} -> {after}");
        }

        #[test]
        fn time_alone_never_raises_a_score(known in evidence(), more in 0..1000_u64) {
            let later = Evidence { age: known.age.map(|age| age + more), ..known };
            prop_assert!(score(&later).score <= score(&known).score);
        }
    }
}
