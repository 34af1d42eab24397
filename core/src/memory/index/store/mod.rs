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

use alloc::{collections::BTreeMap, format, string::String, sync::Arc, vec, vec::Vec};
use thiserror::Error;

use super::{
    Document, Index,
    segment::{self, Segment},
    tail::{Owned, Tail},
};
use crate::{
    memory::EmbeddingModel,
    order,
    session::{Batch, Range},
};
use rows::{Change, Live, Manifest};

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
    /// Keys of rows.
    pub rows: Vec<String>,
    /// Ids of entries that changed.
    pub entries: Vec<String>,
    changes: Vec<(u64, Change)>,
}

/// Changes that are gathered before they become a segment.
const FLUSH: usize = 128;
/// How many small segments there may be before they become one.
const FAN: usize = 8;
/// How full a segment must be for a few to become one.
const FULL: f64 = 0.75;
/// How many replaced manifests are remembered. A writer reads the head before it writes; one that
/// was overtaken so often in between would not notice.
const PAST: u64 = 4_096;

/// The index of one scope, and where it stands in its rows.
#[derive(Clone, Debug)]
pub struct Store {
    scope: String,
    index: Index,
    manifest: Manifest,
    /// The number of the next change.
    seq: u64,
    /// Whether the index is not the manifest's yet.
    behind: bool,
    staged: Vec<Staged>,
}

