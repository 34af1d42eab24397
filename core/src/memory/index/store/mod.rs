//! An index in rows of a store: read, followed, written and kept tidy. Rows in, batches out.
//!
//! ```text
//! index/<scope>/head/log/<seq>            one change since the last flush, in the commit of its entry
//! index/<scope>/head/manifest             which segments are live, what is gone of them, the model
//! index/<scope>/past/<n>                  empty: manifest <n> was replaced
//! index/<scope>/segment/<n>/words         immutable
//! index/<scope>/segment/<n>/vectors       immutable
//! ```
//!
//! A writer does three things: [`Store::put`] or [`Store::remove`] into the batch that holds the
//! entry, commit, and [`Store::committed`]; after a conflict [`Store::abandon`], follow, again. To
//! follow what others wrote: scan [`Store::range`], give the rows to [`Store::read`], and do as it
//! says until it says [`Next::Ready`].
//!
//! Invariant: a change and its entry are in one commit, so none is without the other; every commit
//! requires that nobody replaced the manifest or took its number in the log, so that all writers
//! agree on one order.

mod rows;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use thiserror::Error;

use super::{Document, Index, tail::Owned};
use crate::{
    memory::EmbeddingModel,
    session::{Batch, Range},
};
use rows::{Change, Manifest};

/// Rows of the head that are read; far more than a head ever has.
const HEAD_LIMIT: u32 = 1_000_000;

/// Why rows are no index.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IndexError {
    /// A row does not say what it should. The index can be built again from the entries.
    #[error("the search index is damaged: {key}: {detail}")]
    Damaged {
        /// Where.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A row of a later version of Tau.
    #[error(
        "the search index is of a newer version of Tau: {key} has version {found}, at most {known} is known"
    )]
    Newer {
        /// Where.
        key: String,
        /// Its version.
        found: u32,
        /// The latest known here.
        known: u32,
    },
    /// A segment that the manifest names is not there: replaced since, if another process writes;
    /// else lost.
    #[error("the search index is not whole: {key} is not there")]
    Missing {
        /// Where it should be.
        key: String,
    },
}

/// What to do to be up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Ready,
    /// Scan [`Store::range`] again, which is another now, and read it.
    Scan,
    /// Get these and give them to [`Store::supply`].
    Supply(Wanted),
}

/// What is to be got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Keys of segments.
    pub segments: Vec<String>,
    /// Ids of entries that changed.
    pub entries: Vec<String>,
    changes: Vec<(u64, Change)>,
}

/// The index of one scope, and where it stands in its rows.
#[derive(Clone, Debug)]
pub struct Store {
    scope: String,
    index: Index,
    manifest: Manifest,
    /// The number of the next change.
    seq: u64,
    staged: Vec<Staged>,
}

#[derive(Clone, Debug)]
enum Staged {
    Put(String, Owned),
    Remove(String),
    Manifest(Manifest),
}

impl Store {
    /// Nothing read yet. `scope` is a part of keys: letters, digits, `-`, `_` and `.`.
    #[must_use]
    pub fn new(scope: &str) -> Self {
        Self {
            scope: scope.into(),
            index: Index::new(None),
            manifest: Manifest::default(),
            seq: 0,
            staged: Vec::new(),
        }
    }

    /// Every row of the scope's index. To build it again: delete them all, and put every entry.
    #[must_use]
    pub fn all(scope: &str) -> Range {
        Range::prefix(&format!("index/{scope}/"), u32::MAX)
    }

    /// What is to be scanned to see what others wrote.
    #[must_use]
    pub fn range(&self) -> Range {
        Range {
            start: self.log_key(self.seq),
            end: format!("index/{}/head/\u{7f}", self.scope),
            limit: HEAD_LIMIT,
        }
    }

    /// Takes the rows of [`Store::range`] and says what else is needed. Staged changes are dropped.
    pub fn read(&mut self, rows: &[(String, Vec<u8>)]) -> Result<Next, IndexError> {
        self.staged.clear();
        let manifest_key = self.manifest_key();
        let found = rows.iter().find(|(key, _)| *key == manifest_key);
        let manifest = match found {
            Some((key, value)) => rows::read_manifest(key, value)?,
            None => Manifest::default(),
        };
        if manifest != self.manifest {
            self.seq = manifest.seq;
            self.index = Index::new(manifest.model.clone());
            self.manifest = manifest;
            return Ok(Next::Scan);
        }
        let log = self.log_prefix();
        let mut wanted = Wanted::default();
        for (key, value) in rows {
            let Some(seq) = key.strip_prefix(&log) else {
                continue;
            };
            let change = rows::read_change(key, value)?;
            let seq = seq.parse().map_err(|_| damaged(key, "no number"))?;
            if let Change::Put { id, .. } = &change {
                wanted.entries.push(id.clone());
            }
            wanted.changes.push((seq, change));
        }
        wanted.entries.sort_unstable();
        wanted.entries.dedup();
        Ok(match wanted.changes.is_empty() {
            true => Next::Ready,
            false => Next::Supply(wanted),
        })
    }

