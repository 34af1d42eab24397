//! Documents that are in no segment yet.

use alloc::{
    borrow::ToOwned as _, boxed::Box, collections::BTreeMap, string::String, sync::Arc, vec::Vec,
};

use super::{Document, Facets, Filter, TextHash, token, vector::Quantised};
use crate::ids::UnixMillis;

/// The latest documents, in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    /// In the order they came; none where one was replaced or removed.
    slots: Vec<Option<(String, Owned)>>,
    ids: BTreeMap<String, u32>,
    /// Which slots hold a term and how often, the emptied ones among them.
    postings: BTreeMap<Arc<str>, Vec<(u32, u32)>>,
    /// Words of all documents.
    length: u64,
}

/// A document with what it is searched by.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) hash: TextHash,
    /// In byte order, each with how often it is there.
    pub(super) words: Vec<(Arc<str>, u32)>,
    /// Words, all together.
    pub(super) length: u32,
    pub(super) vector: Option<Quantised>,
    pub(super) namespace: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) tags: Box<[String]>,
    pub(super) source: Box<str>,
    pub(super) at: UnixMillis,
    pub(super) importance: u8,
}

impl Owned {
    /// The vector counts only when it has as many numbers as `dimensions`.
    pub(super) fn new(document: Document<'_>, dimensions: usize) -> Self {
        let words = token::counted(document.text);
        let vector = document.vector.filter(|vector| vector.len() == dimensions);
        Self {
            hash: TextHash::of(document.text),
            length: words.iter().map(|(_, count)| count).sum(),
            words,
            vector: vector.and_then(Quantised::of),
            namespace: document.facets.namespace.into(),
            kind: document.facets.kind.into(),
            tags: document.facets.tags.into(),
            source: document.facets.source.into(),
            at: document.facets.at,
            importance: document.facets.importance,
        }
    }

    pub(super) fn facets(&self) -> Facets<'_> {
        Facets {
            namespace: &self.namespace,
            kind: &self.kind,
            tags: &self.tags,
            source: &self.source,
            at: self.at,
            importance: self.importance,
        }
    }
}

impl Tail {
    pub(super) fn insert(&mut self, id: &str, owned: Owned) {
        self.remove(id);
        let slot = self.slots.len() as u32;
        self.length += u64::from(owned.length);
        for (word, count) in &owned.words {
            self.postings
                .entry(word.clone())
                .or_default()
                .push((slot, *count));
        }
        self.ids.insert(id.to_owned(), slot);
        self.slots.push(Some((id.to_owned(), owned)));
        // One that is written over and over again does not grow the tail for ever.
        if self.slots.len() > 64 && self.slots.len() > 2 * self.ids.len() {
            let kept = core::mem::take(self).slots;
            for (id, owned) in kept.into_iter().flatten() {
                self.insert(&id, owned);
            }
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let slot = self.ids.remove(id);
        let emptied = slot.and_then(|slot| self.slots.get_mut(slot as usize)?.take());
        if let Some((_, owned)) = &emptied {
            self.length -= u64::from(owned.length);
        }
        emptied.is_some()
    }

    pub(super) fn forget_vectors(&mut self) {
        for (_, document) in self.slots.iter_mut().flatten() {
            document.vector = None;
        }
    }

    /// How many documents there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Places for documents, the emptied ones among them.
    pub(super) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Words of all documents.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn get(&self, id: &str) -> Option<&Owned> {
        let slot = self.ids.get(id)?;
        self.slot(*slot).map(|(_, owned)| owned)
    }

    pub(super) fn slot(&self, slot: u32) -> Option<(&str, &Owned)> {
        let (id, owned) = self.slots.get(slot as usize)?.as_ref()?;
        Some((id, owned))
    }

    /// By id.
    pub(super) fn documents(&self) -> Vec<(&str, &Owned)> {
        self.ids
            .values()
            .filter_map(|slot| self.slot(*slot))
            .collect()
    }

    /// Which slots hold the term and how often, without the emptied ones.
    pub(super) fn postings(&self, term: &str) -> impl Iterator<Item = (u32, u32)> {
        let all = self.postings.get(term).map_or(&[][..], Vec::as_slice);
        all.iter()
            .copied()
            .filter(|(slot, _)| self.slot(*slot).is_some())
    }

    /// Which slots hold a document that `filter` admits.
    pub(super) fn admitted(&self, filter: &Filter) -> Vec<bool> {
        let admits = |(_, owned): &(String, Owned)| filter.admits(&owned.facets());
        self.slots
            .iter()
            .map(|slot| slot.as_ref().is_some_and(admits))
            .collect()
    }
}
