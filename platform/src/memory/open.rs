//! Opening a scope, following what others wrote to it, and building its index again.

use alloc::{format, string::String, vec::Vec};
use tau_core::{
    memory::{
        Failure, Memory, Scope,
        entry::id_of,
        index::{Document, IndexError, Next, Store, Wanted},
    },
    session::{Batch, Range, StoreError},
};

use super::{Opened, Service, damaged, is_conflict, unreadable};
use crate::{Clock, Embedder, Storage};

/// Rounds of following before something must be wrong.
const ROUNDS: u32 = 64;
/// Entries that go into one commit when many are written.
pub(super) const AT_ONCE: usize = 256;

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    /// The place of `scope` in `open`, up to date.
    pub(super) async fn opened(
        &self,
        open: &mut Vec<Opened>,
        scope: &Scope,
    ) -> Result<usize, Failure> {
        if let Some(place) = open.iter().position(|opened| opened.scope == *scope) {
            // Whatever fails or is dropped on the way: the next one reads it anew.
            let mut opened = open.swap_remove(place);
            self.follow(&mut opened).await?;
            open.push(opened);
            return Ok(open.len() - 1);
        }
        let mut opened = Opened {
            scope: scope.clone(),
            store: Store::new(&scope.segment()),
        };
        self.follow(&mut opened).await?;
        self.complete(&mut opened).await?;
        open.push(opened);
        Ok(open.len() - 1)
    }

    /// Reads what was written since.
    pub(super) async fn follow(&self, opened: &mut Opened) -> Result<(), Failure> {
        let mut missing = None;
        for _ in 0..ROUNDS {
            let rows = self.storage.scan(opened.store.range()).await?;
            let next = opened.store.read(&rows).map_err(|error| damaged(&error))?;
            let wanted = match next {
                Next::Ready => return Ok(()),
                Next::Scan => continue,
                Next::Supply(wanted) => wanted,
            };
            match self.supply(opened, wanted).await? {
                Ok(()) => return Ok(()),
                // Once: it may have been replaced meanwhile.
                Err(error @ IndexError::Missing { .. }) if missing.is_none() => {
                    missing = Some(error);
                }
                Err(error) => return Err(damaged(&error)),
            }
        }
        Err(Failure::Damaged {
            detail: format!("the search index of {} does not come to rest", opened.scope),
        })
    }

    async fn supply(
        &self,
        opened: &mut Opened,
        wanted: Wanted,
    ) -> Result<Result<(), IndexError>, Failure> {
        let mut rows = Vec::new();
        for key in &wanted.rows {
            if let Some(value) = self.storage.get(key.clone()).await? {
                rows.push((key.clone(), value));
            }
        }
        let mut entries = Vec::new();
        for id in &wanted.entries {
            entries.extend(self.entry(&opened.scope, id).await?);
        }
        let documents: Vec<Document<'_>> = entries
            .iter()
            .filter(|entry| entry.is_live())
            .map(|entry| document(entry, None))
            .collect();
        Ok(opened.store.supply(wanted, rows, &documents))
    }

    /// The entry of that name.
    pub(super) async fn entry(&self, scope: &Scope, id: &str) -> Result<Option<Memory>, Failure> {
        let key = scope.key(id);
        match self.storage.get(key.clone()).await? {
            Some(row) => Memory::read(&row)
                .map(Some)
                .map_err(|error| unreadable(&key, &error)),
            None => Ok(None),
        }
    }

    /// Takes in what was kept before there were scopes, and goes on with a building that was cut
    /// off.
    async fn complete(&self, opened: &mut Opened) -> Result<(), Failure> {
        if let Some(before) = opened.scope.before() {
            self.adopt(opened, before).await?;
        }
        let is_building = self.storage.get(building_key(&opened.scope)).await?;
        if is_building.is_some() || self.is_lost(opened).await? {
            self.build(opened).await?;
        }
        Ok(())
    }

    /// Whether there are entries and not a row of an index.
    async fn is_lost(&self, opened: &Opened) -> Result<bool, Failure> {
        let first = |range| Range { limit: 1, ..range };
        if !opened.store.index().is_empty() {
            return Ok(false);
        }
        let indexed = first(Store::all(&opened.scope.segment()));
        let entries = first(opened.scope.range());
        Ok(self.storage.scan(indexed).await?.is_empty()
            && !self.storage.scan(entries).await?.is_empty())
    }

    /// Moves rows of the format before scopes to where they belong.
    async fn adopt(&self, opened: &mut Opened, before: Range) -> Result<(), Failure> {
        let mut range = Range {
            limit: AT_ONCE as u32,
            ..before
        };
        loop {
            let rows = self.storage.scan(range.clone()).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            range.start = format!("{last}\0");
            let mut batch = Batch::default();
            for (key, row) in &rows {
                // What is not readable stays where it is.
                let Ok(entry) = Memory::read(row) else {
                    continue;
                };
                batch.delete.push(key.clone());
                put(opened, &entry, None, &mut batch);
            }
            match self.storage.commit(batch).await {
                Ok(()) => opened.store.committed(),
                Err(error) if is_conflict(&error) => {
                    // Another process does the same: it is as good as done here.
                    self.follow(opened).await?;
                    range.start = opened.scope.before().map_or(range.start, |r| r.start);
                }
                Err(error) => return Err(error.into()),
            }
            self.maintain(opened).await;
        }
    }

    /// Writes every entry into the index that is not in it as it is. Can be cut off anywhere and
    /// goes on when the scope is opened again.
    pub(super) async fn build(&self, opened: &mut Opened) -> Result<u64, Failure> {
        let key = building_key(&opened.scope);
        let begun = Batch {
            put: [(key.clone(), b"{\"v\":1}".to_vec())].into(),
            ..Batch::default()
        };
        self.storage.commit(begun).await?;
        let mut range = Range {
            limit: AT_ONCE as u32,
            ..opened.scope.range()
        };
        let mut written = 0;
        loop {
            let rows = self.storage.scan(range.clone()).await?;
            let Some((last, _)) = rows.last() else { break };
            let next = format!("{last}\0");
            let mut batch = Batch::default();
            let mut count = 0;
            for (key, row) in &rows {
                let entry = Memory::read(row).map_err(|error| unreadable(key, &error))?;
                if entry.is_live() && !opened.store.index().contains(&entry.id) {
                    opened.store.put(document(&entry, None), &mut batch);
                    count += 1;
                }
            }
            if count > 0 {
                match self.storage.commit(batch).await {
                    Ok(()) => opened.store.committed(),
                    Err(error) if is_conflict(&error) => {
                        self.follow(opened).await?;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
                self.maintain(opened).await;
            }
            written += count;
            range.start = next;
        }
        let ended = Batch {
            delete: [key].into(),
            ..Batch::default()
        };
        self.storage.commit(ended).await?;
        Ok(written)
    }

    /// Builds the index of `scope` again from its entries; what has a vector loses it. Returns how
    /// many entries are in it.
    pub async fn reindex(&self, scope: &Scope) -> Result<u64, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        open.retain(|opened| opened.scope != *scope);
        let rows = self.storage.scan(Store::all(&scope.segment())).await?;
        let batch = Batch {
            // Before anything is gone it is stored that it is to be built.
            put: [(building_key(scope), b"{\"v\":1}".to_vec())].into(),
            delete: rows.into_iter().map(|(key, _)| key).collect(),
            ..Batch::default()
        };
        self.storage.commit(batch).await?;
        let place = self.opened(open, scope).await?;
        Ok(open[place].store.index().len() as u64)
    }

    /// A piece of tidying of the index, if one is due. What fails is left for the next time.
    pub(super) async fn maintain(&self, opened: &mut Opened) {
        let mut batch = Batch::default();
        if !opened.store.maintain(&mut batch) {
            return;
        }
        match self.storage.commit(batch).await {
            Ok(()) => opened.store.committed(),
            Err(_) => opened.store.abandon(),
        }
    }

    /// Commits `batch`, which holds a change of `opened`. `false` when another writer was first: the
    /// scope is followed, and everything is to be looked up again.
    pub(super) async fn commit(&self, opened: &mut Opened, batch: Batch) -> Result<bool, Failure> {
        match self.storage.commit(batch).await {
            Ok(()) => {
                opened.store.committed();
                self.maintain(opened).await;
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => {
                opened.store.abandon();
                self.follow(opened).await?;
                Ok(false)
            }
            Err(error) => {
                opened.store.abandon();
                Err(error.into())
            }
        }
    }
}

/// Adds to `batch` that `entry` is stored and searched.
pub(super) fn put(opened: &mut Opened, entry: &Memory, vector: Option<&[f32]>, batch: &mut Batch) {
    let scope = &opened.scope;
    batch.put.push((scope.key(&entry.id), entry.to_bytes()));
    let by_text = id_of(&entry.namespace, &entry.text, 0);
    if by_text != entry.id {
        let row = format!("{{\"v\":1,\"id\":\"{}\"}}", entry.id);
        batch.put.push((scope.same_key(&by_text), row.into_bytes()));
    }
    match entry.is_live() {
        true => opened.store.put(document(entry, vector), batch),
        false => opened.store.remove(&entry.id, batch),
    }
}

/// What the index takes of an entry.
pub(super) fn document<'a>(entry: &'a Memory, vector: Option<&'a [f32]>) -> Document<'a> {
    Document {
        id: &entry.id,
        text: &entry.text,
        facets: entry.facets(),
        vector,
    }
}

fn building_key(scope: &Scope) -> String {
    format!("reindex/{}", scope.segment())
}
