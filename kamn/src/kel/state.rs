//! What a log amounts to: the keys there are and were, and the one rule for each kind of event.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Change, Error, Event, Recovery, SignedEvent, next_digest};
use crate::{
    did::AgentDid,
    error::beginning,
    key::{AgreementKey, PublicKey},
};

/// What an agent's keys are after the last event of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(super) did: AgentDid,
    pub(super) seq: u32,
    pub(super) head: [u8; 32],
    pub(super) updated_ms: u64,
    /// Every identity key there was; the last is the present one.
    pub(super) identities: Vec<PublicKey>,
    pub(super) next_digest: Option<[u8; 32]>,
    pub(super) recovery: Option<Recovery>,
    /// Every key to sign messages and to agree on secrets with, in the order they came.
    pub(super) keys: Vec<KeyEntry>,
    pub(super) is_deactivated: bool,
    pub(super) recover_nonce: u64,
}

/// A key that messages are signed with, or secrets are agreed on with, and when it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// What follows `#` in its id.
    pub fragment: String,
    /// The key.
    pub key: Key,
    /// When it was made, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it was replaced or revoked or its DID was deactivated.
    pub until_ms: Option<u64>,
    /// When it got lost, if it did.
    pub revocation: Option<Revocation>,
}

/// A key, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Signs messages.
    Signing(PublicKey),
    /// Agrees on secrets.
    Agreement(AgreementKey),
}

/// That a key was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Why, for people.
    pub reason: String,
    /// Since when it may have been in other hands, in milliseconds since 1970.
    pub compromised_since_ms: u64,
}

impl State {
    /// The state after an inception. Whether its DID is bound to its key is not asked here.
    pub(super) fn begin(signed: &SignedEvent) -> Result<Self, Error> {
        let event = signed.event();
        let Change::Inception {
            identity,
            signing,
            agreement,
            next_digest,
            recovery,
        } = &event.change
        else {
            return Err(Error::Previous { seq: event.seq });
        };
        if event.seq != 0 {
            let (expected, found) = (0, event.seq);
            return Err(Error::Gap { expected, found });
        }
        if event.previous.is_some() {
            return Err(Error::Previous { seq: 0 });
        }
        signed.check_signed(identity, "the identity key")?;
        let mut state = Self {
            did: event.did.clone(),
            seq: 0,
            head: event.hash(),
            updated_ms: event.created.unix_ms(),
            identities: Vec::from([*identity]),
            next_digest: *next_digest,
            recovery: recovery.clone(),
            keys: Vec::new(),
            is_deactivated: false,
            recover_nonce: 0,
        };
        state.put(Key::Signing(*signing))?;
        state.put(Key::Agreement(*agreement))?;
        Ok(state)
    }

    /// The state after one more event, or why there is none.
    pub fn apply(&self, signed: &SignedEvent) -> Result<Self, Error> {
        let event = signed.event();
        self.check_place(event)?;
        let mut next = self.clone();
        next.seq = event.seq;
        next.head = event.hash();
        next.updated_ms = event.created.unix_ms();
        match &event.change {
            Change::Inception { .. } => return Err(Error::Previous { seq: event.seq }),
            Change::Recover {
                identity,
                next_digest,
                nonce,
            } => next.recover(signed, identity, *next_digest, nonce.get().unsigned_abs())?,
            _ if self.is_deactivated => return Err(Error::Deactivated),
            Change::Rotate { signing, agreement } => {
                signed.check_signed(self.identity(), "the identity key")?;
                if signing.is_none() && agreement.is_none() {
                    return Err(Error::NothingRotated);
                }
                if let Some(key) = signing {
                    next.put(Key::Signing(*key))?;
                }
                if let Some(key) = agreement {
                    next.put(Key::Agreement(*key))?;
                }
            }
            Change::RevokeKey {
                key_id,
                reason,
                compromised_since_ms,
            } => {
                signed.check_signed(self.identity(), "the identity key")?;
                next.revoke(key_id, reason, compromised_since_ms.get().unsigned_abs())?;
            }
            Change::RotateIdentity {
                identity,
                next_digest,
            } => next.replace_identity(signed, identity, *next_digest)?,
            Change::Deactivate => next.deactivate(signed)?,
        }
        Ok(next)
    }

    /// Whose keys these are.
    #[must_use]
    pub fn did(&self) -> &AgentDid {
        &self.did
    }

    /// The number of the last event.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The hash of the last event.
    #[must_use]
    pub fn head(&self) -> &[u8; 32] {
        &self.head
    }

    /// When the last event was made, in milliseconds since 1970.
    #[must_use]
    pub fn updated_ms(&self) -> u64 {
        self.updated_ms
    }

    /// The key that signs events.
    #[must_use]
    pub fn identity(&self) -> &PublicKey {
        // There is one from the inception on.
        &self.identities[self.identities.len() - 1]
    }

    /// The number of the key that signs events: 0 is the inception's, to which the DID is bound.
    #[must_use]
    pub fn identity_number(&self) -> u32 {
        u32::try_from(self.identities.len() - 1).unwrap_or(u32::MAX)
    }

    /// The digest of the identity key to come, if one was committed to.
    #[must_use]
    pub fn next_digest(&self) -> Option<&[u8; 32]> {
        self.next_digest.as_ref()
    }

    /// The key the DID is bound to.
    #[must_use]
    pub fn first_identity(&self) -> &PublicKey {
        &self.identities[0]
    }

    /// Whether the agent ended and nobody brought it back.
    #[must_use]
    pub fn is_deactivated(&self) -> bool {
        self.is_deactivated
    }

    /// Who can bring it back.
    #[must_use]
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// The number of the last recovery; 0 where there was none.
    #[must_use]
    pub fn recover_nonce(&self) -> u64 {
        self.recover_nonce
    }

