//! Memory of a home: entries in its store, the index that is searched, and who turns texts into
//! vectors, behind one request.
//!
//! Invariants:
//! - An entry and the change of its index are one commit, so neither is without the other, and two
//!   writers of a scope are put in one order by the store.
//! - Searching writes nothing.
//! - Nothing waits for vectors: without them, or when they take too long, words are searched and the
//!   reply says so. What has none yet gets it by [`Service::embed_missing`].

mod bring;
mod embed;
mod find;
mod many;
mod open;
mod write;

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;
use tau_core::{
    memory::{
        Action, Answer, Failure, Reply, Request, Scope,
        index::{self, InTurn, Workers},
    },
    session::StoreError,
};

pub use bring::{Became, Brought};
pub use embed::Progress;
pub use many::Kept;

use crate::{Clock, Embedder, Storage, turnstile::Turnstile};

/// Entries a scope may have where nothing else is said.
pub const ENTRY_LIMIT: u64 = 250_000;

/// What a home's memory answers.
pub trait MemoryTools {
    /// Does what `request` asks within the scopes it names. The same twice leaves what once does.
    ///
    /// Dropping the future leaves either all of it or nothing.
    async fn serve(&self, request: Request) -> Result<Reply, Failure>;
}

/// The memory in a store. One for a home: what is open is kept open for all its sessions.
pub struct Service<S, E, C> {
    storage: S,
    embedder: E,
    clock: C,
    open: Turnstile<Vec<Opened>>,
    /// What was told last of an embedder that fails.
    told: Turnstile<Option<String>>,
    entry_limit: u64,
    workers: Box<dyn Workers + Send + Sync>,
}

impl<S: fmt::Debug, E: fmt::Debug, C> fmt::Debug for Service<S, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("storage", &self.storage)
            .field("embedder", &self.embedder)
            .finish_non_exhaustive()
    }
}

/// The index of a scope, as it was last followed.
#[derive(Debug)]
struct Opened {
    scope: Scope,
    store: index::Store,
}

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    /// The memory in `storage`. Nothing is read before it is asked for.
    pub fn new(storage: S, embedder: E, clock: C) -> Self {
        Self {
            storage,
            embedder,
            clock,
            open: Turnstile::new(),
            told: Turnstile::new(),
            entry_limit: ENTRY_LIMIT,
            workers: Box::new(InTurn),
        }
    }

    /// The same, with searches shared out among `workers`.
    #[must_use]
    pub fn with_workers(self, workers: impl Workers + Send + Sync + 'static) -> Self {
        Self {
            workers: Box::new(workers),
            ..self
        }
    }

    /// The same with room for so many entries in a scope.
    #[must_use]
    pub fn with_entry_limit(self, entry_limit: u64) -> Self {
        Self {
            entry_limit,
            ..self
        }
    }

    /// Entries of `scope` that can be found.
    pub async fn count(&self, scope: &Scope) -> Result<u64, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, scope).await?;
        Ok(open[place].store.index().len() as u64)
    }

    /// Who turns texts into vectors.
    pub fn embedder(&self) -> &E {
        &self.embedder
    }
}

impl<S: Storage, E: Embedder, C: Clock> MemoryTools for Service<S, E, C> {
    async fn serve(&self, request: Request) -> Result<Reply, Failure> {
        let Request { access, action } = request;
        let mut notices = Vec::new();
        let answer = match action {
            Action::Remember { draft, scope } => {
                self.remember(&access, draft, scope, &mut notices).await?
            }
            Action::Search(search) => self.search(&access, &search, &mut notices).await?,
            Action::Read { ids, forgotten } => {
                let entries = self.named(&access, &ids, forgotten).await?;
                Answer::Entries { entries }
            }
            Action::Update { id, changes } => {
                self.update(&access, &id, changes, &mut notices).await?
            }
            Action::Forget { ids, purge } => self.forget(&access, &ids, purge).await?,
            Action::Restore { ids } => self.restore(&access, &ids, &mut notices).await?,
            Action::List {
                narrow,
                limit,
                forgotten,
            } => self.list(&access, &narrow, limit, forgotten).await?,
            Action::Tree { namespace } => self.tree(&access, &namespace).await?,
        };
        Ok(Reply { answer, notices })
    }
}

/// The failure of an index, and what can be done about it.
fn damaged(error: &index::IndexError) -> Failure {
    let hint = match error {
        index::IndexError::Newer { .. } => "use that version, or build the index again",
        _ => "build it again from the entries",
    };
    Failure::Damaged {
        detail: alloc::format!("{error}; {hint}: tau memory reindex"),
    }
}

/// A row that is no entry.
fn unreadable(key: &str, error: &tau_core::memory::entry::Unreadable) -> Failure {
    Failure::Damaged {
        detail: alloc::format!("{key} cannot be read: {error}"),
    }
}

fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. })
}

/// A name of an entry as somebody writes it: in small letters or not.
fn as_id(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
