//! Sessions taken out of a store, and large contents that nothing refers to any more.
//!
//! Invariants:
//! - A session goes with all its records in one commit, or stays. One that another continues stays.
//! - A content that a record refers to is never removed, whoever writes meanwhile. Whoever stores a
//!   content marks it (`blob-used/<hash>`) in the same commit. A search for unused ones first takes
//!   the marks away, then reads every record, and removes a content only in a commit that finds it
//!   unmarked: what was written before the marks went is seen, what was written since has a mark
//!   again. A second search would take marks away beneath the first, so each takes a number
//!   (`blob-search/<n>`), and the first one's removals require that there is none after it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec,
    vec::Vec,
};
use tau_core::{
    ids::SessionId,
    journal::{self, Body, Chain, blob},
    receipt, routine,
    session::{Batch, Range, StoreError},
};
use thiserror::Error;

use crate::Storage;

/// Rows that are read at a time.
const PAGE: u32 = 256;
/// Searches for unused contents, each by its number.
const SEARCHES: &str = "blob-search/";
/// Numbers that are kept: a search that was overtaken so often while it read would not notice.
const KEPT_SEARCHES: u64 = 4_096;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Sessions.
    pub sessions: u64,
    /// Their records.
    pub records: u64,
    /// Large contents that nothing refers to.
    pub contents: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Why nothing was removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemovalError {
    /// Nothing is stored under that name.
    #[error("there is no session {0}")]
    Missing(SessionId),
    /// Another session's past is in it.
    #[error("session {session} stays: session {by} continues it")]
    Continued {
        /// The session.
        session: SessionId,
        /// The one that was forked from it.
        by: SessionId,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Removes sessions with what belongs to them, all or none, then the contents that only they
/// referred to.
///
/// Whoever calls holds the sessions: a process that has one of them open fails at its next record.
/// Should it be ended between the two, the contents stay until [`tidy`].
pub async fn remove(storage: &impl Storage, ids: &[SessionId]) -> Result<Removed, RemovalError> {
    let ids: BTreeSet<&SessionId> = ids.iter().collect();
    let mut done = Removed::default();
    let mut batch = Batch::default();
    let mut contents = BTreeSet::new();
    for id in &ids {
        let before = batch.delete.len();
        let mut records = 0;
        for prefix in of_session(id) {
            let mut rows = Pages::of(&prefix);
            while let Some(page) = rows.next(storage).await? {
                for (key, value) in page {
                    records += u64::from(key.starts_with(&format!("session/{id}/journal/")));
                    contents.extend(blob::referred(&value));
                    batch.delete.push(key);
                }
            }
        }
        let line = journal::summary_key(id);
        if batch.delete.len() == before && storage.get(line.clone()).await?.is_none() {
            return Err(RemovalError::Missing((*id).clone()));
        }
        batch.delete.extend([line, receipt::head_key(id)]);
        // What is said there meanwhile must not be left alone.
        batch.require_absent.push(journal::key(id, records));
        done.sessions += 1;
        done.records += records;
    }
    if let Some((session, by)) = continued(storage, &ids).await? {
        return Err(RemovalError::Continued { session, by });
    }
    storage.commit(batch).await?;
    let contents = present(storage, contents).await?;
    let unused = unused(storage, contents).await?;
    Ok(Removed {
        contents: unused.contents,
        bytes: unused.bytes,
        ..done
    })
}

/// Removes every large content that nothing refers to.
pub async fn tidy(storage: &impl Storage) -> Result<Removed, StoreError> {
    let mut contents = BTreeMap::new();
    let mut rows = Pages::of("blob/");
    while let Some(page) = rows.next(storage).await? {
        for (key, value) in page {
            let hash = key.trim_start_matches("blob/");
            contents.insert(String::from(hash), value.len() as u64);
        }
    }
    unused(storage, contents).await
}

/// Beginnings of the keys of what belongs to a session, but for its line in the list.
fn of_session(id: &SessionId) -> [String; 4] {
    let routines = routine::range(id, 0).start;
    let receipts = format!("receipt/{id}/");
    [
        format!("session/{id}/"),
        receipts,
        routines,
        format!("run/{id}/"),
    ]
}

/// A session of `ids` that one which is not among them was forked from, and that one.
async fn continued(
    storage: &impl Storage,
    ids: &BTreeSet<&SessionId>,
) -> Result<Option<(SessionId, SessionId)>, StoreError> {
    let mut range = Range::prefix("session/", 1);
    while let Some((key, _)) = storage.scan(range.clone()).await?.into_iter().next() {
        let rest = key.trim_start_matches("session/");
        let by = SessionId(rest.split('/').next().unwrap_or(rest).into());
        // Straight to the next session: a journal may be long.
        range.start = format!("session/{by}/\u{7f}");
        let first = storage.get(journal::key(&by, 0)).await?;
        let body = first.and_then(|first| Chain::default().read(&first).ok());
        if let Some(Body::Created(created)) = body.map(|record| record.body)
            && let Some(point) = created.forked_from
            && ids.contains(&point.session)
            && !ids.contains(&by)
        {
            return Ok(Some((point.session, by)));
        }
    }
    Ok(None)
}

/// Those of `hashes` that are there, with their length.
async fn present(
    storage: &impl Storage,
    hashes: BTreeSet<String>,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut there = BTreeMap::new();
    for hash in hashes {
        if let Some(content) = storage.get(blob::key(&hash)).await? {
            there.insert(hash, content.len() as u64);
        }
    }
    Ok(there)
}

/// Removes those of `contents` that no record refers to.
async fn unused(
    storage: &impl Storage,
    mut contents: BTreeMap<String, u64>,
) -> Result<Removed, StoreError> {
    let mut done = Removed::default();
    if contents.is_empty() {
        return Ok(done);
    }
    let number = begin(storage).await?;
    let marks = contents.keys().map(|hash| blob::used_key(hash));
    let unmark = Batch {
        delete: marks.collect(),
        // One that began meanwhile takes them away itself.
        require_absent: vec![search_key(number + 1)],
        ..Batch::default()
    };
    match storage.commit(unmark).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => return Ok(done),
        Err(error) => return Err(error),
    }
    let mut records = Pages::of("session/");
    while let Some(page) = records.next(storage).await? {
        for (_, record) in page {
            for hash in blob::referred(&record) {
                contents.remove(&hash);
            }
        }
    }
    for (hash, bytes) in contents {
        let batch = Batch {
            require_absent: vec![blob::used_key(&hash), search_key(number + 1)],
            delete: vec![blob::key(&hash)],
            ..Batch::default()
        };
        match storage.commit(batch).await {
            Ok(()) => {
                done.contents += 1;
                done.bytes += bytes;
            }
            // Somebody says it again, or looks for it as well.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Takes the number of a search: the next one.
async fn begin(storage: &impl Storage) -> Result<u64, StoreError> {
    loop {
        let taken = storage.scan(Range::prefix(SEARCHES, u32::MAX)).await?;
        let of = |key: &str| key.trim_start_matches(SEARCHES).parse::<u64>().ok();
        let last = taken.last().and_then(|(key, _)| of(key)).unwrap_or(0);
        let number = last + 1;
        let old = taken.into_iter().map(|(key, _)| key);
        let claim = Batch {
            require_absent: vec![search_key(number)],
            put: vec![(search_key(number), b"{\"v\":1}".to_vec())],
            delete: old
                .filter(|key| of(key).is_some_and(|n| n + KEPT_SEARCHES < number))
                .collect(),
        };
        match storage.commit(claim).await {
            Ok(()) => return Ok(number),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

fn search_key(number: u64) -> String {
    format!("{SEARCHES}{number:012}")
}

/// The rows below a prefix, some at a time.
struct Pages(Option<Range>);

impl Pages {
    fn of(prefix: &str) -> Self {
        Self(Some(Range::prefix(prefix, PAGE)))
    }

    async fn next(
        &mut self,
        storage: &impl Storage,
    ) -> Result<Option<Vec<(String, Vec<u8>)>>, StoreError> {
        let Some(mut range) = self.0.take() else {
            return Ok(None);
        };
        let rows = storage.scan(range.clone()).await?;
        if let (PAGE, Some((last, _))) = (rows.len() as u32, rows.last()) {
            range.start = format!("{last}\0");
            self.0 = Some(range);
        }
        Ok(Some(rows))
    }
}

#[cfg(test)]
mod tests;
