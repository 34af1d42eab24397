//! A segment: documents that no longer change, but for those that are gone.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};

use super::{store::IndexError, tail::Owned, vectors, vectors::Vectors, words, words::Words};
use crate::memory::EmbeddingModel;

/// Bytes that either half may have. An object of a Worker stores 2 MB in a row.
pub(super) const LIMIT_BYTES: usize = 1024 * 1024;
/// Documents it may have, so that merging some takes a bounded time.
pub(super) const LIMIT_DOCUMENTS: usize = 2_048;

/// A segment and what is gone of it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Its number in the store.
    pub(super) number: u64,
    pub(super) words: Words,
    pub(super) vectors: Option<Vectors>,
    gone: Box<[bool]>,
    live: u32,
    /// Words of the live documents.
    length: u64,
}

/// The rows of a segment that is to be.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) words: Arc<[u8]>,
    pub(super) vectors: Option<Arc<[u8]>>,
}

/// Makes segments of `documents`, which are in order of their ids: one, or as many as it takes to
/// stay below the limit.
pub(super) fn build(documents: &[(&str, &Owned)], model: Option<&EmbeddingModel>) -> Vec<Rows> {
    if documents.is_empty() {
        return Vec::new();
    }
    let rows = Rows {
        words: words::build(documents),
        vectors: model
            .filter(|_| documents.iter().any(|(_, owned)| owned.vector.is_some()))
            .map(|model| vectors::build(documents, model)),
    };
    let largest = rows
        .vectors
        .as_ref()
        .map_or(0, |bytes| bytes.len())
        .max(rows.words.len());
    if documents.len() == 1 || (largest <= LIMIT_BYTES && documents.len() <= LIMIT_DOCUMENTS) {
        return [rows].into();
    }
    let (first, second) = documents.split_at(documents.len() / 2);
    let mut both = build(first, model);
    both.extend(build(second, model));
    both
}

impl Segment {
    /// Reads the rows of a segment. `gone` is a bit for each document; missing ones are 0.
    pub(super) fn open(
        number: u64,
        key: &str,
        rows: Rows,
        gone: &[u8],
        model: Option<&EmbeddingModel>,
    ) -> Result<Self, IndexError> {
        let words = Words::open(&format!("{key}/words"), rows.words)?;
        let vectors = rows.vectors.zip(model).map(|(bytes, model)| {
            Vectors::open(&format!("{key}/vectors"), bytes, words.documents(), model)
        });
        let is_gone = |document: u32| {
            gone.get(document as usize / 8)
                .is_some_and(|bits| bits >> (document % 8) & 1 == 1)
        };
        let gone: Box<[bool]> = (0..words.documents()).map(is_gone).collect();
        let live = (0..words.documents()).filter(|document| !gone[*document as usize]);
        Ok(Self {
            number,
            live: live.clone().count() as u32,
            length: live.map(|document| u64::from(words.length(document))).sum(),
            vectors: vectors.transpose()?,
            words,
            gone,
        })
    }

    /// How many documents live.
    pub(super) fn len(&self) -> usize {
        self.live as usize
    }

    /// Words of the live documents.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether none of it is gone.
    pub(super) fn is_whole(&self) -> bool {
        self.len() == self.gone.len()
    }

    pub(super) fn lives(&self, document: u32) -> bool {
        !self.gone.get(document as usize).copied().unwrap_or(true)
    }

    /// The live document with this id.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.words.find(id).filter(|document| self.lives(*document))
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(document) = self.find(id) else {
            return false;
        };
        self.gone[document as usize] = true;
        self.live -= 1;
        self.length -= u64::from(self.words.length(document));
        true
    }

    /// A bit for each document that is gone; empty when none is.
    pub(super) fn gone(&self) -> Vec<u8> {
        if self.is_whole() {
            return Vec::new();
        }
        let byte = |eight: &[bool]| {
            eight
                .iter()
                .rev()
                .fold(0, |bits, gone| bits << 1 | u8::from(*gone))
        };
        self.gone.chunks(8).map(byte).collect()
    }

    /// How full it is, from 0 to 1, not counting what is gone.
    pub(super) fn fill(&self) -> f64 {
        let vectors = self
            .vectors
            .as_ref()
            .map_or(0, |vectors| vectors.bytes().len());
        let bytes = self.words.bytes().len().max(vectors) as f64 / LIMIT_BYTES as f64;
        let live = self.len() as f64;
        (bytes * live / self.gone.len().max(1) as f64).max(live / LIMIT_DOCUMENTS as f64)
    }

    /// Its live documents.
    pub(super) fn unpack(&self) -> Vec<(String, Owned)> {
        let unpacked = self.words.unpack(|document| self.lives(document));
        let with_vector = |(document, id, owned): (u32, String, Owned)| {
            let vector = self
                .vectors
                .as_ref()
                .and_then(|vectors| vectors.get(document));
            (id, Owned { vector, ..owned })
        };
        unpacked.into_iter().map(with_vector).collect()
    }
}
