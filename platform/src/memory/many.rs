//! Keeping much at once: entries of several scopes, with whatever else belongs to them, in one commit.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use tau_core::{
    memory::{Draft, Failure, Memory, Scope},
    session::{Batch, StoreError},
};

use super::{
    Opened, Service,
    open::put,
    write::{ATTEMPTS, Place, contended},
};
use crate::{Clock, Embedder, Storage};

/// What became of entries that were to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// They are new.
    pub new: u64,
    /// The same was there, and took in what was new of it.
    pub same: u64,
    /// The same was there and had been forgotten: it stays so.
    pub forgotten: u64,
}

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    /// Keeps all `drafts`, which were checked, and commits `batch` with them: all of it or nothing.
    /// Twice leaves what once does. With `is_rehearsal` nothing is stored. Vectors come later, by
    /// [`Service::embed_missing`].
    pub async fn keep_all(
        &self,
        drafts: &[(Scope, Draft)],
        batch: Batch,
        is_rehearsal: bool,
    ) -> Result<Kept, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        for _ in 0..ATTEMPTS {
            for (scope, _) in drafts {
                if !open.iter().any(|opened| opened.scope == *scope) {
                    self.opened(open, scope).await?;
                }
            }
            let (kept, entries) = self.merged(drafts).await?;
            if is_rehearsal {
                return Ok(kept);
            }
            let mut all = batch.clone();
            let mut touched: Vec<usize> = Vec::new();
            for (scope, entry, is_new) in entries.values() {
                let Some(place) = open.iter().position(|opened| opened.scope == *scope) else {
                    return Err(contended(scope));
                };
                let opened = &mut open[place];
                if *is_new {
                    self.has_room(opened, scope)?;
                }
                put(opened, entry, None, &mut all);
                if !touched.contains(&place) {
                    touched.push(place);
                }
            }
            if all.put.is_empty() && all.delete.is_empty() {
                return Ok(kept);
            }
            match self.storage.commit(all).await {
                Ok(()) => {
                    for place in touched {
                        open[place].store.committed();
                        self.maintain(&mut open[place]).await;
                    }
                    return Ok(kept);
                }
                Err(error) => {
                    for place in &touched {
                        open[*place].store.abandon();
                    }
                    let is_index = matches!(error, StoreError::Conflict { .. });
                    if !is_index || touched.is_empty() || self.is_taken(&batch).await? {
                        return Err(error.into());
                    }
                    self.follow_all(open, &touched).await?;
                }
            }
        }
        Err(match drafts.first() {
            Some((scope, _)) => contended(scope),
            None => contended(&Scope::User),
        })
    }

    /// The entries that change, by key, each with whether it is new.
    async fn merged(
        &self,
        drafts: &[(Scope, Draft)],
    ) -> Result<(Kept, BTreeMap<String, (Scope, Memory, bool)>), Failure> {
        let now = self.clock.now();
        let mut kept = Kept::default();
        let mut entries: BTreeMap<String, (Scope, Memory, bool)> = BTreeMap::new();
        for (scope, draft) in drafts {
            let place = self.place(scope, &draft.namespace, &draft.text).await?;
            let (id, stored) = match place {
                Place::Free(id) => (id, None),
                Place::Taken(entry) => (entry.id.clone(), Some(entry)),
            };
            let key = scope.key(&id);
            if let Some((_, entry, _)) = entries.get_mut(&key) {
                // The same twice in what is to be kept.
                if !entry.is_same(&draft.namespace, &draft.text) {
                    return Err(contended(scope));
                }
                entry.merge(draft.clone(), now);
                kept.same += 1;
                continue;
            }
            match stored {
                None => {
                    kept.new += 1;
                    let entry = draft.clone().entry(id, now);
                    entries.insert(key, (scope.clone(), entry, true));
                }
                Some(entry) if !entry.is_live() => kept.forgotten += 1,
                Some(mut entry) => {
                    kept.same += 1;
                    if entry.merge(draft.clone(), now) {
                        entries.insert(key, (scope.clone(), entry, false));
                    }
                }
            }
        }
        Ok((kept, entries))
    }

    /// Whether something that `batch` needs the absence of is there.
    async fn is_taken(&self, batch: &Batch) -> Result<bool, Failure> {
        for key in &batch.require_absent {
            if self.storage.get(key.clone()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn follow_all(&self, open: &mut [Opened], places: &[usize]) -> Result<(), Failure> {
        for place in places {
            self.follow(&mut open[*place]).await?;
        }
        Ok(())
    }
}
