//! Which key to believe, and when: it must count both now and when something was signed.

use alloc::format;

use super::{Error, Key, KeyEntry, SKEW_MS, State};
use crate::{
    error::beginning,
    key::{AgreementKey, PublicKey},
};

impl State {
    /// The key to check a signature by `key_id` with (`<did>#keys-1`) on something made at
    /// `created_ms`.
    ///
    /// The key must have counted then and must count at `now_ms`. One that was replaced, revoked or
    /// deactivated since is given only where the caller saw the thing itself, at `anchor_ms`, before
    /// that and before the key got lost: what was made says of its own age whatever it likes.
    pub fn signing_key_at(
        &self,
        key_id: &str,
        created_ms: u64,
        now_ms: u64,
        anchor_ms: Option<u64>,
    ) -> Result<&PublicKey, Error> {
        let entry = self.entry(key_id)?;
        let Key::Signing(key) = &entry.key else {
            return Err(purpose(key_id, "sign"));
        };
        check(entry, key_id, created_ms, now_ms, anchor_ms)?;
        Ok(key)
    }

    /// The key that a secret was agreed on with, under the same rule.
    pub fn agreement_key_at(
        &self,
        key_id: &str,
        created_ms: u64,
        now_ms: u64,
        anchor_ms: Option<u64>,
    ) -> Result<&AgreementKey, Error> {
        let entry = self.entry(key_id)?;
        let Key::Agreement(key) = &entry.key else {
            return Err(purpose(key_id, "agree on secrets"));
        };
        check(entry, key_id, created_ms, now_ms, anchor_ms)?;
        Ok(key)
    }

    /// The key that signed messages at `created_ms`, under the same rule: for what does not name it.
    pub fn signing_key_of(&self, created_ms: u64, now_ms: u64) -> Result<&PublicKey, Error> {
        let mut refusal = Error::NotActive {
            id: format!("{}#keys", self.did),
            at_ms: created_ms,
        };
        // No two of them count at one moment.
        for entry in &self.keys {
            if let Key::Signing(key) = &entry.key {
                let id = format!("{}#{}", self.did, entry.fragment);
                match check(entry, &id, created_ms, now_ms, None) {
                    Ok(()) => return Ok(key),
                    Err(Error::NotActive { at_ms, .. }) if at_ms == created_ms => {}
                    Err(error) => refusal = error,
                }
            }
        }
        Err(refusal)
    }

    /// The key that signs messages now, if there is one.
    #[must_use]
    pub fn current_signing(&self) -> Option<(&str, &PublicKey)> {
        self.current().find_map(|entry| match &entry.key {
            Key::Signing(key) => Some((entry.fragment.as_str(), key)),
            Key::Agreement(_) => None,
        })
    }

    /// The key to agree on secrets with now, if there is one.
    #[must_use]
    pub fn current_agreement(&self) -> Option<(&str, &AgreementKey)> {
        self.current().find_map(|entry| match &entry.key {
            Key::Agreement(key) => Some((entry.fragment.as_str(), key)),
            Key::Signing(_) => None,
        })
    }

    fn current(&self) -> impl Iterator<Item = &KeyEntry> {
        self.keys.iter().filter(|entry| entry.until_ms.is_none())
    }

    fn entry(&self, key_id: &str) -> Result<&KeyEntry, Error> {
        let did = self.did.as_kamn();
        let fragment = key_id
            .strip_prefix(did.as_str())
            .and_then(|rest| rest.strip_prefix('#'));
        let found = fragment.and_then(|fragment| {
            let mut keys = self.keys.iter();
            keys.find(|entry| entry.fragment == fragment)
        });
        found.ok_or_else(|| match fragment {
            Some("identity") => purpose(key_id, "sign messages"),
            _ => Error::KeyUnknown {
                id: beginning(key_id),
                did,
            },
        })
    }
}

fn check(
    entry: &KeyEntry,
    key_id: &str,
    created_ms: u64,
    now_ms: u64,
    anchor_ms: Option<u64>,
) -> Result<(), Error> {
    let not_active = |at_ms| {
        let id = beginning(key_id);
        Err(Error::NotActive { id, at_ms })
    };
    let has_ended = |at_ms| entry.until_ms.is_some_and(|until_ms| at_ms >= until_ms);
    if created_ms < entry.from_ms || has_ended(created_ms) {
        return not_active(created_ms);
    }
    // The clock of who made the key may be ahead of this one.
    if now_ms.saturating_add(SKEW_MS) < entry.from_ms {
        return not_active(now_ms);
    }
    if let Some(revocation) = &entry.revocation {
        let since_ms = revocation.compromised_since_ms;
        return match anchor_ms {
            Some(seen_ms) if seen_ms < since_ms && !has_ended(seen_ms) => Ok(()),
            _ => Err(Error::Revoked {
                id: beginning(key_id),
                since_ms,
            }),
        };
    }
    match anchor_ms {
        Some(seen_ms) if !has_ended(seen_ms) => Ok(()),
        _ if has_ended(now_ms) => not_active(now_ms),
        _ => Ok(()),
    }
}

fn purpose(key_id: &str, purpose: &'static str) -> Error {
    Error::Purpose {
        id: beginning(key_id),
        purpose,
    }
}
