//! Memory: short texts the agent keeps across sessions.
//!
//! An entry lives at `memory/<namespace>/<id>` in the same store as the sessions, whoever wrote
//! it: the model's tools and a person's commands use the functions of this module and see the
//! same entries. Search is by words: an entry without a word of the query is never returned.

mod embedding;
pub mod import;

pub use embedding::{EmbedError, EmbeddingModel};

use alloc::{format, string::String, vec, vec::Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    ids::{SessionId, UnixMillis},
    json::{self, FromJson, ToJson, object_of},
    letter, order,
    safety::{Gate, Labels},
    session::Range,
    tool::{OnRestore, ToolClass, ToolSpec},
};

/// The tool that writes an entry.
pub const REMEMBER: &str = "remember";
/// The tool that searches entries.
pub const RECALL: &str = "recall";
/// Bytes of UTF-8 an entry may have.
pub const TEXT_LIMIT_BYTES: usize = 8 * 1024;
/// Entries a namespace may be searched through.
pub const SEARCH_LIMIT: u32 = 1_000_000;

/// One entry, format version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Memory {
    /// Format version.
    pub v: u32,
    /// Its name.
    pub id: String,
    /// What is kept.
    pub text: String,
    /// When it was written.
    pub at: UnixMillis,
    /// The session it was written in; none for a person's own entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What the conversation held when it was written.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
}

/// Why a text is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// Nothing to keep.
    #[error("the text is empty")]
    Empty,
    /// Too long.
    #[error(
        "the text has {bytes} bytes, at most {TEXT_LIMIT_BYTES} are kept: shorten it or split it"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The gate let nothing of it through.
    #[error("the text is not kept: it holds {families}, which the policy blocks")]
    Withheld {
        /// The families found, in words.
        families: String,
    },
}

impl Memory {
    /// An entry written in a session.
    pub fn new(
        id: &str,
        text: &str,
        at: UnixMillis,
        session: &SessionId,
    ) -> Result<Self, MemoryError> {
        let entry = Self::entry(id, text, at)?;
        Ok(Self {
            session: Some(session.clone()),
            ..entry
        })
    }

    /// An entry written by a person's command, which passed no gate before.
    pub fn by_person(
        id: &str,
        text: &str,
        at: UnixMillis,
        gate: &Gate,
    ) -> Result<Self, MemoryError> {
        let entry = Self::entry(id, text, at)?;
        let (text, _) = gate
            .keep(entry.text)
            .map_err(|families| MemoryError::Withheld { families })?;
        Ok(Self { text, ..entry })
    }

    fn entry(id: &str, text: &str, at: UnixMillis) -> Result<Self, MemoryError> {
        let text = text.trim();
        match text.len() {
            0 => Err(MemoryError::Empty),
            bytes if bytes > TEXT_LIMIT_BYTES => Err(MemoryError::TooLong { bytes }),
            _ => Ok(Self {
                v: 1,
                id: id.into(),
                text: text.into(),
                at,
                session: None,
                labels: Labels::NONE,
            }),
        }
    }

    /// The same entry, written where `labels` were in sight.
    #[must_use]
    pub fn labelled(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_vec(self)
    }
}

/// Where an entry is stored.
#[must_use]
pub fn key(namespace: &str, id: &str) -> String {
    format!("memory/{namespace}/{id}")
}

/// All entries of a namespace.
#[must_use]
pub fn range(namespace: &str) -> Range {
    Range::prefix(&format!("memory/{namespace}/"), SEARCH_LIMIT)
}

/// The entries of stored rows; what is not readable as an entry is left out.
pub fn entries(rows: &[(String, Vec<u8>)]) -> impl Iterator<Item = Memory> {
    rows.iter()
        .filter_map(|(_, value)| json::from_slice(value).ok())
}

