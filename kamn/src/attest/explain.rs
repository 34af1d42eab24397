//! Why a score is what it is: what each attestation adds to it or takes from it.

use alloc::{string::String, vec::Vec};

use super::{Admitted, AttestError, Attestation, Book, Kind};
use crate::{
    did::AgentDid,
    trust::v3::{self, Evidence},
};

/// One attestation, and what it weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// Its name.
    pub id: String,
    /// What was said, and when it came.
    pub admitted: &'a Admitted,
    /// The score as it is, less what it would be without this one alone.
    ///
    /// Weights do not add up to the score: the formula cuts, divides and fades.
    pub weight: i32,
}

impl Book {
    /// What was said of an agent, in the order it came, and what each weighs at a block.
    pub fn explain(
        &self,
        subject: &AgentDid,
        height: u64,
    ) -> Result<Vec<Counted<'_>>, AttestError> {
        let tally = self.tally(subject, height);
        let all = self.evidence(subject, height);
        let score = v3::score(&all).score;
        self.about(subject)
            .map(|admitted| {
                let attestation = admitted.signed.attestation();
                let without = match &attestation.kind {
                    Kind::Endorsement { .. } => {
                        self.without_endorser(&all, &attestation.issuer, subject, height)
                    }
                    _ => Evidence {
                        endorsers: all.endorsers,
                        endorser_scores: all.endorser_scores,
                        mutual: all.mutual,
                        ..tally.without(attestation, height).evidence(height)
                    },
                };
                Ok(Counted {
                    id: admitted.signed.id()?,
                    admitted,
                    weight: i32::from(score) - i32::from(v3::score(&without).score),
                })
            })
            .collect()
    }

    fn without_endorser(
        &self,
        all: &Evidence,
        endorser: &AgentDid,
        subject: &AgentDid,
        height: u64,
    ) -> Evidence {
        // Who endorses twice, for two things, counts once.
        let again = self.about(subject).filter(|admitted| {
            let other = admitted.signed.attestation();
            other.issuer == *endorser && matches!(other.kind, Kind::Endorsement { .. })
        });
        if again.count() > 1 {
            return *all;
        }
        let mut one = Evidence::default();
        self.endorse(&mut one, subject, endorser, height);
        Evidence {
            endorsers: all.endorsers - one.endorsers,
            endorser_scores: all.endorser_scores - one.endorser_scores,
            mutual: all.mutual - one.mutual,
            ..*all
        }
    }
}

/// What an agent did itself, so that one attestation more or less is one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    completed: u64,
    failed: u64,
    upheld: u64,
    response_sum: u128,
    /// The heights of the last completed task and of the one before it.
    last: [Option<u64>; 2],
}

impl Tally {
    /// Counts an attestation, unless it is of a block still to come.
    pub(super) fn count(&mut self, attestation: &Attestation, height: u64) {
        if attestation.height > height {
            return;
        }
        match &attestation.kind {
            Kind::TaskCompleted { response_ms } => {
                self.completed += 1;
                self.response_sum += u128::from(*response_ms);
                let at = Some(attestation.height);
                if at > self.last[0] {
                    self.last = [at, self.last[0]];
                } else {
                    self.last[1] = self.last[1].max(at);
                }
            }
            Kind::TaskFailed { response_ms } => {
                self.failed += 1;
                self.response_sum += u128::from(*response_ms);
            }
            Kind::DisputeResolved { is_upheld: true } => self.upheld += 1,
            _ => {}
        }
    }

    /// The same without an attestation that was counted.
    fn without(&self, attestation: &Attestation, height: u64) -> Self {
        let mut rest = self.clone();
        if attestation.height > height {
            return rest;
        }
        match &attestation.kind {
            Kind::TaskCompleted { response_ms } => {
                rest.completed -= 1;
                rest.response_sum -= u128::from(*response_ms);
                if rest.last[0] == Some(attestation.height) {
                    rest.last[0] = rest.last[1];
                }
            }
            Kind::TaskFailed { response_ms } => {
                rest.failed -= 1;
                rest.response_sum -= u128::from(*response_ms);
            }
            Kind::DisputeResolved { is_upheld: true } => rest.upheld -= 1,
            _ => {}
        }
        rest
    }

    pub(super) fn evidence(&self, height: u64) -> Evidence {
        let finished = u128::from(self.completed + self.failed).max(1);
        Evidence {
            completed: self.completed,
            failed: self.failed,
            response_ms: u64::try_from(self.response_sum / finished).unwrap_or(u64::MAX),
            upheld: self.upheld,
            age: self.last[0].map(|at| height.saturating_sub(at)),
            ..Evidence::default()
        }
    }
}
