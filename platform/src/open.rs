//! What is stored of sessions: opening one, exporting one, listing all.

use alloc::{format, vec::Vec};
use tau_core::{
    ids::SessionId,
    journal::{self, Blobs, Body, Chain, ForkPoint, JournalError, Summary, blob, sections},
    order,
    policy::Grant,
    session::{CommandError, Journal, Range, Session, StoreError},
};
use thiserror::Error;

use crate::{receipts::Receipts, signer::Signer, storage::Storage};

/// Records asked for at once.
const PAGE: u32 = 512;
/// Forks of forks that are followed: more is a damaged store that leads in circles.
const GENERATIONS: usize = 1_000;

/// Why a stored session could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Nothing is stored under that name.
    #[error("there is no session {0}")]
    Missing(SessionId),
    /// The store did not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored makes no sense.
    #[error("session {session} cannot be read: {error}")]
    Journal {
        /// The session whose journal it is.
        session: SessionId,
        /// What is wrong with it.
        error: JournalError,
    },
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// The session did not take it. Nothing changed.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// It could not be stored. The session is unusable until it is opened again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It needs what only a whole home can do.
    #[error("this command asks for more than a store")]
    NotAlone,
}

/// Stores what a session at rest has decided, by a command that needs nothing but the store: an
/// undo, a switch, a name, a merge.
pub async fn store(
    storage: &impl Storage,
    signer: Option<&impl Signer>,
    session: &mut Session,
) -> Result<(), ChangeError> {
    let batch = session.take_commit().ok_or(ChangeError::NotAlone)?;
    if !batch.put.is_empty() {
        // Calls that nobody runs any more are ended by it, and that is signed too.
        Receipts::default().commit(storage, signer, batch).await?;
    }
    Ok(())
}

/// The stored records of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it continues, the oldest first; each ends at its fork point.
    pub ancestors: Vec<Journal>,
    /// Its own records.
    pub journal: Journal,
    /// The contents that the records refer to, as far as they are there.
    pub blobs: Blobs,
}

impl Stored {
    /// The records as JSON lines, what it continues first, between a header and an end: what an
    /// export holds and a replay reads.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        sections::session_section(&self.ancestors, &self.journal, &self.blobs)
    }

    /// The same with what was signed of them ([`crate::receipts::export`]).
    #[must_use]
    pub fn export_signed(&self, signed: &[Vec<u8>]) -> Vec<u8> {
        sections::signed_section(&self.ancestors, &self.journal, &self.blobs, signed)
    }
}

/// What runs without a question because a person said so for good, by rule.
pub async fn grants(storage: &impl Storage) -> Result<Vec<Grant>, StoreError> {
    let rows = storage.scan(Grant::range()).await?;
    Ok(Grant::read(&rows).collect())
}

/// The lines of all sessions, the last written first. Lines that cannot be read are left out.
pub async fn list(storage: &impl Storage) -> Result<Vec<Summary>, StoreError> {
    let mut all = Vec::new();
    let mut range = Range::prefix("sessions/", PAGE);
    loop {
        let rows = storage.scan(range.clone()).await?;
        let whole = rows.len() == PAGE as usize;
        if let Some((last, _)) = rows.last() {
            range.start = format!("{last}\0");
        }
        all.extend(rows.iter().filter_map(|(_, line)| Summary::read(line)));
        if !whole {
            break;
        }
    }
    order::sort_by(&mut all, |a, b| {
        (b.updated, &a.session) < (a.updated, &b.session)
    });
    Ok(all)
}

/// The session `id` as it was stored. What was unfinished stays at rest until
/// [`Session::resume`].
pub async fn open(storage: &impl Storage, id: &SessionId) -> Result<Session, OpenError> {
    let stored = load(storage, id).await?;
    let Stored {
        ancestors,
        journal,
        blobs,
    } = &stored;
    Session::restore_whole(ancestors, journal, blobs).map_err(|error| OpenError::Journal {
        session: id.clone(),
        error,
    })
}

/// The records of session `id` and of those it was forked from, as bytes.
pub async fn load(storage: &impl Storage, id: &SessionId) -> Result<Stored, OpenError> {
    let journal = records(storage, id, u64::MAX).await?;
    let mut next = continued(id, &journal)?;
    let mut ancestors = Vec::new();
    while let Some(point) = next {
        if ancestors.len() == GENERATIONS {
            return Err(OpenError::Journal {
                session: id.clone(),
                error: JournalError::OutOfPlace {
                    seq: 0,
                    detail: "its forks lead in circles".into(),
                },
            });
        }
        let records = records(storage, &point.session, point.records).await?;
        next = continued(&point.session, &records)?;
        ancestors.push(records);
    }
    ancestors.reverse();
    let mut blobs = Blobs::default();
    for record in ancestors.iter().chain([&journal]).flatten() {
        for hash in blob::referred(record) {
            // One that is missing is told by the restore, with its record.
            if let Some(content) = storage.get(blob::key(&hash)).await? {
                let added = blobs.add(&hash, content);
                added.map_err(|error| OpenError::Journal {
                    session: id.clone(),
                    error,
                })?;
            }
        }
    }
    Ok(Stored {
        ancestors,
        journal,
        blobs,
    })
}

/// The first `limit` records of one session.
async fn records(storage: &impl Storage, id: &SessionId, limit: u64) -> Result<Journal, OpenError> {
    let mut records = Journal::new();
    loop {
        let have = records.len() as u64;
        let page = u32::try_from(limit.saturating_sub(have)).map_or(PAGE, |left| left.min(PAGE));
        if page == 0 {
            break;
        }
        let rows = storage.scan(journal::range(id, have, page)).await?;
        let whole = rows.len() == page as usize;
        records.extend(rows.into_iter().map(|(_, record)| record));
        if !whole {
            break;
        }
    }
    if records.is_empty() {
        return Err(OpenError::Missing(id.clone()));
    }
    Ok(records)
}

/// The place in another session's journal that this one continues.
fn continued(id: &SessionId, journal: &Journal) -> Result<Option<ForkPoint>, OpenError> {
    let first = journal.first().map_or(&[][..], Vec::as_slice);
    match Chain::default().read(first) {
        Ok(record) => match record.body {
            Body::Created(created) => Ok(created.forked_from),
            // Told by the restore, which looks at every record.
            _ => Ok(None),
        },
        Err(error) => Err(OpenError::Journal {
            session: id.clone(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests;