/// The entries that share words with `query`, the best first, at most `limit`.
///
/// A shared word counts by its rarity, `ln(1 + n / df)` for `n` entries of which `df` hold it;
/// equal scores are ordered by time, the newest first.
#[must_use]
pub fn search(rows: &[(String, Vec<u8>)], query: &str, limit: usize) -> Vec<Memory> {
    let all: Vec<(Memory, Vec<String>)> = entries(rows)
        .map(|entry| {
            let words = words(&entry.text);
            (entry, words)
        })
        .collect();
    let total = all.len() as u64;
    let worth = |word: String| {
        let holding = all
            .iter()
            .filter(|(_, words)| words.binary_search(&word).is_ok());
        let worth = rarity(total, holding.count() as u64);
        (word, worth)
    };
    let wanted: Vec<(String, u64)> = words(query).into_iter().map(worth).collect();
    let mut found: Vec<(u64, Memory)> = all
        .into_iter()
        .filter_map(|(entry, words)| {
            let shared = wanted
                .iter()
                .filter(|(word, _)| words.binary_search(word).is_ok());
            let score: u64 = shared.map(|(_, worth)| worth).sum();
            (score > 0).then_some((score, entry))
        })
        .collect();
    // A few of them one by one: a sort is kilobytes of a module.
    let mut best = Vec::new();
    while best.len() < limit
        && let Some(place) = best_of(&found)
    {
        best.push(found.swap_remove(place).1);
    }
    best
}

fn best_of(found: &[(u64, Memory)]) -> Option<usize> {
    let places = 0..found.len();
    places.min_by(|a, b| {
        let ((a, x), (b, y)) = (&found[*a], &found[*b]);
        b.cmp(a).then(y.at.cmp(&x.at)).then(x.id.cmp(&y.id))
    })
}

/// `log2(1 + n / df)` in thousandths, in integers: the same in every home.
fn rarity(total: u64, holding: u64) -> u64 {
    let ratio = 1_000 + total * 1_000 / holding.max(1);
    let whole = u64::from(ratio.ilog2());
    // Linear between powers of two.
    whole * 1_000 + (ratio - (1 << whole)) * 1_000 / (1 << whole) - 9_000
}

/// Lower-case words of letters and digits, each once, in order; plural and singular in s are one.
fn words(text: &str) -> Vec<String> {
    const COMMON: [&str; 24] = [
        "a", "an", "and", "are", "at", "do", "for", "i", "in", "is", "it", "my", "of", "on", "or",
        "the", "to", "was", "what", "when", "where", "which", "who", "with",
    ];
    let found = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(lower_case)
        .filter(|word| !COMMON.contains(&word.as_str()))
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() >= 3 && !stem.ends_with('s') => stem.into(),
            _ => word,
        });
    let mut words: Vec<String> = found.collect();
    order::sort_by(&mut words, |a, b| a < b);
    words.dedup();
    words
}

fn lower_case(word: &str) -> String {
    let lower = word.chars().flat_map(letter::lower_case);
    // The sigma at the end of a word is the one within.
    lower.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// What found entries are: the person's own, and what was in sight when they were written.
#[must_use]
pub fn labels(found: &[Memory]) -> Labels {
    found.iter().fold(Labels::NONE, |labels, entry| Labels {
        private: true,
        ..labels.with(entry.labels)
    })
}

/// Found entries as a model reads them.
#[must_use]
pub fn tell(found: &[Memory]) -> String {
    if found.is_empty() {
        return "nothing is remembered about that".into();
    }
    let lines: Vec<String> = found
        .iter()
        .map(|entry| format!("[{}] {}", entry.id, entry.text))
        .collect();
    lines.join("\n")
}

/// The tools of this module, as offered to a model.
#[must_use]
pub fn tool_specs() -> [ToolSpec; 2] {
    let spec = |name: &str, description: &str, argument: &str, class| ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters: object_of([
            ("type", "object".into()),
            (
                "properties",
                object_of([(argument, object_of([("type", "string".into())]))]),
            ),
            ("required", vec![argument].into()),
            ("additionalProperties", false.into()),
        ]),
        class,
        on_restore: OnRestore::Reissue,
        touches: Vec::new(),
        // What a memory is was stored with it.
        yields: Labels::NONE,
    };
    [
        spec(
            REMEMBER,
            "Keep a fact for later sessions.",
            "text",
            ToolClass::Remember,
        ),
        spec(
            RECALL,
            "Search what was remembered.",
            "query",
            ToolClass::Read,
        ),
    ]
}

#[cfg(test)]
mod tests;
