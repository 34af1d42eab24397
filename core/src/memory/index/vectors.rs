//! The half of a segment that holds vectors, read in place.
//!
//! ```text
//! u32 documents, numbers of a vector
//! u64                                        the model, by name
//! scales      f32 for each document; 0 for one without a vector
//! numbers     a byte each
//! ```

use alloc::sync::Arc;

use super::{
    bytes::{self, HEAD, u32_at, u64_at},
    store::IndexError,
    tail::Owned,
    vector::Quantised,
};
use crate::memory::EmbeddingModel;

const MAGIC: [u8; 8] = *b"TAUVECTS";
/// Where the scales begin.
const SCALES: usize = HEAD + 16;

/// A vector for each document of a segment.
#[derive(Clone, Debug)]
pub(super) struct Vectors {
    bytes: Arc<[u8]>,
    documents: usize,
    dimensions: usize,
}

/// Builds the bytes for `documents`, in their order.
pub(super) fn build(documents: &[(&str, &Owned)], model: &EmbeddingModel) -> Arc<[u8]> {
    let mut bytes = bytes::begin(MAGIC);
    let dimensions = model.dimensions as usize;
    bytes.extend_from_slice(&(documents.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&model.dimensions.to_le_bytes());
    bytes.extend_from_slice(&fingerprint(model).to_le_bytes());
    let fitting = |owned: &Owned| {
        let vector = owned.vector.as_ref();
        vector
            .filter(|vector| vector.numbers.len() == dimensions)
            .cloned()
    };
    for (_, owned) in documents {
        let scale = fitting(owned).map_or(0.0, |vector| vector.scale);
        bytes.extend_from_slice(&scale.to_le_bytes());
    }
    for (_, owned) in documents {
        match fitting(owned) {
            Some(vector) => bytes.extend_from_slice(&vector.numbers),
            None => bytes.resize(bytes.len() + dimensions, 0),
        }
    }
    bytes::seal(bytes)
}

/// Stands for the model's name in a few bytes.
fn fingerprint(model: &EmbeddingModel) -> u64 {
    let digest = super::TextHash::of(&model.name);
    u64_at(&digest.0, 0)
}

impl Vectors {
    /// Reads a row of a store, which must be of `model` and for so many documents.
    pub(super) fn open(
        key: &str,
        bytes: Arc<[u8]>,
        documents: u32,
        model: &EmbeddingModel,
    ) -> Result<Self, IndexError> {
        bytes::check(key, &bytes, MAGIC)?;
        let vectors = Self {
            documents: u32_at(&bytes, HEAD) as usize,
            dimensions: u32_at(&bytes, HEAD + 4) as usize,
            bytes,
        };
        let size = vectors.documents as u64 * (4 + vectors.dimensions as u64);
        let fits = vectors.documents == documents as usize
            && vectors.dimensions == model.dimensions as usize
            && vectors.bytes.len() as u64 == SCALES as u64 + size
            && u64_at(&vectors.bytes, HEAD + 8) == fingerprint(model);
        match fits {
            true => Ok(vectors),
            false => Err(IndexError::Damaged {
                key: key.into(),
                detail: "it is not for these documents and this model".into(),
            }),
        }
    }

    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// What makes the length of a document's vector 1; 0 without one.
    pub(super) fn scale(&self, document: u32) -> f32 {
        f32::from_bits(u32_at(&self.bytes, SCALES + 4 * document as usize))
    }

    /// The numbers of a document's vector, a byte each.
    pub(super) fn numbers(&self, document: u32) -> &[u8] {
        let start = SCALES + 4 * self.documents + document as usize * self.dimensions;
        self.bytes
            .get(start..start + self.dimensions)
            .unwrap_or_default()
    }

    /// A document's vector.
    pub(super) fn get(&self, document: u32) -> Option<Quantised> {
        let scale = self.scale(document);
        (scale > 0.0).then(|| Quantised {
            numbers: self.numbers(document).into(),
            scale,
        })
    }
}
