//! What is submitted to where a registry is anchored: once, whatever happens on the way.

use alloc::collections::BTreeMap;

use super::Mutation;
use crate::{
    bytes::{lp, sha256},
    did::AgentDid,
};

const DOMAIN: &[u8] = b"kamn:did-submission:v1\0";

/// A change on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The agent that changes.
    pub did: AgentDid,
    /// The change's number.
    pub sequence: u64,
    /// The hash of its key event.
    pub content: [u8; 32],
}

impl Submission {
    /// What is submitted of a change.
    #[must_use]
    pub fn of(mutation: &Mutation) -> Self {
        let event = mutation.event.event();
        Self {
            did: event.did.clone(),
            sequence: mutation.nonce,
            content: event.hash(),
        }
    }

    /// The same for the same change, and for no other.
    #[must_use]
    pub fn idempotency_key(&self) -> [u8; 32] {
        let did = self.did.as_kamn();
        let sequence = self.sequence.to_be_bytes();
        sha256(&lp(&[DOMAIN, did.as_bytes(), &sequence, &self.content]))
    }
}

/// What to do with a change that might have been submitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// It was not: submit it.
    NewSubmission,
    /// It was, and nothing is known yet: submit it again under the same key.
    RetryableInFlight,
    /// It was, and it is final.
    FinalizedNoRetry,
    /// Another change was submitted under its number.
    ConflictNoRetry,
}

/// What a report on a submission changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It is final now.
    Finalized,
    /// It was final before.
    Idempotent,
    /// A later one is final already.
    Stale,
    /// Another change is final under its number.
    Conflict,
}

/// What was submitted last for each agent, and what of it is final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submissions(BTreeMap<AgentDid, Track>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Track {
    submitted: Option<(u64, [u8; 32])>,
    finalized: Option<(u64, [u8; 32])>,
}

impl Submissions {
    /// What to do with a change. Changes nothing.
    #[must_use]
    pub fn classify(&self, submission: &Submission) -> RetryClass {
        let Some(track) = self.0.get(&submission.did) else {
            return RetryClass::NewSubmission;
        };
        let this = Some((submission.sequence, submission.content));
        if track.finalized == this {
            return RetryClass::FinalizedNoRetry;
        }
        if track
            .finalized
            .is_some_and(|(last, _)| submission.sequence <= last)
        {
            return RetryClass::ConflictNoRetry;
        }
        match track.submitted {
            Some(_) if track.submitted == this => RetryClass::RetryableInFlight,
            Some((last, _)) if submission.sequence <= last => RetryClass::ConflictNoRetry,
            _ => RetryClass::NewSubmission,
        }
    }

    /// Remembers that a change is on its way, if it may be; says what to do with it.
    pub fn submit(&mut self, submission: &Submission) -> RetryClass {
        let class = self.classify(submission);
        if class == RetryClass::NewSubmission {
            let track = self.0.entry(submission.did.clone()).or_default();
            track.submitted = Some((submission.sequence, submission.content));
        }
        class
    }

    /// Takes the report that a change is final.
    pub fn finalize(&mut self, submission: &Submission) -> Finality {
        let track = self.0.entry(submission.did.clone()).or_default();
        let this = (submission.sequence, submission.content);
        match track.finalized {
            Some(last) if last == this => Finality::Idempotent,
            Some((last, _)) if submission.sequence < last => Finality::Stale,
            Some((last, _)) if submission.sequence == last => Finality::Conflict,
            _ => {
                track.finalized = Some(this);
                Finality::Finalized
            }
        }
    }
}
