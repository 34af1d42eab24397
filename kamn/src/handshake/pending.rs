//! The handshakes going on: one with each other agent at a time.

use alloc::{collections::BTreeMap, string::String};

use super::{HandshakeError, TIMEOUT_MS};

/// How many may go on at once: what a stranger's proposals can cost.
const PENDING_LIMIT: usize = 1024;

/// With whom this agent is shaking hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending(BTreeMap<String, Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    started_ms: u64,
    is_own: bool,
}

impl Pending {
    /// Notes that this agent proposes to `peer`.
    pub fn propose(&mut self, peer: &str, now_ms: u64) -> Result<(), HandshakeError> {
        self.expire(now_ms);
        if self.0.contains_key(peer) {
            return Err(refused(peer));
        }
        self.begin(peer, now_ms, true)
    }

    /// Notes that `peer` proposed to `me`. Where both proposed at once, the proposal of the DID that
    /// sorts first stands; `true` says that this agent's own is to be dropped.
    pub fn answer(&mut self, me: &str, peer: &str, now_ms: u64) -> Result<bool, HandshakeError> {
        self.expire(now_ms);
        let drops_own = match self.0.get(peer) {
            None => false,
            Some(entry) if entry.is_own && peer < me => true,
            Some(_) => return Err(refused(peer)),
        };
        self.begin(peer, now_ms, false)?;
        Ok(drops_own)
    }

    /// Notes that a handshake is over, however it ended.
    pub fn end(&mut self, peer: &str) {
        self.0.remove(peer);
    }

    fn begin(&mut self, peer: &str, now_ms: u64, is_own: bool) -> Result<(), HandshakeError> {
        if self.0.len() >= PENDING_LIMIT && !self.0.contains_key(peer) {
            return Err(refused(peer));
        }
        let entry = Entry {
            started_ms: now_ms,
            is_own,
        };
        self.0.insert(peer.into(), entry);
        Ok(())
    }

    fn expire(&mut self, now_ms: u64) {
        self.0
            .retain(|_, entry| now_ms.saturating_sub(entry.started_ms) <= TIMEOUT_MS);
    }
}

fn refused(peer: &str) -> HandshakeError {
    HandshakeError::Pending { peer: peer.into() }
}
