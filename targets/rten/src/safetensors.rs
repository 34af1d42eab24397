//! Reads safetensors, the file MiniLM comes in.
//!
//! Invariant: as in [`crate::gguf`], nothing of the file is trusted.
//!
//! Format: eight bytes of header length, a JSON header, then the tensors' bytes.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};

/// A parsed file that borrows its bytes.
#[derive(Debug)]
pub struct Safetensors<'a> {
    entries: BTreeMap<String, Entry>,
    data: &'a [u8],
}

#[derive(Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl<'a> Safetensors<'a> {
    /// Parses a whole file. Fails with [`Error::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (length, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| malformed("it is shorter than its length"))?;
        let length = usize::try_from(u64::from_le_bytes(*length))
            .ok()
            .filter(|length| *length <= rest.len())
            .ok_or_else(|| malformed("the header is longer than the file"))?;
        let (header, data) = rest.split_at(length);
        let mut header: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(header).map_err(malformed)?;
        header.remove("__metadata__");
        let entries = header
            .into_iter()
            .map(|(name, value)| Ok((name, serde_json::from_value(value).map_err(malformed)?)))
            .collect::<Result<_>>()?;
        Ok(Self { entries, data })
    }

    /// A float tensor of exactly this shape.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| malformed(format!("{name} is missing")))?;
        if entry.dtype != "F32" || entry.shape != shape {
            return Err(malformed(format!(
                "{name} is {} {:?}, not F32 {shape:?}",
                entry.dtype, entry.shape
            )));
        }
        let [from, to] = entry.data_offsets;
        let wanted = shape
            .iter()
            .try_fold(4usize, |size, side| size.checked_mul(*side));
        let bytes = self
            .data
            .get(from..to)
            .filter(|bytes| Some(bytes.len()) == wanted);
        let bytes = bytes.ok_or_else(|| malformed(format!("{name} lies at {from}..{to}")))?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed {
        format: "safetensors",
        detail: error.to_string(),
    }
}
