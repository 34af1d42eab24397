//! Who signs for an agent. The secret halves of its keys never leave what implements this.

use alloc::string::{String, ToString};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgreementKey, Signature, SigningKey,
    kel::{Change, Event, Key, KeyEntry, KeyLog, SignedEvent, State, next_digest},
    keys::KeyTree,
    time::Timestamp,
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
    /// What signs messages now: deriving it costs as much as a signature.
    signing: Option<SigningKey>,
}

impl TreeSigner {
    /// Signs as the agent of `log` with the keys of `tree`, if they are its keys.
    pub fn new(tree: KeyTree, log: KeyLog) -> Result<Self, SignerError> {
        let current = log.unchecked_state().current_signing();
        let signing = current.map(|(fragment, _)| tree.signing(number(fragment)));
        let signer = Self { tree, log, signing };
        let state = signer.log.unchecked_state();
        signer.same(&signer.identity().public_key(), state.identity())?;
        Ok(signer)
    }

    /// What the keys are derived from.
    #[must_use]
    pub fn tree(&self) -> &KeyTree {
        &self.tree
    }

    /// The change that brings the next key to sign messages with, the next to agree on secrets with, or
    /// both.
    #[must_use]
    pub fn rotation(&self, signing: bool, agreement: bool) -> Change {
        let state = self.log.unchecked_state();
        let next = |is_signing| 1 + numbered(state, is_signing);
        Change::Rotate {
            signing: signing.then(|| self.tree.signing(next(true)).public_key()),
            agreement: agreement.then(|| self.tree.agreement(next(false)).public_key()),
        }
    }

    /// The change that brings the next identity key, and commits to the one after it.
    #[must_use]
    pub fn succession(&self) -> Change {
        let next = self.log.unchecked_state().identity_number() + 1;
        let after = self.tree.identity(next + 1).public_key();
        Change::RotateIdentity {
            identity: self.tree.identity(next).public_key(),
            next_digest: Some(next_digest(&after)),
        }
    }

    /// The agent after `change`, made at `now`; never before its last one.
    ///
    /// Nothing is stored here: whoever stores the log does so before the new keys sign anything.
    pub async fn changed(self, change: Change, now: UnixMillis) -> Result<Self, SignerError> {
        let failed = |error: String| SignerError::Failed { detail: error };
        let made_ms = now.0.max(self.log.unchecked_state().updated_ms());
        let made = Timestamp::from_unix_ms(made_ms).map_err(|error| failed(error.to_string()))?;
        let event = self.sign_event(self.log.next(made, change)).await?;
        let mut log = self.log.clone();
        log.append(event)
            .map_err(|error| failed(error.to_string()))?;
        self.with_log(log)
    }

    /// Goes on with a later log of the same agent.
    pub fn with_log(self, log: KeyLog) -> Result<Self, SignerError> {
        Self::new(self.tree, log)
    }

    fn identity(&self) -> SigningKey {
        self.tree
            .identity(self.log.unchecked_state().identity_number())
    }

    /// The number of the key that counts now, and what the log says it is.
    fn current<K>(
        &self,
        key: &'static str,
        of: impl Fn(&State) -> Option<(&str, &K)>,
    ) -> Result<(u32, &K), SignerError> {
        let missing = |detail| SignerError::NoKey { key, detail };
        let state = self
            .log
            .state()
            .map_err(|error| missing(error.to_string()))?;
        let (fragment, key) = of(state).ok_or_else(|| missing("it was revoked".to_string()))?;
        Ok((number(fragment), key))
    }

    /// Whether the seed is of this log.
    fn same<K: PartialEq>(&self, own: &K, logged: &K) -> Result<(), SignerError> {
        match own == logged {
            true => Ok(()),
            false => Err(self.other_keys()),
        }
    }

    fn other_keys(&self) -> SignerError {
        SignerError::OtherKeys {
            did: self.log.unchecked_state().did().as_kamn(),
        }
    }
}

impl Signer for TreeSigner {
    fn log(&self) -> &KeyLog {
        &self.log
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignerError> {
        let (_, key) = self.current("signing", State::current_signing)?;
        match &self.signing {
            Some(secret) if secret.public_key() == *key => Ok(secret.sign(bytes)),
            _ => Err(self.other_keys()),
        }
    }

    async fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError> {
        let (number, key) = self.current("agreement", State::current_agreement)?;
        let secret = self.tree.agreement(number);
        self.same(&secret.public_key(), key)?;
        secret.agree(other).map_err(|error| SignerError::Failed {
            detail: error.to_string(),
        })
    }

    async fn sign_event(&self, event: Event) -> Result<SignedEvent, SignerError> {
        let state = self.log.unchecked_state();
        let Change::RotateIdentity { identity, .. } = &event.change else {
            return Ok(event.signed_by(&self.identity()));
        };
        let new = self.tree.identity(state.identity_number() + 1);
        self.same(&new.public_key(), identity)?;
        let signed = event.signed_by(&new);
        Ok(match state.next_digest() {
            Some(_) => signed,
            // Nobody said before which key would come: the one that goes has to.
            None => signed.also_signed_by(&self.identity()),
        })
    }
}

/// How many keys to sign with, or to agree on secrets with, there have been.
fn numbered(state: &State, is_signing: bool) -> u32 {
    let of_kind = |entry: &&KeyEntry| matches!(entry.key, Key::Signing(_)) == is_signing;
    u32::try_from(state.keys().iter().filter(of_kind).count()).unwrap_or(u32::MAX)
}

/// The number in `keys-<n>` and `key-agreement-<n>`; 0, which no key has, where there is none.
fn number(fragment: &str) -> u32 {
    let digits = fragment.rsplit('-').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;
