//! Everything of one store in another.
//!
//! Invariants: the store it comes from is only read. A copy into an empty store bears a mark until
//! all of it was compared with where it came from, so that one that was ended half-way is never
//! taken for whole; beginning again goes on where it ended. A merge changes the other store by
//! whole sessions and whole entries, and never what it has already.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    ids::UnixMillis,
    journal::blob,
    session::{Batch, Range, StoreError},
};
use thiserror::Error;

use crate::{
    Storage,
    kept_log::{Learned, LogError},
    own_log, peers,
};

/// The mark of a copy that was not finished.
pub const UNFINISHED: &str = "unfinished-copy";

/// Rows that are read at a time.
const PAGE: u32 = 128;
/// Behind every key.
const END: &str = "\u{10ffff}";
/// What is made from other entries, by whoever needs it: an index over merged entries is not the
/// index of either store.
const DERIVED: &str = "index/";
/// Large contents, which go with the records that refer to them, and notes about them.
const CONTENTS: &str = "blob";
/// What an index is made of.
const INDEXED: &str = "memory/";
/// So many names of what was kept are told.
const NAMES: usize = 100;

/// What a transfer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows of the store it came from.
    pub rows: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Rows that were written.
    pub written: u64,
    /// Of a merge: how many sessions and entries the other store has otherwise, and kept.
    pub kept: u64,
    /// Their names, the first 100.
    pub kept_names: Vec<String>,
}

/// Why a transfer was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CopyError {
    /// The store it comes from failed.
    #[error("reading: {0}")]
    From(StoreError),
    /// The store it goes to failed.
    #[error("writing: {0}")]
    To(StoreError),
    /// There is something in the store it goes to.
    #[error("the store it goes to is not empty")]
    NotEmpty,
    /// The store it goes to is an unfinished copy of another one.
    #[error("the store it goes to is an unfinished copy of {from}")]
    OfAnother {
        /// Of which.
        from: String,
    },
    /// The store it comes from, or the one it is to be merged into, is an unfinished copy itself.
    #[error("that is an unfinished copy of {from}")]
    Unfinished {
        /// Of which.
        from: String,
    },
    /// A key event log was not read or not taken.
    #[error("the key event logs: {0}")]
    Log(#[from] LogError),
    /// Somebody wrote to one of them meanwhile.
    #[error("{key} is not the same in both: one of them was written to meanwhile")]
    Changed {
        /// The first key that differs.
        key: String,
    },
}

/// The store that `marker` says the copy is of.
#[must_use]
pub fn source_of(marker: &[u8]) -> String {
    let value: Option<serde_json::Value> = serde_json::from_slice(marker).ok();
    let from = value.as_ref().and_then(|value| value["from"].as_str());
    from.unwrap_or("another store").to_string()
}