#[derive(Clone, Debug)]
enum Staged {
    Put(String, Owned),
    Remove(String),
    Whole(Manifest, Index),
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
            behind: false,
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
        let manifest = match rows.iter().find(|(key, _)| *key == manifest_key) {
            Some((key, value)) => rows::read_manifest(key, value)?,
            None => Manifest::default(),
        };
        if manifest != self.manifest {
            // From its first change on: what is known of the log may be in its segments by now.
            self.behind = true;
            self.seq = manifest.seq;
            self.manifest = manifest;
            return Ok(Next::Scan);
        }
        let mut wanted = Wanted::default();
        if self.behind {
            let known = |live: &Live| {
                self.index
                    .segments
                    .iter()
                    .find(|known| known.number == live.number)
            };
            for live in &self.manifest.segments {
                if known(live).is_none_or(|known| known.vectors.is_none() && live.vectors) {
                    wanted.rows.extend(self.segment_keys(live));
                }
            }
        }
        let log = self.log_prefix();
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
        Ok(match wanted.changes.is_empty() && !self.behind {
            true => Next::Ready,
            false => Next::Supply(wanted),
        })
    }

    /// Takes what [`Store::read`] asked for: of rows and of entries those that exist.
    ///
    /// [`IndexError::Missing`] means to scan and read again: a row may have been replaced. If it is
    /// still missing, it is lost.
    pub fn supply(
        &mut self,
        wanted: Wanted,
        rows: Vec<(String, Vec<u8>)>,
        entries: &[Document<'_>],
    ) -> Result<(), IndexError> {
        if self.behind {
            self.index = self.assemble(rows)?;
            self.behind = false;
        }
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

    /// The index of the manifest, before any change of the log.
    fn assemble(&self, rows: Vec<(String, Vec<u8>)>) -> Result<Index, IndexError> {
        let mut rows: BTreeMap<String, Vec<u8>> = rows.into_iter().collect();
        let model = self.manifest.model.clone();
        let mut index = Index::new(model.clone());
        for live in &self.manifest.segments {
            let known = self
                .index
                .segments
                .iter()
                .find(|known| known.number == live.number);
            let keys = self.segment_keys(live);
            let rows = match known {
                Some(known) if known.vectors.is_some() >= live.vectors => {
                    let vectors = known.vectors.as_ref().filter(|_| live.vectors);
                    segment::Rows {
                        words: known.words.bytes().clone(),
                        vectors: vectors.map(|vectors| vectors.bytes().clone()),
                    }
                }
                _ => {
                    let mut given = keys.iter().map(|key| {
                        let missing = || IndexError::Missing { key: key.clone() };
                        rows.remove(key).map(Arc::from).ok_or_else(missing)
                    });
                    segment::Rows {
                        words: given.next().transpose()?.unwrap_or_default(),
                        vectors: given.next().transpose()?,
                    }
                }
            };
            let gone = live.gone(&self.manifest_key())?;
            let key = self.segment_key(live.number);
            let opened = Segment::open(live.number, &key, rows, &gone, model.as_ref())?;
            index.segments.push(opened);
        }
        Ok(index)
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

    /// Adds to `batch`, which must be one of its own, that vectors are made by `model` from now on:
    /// all others are forgotten. Whether that is news.
    pub fn set_model(&mut self, model: &EmbeddingModel, batch: &mut Batch) -> bool {
        if self.model() == Some(model) {
            return false;
        }
        let mut next = Index {
            model: self.index.model.clone(),
            segments: self.index.segments.clone(),
            tail: Tail::default(),
        };
        next.set_model(Some(model.clone()));
        for live in self.manifest.segments.iter().filter(|live| live.vectors) {
            batch
                .delete
                .extend(self.segment_keys(live).into_iter().skip(1));
        }
        self.flush(next, batch);
        true
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

    /// Adds to `batch`, which must be one of its own, a bounded piece of tidying, if one is due:
    /// after a write that was committed, again until it says that none was. It may be left out, or
    /// fail with a conflict and be forgotten.
    pub fn maintain(&mut self, batch: &mut Batch) -> bool {
        let changes = self.seq - self.manifest.seq;
        let small = self.mergeable();
        if changes < FLUSH as u64 && small.is_empty() {
            return false;
        }
        let (merged, kept): (Vec<Segment>, Vec<Segment>) = (self.index.segments.iter().cloned())
            .partition(|segment| changes < FLUSH as u64 && small.contains(&segment.number));
        for segment in &merged {
            batch.delete.extend(self.segment_keys(&Live::of(segment)));
        }
        let mut next = Index {
            model: self.index.model.clone(),
            segments: kept,
            tail: Tail::default(),
        };
        let unpacked: Vec<(String, Owned)> = merged.iter().flat_map(Segment::unpack).collect();
        match merged.is_empty() {
            true => self.flush(next, batch),
            false => {
                next.tail = self.index.tail.clone();
                let mut documents: Vec<(&str, &Owned)> = unpacked
                    .iter()
                    .map(|(id, owned)| (id.as_str(), owned))
                    .collect();
                order::sort_by(&mut documents, |(a, _), (b, _)| a < b);
                self.replace(next, &documents, self.manifest.seq, batch);
            }
        }
        true
    }

    /// The numbers of segments that should become one: many small ones, or some that together make
    /// a full one. The smallest are taken, as many as fit.
    fn mergeable(&self) -> Vec<u64> {
        let mut by_fill: Vec<(f64, u64)> = self
            .index
            .segments
            .iter()
            .map(|segment| (segment.fill(), segment.number))
            .collect();
        order::sort_by(&mut by_fill, |a, b| a.0 < b.0);
        let (mut sum, mut taken) = (0.0, Vec::new());
        for (fill, number) in by_fill {
            if sum + fill > 1.0 {
                break;
            }
            sum += fill;
            taken.push(number);
        }
        match taken.len() {
            count if count >= FAN || (count >= 2 && sum >= FULL) => taken,
            _ => Vec::new(),
        }
    }

    /// Adds to `batch` that every change of the log becomes a segment behind those of `next`.
    pub(super) fn flush(&mut self, mut next: Index, batch: &mut Batch) {
        let deleted = (self.manifest.seq..self.seq).map(|seq| self.log_key(seq));
        batch.delete.extend(deleted);
        let mut tail = self.index.tail.clone();
        if next.model != self.index.model {
            tail.forget_vectors();
        }
        next.segments.retain(|segment| {
            let lives = segment.len() > 0;
            if !lives {
                batch.delete.extend(self.segment_keys(&Live::of(segment)));
            }
            lives
        });
        self.replace(next, &tail.documents(), self.seq, batch);
    }

    /// Adds to `batch` that `documents` become segments behind those of `next`, and that changes
    /// before `seq` are in its segments.
    fn replace(
        &mut self,
        mut next: Index,
        documents: &[(&str, &Owned)],
        seq: u64,
        batch: &mut Batch,
    ) {
        let mut number = self.manifest.next;
        for rows in segment::build(documents, next.model.as_ref()) {
            let key = self.segment_key(number);
            batch
                .put
                .push((format!("{key}/words"), rows.words.to_vec()));
            if let Some(vectors) = &rows.vectors {
                batch.put.push((format!("{key}/vectors"), vectors.to_vec()));
            }
            if let Ok(built) = Segment::open(number, &key, rows, &[], next.model.as_ref()) {
                next.segments.push(built);
            }
            number += 1;
        }
        let manifest = Manifest {
            v: 0,
            number: self.manifest.number + 1,
            seq,
            next: number,
            model: next.model.clone(),
            segments: next.segments.iter().map(Live::of).collect(),
        };
        let past = self.past_key(self.manifest.number);
        batch.require_absent.push(past.clone());
        batch.put.push((past, Vec::new()));
        if let Some(old) = self.manifest.number.checked_sub(PAST) {
            batch.delete.push(self.past_key(old));
        }
        batch
            .put
            .push((self.manifest_key(), rows::write_manifest(&manifest)));
        self.staged.push(Staged::Whole(manifest, next));
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
                Staged::Whole(manifest, index) => {
                    self.index = index;
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
        let key = self.log_key(self.seq + self.staged.len() as u64);
        let past = self.past_key(self.manifest.number);
        if !batch.require_absent.contains(&past) {
            batch.require_absent.push(past);
        }
        batch.require_absent.push(key.clone());
        batch.put.push((key, rows::write_change(change)));
    }

    /// How many rows the segments have.
    #[cfg(test)]
    pub(super) fn rows_of_segments(&self) -> usize {
        self.manifest
            .segments
            .iter()
            .map(|live| self.segment_keys(live).len())
            .sum()
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

    fn segment_key(&self, number: u64) -> String {
        format!("index/{}/segment/{number:016}", self.scope)
    }

    /// The keys of its rows, words first.
    fn segment_keys(&self, live: &Live) -> Vec<String> {
        let key = self.segment_key(live.number);
        let mut keys = vec![format!("{key}/words")];
        if live.vectors {
            keys.push(format!("{key}/vectors"));
        }
        keys
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
