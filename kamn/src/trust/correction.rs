//! Points given back or taken away after a dispute or a penalty turned out otherwise.
//!
//! Fails closed: unless everything is there, nothing is corrected.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use super::clamped;

/// What is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// A score, by so many points up or down, after a dispute was decided again.
    Dispute {
        /// The points.
        adjustment: i32,
    },
    /// A penalty, by so many points given back.
    Reversal {
        /// The points.
        points: u16,
    },
}

/// What an operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorrectionPolicy {
    /// The most a dispute's correction moves a score.
    pub max_adjustment_points: u16,
    /// The most of a penalty that is given back.
    pub max_reversal_points: u16,
    /// How long after the decision something can be corrected.
    pub window_ms: u64,
    /// How many reviewers must agree, from 1.
    pub quorum: usize,
}

/// What is brought forward. All of it was verified by the caller: the names of reviewers are those
/// whose signatures fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Names the request; taken once.
    pub id: String,
    /// SHA-256 over the evidence, as the request claims it.
    pub claimed_hash: [u8; 32],
    /// SHA-256 over the evidence, as the caller computed it.
    pub computed_hash: [u8; 32],
    /// When what is corrected was decided.
    pub decided_ms: u64,
    /// Who agrees, by DID.
    pub reviewers: BTreeSet<String>,
}

/// Why nothing is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request has no name, or its policy asks for nobody.
    InvalidInput,
    /// The request was taken before.
    Replay,
    /// The evidence is not what the request says.
    EvidenceMismatch,
    /// Too late.
    WindowClosed,
    /// Too few agree.
    QuorumShortfall,
    /// More points than may be moved, or none.
    OutOfBounds,
}

impl Refusal {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::InvalidInput => "correction_invalid_input",
            Self::Replay => "correction_replay",
            Self::EvidenceMismatch => "correction_evidence_hash_mismatch",
            Self::WindowClosed => "correction_window_closed",
            Self::QuorumShortfall => "correction_quorum_shortfall",
            Self::OutOfBounds => "correction_out_of_bounds",
        }
    }
}

impl Correction {
    /// KAMN's word for what a refusal of this comes to.
    #[must_use]
    pub fn refused_decision(self) -> &'static str {
        match self {
            Self::Dispute { .. } => "NO-GO",
            Self::Reversal { .. } => "HOLD_PENALTY",
        }
    }
}

/// The score after a correction, or all reasons against it. `taken` has the requests taken so far;
/// whoever applies the correction adds this one.
pub fn decide(
    score: u16,
    correction: Correction,
    evidence: &Evidence,
    policy: &CorrectionPolicy,
    taken: &BTreeSet<String>,
    now_ms: u64,
) -> Result<u16, Vec<Refusal>> {
    let (points, most) = match correction {
        Correction::Dispute { adjustment } => (adjustment, policy.max_adjustment_points),
        Correction::Reversal { points } => (i32::from(points), policy.max_reversal_points),
    };
    let in_window = now_ms
        .checked_sub(evidence.decided_ms)
        .is_some_and(|age| age <= policy.window_ms);
    let checks = [
        (
            !evidence.id.trim().is_empty() && policy.quorum > 0,
            Refusal::InvalidInput,
        ),
        (!taken.contains(&evidence.id), Refusal::Replay),
        (
            evidence.claimed_hash == evidence.computed_hash,
            Refusal::EvidenceMismatch,
        ),
        (in_window, Refusal::WindowClosed),
        (
            evidence.reviewers.len() >= policy.quorum,
            Refusal::QuorumShortfall,
        ),
        (
            points != 0 && points.unsigned_abs() <= u32::from(most),
            Refusal::OutOfBounds,
        ),
    ];
    let refusals: Vec<Refusal> = checks
        .into_iter()
        .filter(|(passed, _)| !passed)
        .map(|(_, refusal)| refusal)
        .collect();
    if refusals.is_empty() {
        Ok(clamped(i64::from(score) + i64::from(points)))
    } else {
        Err(refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> (Evidence, CorrectionPolicy) {
        let evidence = Evidence {
            id: "correction-1".into(),
            claimed_hash: [1; 32],
            computed_hash: [1; 32],
            decided_ms: 1000,
            reviewers: ["kamn:did:human:a", "kamn:did:human:b"]
                .map(String::from)
                .into(),
        };
        let policy = CorrectionPolicy {
            max_adjustment_points: 40,
            max_reversal_points: 60,
            window_ms: 500,
            quorum: 2,
        };
        (evidence, policy)
    }

    const UP: Correction = Correction::Dispute { adjustment: 40 };

    #[test]
    fn correction_moves_a_score_within_its_bounds() {
        let (evidence, policy) = case();
        let decided = |score, correction| {
            decide(
                score,
                correction,
                &evidence,
                &policy,
                &BTreeSet::new(),
                1500,
            )
        };
        assert_eq!(decided(600, UP), Ok(640));
        assert_eq!(decided(10, Correction::Dispute { adjustment: -40 }), Ok(0));
        assert_eq!(decided(990, Correction::Reversal { points: 60 }), Ok(1000));
        for (correction, decision) in [
            (Correction::Dispute { adjustment: 41 }, "NO-GO"),
            (
                Correction::Dispute {
                    adjustment: i32::MIN,
                },
                "NO-GO",
            ),
            (Correction::Dispute { adjustment: 0 }, "NO-GO"),
            (Correction::Reversal { points: 61 }, "HOLD_PENALTY"),
        ] {
            assert_eq!(decided(600, correction), Err([Refusal::OutOfBounds].into()));
            assert_eq!(correction.refused_decision(), decision);
        }
    }

    #[test]
    fn correction_without_all_it_needs_is_refused_with_every_reason() {
        let (evidence, policy) = case();
        let taken = BTreeSet::from([String::from("correction-1")]);
        let refused = decide(600, UP, &evidence, &policy, &taken, 1500);
        assert_eq!(refused, Err([Refusal::Replay].into()));
        for now_ms in [999, 1501] {
            let late = decide(600, UP, &evidence, &policy, &BTreeSet::new(), now_ms);
            assert_eq!(late, Err([Refusal::WindowClosed].into()));
        }
        let bad = Evidence {
            id: " ".into(),
            computed_hash: [2; 32],
            reviewers: BTreeSet::new(),
            ..evidence
        };
        let codes: Vec<_> = decide(600, UP, &bad, &policy, &BTreeSet::new(), 1500)
            .unwrap_err()
            .into_iter()
            .map(Refusal::reason_code)
            .collect();
        assert_eq!(
            codes,
            [
                "correction_invalid_input",
                "correction_evidence_hash_mismatch",
                "correction_quorum_shortfall"
            ]
        );
    }
}
