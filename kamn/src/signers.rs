//! Who knows the keys agents sign with, for what names its signer but not its key.

use alloc::collections::BTreeMap;

use crate::{
    did::{AgentDid, KamnDid},
    kel::{Key, KeyLog},
    key::PublicKey,
};

/// Who knows the keys agents sign with.
pub trait Signers {
    /// The key that `did` signed with at `created_ms`, if it was active then and was not revoked
    /// since.
    fn signing_key(&self, did: &KamnDid, created_ms: u64) -> Option<PublicKey>;
}

/// Key event logs by the agent they are of.
///
/// Keys are found as they were: what was signed before a rotation stays signed. A log with a fork, and
/// a key that was revoked, prove nothing any more.
impl Signers for BTreeMap<AgentDid, KeyLog> {
    fn signing_key(&self, did: &KamnDid, created_ms: u64) -> Option<PublicKey> {
        let did = AgentDid::try_from(did.clone()).ok()?;
        let state = self.get(&did)?.state().ok()?;
        state.keys().iter().find_map(|entry| match &entry.key {
            Key::Signing(key)
                if entry.revocation.is_none()
                    && entry.from_ms <= created_ms
                    && entry.until_ms.is_none_or(|until_ms| created_ms < until_ms) =>
            {
                Some(*key)
            }
            _ => None,
        })
    }
}
