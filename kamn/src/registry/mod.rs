//! A registry of agents' key event logs, and the one way to change what it says.
//!
//! Whoever submits a change names themselves, and that is a filter, not a proof: what authorises a
//! change is the key event it brings, which the agent's log must take. A registry changes nothing
//! that it could not submit to where it is anchored.

mod snapshot;
mod submission;

pub use submission::{Finality, RetryClass, Submission, Submissions};

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
};
use thiserror::Error as ThisError;

use crate::{
    did::{AgentDid, KamnDid},
    envelope::Resolver,
    kel::{Change, KeyLog, SignedEvent},
};

/// What kind of change a mutation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Other keys, or a key fewer.
    Rotate,
    /// The agent ends.
    Revoke,
    /// The agent comes back.
    Recover,
}

impl Kind {
    /// The kind of an event; none for an inception, which is registered.
    fn of(event: &SignedEvent) -> Option<Self> {
        match event.event().change {
            Change::Inception { .. } => None,
            Change::Rotate { .. } | Change::RevokeKey { .. } | Change::RotateIdentity { .. } => {
                Some(Self::Rotate)
            }
            Change::Deactivate => Some(Self::Revoke),
            Change::Recover { .. } => Some(Self::Recover),
        }
    }
}

/// A change that somebody submits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// What kind of change it says to be.
    pub kind: Kind,
    /// A number above that of every change of this agent before, from 1.
    pub nonce: u64,
    /// Who submits it: the agent or its operator.
    pub actor: KamnDid,
    /// The change, and what authorises it.
    pub event: SignedEvent,
}

/// Wherever a registry is anchored.
pub trait ChainAdapter {
    /// Submits a change for good.
    fn submit(&mut self, submission: &Submission) -> Result<(), SubmitFailed>;
}

/// A change was not submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitFailed;

/// An anchor for registries that are anchored nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unanchored;

impl ChainAdapter for Unanchored {
    fn submit(&mut self, _: &Submission) -> Result<(), SubmitFailed> {
        Ok(())
    }
}

/// Why a registry refuses. What is refused leaves it as it was.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// The DID is registered already.
    #[error("{did} is registered")]
    Registered {
        /// The DID.
        did: String,
    },
    /// The DID is not registered.
    #[error("{did} is not registered")]
    Unknown {
        /// The DID.
        did: String,
    },
    /// The DID is bound to no key, and this registry does not vouch for names.
    #[error("{did} is bound to no key")]
    Unbound {
        /// The DID.
        did: String,
    },
    /// The change's number is 0.
    #[error("a mutation's nonce is above 0")]
    NonceInvalid,
    /// The change's number is not above the last.
    #[error("mutation nonce {found} is not above {last}")]
    NonceReplay {
        /// The last one.
        last: u64,
        /// This one.
        found: u64,
    },
    /// Who submits it is neither the agent nor its operator.
    #[error("{actor} is neither the agent nor its operator")]
    Actor {
        /// Who submits it.
        actor: String,
    },
    /// The change is of another kind than it says, or does not fit the agent's standing.
    #[error("the mutation does not fit: {why}")]
    Transition {
        /// Why not.
        why: &'static str,
    },
    /// The agent's log does not take the event.
    #[error(transparent)]
    Event(#[from] crate::kel::Error),
    /// The change could not be submitted to where the registry is anchored.
    #[error("the mutation could not be submitted")]
    Submit,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "did_already_registered",
            Self::Unknown { .. } => "did_not_registered",
            Self::Unbound { .. } => "kel_did_unbound",
            Self::NonceInvalid => "did_lifecycle_mutation_nonce_invalid",
            Self::NonceReplay { .. } => "did_lifecycle_mutation_nonce_replay",
            Self::Actor { .. } => "did_lifecycle_mutation_unauthorized_actor",
            Self::Transition { .. } => "did_lifecycle_mutation_invalid_transition",
            Self::Event(error) => error.reason_code(),
            Self::Submit => "did_chain_adapter_submit_failed",
        }
    }
}

