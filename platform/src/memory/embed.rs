//! Vectors: of a query, of what is written, and of what has none yet.
//!
//! Invariant: a scope goes over to another model only once that model has made a vector, so that
//! one which is named and does not answer costs nothing of what is there.

use alloc::{format, string::String, vec::Vec};
use core::pin::pin;
use futures_util::future::{Either, select};
use tau_core::{
    memory::{EmbedError, Failure, Memory, Scope, Search, request::Method},
    session::{Batch, Range},
};

use super::{
    Opened, Service,
    open::{AT_ONCE, document},
    unreadable,
};
use crate::{Clock, Embedder, Storage};

/// How long a search or a write waits for a vector.
const PATIENCE_MS: u64 = 5_000;
/// Texts handed to the embedder at once.
const BATCH: usize = 32;

/// How far the vectors of a scope are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries that got one now.
    pub done: u64,
    /// Entries that have none yet, as far as was looked.
    pub left: u64,
}

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    /// What the query means, where there are vectors to compare it with.
    pub(super) async fn query_vector(
        &self,
        scopes: &[Scope],
        search: &Search,
        notices: &mut Vec<String>,
    ) -> Result<Option<Vec<f32>>, Failure> {
        if search.method == Method::Keyword {
            return Ok(None);
        }
        let Some(model) = self.embedder.model() else {
            if search.method == Method::Vector {
                notices.push("words were searched: this home has no embedding model".into());
            }
            return Ok(None);
        };
        let has_vectors = {
            let mut turn = self.open.turn().await;
            let open = turn.get();
            let mut any = false;
            for scope in scopes {
                let place = self.opened(open, scope).await?;
                any |= open[place].store.model() == Some(&model);
            }
            any
        };
        if !has_vectors {
            if search.method == Method::Vector {
                notices.push("words were searched: nothing has a vector yet".into());
            }
            return Ok(None);
        }
        Ok(self.vector(&search.query, notices).await)
    }

    /// What `text` means; without, and with a notice, when that cannot be had in time.
    pub(super) async fn vector(&self, text: &str, notices: &mut Vec<String>) -> Option<Vec<f32>> {
        self.embedder.model()?;
        match self.vectors([String::from(text)].into()).await {
            Ok(mut vectors) => vectors.pop(),
            Err(error) => {
                notices.push(format!("memory goes by words alone: {error}"));
                None
            }
        }
    }

    async fn vectors(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let count = texts.len();
        let deadline = self.clock.now().plus(PATIENCE_MS);
        let embedded = pin!(self.embedder.embed(texts));
        let over = pin!(self.clock.sleep_until(deadline));
        let vectors = match select(embedded, over).await {
            Either::Left((vectors, _)) => vectors?,
            Either::Right(((), _)) => {
                return Err(EmbedError::Failed {
                    detail: format!("it did not answer within {PATIENCE_MS} ms"),
                    retry: true,
                });
            }
        };
        match vectors.len() == count {
            true => Ok(vectors),
            false => Err(EmbedError::Failed {
                detail: format!("{} vectors came for {count} texts", vectors.len()),
                retry: false,
            }),
        }
    }

    /// Has the scope's vectors be those of the embedder's model: it made one.
    pub(super) async fn go_over(&self, opened: &mut Opened) -> Result<(), Failure> {
        let Some(model) = self.embedder.model() else {
            return Ok(());
        };
        while opened.store.model() != Some(&model) {
            let mut batch = Batch::default();
            opened.store.set_model(&model, &mut batch);
            self.commit(opened, batch).await?;
        }
        Ok(())
    }

    /// Gives vectors to at most `limit` entries of `scope` that have none by the embedder's model,
    /// in batches. What is done is kept, whenever it is cut off; texts that did not change are not
    /// embedded again.
    pub async fn embed_missing(&self, scope: &Scope, limit: usize) -> Result<Progress, Failure> {
        let mut progress = Progress::default();
        if self.embedder.model().is_none() {
            return Ok(progress);
        }
        loop {
            let entries = self.without_vector(scope).await?;
            progress.left = entries.len() as u64;
            let room = limit.saturating_sub(progress.done as usize).min(BATCH);
            let batch = entries.get(..room.min(entries.len())).unwrap_or_default();
            if batch.is_empty() {
                return Ok(progress);
            }
            let texts = batch.iter().map(|entry| entry.text.clone()).collect();
            let vectors = self
                .vectors(texts)
                .await
                .map_err(|error| Failure::NoVectors { error })?;
            let done = self.give(scope, batch, &vectors).await?;
            progress.done += done;
            progress.left -= done;
            if done == 0 {
                return Ok(progress);
            }
        }
    }

    /// Entries that have no vector by the embedder's model, some of them.
    async fn without_vector(&self, scope: &Scope) -> Result<Vec<Memory>, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, scope).await?;
        let store = &open[place].store;
        let mut entries = Vec::new();
        if store.model() == self.embedder.model().as_ref() {
            for id in store.index().without_vector(AT_ONCE) {
                entries.extend(self.entry(scope, &id).await?);
            }
        } else {
            // This model made none: any will do, and then it is the scope's.
            let some = Range {
                limit: AT_ONCE as u32,
                ..scope.range()
            };
            for (key, row) in self.storage.scan(some).await? {
                entries.push(Memory::read(&row).map_err(|error| unreadable(&key, &error))?);
            }
        }
        entries.retain(Memory::is_live);
        Ok(entries)
    }

    /// Stores vectors of entries whose text is still the same.
    async fn give(
        &self,
        scope: &Scope,
        entries: &[Memory],
        vectors: &[Vec<f32>],
    ) -> Result<u64, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        let place = self.opened(open, scope).await?;
        let opened = &mut open[place];
        self.go_over(opened).await?;
        loop {
            let mut batch = Batch::default();
            let mut done = 0;
            for (entry, vector) in entries.iter().zip(vectors) {
                // What was changed or forgotten meanwhile is as it is now.
                let now = self.entry(scope, &entry.id).await?;
                if let Some(now) = now.filter(|now| now.is_live() && now.text == entry.text) {
                    opened.store.put(document(&now, Some(vector)), &mut batch);
                    done += 1;
                }
            }
            if done == 0 || self.commit(opened, batch).await? {
                return Ok(done);
            }
        }
    }
}
