//! One event: what it says, and the bytes that say it.

use alloc::{format, string::String, vec::Vec};

use super::{APPROVERS_LIMIT, Error, SignedEvent};
use crate::{
    bytes,
    did::{AgentDid, DidKey},
    jcs::{Integer, Object, Value},
    key::{AgreementKey, PublicKey, Signature, SigningKey},
    time::Timestamp,
};

const DOMAIN: &str = "kamn:key-event:v1";
const NEXT_KEY_DOMAIN: &[u8] = b"kamn:next-key:v1\0";
pub(super) const GENESIS: &str = "GENESIS";
pub(super) const DIGEST_PREFIX: &str = "sha256:";

/// A change of an agent's keys, not yet proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose keys change.
    pub did: AgentDid,
    /// Its place in the log, from 0.
    pub seq: u32,
    /// The hash of the event before; `None` for the first.
    pub previous: Option<[u8; 32]>,
    /// When it was made, as its maker says.
    pub created: Timestamp,
    /// What changes.
    pub change: Change,
}

/// What an event changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The agent begins, with the key that its DID is bound to.
    Inception {
        /// The key that signs events.
        identity: PublicKey,
        /// `#keys-1`, which signs messages.
        signing: PublicKey,
        /// `#key-agreement-1`, which agrees on secrets.
        agreement: AgreementKey,
        /// The digest of the identity key to come; see [`next_digest`].
        next_digest: Option<[u8; 32]>,
        /// Who can bring the agent back after it was deactivated.
        recovery: Option<Recovery>,
    },
    /// Other keys to sign messages and to agree on secrets with, one or both.
    Rotate {
        /// The key that signs messages from now on.
        signing: Option<PublicKey>,
        /// The key that agrees on secrets from now on.
        agreement: Option<AgreementKey>,
    },
    /// A key was lost.
    RevokeKey {
        /// Its whole id, `<did>#keys-1`.
        key_id: String,
        /// Why, for people.
        reason: String,
        /// Since when it may have been in other hands, in milliseconds since 1970.
        compromised_since_ms: Integer,
    },
    /// Another key signs events.
    RotateIdentity {
        /// The key.
        identity: PublicKey,
        /// The digest of the one to come after it.
        next_digest: Option<[u8; 32]>,
    },
    /// The agent ends: none of its keys count any more.
    Deactivate,
    /// The agent comes back with a key it never had.
    Recover {
        /// The key that signs events.
        identity: PublicKey,
        /// The digest of the one to come after it.
        next_digest: Option<[u8; 32]>,
        /// A number above that of every recovery before.
        nonce: Integer,
    },
}

impl Change {
    /// What it is called in events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inception { .. } => "inception",
            Self::Rotate { .. } => "rotate",
            Self::RevokeKey { .. } => "revoke_key",
            Self::RotateIdentity { .. } => "rotate_identity",
            Self::Deactivate => "deactivate",
            Self::Recover { .. } => "recover",
        }
    }
}

/// Who can deactivate and recover an agent without its keys, and how many of them must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    threshold: u32,
    approvers: Vec<PublicKey>,
}

impl Recovery {
    /// `threshold` of `approvers` must agree.
    pub fn new(threshold: u32, approvers: Vec<PublicKey>) -> Result<Self, Error> {
        let refused = |why| Err(Error::RecoveryPolicy { why });
        if approvers.is_empty() || approvers.len() > APPROVERS_LIMIT {
            return refused("there must be 1 to 16 approvers");
        }
        if threshold == 0 || threshold as usize > approvers.len() {
            return refused("the threshold must be between 1 and the number of approvers");
        }
        let is_twice = |(at, key): (usize, &PublicKey)| approvers[..at].contains(key);
        if approvers.iter().enumerate().any(is_twice) {
            return refused("an approver is named twice");
        }
        Ok(Self {
            threshold,
            approvers,
        })
    }

    /// How many must agree.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.threshold as usize
    }

    /// Who may agree.
    #[must_use]
    pub fn approvers(&self) -> &[PublicKey] {
        &self.approvers
    }

    fn to_value(&self) -> Value {
        let approvers: Value = self
            .approvers
            .iter()
            .map(|key| format!("{}", DidKey::Ed25519(*key)))
            .collect();
        Object::new()
            .with("threshold", self.threshold)
            .with("approvers", approvers)
            .into()
    }
}

/// The commitment to an identity key to come: whoever steals the present one cannot replace it.
#[must_use]
pub fn next_digest(key: &PublicKey) -> [u8; 32] {
    let mut bytes = Vec::from(NEXT_KEY_DOMAIN);
    bytes.extend_from_slice(&key.to_codec_bytes());
    bytes::sha256(&bytes)
}

impl Event {
    /// The event as JSON, without proofs.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let previous = self.previous.map(|hash| bytes::hex(&hash));
        let object = Object::new()
            .with("v", 1)
            .with("type", self.change.name())
            .with("did", self.did.as_kamn())
            .with("seq", self.seq)
            .with("prev", previous.unwrap_or_else(|| GENESIS.into()))
            .with("created", self.created);
        let digest = |digest: &Option<[u8; 32]>| {
            digest.map(|digest| format!("{DIGEST_PREFIX}{}", bytes::hex(&digest)))
        };
        match &self.change {
            Change::Inception {
                identity,
                signing,
                agreement,
                next_digest,
                recovery,
            } => object
                .with("identity_key", identity.to_multikey())
                .with("signing_key", signing.to_multikey())
                .with("agreement_key", agreement.to_multikey())
                .with_optional("next_digest", digest(next_digest))
                .with_optional("recovery", recovery.as_ref().map(Recovery::to_value)),
            Change::Rotate { signing, agreement } => object
                .with_optional("signing_key", signing.map(|key| key.to_multikey()))
                .with_optional("agreement_key", agreement.map(|key| key.to_multikey())),
            Change::RevokeKey {
                key_id,
                reason,
                compromised_since_ms,
            } => object
                .with("key_id", key_id.as_str())
                .with("reason", reason.as_str())
                .with("compromised_since_ms", *compromised_since_ms),
            Change::RotateIdentity {
                identity,
                next_digest,
            } => object
                .with("identity_key", identity.to_multikey())
                .with_optional("next_digest", digest(next_digest)),
            Change::Deactivate => object,
            Change::Recover {
                identity,
                next_digest,
                nonce,
            } => object
                .with("identity_key", identity.to_multikey())
                .with_optional("next_digest", digest(next_digest))
                .with("nonce", *nonce),
        }
    }

    /// What is signed and hashed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        bytes::in_domain(DOMAIN, &self.to_object().into())
    }

    /// The hash that the next event names.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        bytes::sha256(&self.to_bytes())
    }

    /// The event, signed by the identity key it needs: the new one where it brings one.
    #[must_use]
    pub fn signed_by(self, identity: &SigningKey) -> SignedEvent {
        let sig = identity.sign(&self.to_bytes());
        SignedEvent::new(self, Some(sig))
    }

    /// The event with the signature that the holder of `identity` made over [`Event::to_bytes`]: for keys
    /// that sign elsewhere, such as a browser's. `identity` is the new key where the event brings one.
    pub fn with_signature(
        self,
        identity: &PublicKey,
        sig: Signature,
    ) -> Result<SignedEvent, Error> {
        let by = "the identity key";
        let signed = SignedEvent::new(self, Some(sig));
        signed.check_sig(identity, by).map(|()| signed)
    }

    /// The event without a signature, for approvers alone.
    #[must_use]
    pub fn unsigned(self) -> SignedEvent {
        SignedEvent::new(self, None)
    }
}
