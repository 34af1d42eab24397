//! Writing: remembering, changing, forgetting, having back.

use alloc::{format, string::String, vec::Vec};
use tau_core::{
    ids::UnixMillis,
    json::{self, FromJson},
    memory::{
        Access, Answer, Draft, Failure, Kept, Memory, MemoryError, Scope,
        entry::{id_of, is_id},
        request::{Changes, Was},
    },
    session::Batch,
};

use super::{Opened, Service, open::put};
use crate::{Clock, Embedder, Storage};

/// How often a write is tried again when others write the same scope. Many, for one that is always
/// a little slower than another that never rests loses again and again.
pub(super) const ATTEMPTS: u32 = 1_000;
/// Texts that may fall on one name.
const COLLISIONS: u32 = 8;

/// Where a text belongs.
pub(super) enum Place {
    /// To an entry that holds the same.
    Taken(Memory),
    /// To none yet; this name is free.
    Free(String),
}

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    pub(super) async fn remember(
        &self,
        access: &Access,
        draft: Draft,
        scope: Option<Scope>,
        notices: &mut Vec<String>,
    ) -> Result<Answer, Failure> {
        let draft = draft.checked()?;
        let scope = scope.unwrap_or_else(|| access.write.clone());
        permitted(access, &scope)?;
        let vector = self.vector(&draft.text, notices).await;
        let now = self.clock.now();
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, &scope).await?;
        let opened = &mut open[place];
        if vector.is_some() {
            self.go_over(opened).await?;
        }
        for _ in 0..ATTEMPTS {
            let place = self.place(&scope, &draft.namespace, &draft.text).await?;
            let (entry, was, changed) = match place {
                Place::Taken(entry) => taken(entry, draft.clone(), now),
                Place::Free(id) => (draft.clone().entry(id, now), Was::New, true),
            };
            let answer = |entry| Answer::Remembered {
                kept: Kept {
                    scope: scope.clone(),
                    entry,
                },
                was,
            };
            if !changed {
                return Ok(answer(entry));
            }
            if was != Was::Same {
                self.has_room(opened, &scope)?;
            }
            let mut batch = Batch::default();
            put(opened, &entry, vector.as_deref(), &mut batch);
            if self.commit(opened, batch).await? {
                return Ok(answer(entry));
            }
        }
        Err(contended(&scope))
    }

    pub(super) fn has_room(&self, opened: &Opened, scope: &Scope) -> Result<(), Failure> {
        self.has_room_for(opened, scope, 0)
    }

    /// Whether there is room for one beside `more` that are about to be written.
    pub(super) fn has_room_for(
        &self,
        opened: &Opened,
        scope: &Scope,
        more: u64,
    ) -> Result<(), Failure> {
        let entries = opened.store.index().len() as u64 + more;
        match entries < self.entry_limit {
            true => Ok(()),
            false => Err(MemoryError::Full {
                scope: format!("{scope}"),
                entries,
                limit: self.entry_limit,
            }
            .into()),
        }
    }

    /// Where that text belongs in its scope and namespace.
    pub(super) async fn place(
        &self,
        scope: &Scope,
        namespace: &str,
        text: &str,
    ) -> Result<Place, Failure> {
        let by_text = id_of(namespace, text, 0);
        // An entry that came to this text later, or was named before names were made of texts.
        if let Some(id) = self.same(scope, &by_text).await?
            && let Some(entry) = self.entry(scope, &id).await?
            && entry.is_same(namespace, text)
        {
            return Ok(Place::Taken(entry));
        }
        for other in 0..COLLISIONS {
            let id = id_of(namespace, text, other);
            match self.entry(scope, &id).await? {
                None => return Ok(Place::Free(id)),
                Some(entry) if entry.is_same(namespace, text) => return Ok(Place::Taken(entry)),
                // It was changed since, and keeps its name.
                Some(_) => {}
            }
        }
        Err(contended(scope))
    }

    async fn same(&self, scope: &Scope, by_text: &str) -> Result<Option<String>, Failure> {
        #[derive(FromJson)]
        struct Same {
            id: String,
        }
        let row = self.storage.get(scope.same_key(by_text)).await?;
        let same = row.and_then(|row| json::from_slice::<Same>(&row).ok());
        Ok(same.map(|same| same.id).filter(|id| is_id(id)))
    }

    pub(super) async fn update(
        &self,
        access: &Access,
        name: &str,
        changes: Changes,
        notices: &mut Vec<String>,
    ) -> Result<Answer, Failure> {
        let kept = self.named(access, &[name.into()], false).await?;
        let Some(Kept { scope, entry }) = kept.into_iter().next() else {
            return Err(Failure::Missing { id: name.into() });
        };
        let id = entry.id;
        let vector = match &changes.text {
            Some(text) => self.vector(text, notices).await,
            None => None,
        };
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, &scope).await?;
        let opened = &mut open[place];
        if vector.is_some() {
            self.go_over(opened).await?;
        }
        for _ in 0..ATTEMPTS {
            let entry = self.entry(&scope, &id).await?.filter(Memory::is_live);
            let before = entry.ok_or_else(|| Failure::Missing { id: id.clone() })?;
            let entry = before.clone().changed(changes.clone(), self.clock.now())?;
            if let Place::Taken(other) = self.place(&scope, &entry.namespace, &entry.text).await?
                && other.id != id
                && other.is_live()
            {
                return Err(MemoryError::Same { id: other.id }.into());
            }
            let mut batch = Batch::default();
            unname(&scope, &before, &mut batch);
            put(opened, &entry, vector.as_deref(), &mut batch);
            if self.commit(opened, batch).await? {
                let entries = [Kept { scope, entry }].into();
                return Ok(Answer::Entries { entries });
            }
        }
        Err(contended(&scope))
    }

    pub(super) async fn forget(
        &self,
        access: &Access,
        names: &[String],
        purge: bool,
    ) -> Result<Answer, Failure> {
        let all = self.named(access, names, purge).await?;
        let now = self.clock.now();
        let mut entries = Vec::new();
        for Kept { scope, entry } in all {
            let gone = self
                .rewrite(&scope, &entry.id, None, |entry| {
                    entry.deleted = entry.deleted.or(Some(now));
                    purge
                })
                .await?;
            entries.push(Kept { scope, entry: gone });
        }
        Ok(Answer::Entries { entries })
    }

    pub(super) async fn restore(
        &self,
        access: &Access,
        names: &[String],
        notices: &mut Vec<String>,
    ) -> Result<Answer, Failure> {
        let all = self.named(access, names, true).await?;
        let mut entries = Vec::new();
        for Kept { scope, entry } in all {
            let vector = self.vector(&entry.text, notices).await;
            let back = self
                .rewrite(&scope, &entry.id, vector, |entry| {
                    entry.deleted = None;
                    false
                })
                .await?;
            entries.push(Kept { scope, entry: back });
        }
        Ok(Answer::Entries { entries })
    }

    /// Changes an entry as it is when it is stored; `change` says whether it goes for good.
    async fn rewrite(
        &self,
        scope: &Scope,
        id: &str,
        vector: Option<Vec<f32>>,
        change: impl Fn(&mut Memory) -> bool,
    ) -> Result<Memory, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, scope).await?;
        let opened = &mut open[place];
        if vector.is_some() {
            self.go_over(opened).await?;
        }
        for _ in 0..ATTEMPTS {
            let entry = self.entry(scope, id).await?;
            let before = entry.ok_or_else(|| Failure::Missing { id: id.into() })?;
            let mut entry = before.clone();
            let is_gone = change(&mut entry);
            let mut batch = Batch::default();
            if is_gone {
                unname(scope, &entry, &mut batch);
                batch.delete.push(scope.key(id));
                opened.store.remove(id, &mut batch);
            } else if entry == before {
                return Ok(entry);
            } else {
                put(opened, &entry, vector.as_deref(), &mut batch);
            }
            if self.commit(opened, batch).await? {
                return Ok(entry);
            }
        }
        Err(contended(scope))
    }
}

