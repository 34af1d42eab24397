//! Who signs for an agent. The secret halves of its keys never leave what implements this.

use alloc::string::{String, ToString};
use tau_kamn::{
    AgreementKey, Signature,
    kel::{Event, KeyLog, SignedEvent},
    keys::KeyTree,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// An agent's keys, wherever a home has them: derived from a sealed seed, or held by a browser.
///
/// Asynchronous, because a browser's are.
pub trait Signer {
    /// The log of the keys: who the agent is, and which of them count.
    fn log(&self) -> &KeyLog;

    /// The signature of the key that messages and receipts are signed with now,
    /// [`tau_kamn::kel::State::current_signing`].
    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignerError>;

    /// What the present agreement key and `other` have in common.
    async fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError>;

    /// The event of the agent's own log, signed by its identity key.
    async fn sign_event(&self, event: Event) -> Result<SignedEvent, SignerError>;
}

/// Why something was not signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignerError {
    /// The log has no such key now: it was revoked, the agent deactivated, or the log forks.
    #[error("the agent has no {key} key that counts: {detail}")]
    NoKey {
        /// Which: `signing`, `agreement` or `identity`.
        key: &'static str,
        /// Why.
        detail: String,
    },
    /// The keys at hand are not those of the log.
    #[error("the keys at hand are not those of {did}'s log")]
    OtherKeys {
        /// Whose log it is.
        did: String,
    },
    /// The key does not agree with another, or the home's keys failed.
    #[error("the agent's keys failed: {detail}")]
    Failed {
        /// How.
        detail: String,
    },
}

/// The signer of a home whose agent has no identity: there is none, so it has no value.
#[derive(Clone, Copy, Debug)]
pub enum NoSigner {}

impl Signer for NoSigner {
    fn log(&self) -> &KeyLog {
        match *self {}
    }

    async fn sign(&self, _: &[u8]) -> Result<Signature, SignerError> {
        match *self {}
    }

    async fn agree(&self, _: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError> {
        match *self {}
    }

    async fn sign_event(&self, _: Event) -> Result<SignedEvent, SignerError> {
        match *self {}
    }
}

/// Keys that are derived from one seed.
#[derive(Debug)]
pub struct TreeSigner {
    tree: KeyTree,
    log: KeyLog,
}

impl TreeSigner {
    /// Signs as the agent of `log` with the keys of `tree`, if they are its keys.
    pub fn new(tree: KeyTree, log: KeyLog) -> Result<Self, SignerError> {
        let signer = Self { tree, log };
        let state = signer.log.unchecked_state();
        if signer.identity().public_key() != *state.identity() {
            let did = state.did().as_kamn();
            return Err(SignerError::OtherKeys { did });
        }
        Ok(signer)
    }

    /// What the keys are derived from.
    #[must_use]
    pub fn tree(&self) -> &KeyTree {
        &self.tree
    }

    /// Goes on with a later log of the same agent.
    pub fn with_log(self, log: KeyLog) -> Result<Self, SignerError> {
        Self::new(self.tree, log)
    }

    fn identity(&self) -> tau_kamn::SigningKey {
        self.tree
            .identity(self.log.unchecked_state().identity_number())
    }
}

impl Signer for TreeSigner {
    fn log(&self) -> &KeyLog {
        &self.log
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignerError> {
        let missing = |detail| SignerError::NoKey {
            key: "signing",
            detail,
        };
        let state = self
            .log
            .state()
            .map_err(|error| missing(error.to_string()))?;
        let (fragment, key) = state
            .current_signing()
            .ok_or_else(|| missing("it was revoked".to_string()))?;
        let secret = self.tree.signing(number(fragment));
        if secret.public_key() != *key {
            let did = state.did().as_kamn();
            return Err(SignerError::OtherKeys { did });
        }
        Ok(secret.sign(bytes))
    }

    async fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError> {
        let missing = |detail| SignerError::NoKey {
            key: "agreement",
            detail,
        };
        let state = self
            .log
            .state()
            .map_err(|error| missing(error.to_string()))?;
        let (fragment, key) = state
            .current_agreement()
            .ok_or_else(|| missing("it was revoked".to_string()))?;
        let secret = self.tree.agreement(number(fragment));
        if secret.public_key() != *key {
            let did = state.did().as_kamn();
            return Err(SignerError::OtherKeys { did });
        }
        secret.agree(other).map_err(|error| SignerError::Failed {
            detail: error.to_string(),
        })
    }

    async fn sign_event(&self, event: Event) -> Result<SignedEvent, SignerError> {
        Ok(event.signed_by(&self.identity()))
    }
}

/// The number in `keys-<n>` and `key-agreement-<n>`; 0, which no key has, where there is none.
fn number(fragment: &str) -> u32 {
    let digits = fragment.rsplit('-').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;
