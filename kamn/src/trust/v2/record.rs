//! What KAMN keeps of an agent, changed by one event at a time.
//!
//! An event that is refused changes nothing, and heights never go backwards.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use thiserror::Error as ThisError;

use super::{Inputs, Score, score};
use crate::{
    did::AgentDid,
    error::beginning,
    jcs,
    trust::{DEFAULT_SCORE, MAX_SCORE},
};

/// Somebody's good word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// Unique of its agent.
    pub id: String,
    /// Whose word it is, by DID.
    pub from: String,
    /// What was said.
    pub note: String,
    /// When.
    pub height: u64,
}

/// Somebody's complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Unique of its agent.
    pub id: String,
    /// Who complains, by DID.
    pub opened_by: String,
    /// Of what.
    pub reason: String,
    /// When.
    pub height: u64,
}

/// Something that somebody verified the agent to be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCapability {
    /// What.
    pub capability: String,
    /// Who verified it, by DID.
    pub verifier: String,
    /// Where the proof is.
    pub proof_ref: String,
    /// When.
    pub height: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task was completed after so many milliseconds.
    Completed {
        /// How long the answer took.
        response_ms: u64,
        /// What was paid for it, in atomic units.
        earned: u128,
    },
    /// A task failed after so many milliseconds.
    Failed {
        /// How long the answer took.
        response_ms: u64,
    },
    /// A task was handed on.
    Delegated {
        /// What that cost, in atomic units.
        spent: u128,
    },
    /// Somebody's good word.
    Endorsed(Endorsement),
    /// Somebody's complaint.
    Disputed(Dispute),
    /// A capability that was verified.
    Verified(VerifiedCapability),
    /// The score is computed and kept.
    Scored,
}

/// Why an event or a record is refused.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum RecordError {
    /// Height 0, or one before the last.
    #[error("height {found} does not follow {last}")]
    Height {
        /// The one given.
        found: u64,
        /// The last one.
        last: u64,
    },
    /// A blank text.
    #[error("{what} is blank")]
    Blank {
        /// Which.
        what: &'static str,
    },
    /// Not an agent's DID.
    #[error("{did:?} is no agent's DID")]
    Did {
        /// The beginning of what was given.
        did: String,
    },
    /// Something that is there already.
    #[error("{what} {id:?} is there already")]
    Duplicate {
        /// What.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A count that does not fit any more.
    #[error("{what} does not fit any more")]
    Overflow {
        /// Which.
        what: &'static str,
    },
    /// A rate outside 0 to 1.
    #[error("the rate of disputes exceeds 1")]
    DisputeRate,
    /// An export of another version or of another formula.
    #[error("an export of version {version} by {found:?} cannot be read")]
    Version {
        /// The formula's name, or its beginning.
        found: String,
        /// The version.
        version: u64,
    },
    /// A record under the key of another agent.
    #[error("{key:?} is not the key of {did}")]
    Key {
        /// The beginning of the key.
        key: String,
        /// Whose record it is.
        did: String,
    },
    /// A score above the best there is.
    #[error("{found} is no score")]
    Score {
        /// What was given.
        found: u64,
    },
    /// Not an amount as it is written.
    #[error("{text:?} is no amount")]
    Amount {
        /// The beginning of what was given.
        text: String,
    },
    /// Something that is not JSON as it is signed.
    #[error(transparent)]
    Json(#[from] jcs::Error),
}

impl RecordError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Height { .. } => "height_invalid",
            Self::Blank { .. } => "field_blank",
            Self::Did { .. } => "did_invalid",
            Self::Duplicate { .. } => "duplicate",
            Self::Overflow { .. } => "overflow",
            Self::DisputeRate => "invalid_dispute_rate",
            Self::Version { .. } => "record_version_mismatch",
            Self::Key { .. } => "record_key_mismatch",
            Self::Score { .. } => "score_invalid",
            Self::Amount { .. } => "amount_invalid",
            Self::Json(error) => error.reason_code(),
        }
    }
}

/// What KAMN keeps of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(super) did: AgentDid,
    pub(super) score: u16,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) delegated: u64,
    pub(super) response_ms: u64,
    pub(super) earned: u128,
    pub(super) spent: u128,
    pub(super) endorsements: Vec<Endorsement>,
    pub(super) disputes: Vec<Dispute>,
    pub(super) capabilities: Vec<VerifiedCapability>,
    pub(super) last_height: u64,
    /// Heights and scores.
    pub(super) history: Vec<(u64, u16)>,
}

impl Record {
    /// An agent of whom nothing is known.
    #[must_use]
    pub fn new(did: AgentDid) -> Self {
        Self {
            did,
            score: DEFAULT_SCORE,
            completed: 0,
            failed: 0,
            delegated: 0,
            response_ms: 0,
            earned: 0,
            spent: 0,
            endorsements: Vec::new(),
            disputes: Vec::new(),
            capabilities: Vec::new(),
            last_height: 0,
            history: Vec::new(),
        }
    }

    /// Where KAMN stores it.
    #[must_use]
    pub fn state_key(&self) -> String {
        let mut key = String::from("kamn.reputation.scores:agent:");
        key.push_str(self.did.as_did().id());
        key
    }

    /// The last score computed.
    #[must_use]
    pub fn score(&self) -> u16 {
        self.score.min(MAX_SCORE)
    }

