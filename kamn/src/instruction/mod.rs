//! Instructions: the nine checks before an agent does what a message tells it to.
//!
//! They run in a fixed order and the first that fails says why; only an instruction that passed all
//! of them is marked as used, so one that was refused can be given again.

mod inclusion;

pub use inclusion::{Inclusion, leaf_hash};

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
};
use thiserror::Error as ThisError;

use crate::{
    bytes::{hex, sha256},
    did::AgentDid,
    envelope::{self, Resolver, SignedEnvelope, Verified},
};

/// The entry of an instruction's body that holds SHA-256 of what it is about, in hex.
pub const PAYLOAD_HASH: &str = "instruction.payload_sha256";

/// Why an instruction is not carried out, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// There is none.
    #[error("there is no instruction")]
    Missing,
    /// It is one of another sender.
    #[error("the instruction comes from {found}, expected {expected}")]
    Sender {
        /// Who should have sent it.
        expected: String,
        /// Who did.
        found: String,
    },
    /// It is about something else.
    #[error("the instruction is about something else")]
    Payload,
    /// Its sender did not sign it, with a key that counts.
    #[error(transparent)]
    Signature(#[from] envelope::Error),
    /// Its sender may not instruct.
    #[error("{sender} may not instruct")]
    Unauthorized {
        /// Who sent it.
        sender: String,
    },
    /// It has ended, or has not begun.
    #[error("the instruction is for another time")]
    Expired,
    /// It is valid for too long.
    #[error("the instruction is valid for {found_ms} ms, at most {limit_ms} are")]
    Unbounded {
        /// How long it may be valid.
        limit_ms: u64,
        /// How long it is.
        found_ms: u64,
    },
    /// It was carried out before.
    #[error("the instruction was carried out before")]
    Used,
    /// So many are remembered that no further one can be.
    #[error("no more instructions can be remembered")]
    Full,
    /// It is not where it should be recorded.
    #[error("the instruction is not in the record")]
    NotIncluded,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Missing => "instruction_missing",
            Self::Sender { .. } => "instruction_sender_mismatch",
            Self::Payload => "instruction_payload_mismatch",
            Self::Signature(_) => "instruction_signature_invalid",
            Self::Unauthorized { .. } => "instruction_sender_unauthorized",
            Self::Expired => "instruction_expired",
            Self::Unbounded { .. } => "instruction_validity_unbounded",
            Self::Used => "instruction_used",
            Self::Full => "instruction_memory_full",
            Self::NotIncluded => "instruction_not_included",
        }
    }
}

/// What an instruction is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who should have sent it.
    pub sender: &'a AgentDid,
    /// What it should be about.
    pub payload: &'a [u8],
    /// Who may instruct at all.
    pub authorized: &'a [AgentDid],
    /// How long one may be valid.
    pub validity_limit_ms: u64,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// The record it must be in: its root, which the caller believes, and the way there. `None` where
    /// instructions are recorded nowhere.
    pub inclusion: Option<(&'a [u8; 32], &'a Inclusion)>,
}

/// The instructions that were carried out, as long as they could come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    limit: usize,
    until_ms: BTreeMap<(AgentDid, String), u64>,
    latest_ms: u64,
}

impl Used {
    /// Room for so many.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            until_ms: BTreeMap::new(),
            latest_ms: 0,
        }
    }

    /// Checks an instruction, and marks it as used if it passes.
    pub fn check(
        &mut self,
        instruction: Option<&SignedEnvelope>,
        expected: &Expected<'_>,
        resolver: &dyn Resolver,
    ) -> Result<Verified, Error> {
        let signed = instruction.ok_or(Error::Missing)?;
        let envelope = signed.envelope();
        let sender = &envelope.from;
        if sender != expected.sender {
            return Err(Error::Sender {
                expected: expected.sender.to_string(),
                found: sender.to_string(),
            });
        }
        let payload = hex(&sha256(expected.payload));
        if envelope.body.get(PAYLOAD_HASH) != Some(&payload) {
            return Err(Error::Payload);
        }
        // A clock that goes back makes nothing valid again.
        let now_ms = expected.now_ms.max(self.latest_ms);
        let verified = verify(signed, resolver, now_ms)?;
        if !expected.authorized.contains(sender) {
            let sender = sender.to_string();
            return Err(Error::Unauthorized { sender });
        }
        let (from_ms, until_ms) = (envelope.created.unix_ms(), envelope.expires.unix_ms());
        let begins_ms = from_ms.saturating_sub(crate::guard::SKEW_MS);
        if !(begins_ms..=until_ms).contains(&now_ms) {
            return Err(Error::Expired);
        }
        let (limit_ms, found_ms) = (expected.validity_limit_ms, until_ms.saturating_sub(from_ms));
        if found_ms == 0 || found_ms > limit_ms {
            return Err(Error::Unbounded { limit_ms, found_ms });
        }
        let name = (sender.clone(), envelope.id.clone());
        if self.until_ms.contains_key(&name) {
            return Err(Error::Used);
        }
        if let Some((root, inclusion)) = expected.inclusion
            && !inclusion.is_of(root, &leaf_hash(signed.to_canonical().as_bytes()))
        {
            return Err(Error::NotIncluded);
        }
        self.mark(name, until_ms, now_ms)?;
        Ok(verified)
    }

    fn mark(&mut self, name: (AgentDid, String), until_ms: u64, now_ms: u64) -> Result<(), Error> {
        if self.until_ms.len() >= self.limit {
            // What is forgotten here has ended, and stays so.
            self.latest_ms = now_ms;
            self.until_ms.retain(|_, until_ms| *until_ms >= now_ms);
        }
        if self.until_ms.len() >= self.limit {
            return Err(Error::Full);
        }
        self.latest_ms = now_ms;
        self.until_ms.insert(name, until_ms);
        Ok(())
    }
}

fn verify(
    signed: &SignedEnvelope,
    resolver: &dyn Resolver,
    now_ms: u64,
) -> Result<Verified, envelope::Error> {
    let sender = &signed.envelope().from;
    let log = resolver.resolve(sender);
    let log = log.ok_or_else(|| envelope::Error::Unresolved {
        did: sender.as_kamn(),
    })?;
    signed.clone().verify(log.state()?, now_ms, None)
}

#[cfg(test)]
mod tests;