/// What becomes of an entry that holds what is to be remembered.
fn taken(mut entry: Memory, draft: Draft, now: UnixMillis) -> (Memory, Was, bool) {
    if entry.is_live() {
        let changed = entry.merge(draft, now);
        return (entry, Was::Same, changed);
    }
    // What was forgotten is not what is remembered now, but for its name.
    let fresh = Memory {
        labels: entry.labels.with(draft.labels),
        ..draft.entry(entry.id, now)
    };
    (fresh, Was::Forgotten, true)
}

/// Adds to `batch` that the text of `entry` no longer leads to it.
pub(super) fn unname(scope: &Scope, entry: &Memory, batch: &mut Batch) {
    let by_text = id_of(&entry.namespace, &entry.text, 0);
    if by_text != entry.id {
        batch.delete.push(scope.same_key(&by_text));
    }
}

fn permitted(access: &Access, scope: &Scope) -> Result<(), Failure> {
    match access.sees(scope) {
        true => Ok(()),
        false => Err(Failure::NoScope {
            scope: format!("{scope}"),
            scopes: access
                .scopes()
                .map(|scope| format!("{scope}"))
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

pub(super) fn contended(scope: &Scope) -> Failure {
    Failure::Damaged {
        detail: format!("{scope} was written by others {ATTEMPTS} times in a row: try again"),
    }
}
