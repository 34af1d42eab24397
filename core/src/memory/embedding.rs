//! Vectors that stand for the meaning of a text.

use alloc::string::String;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::json::{FromJson, ToJson};

/// The space vectors lie in: two vectors can be compared only when this is equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
pub struct EmbeddingModel {
    /// Its name, such as `all-MiniLM-L6-v2`, with what else decides about the vectors.
    pub name: String,
    /// Numbers of a vector.
    pub dimensions: u32,
}

/// Why there are no vectors. Search goes on by words, and says so.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
pub enum EmbedError {
    /// This home has no embedder, or it is not there yet.
    #[error("there is no embedding model: {detail}")]
    Unavailable {
        /// What is missing and how to get it.
        detail: String,
    },
    /// It was there and failed.
    #[error("the embedding model failed: {detail}")]
    Failed {
        /// The engine's or the provider's words.
        detail: String,
        /// Whether the same may work later.
        retry: bool,
    },
}