/// Copies everything of `from`, which is called `name`, into `to`, which is empty or an unfinished
/// copy of it. `told` is told how far it is.
pub async fn copy(
    from: &impl Storage,
    to: &impl Storage,
    name: &str,
    now: UnixMillis,
    mut told: impl FnMut(&Copied),
) -> Result<Copied, CopyError> {
    whole(from).await?;
    begin(to, name, now).await?;
    let mut done = Copied::default();
    let mut after = String::new();
    loop {
        let page = page(from, &after).await.map_err(CopyError::From)?;
        let last = page.last().map(|(key, _)| key.clone());
        let there = between(to, &after, last.as_deref())
            .await
            .map_err(CopyError::To)?;
        count(&mut done, &page);
        let batch = difference(page, there);
        if !batch.put.is_empty() || !batch.delete.is_empty() {
            done.written += batch.put.len() as u64;
            to.commit(batch).await.map_err(CopyError::To)?;
        }
        told(&done);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    compare(from, to).await?;
    let finished = Batch {
        delete: alloc::vec![UNFINISHED.into()],
        ..Batch::default()
    };
    to.commit(finished).await.map_err(CopyError::To)?;
    Ok(done)
}

/// Adds what `from` has and `to` has not. What `to` has otherwise stays as it is, and is named.
pub async fn merge(
    from: &impl Storage,
    to: &impl Storage,
    mut told: impl FnMut(&Copied),
) -> Result<Copied, CopyError> {
    whole(from).await?;
    whole(to).await?;
    let mut done = Copied::default();
    // Before what their agents signed.
    logs(from, to, &mut done).await?;
    let mut after = String::new();
    let mut is_indexed = true;
    loop {
        let page = page(from, &after).await.map_err(CopyError::From)?;
        let Some((first, _)) = page.first() else {
            return Ok(done);
        };
        let (rows, there) = match group(first) {
            Some(group) => {
                let prefix = group.to_string();
                let rows = all(from, &prefix).await.map_err(CopyError::From)?;
                let there = all(to, &prefix).await.map_err(CopyError::To)?;
                (rows, there)
            }
            None => {
                let alone = |(key, _): &(String, Vec<u8>)| group(key).is_none();
                let rows: Vec<_> = page.into_iter().take_while(alone).collect();
                let last = rows.last().map(|(key, _)| key.clone());
                let there = between(to, &after, last.as_deref())
                    .await
                    .map_err(CopyError::To)?;
                (rows, there)
            }
        };
        if let Some((last, _)) = rows.last() {
            after.clone_from(last);
        }
        count(&mut done, &rows);
        let is_group = rows.first().is_some_and(|(key, _)| group(key).is_some());
        let mut batch = match is_group {
            true => of_group(from, rows, there, &mut done).await?,
            false => of_entries(rows, &there, &mut done),
        };
        if is_indexed && batch.put.iter().any(|(key, _)| key.starts_with(INDEXED)) {
            let stale = all(to, DERIVED).await.map_err(CopyError::To)?;
            batch.delete.extend(stale.into_iter().map(|(key, _)| key));
            is_indexed = false;
        }
        if !batch.put.is_empty() {
            done.written += batch.put.len() as u64;
            to.commit(batch).await.map_err(CopyError::To)?;
        }
        told(&done);
    }
}

/// What belongs together and is taken as a whole: the journal of a session, a ledger, the audit log.
/// Gives the beginning that its keys have in common.
fn group(key: &str) -> Option<&str> {
    if key.starts_with("audit") {
        return Some("audit");
    }
    let kind = ["session/", "ledger/"];
    let kind = kind.iter().find(|kind| key.starts_with(**kind))?;
    let end = key.get(kind.len()..)?.find('/')? + kind.len() + 1;
    key.get(..end)
}

/// What was signed of a session comes with its journal, and not by itself.
fn is_signed(key: &str) -> bool {
    key.starts_with("receipt/") || key.starts_with("receipt-head/")
}

/// Key event logs grow together, each by its own rules.
fn is_log(key: &str) -> bool {
    key.starts_with(own_log::KEY) || key.starts_with(peers::PREFIX)
}

/// Adds what `from` knows of every agent. Its own becomes the other store's own only where that has
/// none yet; otherwise it is another agent there.
async fn logs(from: &impl Storage, to: &impl Storage, done: &mut Copied) -> Result<(), CopyError> {
    let own = own_log::load(from).await?;
    if let Some(own) = &own
        && own_log::load(to).await?.is_none()
    {
        let did = own.unchecked_state().did();
        let seen = peers::get(to, did).await?;
        own_log::keep(to, own).await?;
        done.written += 1;
        if let Some(seen) = seen {
            own_log::keep(to, &seen).await?;
        }
    }
    let others = peers::list(from).await?;
    for log in others.into_iter().map(|(_, log)| log).chain(own.map(Ok)) {
        let (_, learned) = peers::learn(to, &log?).await?;
        done.written += u64::from(learned != Learned::Known);
    }
    Ok(())
}

/// A group that is new, or that goes on where the other store's ends, is taken with its line in the
/// list of sessions; the other store's stays when it has records of its own.
async fn of_group(
    from: &impl Storage,
    rows: Vec<(String, Vec<u8>)>,
    there: Vec<(String, Vec<u8>)>,
    done: &mut Copied,
) -> Result<Batch, CopyError> {
    let mut batch = Batch::default();
    let Some(name) = rows.first().and_then(|(key, _)| group(key)) else {
        return Ok(batch);
    };
    let name = name.trim_end_matches('/').to_string();
    let here: BTreeMap<&str, &[u8]> = rows.iter().map(|(k, v)| (&**k, &**v)).collect();
    let is_beginning = there
        .iter()
        .all(|(key, value)| here.get(&**key) == Some(&&**value));
    let has: BTreeSet<&str> = there.iter().map(|(key, _)| &**key).collect();
    if is_beginning {
        let new = rows.iter().filter(|(key, _)| !has.contains(&**key));
        batch.put = new.cloned().collect();
        contents(from, &mut batch).await?;
        if let (Some(id), false) = (name.strip_prefix("session/"), batch.put.is_empty()) {
            for line in [format!("sessions/{id}"), format!("receipt-head/{id}")] {
                let row = from.get(line.clone()).await.map_err(CopyError::From)?;
                batch.put.extend(row.map(|row| (line, row)));
            }
            let signed = all(from, &format!("receipt/{id}/")).await;
            batch.put.extend(signed.map_err(CopyError::From)?);
        }
        return Ok(batch);
    }
    let that: BTreeMap<&str, &[u8]> = there.iter().map(|(k, v)| (&**k, &**v)).collect();
    let is_ahead = here.iter().all(|(key, value)| that.get(key) == Some(value));
    if !is_ahead {
        keep(done, &name);
    }
    Ok(batch)
}

/// Adds the contents that new records refer to: in the same commit, so that nobody takes them for
/// unused in between.
async fn contents(from: &impl Storage, batch: &mut Batch) -> Result<(), CopyError> {
    let records = batch.put.iter();
    let hashes: BTreeSet<String> = records.flat_map(|(_, row)| blob::referred(row)).collect();
    for hash in hashes {
        let content = from.get(blob::key(&hash)).await.map_err(CopyError::From)?;
        // One that is missing is told with its record, here as there.
        if let Some(content) = content {
            batch.put.extend(blob::rows(&hash, &content));
        }
    }
    Ok(())
}

/// Entries that stand alone: those the other store has not.
fn of_entries(
    rows: Vec<(String, Vec<u8>)>,
    there: &[(String, Vec<u8>)],
    done: &mut Copied,
) -> Batch {
    let there: BTreeMap<&str, &[u8]> = there.iter().map(|(k, v)| (&**k, &**v)).collect();
    let mut batch = Batch::default();
    for (key, value) in rows {
        match there.get(&*key) {
            _ if key.starts_with(DERIVED) || key.starts_with(CONTENTS) => {}
            _ if is_signed(&key) || is_log(&key) => {}
            None => batch.put.push((key, value)),
            Some(other) if *other == value => {}
            // Said with the session, and of the last minute alone.
            Some(_) if key.starts_with("sessions/") || key.starts_with("calls/") => {}
            Some(_) => keep(done, &key),
        }
    }
    batch
}

fn keep(done: &mut Copied, name: &str) {
    done.kept += 1;
    if done.kept_names.len() < NAMES {
        done.kept_names.push(name.to_string());
    }
}

fn count(done: &mut Copied, rows: &[(String, Vec<u8>)]) {
    done.rows += rows.len() as u64;
    done.bytes += rows
        .iter()
        .map(|(_, value)| value.len() as u64)
        .sum::<u64>();
}

/// Refuses what is not whole itself.
async fn whole(store: &impl Storage) -> Result<(), CopyError> {
    let marker = store.get(UNFINISHED.into()).await;
    match marker.map_err(CopyError::From)? {
        None => Ok(()),
        Some(marker) => Err(CopyError::Unfinished {
            from: source_of(&marker),
        }),
    }
}

/// Marks `to` as unfinished before anything is in it.
async fn begin(to: &impl Storage, name: &str, now: UnixMillis) -> Result<(), CopyError> {
    if let Some(marker) = to.get(UNFINISHED.into()).await.map_err(CopyError::To)? {
        let from = source_of(&marker);
        return match from == name {
            true => Ok(()),
            false => Err(CopyError::OfAnother { from }),
        };
    }
    let any = to.scan(range("", END, 1)).await.map_err(CopyError::To)?;
    if !any.is_empty() {
        return Err(CopyError::NotEmpty);
    }
    let marker = serde_json::json!({ "v": 1, "from": name, "at": now.0 });
    let batch = Batch {
        require_absent: alloc::vec![UNFINISHED.into()],
        put: alloc::vec![(UNFINISHED.into(), marker.to_string().into_bytes())],
        ..Batch::default()
    };
    to.commit(batch).await.map_err(CopyError::To)
}

/// What makes `there` like `page`.
fn difference(page: Vec<(String, Vec<u8>)>, there: Vec<(String, Vec<u8>)>) -> Batch {
    let mut there: BTreeMap<String, Vec<u8>> = there.into_iter().collect();
    there.remove(UNFINISHED);
    let mut batch = Batch::default();
    for (key, value) in page {
        if there.remove(&key).as_ref() != Some(&value) {
            batch.put.push((key, value));
        }
    }
    batch.delete = there.into_keys().collect();
    batch
}

/// Reads both to their ends.
async fn compare(from: &impl Storage, to: &impl Storage) -> Result<(), CopyError> {
    let mut after = String::new();
    loop {
        let page = page(from, &after).await.map_err(CopyError::From)?;
        let last = page.last().map(|(key, _)| key.clone());
        let mut there = between(to, &after, last.as_deref())
            .await
            .map_err(CopyError::To)?;
        there.retain(|(key, _)| key != UNFINISHED);
        if page != there {
            let mut pairs = page.iter().zip(&there);
            let differs = pairs.find(|(a, b)| a != b).map(|(a, _)| a);
            let beyond = page.get(there.len()).or(there.get(page.len()));
            let key = differs.or(beyond).map(|(key, _)| key.clone());
            return Err(CopyError::Changed {
                key: key.unwrap_or_default(),
            });
        }
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

fn range(start: &str, end: &str, limit: u32) -> Range {
    Range {
        start: start.into(),
        end: end.into(),
        limit,
    }
}

/// The rows behind the key `after`.
async fn page(store: &impl Storage, after: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    // The key itself belongs to a range that starts with it.
    let mut rows = store.scan(range(after, END, PAGE + 1)).await?;
    match rows.first() {
        Some((key, _)) if key == after => {
            rows.remove(0);
        }
        _ => rows.truncate(PAGE as usize),
    }
    Ok(rows)
}

/// The rows behind the key `after`, up to and including `last`, or to the end.
async fn between(
    store: &impl Storage,
    after: &str,
    last: Option<&str>,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut rows = store
        .scan(range(after, last.unwrap_or(END), u32::MAX))
        .await?;
    if rows.first().is_some_and(|(key, _)| key == after) {
        rows.remove(0);
    }
    if let Some(last) = last
        && let Some(value) = store.get(last.into()).await?
    {
        rows.push((last.into(), value));
    }
    Ok(rows)
}

/// Every row whose key begins with `prefix`.
async fn all(store: &impl Storage, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    store.scan(Range::prefix(prefix, u32::MAX)).await
}

#[cfg(test)]
mod tests;