    /// Takes what [`Store::read`] asked for: rows of segments, and of the entries those that exist.
    ///
    /// [`IndexError::Missing`] means to scan and read again, once: the segment may have been
    /// replaced.
    pub fn supply(
        &mut self,
        wanted: Wanted,
        _segments: Vec<(String, Vec<u8>)>,
        entries: &[Document<'_>],
    ) -> Result<(), IndexError> {
        let entries: BTreeMap<&str, &Document<'_>> =
            entries.iter().map(|entry| (entry.id, entry)).collect();
        for (seq, change) in wanted.changes {
            if seq < self.seq {
                continue;
            }
            self.seq = seq + 1;
            match change {
                Change::Remove { id } => self.index.remove(&id),
                Change::Put { id, hash, vector } => {
                    let Some(document) = entries.get(id.as_str()) else {
                        // Removed since; a later change says so.
                        self.index.remove(&id);
                        continue;
                    };
                    let mut owned = self.index.prepare(**document);
                    if let Some(vector) = vector
                        && owned.hash == hash
                        && self.model().is_some_and(|model| vector.is_of(model))
                    {
                        owned.vector = vector.quantised();
                    }
                    self.index.insert(&id, owned);
                }
            }
        }
        Ok(())
    }

    /// What is searched.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What makes the vectors; none while there are none.
    #[must_use]
    pub fn model(&self) -> Option<&EmbeddingModel> {
        self.index.model()
    }

    /// Adds to `batch` that vectors are made by `model` from now on: all others are forgotten.
    pub fn set_model(&mut self, model: &EmbeddingModel, batch: &mut Batch) {
        if self.model() == Some(model) {
            return;
        }
        let next = Manifest {
            number: self.manifest.number + 1,
            model: Some(model.clone()),
            ..self.manifest.clone()
        };
        self.stage_manifest(next, batch);
    }

    /// Adds to `batch` that the entry `document` was written. Several may go into one batch.
    pub fn put(&mut self, document: Document<'_>, batch: &mut Batch) {
        let owned = self.index.prepare(document);
        let change = Change::put(document.id, &owned, self.model());
        self.log(&change, batch);
        self.staged.push(Staged::Put(document.id.into(), owned));
    }

    /// Adds to `batch` that the entry `id` was removed.
    pub fn remove(&mut self, id: &str, batch: &mut Batch) {
        self.log(&Change::Remove { id: id.into() }, batch);
        self.staged.push(Staged::Remove(id.into()));
    }

    /// Adds to `batch` a bounded piece of tidying, if one is due: after a write that was committed,
    /// and in a commit of its own. It may be left out, or fail with a conflict and be forgotten.
    pub fn maintain(&mut self, _batch: &mut Batch) -> bool {
        false
    }

    /// The batch is stored.
    pub fn committed(&mut self) {
        for staged in core::mem::take(&mut self.staged) {
            match staged {
                Staged::Put(id, owned) => {
                    self.index.insert(&id, owned);
                    self.seq += 1;
                }
                Staged::Remove(id) => {
                    self.index.remove(&id);
                    self.seq += 1;
                }
                Staged::Manifest(manifest) => {
                    self.index.set_model(manifest.model.clone());
                    self.manifest = manifest;
                }
            }
        }
    }

    /// The batch is not stored.
    pub fn abandon(&mut self) {
        self.staged.clear();
    }

    fn log(&mut self, change: &Change, batch: &mut Batch) {
        let changes = self
            .staged
            .iter()
            .filter(|staged| !matches!(staged, Staged::Manifest(_)));
        let key = self.log_key(self.seq + changes.count() as u64);
        self.require_current(batch);
        batch.require_absent.push(key.clone());
        batch.put.push((key, rows::write_change(change)));
    }

    fn stage_manifest(&mut self, manifest: Manifest, batch: &mut Batch) {
        self.require_current(batch);
        let past = self.past_key(self.manifest.number);
        batch.put.push((past, Vec::new()));
        batch
            .put
            .push((self.manifest_key(), rows::write_manifest(&manifest)));
        self.staged.push(Staged::Manifest(manifest));
    }

    /// The commit fails if somebody replaced the manifest.
    fn require_current(&self, batch: &mut Batch) {
        let past = self.past_key(self.manifest.number);
        if !batch.require_absent.contains(&past) {
            batch.require_absent.push(past);
        }
    }

    fn log_prefix(&self) -> String {
        format!("index/{}/head/log/", self.scope)
    }

    fn log_key(&self, seq: u64) -> String {
        format!("{}{seq:016}", self.log_prefix())
    }

    fn manifest_key(&self) -> String {
        format!("index/{}/head/manifest", self.scope)
    }

    fn past_key(&self, number: u64) -> String {
        format!("index/{}/past/{number:016}", self.scope)
    }
}

fn damaged(key: &str, detail: &str) -> IndexError {
    IndexError::Damaged {
        key: key.into(),
        detail: detail.into(),
    }
}
