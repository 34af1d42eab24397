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

mod bytes;
mod keyword;
pub(super) mod math;
mod part;
mod query;
mod search;
mod segment;
mod store;
mod tail;
mod token;
mod vector;
mod vectors;
mod words;
mod workers;

#[doc(hidden)]
pub use bytes::sealed;
pub use query::{Boosts, Filter, Hit, Method, Query, Ranked};
pub use search::{search, search_with};
pub use store::{IndexError, Next, Store, Wanted};
pub use workers::{Dot, InTurn, Piece, Workers, dot};

use alloc::{string::String, vec::Vec};
use core::fmt;
use sha2::{Digest as _, Sha256};

use super::EmbeddingModel;
use crate::ids::UnixMillis;
use segment::Segment;
use tail::{Owned, Tail};
use vector::Quantised;

/// What an entry is to the index.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The entry's name, unique in its scope.
    pub id: &'a str,
    /// What is searched.
    pub text: &'a str,
    /// What a search can be narrowed to.
    pub facets: Facets<'a>,
    /// What the text means, of length 1 and at most 4,096 numbers, by the index's model. Without
    /// one, that of an earlier document with the same id and text stays.
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
    segments: Vec<Segment>,
    tail: Tail,
}

impl Index {
    /// An empty one, whose vectors are made by `model`.
    #[must_use]
    pub fn new(model: Option<EmbeddingModel>) -> Self {
        Self {
            model,
            segments: Vec::new(),
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
            for segment in &mut self.segments {
                segment.vectors = None;
            }
        }
    }

    /// Inserts the document, or replaces the one with its id.
    pub fn put(&mut self, document: Document<'_>) {
        let owned = self.prepare(document);
        self.insert(document.id, owned);
    }

    /// Removes the document with this id, if there is one.
    pub fn remove(&mut self, id: &str) {
        if !self.tail.remove(id) {
            // At most one of them holds it.
            let _ = self.segments.iter_mut().any(|segment| segment.remove(id));
        }
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let segments = self.segments.iter().map(Segment::len);
        self.tail.len() + segments.sum::<usize>()
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
        let in_segment = || {
            let (segment, document) = self.find(id)?;
            Some(segment.words.hash(document))
        };
        self.tail
            .get(id)
            .map(|owned| owned.hash)
            .or_else(in_segment)
    }

    /// At most `limit` ids of documents that have no vector yet. Putting the document again, with
    /// its vector, takes it off this list.
    #[must_use]
    pub fn without_vector(&self, limit: usize) -> Vec<String> {
        if self.model.is_none() {
            return Vec::new();
        }
        let waiting = |segment: &Segment, document: u32| {
            let scale = segment
                .vectors
                .as_ref()
                .map_or(0.0, |vectors| vectors.scale(document));
            segment.lives(document) && scale <= 0.0
        };
        let in_segments = self.segments.iter().flat_map(|segment| {
            let all = 0..segment.words.documents();
            all.filter(|document| waiting(segment, *document))
                .map(|document| segment.words.id(document))
        });
        let tail = self.tail.documents().into_iter();
        let in_tail = tail
            .filter(|(_, owned)| owned.vector.is_none())
            .map(|(id, _)| id);
        in_segments
            .chain(in_tail)
            .take(limit)
            .map(String::from)
            .collect()
    }

    /// What `document` would be in the index.
    fn prepare(&self, document: Document<'_>) -> Owned {
        let dimensions = self
            .model
            .as_ref()
            .map_or(0, |model| model.dimensions as usize);
        let mut owned = Owned::new(document, dimensions);
        if owned.vector.is_none() && self.text_hash(document.id) == Some(owned.hash) {
            owned.vector = self.vector(document.id);
        }
        owned
    }

    fn insert(&mut self, id: &str, owned: Owned) {
        self.remove(id);
        self.tail.insert(id, owned);
    }

    /// The segment that holds the document with this id.
    fn find(&self, id: &str) -> Option<(&Segment, u32)> {
        let found = |segment: &Segment| segment.find(id);
        self.segments
            .iter()
            .find_map(|segment| Some((segment, found(segment)?)))
    }

    fn vector(&self, id: &str) -> Option<Quantised> {
        match self.tail.get(id) {
            Some(owned) => owned.vector.clone(),
            None => {
                let (segment, document) = self.find(id)?;
                segment.vectors.as_ref()?.get(document)
            }
        }
    }
}

#[cfg(test)]
mod tests;