    /// Every key there is and was, in the order they came.
    #[must_use]
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    fn check_place(&self, event: &Event) -> Result<(), Error> {
        if event.did != self.did {
            let found = event.did.as_kamn();
            return Err(Error::Subject { found });
        }
        let (expected, found) = (self.seq + 1, event.seq);
        if found != expected {
            return Err(Error::Gap { expected, found });
        }
        if event.previous != Some(self.head) {
            return Err(Error::Previous { seq: event.seq });
        }
        if event.created.unix_ms() < self.updated_ms {
            return Err(Error::TimeReversed { seq: event.seq });
        }
        Ok(())
    }

    /// Puts a key in the place of the one of its kind.
    fn put(&mut self, key: Key) -> Result<(), Error> {
        if self.has_had(&key) {
            return Err(Error::KeyReused);
        }
        let now_ms = self.updated_ms;
        let of_kind = |entry: &&mut KeyEntry| entry.key.is_of_kind(&key);
        let mut number = 1;
        for entry in self.keys.iter_mut().filter(of_kind) {
            entry.until_ms.get_or_insert(now_ms);
            number += 1;
        }
        let fragment = match key {
            Key::Signing(_) => format!("keys-{number}"),
            Key::Agreement(_) => format!("key-agreement-{number}"),
        };
        self.keys.push(KeyEntry {
            fragment,
            key,
            from_ms: now_ms,
            until_ms: None,
            revocation: None,
        });
        Ok(())
    }

    /// Whether a key was here before in any role; a key of one curve also as its like on the other.
    fn has_had(&self, key: &Key) -> bool {
        let agreement = key.as_agreement();
        let mut all = self.keys.iter().map(|entry| entry.key.as_agreement());
        let mut identities = self.identities.iter().map(PublicKey::to_agreement);
        all.any(|had| had == agreement) || identities.any(|had| had == agreement)
    }

    fn revoke(&mut self, key_id: &str, reason: &str, since_ms: u64) -> Result<(), Error> {
        let refused = |why| Err(Error::Revocation { why });
        if reason.trim().is_empty() || reason.len() > 256 {
            return refused("its reason must have 1 to 256 bytes");
        }
        if since_ms > self.updated_ms {
            return refused("the key was lost later than the event was made");
        }
        let did = self.did.as_kamn();
        let now_ms = self.updated_ms;
        let fragment = key_id
            .strip_prefix(did.as_str())
            .and_then(|rest| rest.strip_prefix('#'));
        let mut entries = self.keys.iter_mut();
        let Some(entry) = entries.find(|entry| Some(entry.fragment.as_str()) == fragment) else {
            let id = beginning(key_id);
            return Err(Error::KeyUnknown { did, id });
        };
        if entry.revocation.is_some() {
            let id = key_id.to_string();
            return Err(Error::RevokedBefore { id });
        }
        entry.until_ms.get_or_insert(now_ms);
        entry.revocation = Some(Revocation {
            reason: reason.into(),
            compromised_since_ms: since_ms,
        });
        Ok(())
    }

    fn replace_identity(
        &mut self,
        signed: &SignedEvent,
        new: &PublicKey,
        next: Option<[u8; 32]>,
    ) -> Result<(), Error> {
        match self.next_digest {
            Some(expected) if expected != next_digest(new) => return Err(Error::Commitment),
            Some(_) => signed.check_signed(new, "the new identity key")?,
            None => signed.check_signed_by_both(new, self.identity())?,
        }
        self.put_identity(new, next)
    }

    /// Checks that a key was not here before, in any role.
    pub(super) fn check_unused(&self, new: &PublicKey) -> Result<(), Error> {
        match self.has_had(&Key::Signing(*new)) {
            true => Err(Error::KeyReused),
            false => Ok(()),
        }
    }

    fn put_identity(&mut self, new: &PublicKey, next: Option<[u8; 32]>) -> Result<(), Error> {
        self.check_unused(new)?;
        self.identities.push(*new);
        self.next_digest = next;
        Ok(())
    }

    fn deactivate(&mut self, signed: &SignedEvent) -> Result<(), Error> {
        // Approvers are heard where the key that would sign is lost.
        match (&self.recovery, &signed.sig) {
            (Some(recovery), None) => signed.check_approved(recovery)?,
            _ => signed.check_signed(self.identity(), "the identity key")?,
        }
        for entry in &mut self.keys {
            entry.until_ms.get_or_insert(self.updated_ms);
        }
        self.is_deactivated = true;
        Ok(())
    }

    /// Who comes back has an identity key alone: those to sign and to agree with come by rotation.
    fn recover(
        &mut self,
        signed: &SignedEvent,
        new: &PublicKey,
        next: Option<[u8; 32]>,
        nonce: u64,
    ) -> Result<(), Error> {
        if !self.is_deactivated {
            return Err(Error::NotDeactivated);
        }
        let recovery = self.recovery.as_ref().ok_or(Error::NoRecovery)?;
        let (last, found) = (self.recover_nonce, nonce);
        if found <= last {
            return Err(Error::Nonce { last, found });
        }
        signed.check_recovered(new, recovery)?;
        self.put_identity(new, next)?;
        self.recover_nonce = nonce;
        self.is_deactivated = false;
        Ok(())
    }
}

impl Key {
    fn is_of_kind(&self, other: &Self) -> bool {
        matches!(self, Self::Signing(_)) == matches!(other, Self::Signing(_))
    }

    fn as_agreement(&self) -> AgreementKey {
        match self {
            Self::Signing(key) => key.to_agreement(),
            Self::Agreement(key) => *key,
        }
    }
}
