//! Embedding: texts in, vectors of length 1 out.

mod cache;
mod http;

pub use cache::{Lookup, VectorCache};
pub use http::HttpEmbedder;

use alloc::{string::String, vec::Vec};
use tau_core::memory::{EmbedError, EmbeddingModel};

/// A model that turns texts into vectors.
///
/// Invariant: every vector has [`EmbeddingModel::dimensions`] finite numbers and length 1, so that
/// a dot product is the cosine.
pub trait Embedder {
    /// The space of its vectors; none when this home has no embedder. Answers at once, without
    /// loading anything.
    fn model(&self) -> Option<EmbeddingModel>;

    /// One vector for each text, in order. Dropping the future ends the work.
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// What a home without an embedder has.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEmbedder;

impl Embedder for NoEmbedder {
    fn model(&self) -> Option<EmbeddingModel> {
        None
    }

    async fn embed(&self, _texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        Err(EmbedError::Unavailable {
            detail: "this home has none".into(),
        })
    }
}
