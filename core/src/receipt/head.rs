//! Where receipts are stored, and how far a session's chain is.

use alloc::{format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use tau_kamn::kel::State;

use super::{Fact, Receipt, VERSION};
use crate::{
    ids::{SessionId, UnixMillis},
    journal::{sha256_hex, unhex},
    json::{self, FromJson, ToJson},
    session::Range,
};

/// Where a session's chain of receipts stands; stored at [`head_key`] with each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Head {
    v: u32,
    /// The number of the next receipt.
    next: u64,
    /// SHA-256 of the last one as it is stored, in lower-case hex; empty before the first.
    hash: String,
    /// The record from which on the journal must be read to go on.
    from: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            v: VERSION,
            next: 0,
            hash: String::new(),
            from: 0,
        }
    }
}

impl Head {
    /// The head as it is stored.
    pub fn read(stored: &[u8]) -> Result<Self, String> {
        let head: Self = json::from_slice(stored)
            .map_err(|error| format!("the head of its receipts cannot be read: {error}"))?;
        match head.v {
            VERSION => Ok(head),
            found => Err(format!(
                "the head of its receipts has version {found}, this Tau reads up to {VERSION}"
            )),
        }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// The number of the next receipt.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The record from which on the journal must be read to know what the next ones are about.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The next receipt, to be signed with the present key of `state`; `None` where it has none.
    #[must_use]
    pub fn receipt(&self, session: &SessionId, fact: Fact, state: &State) -> Option<Receipt> {
        let (fragment, _) = state.current_signing()?;
        let mut keys = state.keys().iter();
        let entry = keys.find(|entry| entry.fragment == fragment)?;
        Some(Receipt {
            session: session.clone(),
            n: self.next,
            // The record was dated before it was stored, and the key may be younger.
            at: fact.at.max(UnixMillis(entry.from_ms)),
            fact,
            prev: unhex(&self.hash),
            key: format!("{}#{fragment}", state.did()),
        })
    }

    /// Goes on behind the receipt that is stored as `stored`; `from` is where its
    /// [`Tracker`](super::Tracker) stands.
    pub fn follow(&mut self, stored: &[u8], from: u64) {
        self.next += 1;
        self.hash = sha256_hex(stored);
        self.from = from;
    }
}

/// The key of a session's receipt.
#[must_use]
pub fn key(session: &SessionId, n: u64) -> String {
    format!("receipt/{session}/{n:010}")
}

/// The keys of a session's receipts from `n` on.
#[must_use]
pub fn range(session: &SessionId, n: u64, limit: u32) -> Range {
    Range {
        start: key(session, n),
        end: format!("receipt/{session}/\u{7f}"),
        limit,
    }
}

/// The key of the end of a session's receipts.
#[must_use]
pub fn head_key(session: &SessionId) -> String {
    format!("receipt-head/{session}")
}
