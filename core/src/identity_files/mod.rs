//! Identity files: what an agent is, how it works and for whom, each a file of a folder.
//!
//! A home says what it found; this makes the sections of the system prompt of it, in the order of
//! [`Kind::ALL`], each within its share of the budget. Nothing is read here.
//!
//! Invariant: a file that no person confirmed is the words of whoever made the folder. It passes the
//! gate as other content of that origin does, stands under its own heading, and counts as untrusted
//! for as long as it is in sight.

mod section;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};

pub use section::Section;
pub(crate) use section::{labels, system, unconfirmed};

use crate::{
    context::estimate_text,
    journal::sha256_hex,
    json::{FromJson, ToJson},
    model::ModelConfig,
    order,
};

/// Estimated tokens that all files together may take.
pub const ALL_TOKENS: u32 = 8_192;
/// Estimated tokens that one file may take.
pub const FILE_TOKENS: u32 = 4_096;
/// The part of a model's context that they may take: an eighth.
const CONTEXT_PARTS: u32 = 8;
/// Bytes that a home reads of a file: more than its share of tokens can be.
pub const READ_BYTES: usize = 64 * 1024;

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `.tau/SOUL.md`: who the agent is.
    Soul,
    /// `.tau/AGENTS.md`: how it works.
    Agents,
    /// `.tau/USER.md`: whom it works for.
    User,
    /// `AGENTS.md` of the folder itself, which other agents read as well.
    Folder,
}

impl Kind {
    /// In the order in which they stand and count: what is about the agent and its person comes
    /// before what is about one folder.
    pub const ALL: [Self; 4] = [Self::Soul, Self::Agents, Self::User, Self::Folder];

    /// Where it lies, from the workspace.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Soul => ".tau/SOUL.md",
            Self::Agents => ".tau/AGENTS.md",
            Self::User => ".tau/USER.md",
            Self::Folder => "AGENTS.md",
        }
    }

    /// What it is about, as its section says.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Soul => "who you are",
            Self::Agents => "how you work",
            Self::User => "whom you work for",
            Self::Folder => "how things are done in this folder",
        }
    }
}

/// What a home found where a file could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// Something that is not used, and why.
    Unusable {
        /// A fragment, such as `it is a directory`.
        why: String,
    },
    /// A file.
    Bytes {
        /// The first [`READ_BYTES`] of it, or all.
        bytes: Vec<u8>,
        /// How many it has.
        total_bytes: u64,
    },
}

/// A place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which.
    pub kind: Kind,
    /// What is there.
    pub found: Found,
    /// Whether a person said that its words are theirs.
    pub confirmed: bool,
}

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// There is none.
    Missing,
    /// There is nothing in it.
    Empty,
    /// It cannot be used.
    Unusable {
        /// A fragment, such as `it is a directory`.
        why: String,
    },
    /// It is a section of the system prompt.
    Used {
        /// Estimated tokens of what is used.
        tokens: u32,
        /// Bytes of its end that are left out.
        left_out_bytes: u64,
        /// Whether a person said that its words are theirs.
        confirmed: bool,
    },
}

/// What a yes to `bytes` in the place of `kind` in `folder` is kept under.
#[must_use]
pub fn digest(folder: &str, kind: Kind, bytes: &[u8]) -> String {
    let mut said = Vec::with_capacity(folder.len() + bytes.len() + 64);
    for part in ["identity file 1", folder, kind.path()] {
        said.extend_from_slice(part.as_bytes());
        said.push(0);
    }
    said.extend_from_slice(bytes);
    sha256_hex(&said)
}

/// Estimated tokens that the files may take in requests to `models`.
#[must_use]
pub fn budget_tokens(models: &[Arc<ModelConfig>]) -> u32 {
    let contexts = models.iter().map(|model| model.context_tokens);
    let smallest = contexts.min().unwrap_or(u32::MAX);
    ALL_TOKENS.min(smallest / CONTEXT_PARTS)
}

/// The sections that `files` make within `budget_tokens`, and what becomes of each file, both in
/// the order of [`Kind::ALL`].
#[must_use]
pub fn sections(mut files: Vec<File>, budget_tokens: u32) -> (Vec<Section>, Vec<(Kind, State)>) {
    order::sort_by(&mut files, |a, b| (a.kind as u8) < (b.kind as u8));
    let read: Vec<(&File, Result<Text<'_>, State>)> =
        files.iter().map(|file| (file, text(&file.found))).collect();
    let need = |text: &Text<'_>| estimate_text(text.used);
    let needs: Vec<u32> = read
        .iter()
        .map(|(_, text)| text.as_ref().map_or(0, need))
        .collect();
    let shares = shares(&needs, budget_tokens);
    let (mut sections, mut told) = (Vec::new(), Vec::new());
    for ((file, text), share) in read.into_iter().zip(shares) {
        let state = match text {
            Err(state) => state,
            Ok(Text { used, unread_bytes }) => {
                let section = Section::new(file.kind, used, unread_bytes, share, file.confirmed);
                let state = State::Used {
                    tokens: estimate_text(&section.text),
                    left_out_bytes: section.left_out_bytes,
                    confirmed: section.confirmed,
                };
                sections.push(section);
                state
            }
        };
        told.push((file.kind, state));
    }
    (sections, told)
}

/// What a file says.
struct Text<'a> {
    used: &'a str,
    /// Of the file, behind what was read of it.
    unread_bytes: u64,
}

/// The text that was found, or what becomes of the file instead.
fn text(found: &Found) -> Result<Text<'_>, State> {
    let (bytes, total_bytes) = match found {
        Found::Missing => return Err(State::Missing),
        Found::Unusable { why } => return Err(State::Unusable { why: why.clone() }),
        Found::Bytes { bytes, total_bytes } => (bytes, *total_bytes),
    };
    let unread_bytes = total_bytes.saturating_sub(bytes.len() as u64);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match core::str::from_utf8(bytes) {
        Ok(text) => text,
        // The character that reading stopped in.
        Err(error) if error.error_len().is_none() && unread_bytes > 0 => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            core::str::from_utf8(whole).unwrap_or_default()
        }
        Err(error) => {
            let at = error.valid_up_to();
            let why = format!("it is not UTF-8 text: byte {at} is no part of a character");
            return Err(State::Unusable { why });
        }
    };
    match text.trim() {
        "" => Err(State::Empty),
        used => Ok(Text { used, unread_bytes }),
    }
}

/// What each gets of `all`: what it needs, as far as the others leave it.
fn shares(needs: &[u32], all: u32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    let need = |at: usize| needs.get(at).copied().unwrap_or(0).min(FILE_TOKENS);
    order::sort_by(&mut order, |a, b| need(*a) < need(*b));
    let mut shares = alloc::vec![0; needs.len()];
    let mut left = all;
    for (place, at) in order.into_iter().enumerate() {
        let others = u32::try_from(needs.len() - place).unwrap_or(u32::MAX);
        let share = need(at).min(left / others);
        left -= share;
        if let Some(slot) = shares.get_mut(at) {
            *slot = share;
        }
    }
    shares
}

#[cfg(test)]
mod tests;
