//! Who knows the keys agents sign with, for what names its signer but not its key.

use alloc::collections::BTreeMap;

use crate::{
    did::{AgentDid, KamnDid},
    kel::{Key, KeyLog, SKEW_MS},
    key::PublicKey,
};

/// Who knows the keys agents sign with.
pub trait Signers {
    /// The key of `did` for something made at `created_ms` that was seen at `seen_ms`.
    ///
    /// It must have counted at both: what is signed says of its own age whatever it likes, so a key
    /// that was replaced signs nothing any more by dating it back. Of a revoked key only what was seen
    /// before it may have been lost.
    fn signing_key(&self, did: &KamnDid, created_ms: u64, seen_ms: u64) -> Option<PublicKey>;
}

/// Key event logs by the agent they are of.
///
/// Keys are found as they were: what was seen before a rotation stays signed. A log with a fork proves
/// nothing any more.
impl Signers for BTreeMap<AgentDid, KeyLog> {
    fn signing_key(&self, did: &KamnDid, created_ms: u64, seen_ms: u64) -> Option<PublicKey> {
        let agent = AgentDid::try_from(did.clone()).ok()?;
        self.get(&agent)?.signing_key(did, created_ms, seen_ms)
    }
}

/// The log of one agent alone.
impl Signers for KeyLog {
    fn signing_key(&self, did: &KamnDid, created_ms: u64, seen_ms: u64) -> Option<PublicKey> {
        let state = self.state().ok()?;
        if state.did().as_did() != did {
            return None;
        }
        state.keys().iter().find_map(|entry| {
            let latest_ms = created_ms.max(seen_ms);
            let counts = entry.from_ms <= created_ms
                && created_ms <= seen_ms.saturating_add(SKEW_MS)
                && entry.until_ms.is_none_or(|until_ms| latest_ms < until_ms);
            let was_safe = entry
                .revocation
                .as_ref()
                .is_none_or(|revocation| latest_ms < revocation.compromised_since_ms);
            match &entry.key {
                Key::Signing(key) if counts && was_safe => Some(*key),
                _ => None,
            }
        })
    }
}
