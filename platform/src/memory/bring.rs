//! Bringing in what was kept elsewhere: many entries a commit.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use tau_core::{
    ids::UnixMillis,
    memory::{Draft, Failure, Memory, MemoryError, Scope, entry::id_of},
    session::Batch,
};

use super::{
    Opened, Service,
    open::put,
    write::{ATTEMPTS, Place, contended, unname},
};
use crate::{Clock, Embedder, Storage};

/// Entries that go into one commit: whoever asks meanwhile waits for no more.
const AT_ONCE: usize = 128;

/// Something that is brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// As it is to be.
    pub draft: Draft,
    /// The entry that it was before, if that was another text.
    pub replaces: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// An entry that was not there.
    New,
    /// An entry that was, as it was or with what was new of it.
    Same,
    /// The entry that it replaces, which keeps its name.
    Changed,
    /// Nothing: the same text was forgotten once, and stays it.
    Forgotten,
    /// Nothing, for this reason.
    Refused(MemoryError),
}

/// What one commit will hold.
#[derive(Default)]
struct Plan {
    written: BTreeMap<String, Memory>,
    batch: Batch,
    new: u64,
}

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    /// Keeps all of it in `scope`, in order, some in a commit each; cut off, what was answered for
    /// is kept. Nothing waits for vectors. With `is_rehearsal` nothing is stored.
    ///
    /// Each piece passed the gate already ([`tau_core::memory::Action::through`]).
    pub async fn bring(
        &self,
        scope: &Scope,
        all: &[Brought],
        is_rehearsal: bool,
        mut told: impl FnMut(usize),
    ) -> Result<Vec<Became>, Failure> {
        let mut became = Vec::with_capacity(all.len());
        for some in all.chunks(AT_ONCE) {
            became.extend(self.bring_some(scope, some, is_rehearsal).await?);
            told(became.len());
        }
        Ok(became)
    }

    async fn bring_some(
        &self,
        scope: &Scope,
        some: &[Brought],
        is_rehearsal: bool,
    ) -> Result<Vec<Became>, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, scope).await?;
        let opened = &mut open[place];
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let mut plan = Plan::default();
            let mut became = Vec::with_capacity(some.len());
            for brought in some {
                let one = self.bring_one(opened, scope, brought.clone(), now, &mut plan);
                became.push(match one.await {
                    Err(Failure::Refused { error }) => Became::Refused(error),
                    other => other?,
                });
            }
            if is_rehearsal || plan.written.is_empty() {
                return Ok(became);
            }
            for entry in plan.written.values() {
                put(opened, entry, None, &mut plan.batch);
            }
            if self.commit(opened, plan.batch).await? {
                return Ok(became);
            }
        }
        Err(contended(scope))
    }

    async fn bring_one(
        &self,
        opened: &Opened,
        scope: &Scope,
        brought: Brought,
        now: UnixMillis,
        plan: &mut Plan,
    ) -> Result<Became, Failure> {
        let draft = brought.draft.checked()?;
        let place = self.place(scope, &draft.namespace, &draft.text).await?;
        let id = match place {
            Place::Taken(entry) if !entry.is_live() => return Ok(Became::Forgotten),
            Place::Taken(entry) => {
                let mut merged = plan.written.remove(&entry.id).unwrap_or(entry.clone());
                let source = draft.source.clone();
                let mut is_changed = merged.merge(draft, now);
                // The same kind of place, named otherwise: a folder that was moved.
                if merged.source != source && kind_of(&merged.source) == kind_of(&source) {
                    merged.source = source;
                    is_changed = true;
                }
                if is_changed || merged != entry {
                    plan.written.insert(merged.id.clone(), merged);
                }
                return Ok(Became::Same);
            }
            Place::Free(id) => id,
        };
        if let Some(replaced) = brought.replaces {
            let before = self.entry(scope, &replaced).await?;
            let before = before.filter(|before| before.is_live() && before.id == replaced);
            if let Some(before) = before.filter(|_| !plan.written.contains_key(&replaced)) {
                unname(scope, &before, &mut plan.batch);
                let labels = before.labels.with(draft.labels);
                let after = Memory {
                    labels,
                    importance: before.importance.max(draft.importance),
                    updated: Some(now),
                    ..draft.entry(replaced.clone(), now)
                };
                plan.written.insert(replaced, after);
                return Ok(Became::Changed);
            }
        }
        // Twice in what is brought in is once here.
        let by_text = id_of(&draft.namespace, &draft.text, 0);
        let mut twins = plan.written.values_mut();
        if let Some(twin) =
            twins.find(|twin| twin.id == by_text && twin.is_same(&draft.namespace, &draft.text))
        {
            twin.merge(draft, now);
            return Ok(Became::Same);
        }
        self.has_room_for(opened, scope, plan.new)?;
        plan.new += 1;
        plan.written.insert(id.clone(), draft.entry(id, now));
        Ok(Became::New)
    }
}

/// What stands before the place in a source.
fn kind_of(source: &str) -> &str {
    source.split(':').next().unwrap_or(source)
}