/// The code of a change that was made.
pub const ALLOWED: &str = "did_lifecycle_mutation_allowed";

/// What is known of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    entries: BTreeMap<AgentDid, Entry>,
    vouches_for_names: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    log: KeyLog,
    operator: Option<KamnDid>,
    last_nonce: u64,
}

impl Registry {
    /// A registry of DIDs that prove themselves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A registry that also says whose the DIDs are that are bound to no key: first come, first
    /// served. Only for whoever trusts it to.
    #[must_use]
    pub fn vouching_for_names() -> Self {
        Self {
            vouches_for_names: true,
            ..Self::default()
        }
    }

    /// Registers an agent.
    pub fn register(&mut self, log: KeyLog, operator: Option<KamnDid>) -> Result<(), Error> {
        let did = log.state()?.did().clone();
        if did.fingerprint().is_none() && !self.vouches_for_names {
            let did = did.as_kamn();
            return Err(Error::Unbound { did });
        }
        if self.entries.contains_key(&did) {
            let did = did.as_kamn();
            return Err(Error::Registered { did });
        }
        self.entries.insert(
            did,
            Entry {
                log,
                operator,
                last_nonce: 0,
            },
        );
        Ok(())
    }

    /// Makes a change, after it was submitted to `anchor`. The code of success is [`ALLOWED`].
    pub fn mutate(
        &mut self,
        mutation: Mutation,
        anchor: &mut dyn ChainAdapter,
    ) -> Result<&'static str, Error> {
        let changed = self.check(&mutation)?;
        let submission = Submission::of(&mutation);
        let submitted = anchor.submit(&submission);
        submitted.map_err(|SubmitFailed| Error::Submit)?;
        if let Some(entry) = self.entries.get_mut(&submission.did) {
            entry.log = changed;
            entry.last_nonce = mutation.nonce;
        }
        Ok(ALLOWED)
    }

    /// The number of the last change of an agent; 0 where there was none.
    #[must_use]
    pub fn last_nonce(&self, did: &AgentDid) -> Option<u64> {
        self.entries.get(did).map(|entry| entry.last_nonce)
    }

    /// Takes what another registry knows of an agent that is registered here: what goes on where
    /// this one ends, or shows that the log forks.
    pub fn merge(&mut self, log: &KeyLog) -> Result<(), Error> {
        let did = log.unchecked_state().did();
        let entry = self.entries.get_mut(did).ok_or_else(|| Error::Unknown {
            did: did.to_string(),
        })?;
        Ok(entry.log.merge(log)?)
    }

    /// The log as it would be after a change.
    fn check(&self, mutation: &Mutation) -> Result<KeyLog, Error> {
        let did = &mutation.event.event().did;
        let entry = self.entries.get(did).ok_or_else(|| Error::Unknown {
            did: format!("{did}"),
        })?;
        let (last, found) = (entry.last_nonce, mutation.nonce);
        if found == 0 {
            return Err(Error::NonceInvalid);
        }
        if found <= last {
            return Err(Error::NonceReplay { last, found });
        }
        let actor = &mutation.actor;
        if actor != did.as_did() && Some(actor) != entry.operator.as_ref() {
            let actor = format!("{actor}");
            return Err(Error::Actor { actor });
        }
        let refused = |why| Err(Error::Transition { why });
        if Kind::of(&mutation.event) != Some(mutation.kind) {
            return refused("the event is of another kind");
        }
        let is_revoked = entry.log.state()?.is_deactivated();
        match (mutation.kind, is_revoked) {
            (Kind::Recover, false) => return refused("the agent is not revoked"),
            (Kind::Rotate | Kind::Revoke, true) => return refused("the agent is revoked"),
            _ => {}
        }
        let mut log = entry.log.clone();
        log.append(mutation.event.clone())?;
        Ok(log)
    }
}

impl Resolver for Registry {
    fn resolve(&self, did: &AgentDid) -> Option<&KeyLog> {
        self.entries.get(did).map(|entry| &entry.log)
    }
}

#[cfg(test)]
mod tests;
