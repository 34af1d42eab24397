//! The keys an agent holds: all of them from one seed, their lives, and those of single sessions.
//!
//! [`KeyTree`]: one secret is kept and the others are made again. HKDF-SHA256 with the salt `kamn:key-tree:v1` and the role and number as info: keys of different
//! roles or numbers tell nothing about each other.

mod lifecycle;
mod session;

pub use lifecycle::{Audit, Command, Entry, Event, Lifecycle, Phase, check_audit};
pub use session::{SessionKey, SessionKeys};

use alloc::{format, string::String};
use core::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use crate::key::{AgreementSecret, SigningKey};

const SALT: &[u8] = b"kamn:key-tree:v1";

/// The keys of one agent. Wiped when dropped; never copied, shown or serialised.
pub struct KeyTree(Zeroizing<[u8; 32]>);

impl KeyTree {
    /// The keys that follow from `seed`, which must come from a cryptographically secure source.
    ///
    /// Wiping `seed` is the caller's business.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*seed))
    }

    /// The identity key of that number: 0 is the one of the inception, to which the DID is bound.
    #[must_use]
    pub fn identity(&self, number: u32) -> SigningKey {
        SigningKey::from_seed(&self.derive("identity", number))
    }

    /// The key that signs messages as `#keys-<number>`; the first is 1.
    #[must_use]
    pub fn signing(&self, number: u32) -> SigningKey {
        SigningKey::from_seed(&self.derive("signing", number))
    }

    /// The key that agrees on secrets as `#key-agreement-<number>`; the first is 1.
    #[must_use]
    pub fn agreement(&self, number: u32) -> AgreementSecret {
        AgreementSecret::from_bytes(&self.derive("agreement", number))
    }

    fn derive(&self, role: &str, number: u32) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info = format!("{role}:{number}");
        let tree = Hkdf::<Sha256>::new(Some(SALT), self.0.as_slice());
        let made = tree.expand(info.as_bytes(), key.as_mut_slice());
        debug_assert!(made.is_ok(), "32 bytes are less than HKDF's limit");
        key
    }
}

/// Why a key's life does not go on so, or a session has no key.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// The next key is the present one.
    #[error("the next key is the present one")]
    SameKey,
    /// That does not come next in a key's life.
    #[error("a key that is {phase} is not {command}")]
    Transition {
        /// What the key is.
        phase: &'static str,
        /// What should happen to it.
        command: &'static str,
    },
    /// The audit's records do not follow from each other.
    #[error("audit record {sequence} does not follow from the one before it")]
    Audit {
        /// Its number.
        sequence: u64,
    },
    /// The session's id is blank or too long, or its key ends before it begins.
    #[error("session: {why}")]
    Session {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The session has a key already.
    #[error("session {id:?} has a key")]
    SessionKnown {
        /// The session.
        id: String,
    },
    /// The session has no key that counts.
    #[error("session {id:?} has no key, or one that has ended")]
    SessionUnknown {
        /// The session.
        id: String,
    },
    /// There are as many sessions as there is room for.
    #[error("no more sessions can be remembered")]
    SessionsFull,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::SameKey => "key_unchanged",
            Self::Transition { .. } => "key_transition_invalid",
            Self::Audit { .. } => "key_audit_invalid",
            Self::Session { .. } => "session_key_invalid",
            Self::SessionKnown { .. } => "session_key_duplicate",
            Self::SessionUnknown { .. } => "session_key_unknown",
            Self::SessionsFull => "session_keys_full",
        }
    }
}

impl fmt::Debug for KeyTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTree(secret)")
    }
}

#[cfg(test)]
mod tests;
