//! Documents that are in no segment yet.

use alloc::{borrow::ToOwned as _, boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use super::{Document, Facets, TextHash, token, vector::Quantised};
use crate::ids::UnixMillis;

/// The latest documents, in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    documents: BTreeMap<String, Owned>,
}

/// A document with what it is searched by.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) hash: TextHash,
    /// In byte order.
    pub(super) words: Vec<(String, u32)>,
    pub(super) length: u32,
    pub(super) vector: Option<Quantised>,
    namespace: Box<str>,
    kind: Box<str>,
    tags: Box<[String]>,
    source: Box<str>,
    at: UnixMillis,
    importance: u8,
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
        self.documents.insert(id.to_owned(), owned);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.documents.remove(id);
    }

    pub(super) fn forget_vectors(&mut self) {
        for document in self.documents.values_mut() {
            document.vector = None;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Owned> {
        self.documents.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Owned)> {
        self.documents
            .iter()
            .map(|(id, document)| (id.as_str(), document))
    }

    pub(super) fn without_vector(&self, limit: usize) -> Vec<String> {
        let waiting = self
            .documents
            .iter()
            .filter(|(_, document)| document.vector.is_none());
        waiting.map(|(id, _)| id.clone()).take(limit).collect()
    }
}
