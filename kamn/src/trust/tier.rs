//! What a score is called, and what it opens. KAMN names no tiers and no thresholds; these are ours,
//! and the thresholds are the caller's to set.

/// Five ranges of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 0 to 199.
    Blocked,
    /// 200 to 399.
    Probation,
    /// 400 to 599: also where everybody begins.
    Neutral,
    /// 600 to 799.
    Trusted,
    /// 800 to 1000.
    Core,
}

impl Tier {
    /// The range a score is in.
    #[must_use]
    pub fn of(score: u16) -> Self {
        match score {
            0..=199 => Self::Blocked,
            200..=399 => Self::Probation,
            400..=599 => Self::Neutral,
            600..=799 => Self::Trusted,
            _ => Self::Core,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Probation => "probation",
            Self::Neutral => "neutral",
            Self::Trusted => "trusted",
            Self::Core => "core",
        }
    }
}

/// The least score for each thing an agent may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// To have a message of it received.
    pub message: u16,
    /// To be paid out of an escrow.
    pub escrow: u16,
    /// To decide disputes.
    pub arbiter: u16,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            message: 200,
            escrow: 400,
            arbiter: 800,
        }
    }
}

impl Gates {
    /// Whether a score reaches a threshold of these. An unknown one reaches none.
    #[must_use]
    pub fn passes(score: Option<u16>, least: u16) -> bool {
        score.is_some_and(|score| score >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_meet_without_gap_or_overlap() {
        let edges = [
            (0, Tier::Blocked),
            (199, Tier::Blocked),
            (200, Tier::Probation),
            (399, Tier::Probation),
            (400, Tier::Neutral),
            (599, Tier::Neutral),
            (600, Tier::Trusted),
            (799, Tier::Trusted),
            (800, Tier::Core),
            (1000, Tier::Core),
        ];
        for (score, tier) in edges {
            assert_eq!(Tier::of(score), tier, "{score}");
        }
        assert_eq!(Tier::of(crate::trust::DEFAULT_SCORE).name(), "neutral");
    }

    #[test]
    fn unknown_score_passes_no_gate() {
        let gates = Gates::default();
        assert!(Gates::passes(Some(200), gates.message));
        assert!(!Gates::passes(Some(399), gates.escrow));
        assert!(!Gates::passes(Some(799), gates.arbiter));
        assert!(!Gates::passes(None, 0));
    }
}
