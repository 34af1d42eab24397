//! The rows of the head, as JSON: a change, and the manifest.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{IndexError, damaged};
use crate::{
    json::{self, FromJson, ToJson},
    memory::{
        EmbeddingModel,
        index::{TextHash, segment::Segment, tail::Owned, vector::Quantised},
    },
};

/// The format's version.
const VERSION: u32 = 1;

/// What a commit did to one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Put {
        id: String,
        hash: TextHash,
        vector: Option<Stored>,
    },
    Remove {
        id: String,
    },
}

/// A vector and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub(super) struct Stored {
    model: String,
    /// A byte a number, in base64.
    numbers: String,
}

impl Stored {
    fn new(vector: &Quantised, model: &EmbeddingModel) -> Self {
        Self {
            model: model.name.clone(),
            numbers: STANDARD.encode(&vector.numbers),
        }
    }

    pub(super) fn is_of(&self, model: &EmbeddingModel) -> bool {
        self.model == model.name
            && self
                .quantised()
                .is_some_and(|vector| vector.numbers.len() == model.dimensions as usize)
    }

    pub(super) fn quantised(&self) -> Option<Quantised> {
        let bytes = STANDARD.decode(&self.numbers).ok()?;
        Some(Quantised::new(bytes))
    }
}

impl Change {
    pub(super) fn put(id: &str, owned: &Owned, model: Option<&EmbeddingModel>) -> Self {
        let vector = owned.vector.as_ref().zip(model);
        Self::Put {
            id: id.into(),
            hash: owned.hash,
            vector: vector.map(|(vector, model)| Stored::new(vector, model)),
        }
    }
}

#[derive(Serialize, Deserialize, FromJson, ToJson)]
struct ChangeRow {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remove: Option<String>,
}

/// Which segments are live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub(super) struct Manifest {
    pub(super) v: u32,
    /// Counts its replacements.
    pub(super) number: u64,
    /// The first change that is in no segment.
    pub(super) seq: u64,
    /// The number of the next segment.
    pub(super) next: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<EmbeddingModel>,
    #[serde(default)]
    pub(super) segments: Vec<Live>,
}

/// A segment that is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub(super) struct Live {
    pub(super) number: u64,
    /// Whether it has vectors of the manifest's model.
    pub(super) vectors: bool,
    /// A bit for each document that is gone, in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    gone: String,
}

impl Live {
    pub(super) fn of(segment: &Segment) -> Self {
        Self {
            number: segment.number,
            vectors: segment.vectors.is_some(),
            gone: STANDARD.encode(segment.gone()),
        }
    }

    /// A bit for each document that is gone; missing ones are 0.
    pub(super) fn gone(&self, key: &str) -> Result<Vec<u8>, IndexError> {
        let decoded = STANDARD.decode(&self.gone);
        decoded.map_err(|error| damaged(key, &format!("segment {}: {error}", self.number)))
    }
}

#[derive(Serialize, Deserialize, FromJson, ToJson)]
struct Versioned {
    v: u32,
}

pub(super) fn write_change(change: &Change) -> Vec<u8> {
    let none = ChangeRow {
        v: VERSION,
        put: None,
        text: None,
        vector: None,
        remove: None,
    };
    json::to_vec(&match change.clone() {
        Change::Remove { id } => ChangeRow {
            remove: Some(id),
            ..none
        },
        Change::Put { id, hash, vector } => ChangeRow {
            put: Some(id),
            text: Some(hash.to_string()),
            vector,
            ..none
        },
    })
}

pub(super) fn read_change(key: &str, value: &[u8]) -> Result<Change, IndexError> {
    let row: ChangeRow = read(key, value)?;
    match (row.put, row.text.as_deref().map(hash), row.remove) {
        (Some(id), Some(Some(hash)), None) => Ok(Change::Put {
            id,
            hash,
            vector: row.vector,
        }),
        (None, None, Some(id)) => Ok(Change::Remove { id }),
        _ => Err(damaged(key, "neither a document nor a removal")),
    }
}

pub(super) fn write_manifest(manifest: &Manifest) -> Vec<u8> {
    json::to_vec(&Manifest {
        v: VERSION,
        ..manifest.clone()
    })
}

pub(super) fn read_manifest(key: &str, value: &[u8]) -> Result<Manifest, IndexError> {
    read(key, value).map(|manifest| Manifest { v: 0, ..manifest })
}

fn read<T: FromJson>(key: &str, value: &[u8]) -> Result<T, IndexError> {
    let version: Versioned =
        json::from_slice(value).map_err(|error| damaged(key, &format!("{error}")))?;
    if version.v > VERSION {
        return Err(IndexError::Newer {
            key: key.into(),
            found: version.v,
            known: VERSION,
        });
    }
    json::from_slice(value).map_err(|error| damaged(key, &format!("{error}")))
}

fn hash(text: &str) -> Option<TextHash> {
    let mut bytes = [0; 16];
    (text.len() == 32).then_some(())?;
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(TextHash(bytes))
}