    /// What was paid to it and by it, in atomic units.
    #[must_use]
    pub fn earned_and_spent(&self) -> (u128, u128) {
        (self.earned, self.spent)
    }

    /// The capabilities that somebody verified.
    #[must_use]
    pub fn capabilities(&self) -> BTreeSet<&str> {
        let names = self.capabilities.iter();
        names.map(|verified| verified.capability.as_str()).collect()
    }

    /// The record after an event at `height`.
    pub fn apply(&self, event: Event, height: u64) -> Result<Self, RecordError> {
        if height == 0 || height < self.last_height {
            return Err(RecordError::Height {
                found: height,
                last: self.last_height,
            });
        }
        let mut next = self.clone();
        next.last_height = height;
        match event {
            Event::Completed {
                response_ms,
                earned,
            } => {
                next.respond(response_ms)?;
                next.completed = plus_one("completed", self.completed)?;
                next.earned = added("earned", self.earned, earned)?;
            }
            Event::Failed { response_ms } => {
                next.respond(response_ms)?;
                next.failed = plus_one("failed", self.failed)?;
            }
            Event::Delegated { spent } => {
                next.delegated = plus_one("delegated", self.delegated)?;
                next.spent = added("spent", self.spent, spent)?;
            }
            Event::Endorsed(endorsement) => next.endorse(endorsement)?,
            Event::Disputed(dispute) => next.dispute(dispute)?,
            Event::Verified(capability) => next.verify(capability)?,
            Event::Scored => {
                next.score = next.computed().ok_or(RecordError::DisputeRate)?.score;
                next.history.push((height, next.score));
            }
        }
        Ok(next)
    }

    /// The score of what is known, by version 2; `None` when there are more disputes than tasks.
    #[must_use]
    pub fn computed(&self) -> Option<Score> {
        let finished = self.completed.saturating_add(self.failed);
        let rate = |part: u64| {
            if finished == 0 {
                0.0
            } else {
                super::ratio(part, finished)
            }
        };
        let history: Vec<u64> = self.history.iter().map(|(height, _)| *height).collect();
        score(&Inputs {
            delivery_rate: rate(self.completed),
            response_ms: self.response_ms,
            dispute_rate: rate(count(self.disputes.len())),
            completed: self.completed,
            failed: self.failed,
            delegated: self.delegated,
            endorsements: count(self.endorsements.len()),
            disputes: count(self.disputes.len()),
            last_height: self.last_height,
            history: &history,
        })
    }

    /// A whole-number mean over all finished tasks.
    fn respond(&mut self, response_ms: u64) -> Result<(), RecordError> {
        let before = u128::from(self.completed) + u128::from(self.failed);
        let sum = u128::from(self.response_ms) * before + u128::from(response_ms);
        self.response_ms =
            u64::try_from(sum / (before + 1)).map_err(|_| RecordError::Overflow {
                what: "response time",
            })?;
        Ok(())
    }

    pub(super) fn endorse(&mut self, new: Endorsement) -> Result<(), RecordError> {
        filled("endorsement id", &new.id)?;
        agent(&new.from)?;
        at_height(new.height, self.last_height)?;
        if self.endorsements.iter().any(|found| found.id == new.id) {
            return Err(duplicate("endorsement", &new.id));
        }
        self.endorsements.push(new);
        Ok(())
    }

    pub(super) fn dispute(&mut self, new: Dispute) -> Result<(), RecordError> {
        filled("dispute id", &new.id)?;
        filled("dispute reason", &new.reason)?;
        agent(&new.opened_by)?;
        at_height(new.height, self.last_height)?;
        if self.disputes.iter().any(|found| found.id == new.id) {
            return Err(duplicate("dispute", &new.id));
        }
        self.disputes.push(new);
        Ok(())
    }

    pub(super) fn verify(&mut self, new: VerifiedCapability) -> Result<(), RecordError> {
        filled("capability", &new.capability)?;
        filled("proof", &new.proof_ref)?;
        agent(&new.verifier)?;
        at_height(new.height, self.last_height)?;
        let same = |found: &VerifiedCapability| {
            found.capability == new.capability && found.verifier == new.verifier
        };
        if self.capabilities.iter().any(same) {
            return Err(duplicate("capability", &new.capability));
        }
        self.capabilities.push(new);
        Ok(())
    }
}

fn filled(what: &'static str, text: &str) -> Result<(), RecordError> {
    if text.trim().is_empty() {
        return Err(RecordError::Blank { what });
    }
    Ok(())
}

fn agent(did: &str) -> Result<(), RecordError> {
    match did.parse::<AgentDid>() {
        Ok(_) => Ok(()),
        Err(_) => Err(RecordError::Did {
            did: beginning(did),
        }),
    }
}

fn at_height(found: u64, last: u64) -> Result<(), RecordError> {
    if found == 0 || found > last {
        return Err(RecordError::Height { found, last });
    }
    Ok(())
}

fn plus_one(what: &'static str, count: u64) -> Result<u64, RecordError> {
    count.checked_add(1).ok_or(RecordError::Overflow { what })
}

fn added(what: &'static str, sum: u128, more: u128) -> Result<u128, RecordError> {
    sum.checked_add(more).ok_or(RecordError::Overflow { what })
}

pub(super) fn duplicate(what: &'static str, id: &str) -> RecordError {
    RecordError::Duplicate {
        what,
        id: beginning(id),
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
