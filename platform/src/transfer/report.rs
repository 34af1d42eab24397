//! What an import did, for a person to read.

use alloc::vec::Vec;
use tau_core::ids::{EntryId, SessionId};

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What became of each session.
    pub sessions: Vec<SessionReport>,
    /// Rows that are new.
    pub rows_added: u64,
    /// Rows that were there, with another value that was kept.
    pub rows_kept: u64,
    /// Rows whose value was replaced.
    pub rows_replaced: u64,
    /// Rows that were there as they are.
    pub rows_same: u64,
}

/// What became of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// Its name.
    pub session: SessionId,
    /// What was done.
    pub outcome: Outcome,
    /// Entries that were added.
    pub added: u64,
    /// Entries that have another name now, because theirs was given to something else.
    pub renumbered: Vec<Renumbered>,
}

/// What was done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    New,
    /// All of it was there.
    Same,
    /// What was missing was added to the one that was there.
    Merged,
    /// It took the place of the one that was there.
    Replaced,
    /// It was not there. What it continues is not here as it was, so that came along as its own.
    Flattened,
}

impl Outcome {
    /// In a word, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Merged => "merged",
            Self::Replaced => "replaced",
            Self::Flattened => "flattened",
        }
    }
}

/// An entry that got another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renumbered {
    /// The name in the file.
    pub from: EntryId,
    /// The name here.
    pub to: EntryId,
}
