//! The search index of memory: words and vectors, ranked together.
//!
//! ```text
//!  Document ─ put ─> tail (in memory) ─ flush ─> segment, segment, …   (immutable bytes, read in place)
//!                                                     │
//!  Query ──────────> keyword (BM25) ──┐               │
//!          └───────> vector (int8) ───┴─ fuse ─> Hits, each with what made its score
//! ```
//!
//! One [`Index`] serves one scope of memory; [`search`] ranks over those that the asker may read.
//! All of it is derived: the entries are the truth, and an index can be built from them again.
//! Invariant: the same entries and the same query give the same hits with the same scores in every
//! home, however the entries are spread over segments: arithmetic is integers, and additions and
//! products of floats in a fixed order.

mod math;
mod query;
mod search;
mod store;
mod tail;
mod token;
mod vector;

pub use query::{Boosts, Filter, Hit, Method, Query, Ranked};
pub use search::search;
pub use store::{IndexError, Next, Store, Wanted};

use alloc::{string::String, vec::Vec};
use core::fmt;
use sha2::{Digest as _, Sha256};

use super::EmbeddingModel;
use crate::ids::UnixMillis;
use tail::{Owned, Tail};

/// What an entry is to the index.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The entry's name, unique in its scope.
    pub id: &'a str,
    /// What is searched.
    pub text: &'a str,
    /// What a search can be narrowed to.
    pub facets: Facets<'a>,
    /// What the text means, of length 1, by the index's model. Without one, that of an earlier
    /// document with the same id and text stays.
    pub vector: Option<&'a [f32]>,
}

/// What a search can be narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facets<'a> {
    /// Where it is filed, parts separated by `/`.
    pub namespace: &'a str,
    /// What it is, such as `fact`.
    pub kind: &'a str,
    /// What it is about.
    pub tags: &'a [String],
    /// Where it comes from. Documents of one source that follow each other in time are neighbours.
    pub source: &'a str,
    /// When it was written.
    pub at: UnixMillis,
    /// How much it matters, from 0.
    pub importance: u8,
}

/// Names a text, so that one that did not change is not embedded again: the first half of its
/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextHash(pub [u8; 16]);

impl TextHash {
    /// Names `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The index of one scope.
#[derive(Clone, Debug, Default)]
pub struct Index {
    model: Option<EmbeddingModel>,
    tail: Tail,
}

impl Index {
    /// An empty one, whose vectors are made by `model`.
    #[must_use]
    pub fn new(model: Option<EmbeddingModel>) -> Self {
        Self {
            model,
            tail: Tail::default(),
        }
    }

    /// What made its vectors; none while it has none.
    #[must_use]
    pub fn model(&self) -> Option<&EmbeddingModel> {
        self.model.as_ref()
    }

    /// Goes over to another model: every vector is forgotten.
    pub fn set_model(&mut self, model: Option<EmbeddingModel>) {
        if self.model != model {
            self.model = model;
            self.tail.forget_vectors();
        }
    }

    /// Inserts the document, or replaces the one with its id.
    pub fn put(&mut self, document: Document<'_>) {
        let owned = self.prepare(document);
        self.insert(document.id, owned);
    }

    /// Removes the document with this id, if there is one.
    pub fn remove(&mut self, id: &str) {
        self.tail.remove(id);
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tail.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a document with this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.text_hash(id).is_some()
    }

    /// The name of that document's text.
    #[must_use]
    pub fn text_hash(&self, id: &str) -> Option<TextHash> {
        self.tail.get(id).map(|document| document.hash)
    }

    /// At most `limit` ids of documents that have no vector yet. Putting the document again, with
    /// its vector, takes it off this list.
    #[must_use]
    pub fn without_vector(&self, limit: usize) -> Vec<String> {
        match self.model {
            None => Vec::new(),
            Some(_) => self.tail.without_vector(limit),
        }
    }

    /// What `document` would be in the index.
    fn prepare(&self, document: Document<'_>) -> Owned {
        let mut owned = Owned::new(document, self.dimensions());
        if owned.vector.is_none()
            && let Some(earlier) = self.tail.get(document.id)
            && earlier.hash == owned.hash
        {
            owned.vector = earlier.vector.clone();
        }
        owned
    }

    fn insert(&mut self, id: &str, owned: Owned) {
        self.tail.insert(id, owned);
    }

    /// Numbers of a vector; 0 without a model.
    fn dimensions(&self) -> usize {
        self.model
            .as_ref()
            .map_or(0, |model| model.dimensions as usize)
    }
}

#[cfg(test)]
mod tests;
