//! The calls of one principal, counted over all their sessions.
//!
//! Invariant: what two writers count at the same time is counted twice. Each count is a commit whose
//! place must be free, so the slower of two has to read again what the other wrote.

use alloc::{format, string::String};
use serde::{Deserialize, Serialize};

use super::rates::Window;
use crate::{
    ids::UnixMillis,
    journal::VERSION,
    json::{self, FromJson, ToJson},
    session::Batch,
    tool::ToolClass,
};

/// So many of the last places stay taken: a writer that read the ledger longer ago than that many
/// counts would not be found out.
const PLACES: u64 = 64;

/// The calls of one principal in the last minute, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Ledger {
    v: u32,
    next: u64,
    /// The calls.
    pub recent: Window,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            v: VERSION,
            next: 0,
            recent: Window::default(),
        }
    }
}

impl Ledger {
    /// The ledger as it is stored; an empty one where nothing is.
    pub fn read(stored: Option<&[u8]>) -> Result<Self, String> {
        match stored {
            None => Ok(Self::default()),
            Some(bytes) => json::from_slice(bytes)
                .map_err(|error| format!("the count of calls cannot be read: {error}")),
        }
    }

    /// Counts a call of `principal` that begins: what is to be stored, at once.
    pub fn note(&mut self, principal: &str, class: ToolClass, at: UnixMillis) -> Batch {
        let place = |number: u64| format!("calls/{principal}/{number:010}");
        let own = place(self.next);
        let left = self.next.checked_sub(PLACES).map(place);
        self.next += 1;
        self.recent.note(class, at);
        Batch {
            require_absent: [own.clone()].into(),
            delete: left.into_iter().collect(),
            put: [(own, b"{}".into()), (key(principal), json::to_vec(self))].into(),
        }
    }
}

/// Where the ledger of `principal` is stored.
#[must_use]
pub fn key(principal: &str) -> String {
    format!("calls/{principal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_was_read_before_another_was_stored_needs_the_same_place() {
        let mut stored = Ledger::default();
        for at in 0..200 {
            let mut late = stored.clone();
            let first = stored.note("me", ToolClass::Read, UnixMillis(at));
            let second = late.note("me", ToolClass::Read, UnixMillis(at));
            assert_eq!(first.require_absent, second.require_absent);
            assert!(!first.delete.contains(&first.require_absent[0]));
            stored = Ledger::read(Some(&first.put[1].1)).unwrap();
        }
        assert!(Ledger::read(Some(b"{")).is_err());
        assert_eq!(Ledger::read(None), Ok(Ledger::default()));
    }
}
