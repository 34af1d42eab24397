//! One entry: what is kept, its limits, and when two are the same.
//!
//! Format version 2. A row of version 1 is read as an entry without the fields it lacks; fields
//! that this version does not know are left out when it is written again.

use alloc::{format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{index::Facets, request::Changes};
use crate::{
    ids::{SessionId, UnixMillis},
    journal,
    json::{self, FromJson, ToJson},
    order,
    safety::Labels,
};

/// The version this code writes, and the newest it reads.
pub const VERSION: u32 = 2;
/// Bytes of UTF-8 an entry may have.
pub const TEXT_LIMIT_BYTES: usize = 8 * 1024;
/// Tags an entry may have.
pub const TAG_LIMIT: usize = 32;
/// Characters a tag may have.
pub const TAG_LIMIT_CHARS: usize = 64;
/// Bytes a kind may have.
pub const KIND_LIMIT_BYTES: usize = 32;
/// Bytes a namespace may have.
pub const NAMESPACE_LIMIT_BYTES: usize = 200;
/// Parts a namespace may have.
pub const NAMESPACE_LIMIT_PARTS: usize = 8;
/// Links an entry may have.
pub const LINK_LIMIT: usize = 32;
/// The highest importance.
pub const MAX_IMPORTANCE: u8 = 10;
/// What an entry is when nobody says.
pub const DEFAULT_KIND: &str = "note";
/// The source of what a person keeps by themselves.
pub const PERSON: &str = "person";
/// The source of what is kept in a conversation.
pub const IN_SESSION: &str = "session";

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Memory {
    /// Format version.
    pub v: u32,
    /// Its name.
    pub id: String,
    /// What is kept.
    pub text: String,
    /// What it is: `fact`, `preference`, `event`, …
    #[serde(default)]
    pub kind: String,
    /// What it is about, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where it is filed, parts separated by `/`; empty is nowhere in particular.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Where it comes from: [`PERSON`], [`IN_SESSION`], or what it was imported from.
    #[serde(default)]
    pub source: String,
    /// How much it matters, from 0, which is ordinary, to [`MAX_IMPORTANCE`].
    #[serde(default, skip_serializing_if = "is_ordinary")]
    pub importance: u8,
    /// When it was first written.
    pub at: UnixMillis,
    /// When it was last changed, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<UnixMillis>,
    /// Other entries of the same scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// The session it was written in; none for a person's own entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What the conversation held when it was written.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
    /// When it was forgotten; it can be had back until it is purged, and is seen nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<UnixMillis>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields by reference"
)]
fn is_ordinary(importance: &u8) -> bool {
    *importance == 0
}

/// Why a text is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "refusal", rename_all = "snake_case")]
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
        bytes: u64,
    },
    /// The gate let nothing of it through.
    #[error("the text is not kept: it holds {families}, which the policy blocks")]
    Withheld {
        /// The families found, in words.
        families: String,
    },
    /// A character that nobody can see and a terminal obeys.
    #[error("the {what} holds the control character {code} at character {place}: leave it out")]
    Control {
        /// What holds it.
        what: String,
        /// The character, such as `U+0007`.
        code: String,
        /// Its place, from 1.
        place: u64,
    },
    /// Something beside the text that is not as it must be.
    #[error("{what}")]
    Malformed {
        /// What is wrong and what belongs there.
        what: String,
    },
    /// No room.
    #[error(
        "scope {scope} holds {entries} entries, at most {limit} are kept: forget some of them first"
    )]
    Full {
        /// The scope.
        scope: String,
        /// How many there are.
        entries: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The same text is kept already under another name.
    #[error("the same text is kept as {id}: change that one, or forget it first")]
    Same {
        /// The other entry.
        id: String,
    },
}

/// What is to be kept, before it has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// What it is; [`DEFAULT_KIND`] without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What it is about.
    pub tags: Vec<String>,
    /// Where it is filed.
    pub namespace: String,
    /// How much it matters.
    pub importance: u8,
    /// Other entries of the same scope.
    pub links: Vec<String>,
    /// Where it comes from.
    pub source: String,
    /// The session it is written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What the conversation holds.
    pub labels: Labels,
    /// When it was written, for what is imported; otherwise the time of writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
}

impl Draft {
    /// It as it is kept: trimmed, in order, each thing once. Fails with the first limit it passes.
    pub fn checked(self) -> Result<Self, MemoryError> {
        let text = checked_text(&self.text)?;
        let kind = checked_kind(self.kind.as_deref().unwrap_or(DEFAULT_KIND))?;
        let tags = checked_tags(self.tags)?;
        let namespace = checked_namespace(&self.namespace)?;
        let links = checked_links(self.links)?;
        if self.importance > MAX_IMPORTANCE {
            return Err(malformed(format!(
                "importance {} is more than {MAX_IMPORTANCE}, the highest",
                self.importance
            )));
        }
        let source = match self.source.trim() {
            "" => PERSON,
            source => source,
        };
        Ok(Self {
            text,
            kind: Some(kind),
            tags,
            namespace,
            links,
            source: checked_word("source", source, TAG_LIMIT_CHARS)?,
            ..self
        })
    }

    /// The entry of a checked draft.
    #[must_use]
    pub fn entry(self, id: String, now: UnixMillis) -> Memory {
        Memory {
            v: VERSION,
            id,
            text: self.text,
            kind: self.kind.unwrap_or_else(|| DEFAULT_KIND.into()),
            tags: self.tags,
            namespace: self.namespace,
            source: self.source,
            importance: self.importance,
            at: self.at.unwrap_or(now),
            updated: None,
            links: self.links,
            session: self.session,
            labels: self.labels,
            deleted: None,
        }
    }
}

impl Memory {
    /// The entry of a stored row, of this version or an older one.
    pub fn read(row: &[u8]) -> Result<Self, Unreadable> {
        let mut entry: Self = json::from_slice(row).map_err(Unreadable::Malformed)?;
        if entry.v > VERSION {
            return Err(Unreadable::Newer { found: entry.v });
        }
        if entry.kind.is_empty() {
            entry.kind = DEFAULT_KIND.into();
        }
        if entry.source.is_empty() {
            let of_session = entry.session.is_some();
            entry.source = if of_session { IN_SESSION } else { PERSON }.into();
        }
        Ok(Self {
            v: VERSION,
            ..entry
        })
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// Whether it may be seen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.deleted.is_none()
    }

    /// What an index knows of it.
    #[must_use]
    pub fn facets(&self) -> Facets<'_> {
        Facets {
            namespace: &self.namespace,
            kind: &self.kind,
            tags: &self.tags,
            source: match &self.session {
                Some(session) => &session.0,
                None => &self.source,
            },
            at: self.at,
            importance: self.importance,
        }
    }

    /// Whether it is the same as what a checked draft says, in other words or not.
    #[must_use]
    pub fn is_same(&self, namespace: &str, text: &str) -> bool {
        self.namespace == namespace && words_of(&self.text).eq(words_of(text))
    }

    /// It with what `changes` say, each thing as it must be.
    pub fn changed(self, changes: Changes, now: UnixMillis) -> Result<Self, MemoryError> {
        let draft = Draft {
            text: changes.text.unwrap_or(self.text),
            kind: Some(changes.kind.unwrap_or(self.kind)),
            tags: changes.tags.unwrap_or(self.tags),
            namespace: changes.namespace.unwrap_or(self.namespace),
            importance: changes.importance.unwrap_or(self.importance),
            links: changes.links.unwrap_or(self.links),
            source: self.source,
            session: self.session,
            labels: self.labels.with(changes.labels),
            at: Some(self.at),
        };
        Ok(Self {
            updated: Some(now),
            deleted: self.deleted,
            ..draft.checked()?.entry(self.id, now)
        })
    }

    /// Takes in what a draft of the same text says beyond it. Returns whether that changed anything.
    pub fn merge(&mut self, draft: Draft, now: UnixMillis) -> bool {
        let before = self.clone();
        self.tags = united(core::mem::take(&mut self.tags), draft.tags, TAG_LIMIT);
        self.links = united(core::mem::take(&mut self.links), draft.links, LINK_LIMIT);
        self.importance = self.importance.max(draft.importance);
        // What two wrote is what each of them was.
        self.labels = self.labels.with(draft.labels);
        if let Some(kind) = draft.kind.filter(|_| self.kind == DEFAULT_KIND) {
            self.kind = kind;
        }
        let changed = *self != before;
        if changed {
            self.updated = Some(now);
        }
        changed
    }
}

/// A row that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A later version of Tau wrote it.
    #[error("it has format version {found}, this Tau reads up to {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It is something else.
    #[error("it is no entry: {0}")]
    Malformed(json::Error),
}

/// The name of an entry with that text in that namespace. The same text has the same name, so that
/// it is one entry whoever writes it; `other` tells texts apart that fall on one name.
#[must_use]
pub fn id_of(namespace: &str, text: &str, other: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(namespace.as_bytes());
    hash.update([0]);
    for word in words_of(text) {
        hash.update(word.as_bytes());
        hash.update([b' ']);
    }
    if other > 0 {
        hash.update(other.to_be_bytes());
    }
    journal::hex(&hash.finalize()[..8])
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn united(mut all: Vec<String>, more: Vec<String>, limit: usize) -> Vec<String> {
    all.extend(more);
    let mut all = in_order(all);
    all.truncate(limit);
    all
}

fn in_order(mut all: Vec<String>) -> Vec<String> {
    order::sort_by(&mut all, |a, b| a < b);
    all.dedup();
    all
}

fn malformed(what: String) -> MemoryError {
    MemoryError::Malformed { what }
}

/// A text as it is kept: without white space around it, lines ending in one way.
pub(super) fn checked_text(text: &str) -> Result<String, MemoryError> {
    let text = text.trim();
    match text.len() {
        0 => return Err(MemoryError::Empty),
        bytes if bytes > TEXT_LIMIT_BYTES => {
            return Err(MemoryError::TooLong {
                bytes: bytes as u64,
            });
        }
        _ => {}
    }
    let text = text.replace("\r\n", "\n");
    no_control("text", &text)?;
    Ok(text)
}

fn no_control(what: &str, text: &str) -> Result<(), MemoryError> {
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    match text.chars().zip(1..).find(|(c, _)| is_control(*c)) {
        Some((c, place)) => Err(MemoryError::Control {
            what: what.into(),
            code: format!("U+{:04X}", u32::from(c)),
            place,
        }),
        None => Ok(()),
    }
}

fn checked_kind(kind: &str) -> Result<String, MemoryError> {
    let legal = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    if kind.is_empty() || kind.len() > KIND_LIMIT_BYTES || !kind.bytes().all(legal) {
        return Err(malformed(format!(
            "the kind {:?} is not 1 to {KIND_LIMIT_BYTES} of a-z, 0-9, _ and -",
            short(kind)
        )));
    }
    Ok(kind.into())
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, MemoryError> {
    if tags.len() > TAG_LIMIT {
        return Err(malformed(format!(
            "there are {} tags, at most {TAG_LIMIT} are kept",
            tags.len()
        )));
    }
    let checked = tags
        .iter()
        .map(|tag| checked_word("tag", tag.trim(), TAG_LIMIT_CHARS));
    Ok(in_order(checked.collect::<Result<_, _>>()?))
}

fn checked_word(what: &str, word: &str, limit_chars: usize) -> Result<String, MemoryError> {
    let chars = word.chars().count();
    if word.is_empty() || chars > limit_chars {
        return Err(malformed(format!(
            "the {what} {:?} has {chars} characters: 1 to {limit_chars} are kept",
            short(word)
        )));
    }
    match word.chars().zip(1..).find(|(c, _)| c.is_control()) {
        Some((c, place)) => Err(MemoryError::Control {
            what: what.into(),
            code: format!("U+{:04X}", u32::from(c)),
            place,
        }),
        None => Ok(word.into()),
    }
}

/// A namespace as it is kept: parts of letters, digits, `.`, `_` and `-`, without slashes around.
pub fn checked_namespace(namespace: &str) -> Result<String, MemoryError> {
    let whole = super::scope::trimmed(namespace);
    if whole.is_empty() {
        return Ok(whole);
    }
    let refused = |why: String| {
        malformed(format!(
            "the namespace {:?} {why}: write it like projects/tau, at most {NAMESPACE_LIMIT_PARTS} \
             parts of letters, digits, '.', '_' and '-', {NAMESPACE_LIMIT_BYTES} bytes in all",
            short(namespace)
        ))
    };
    if whole.len() > NAMESPACE_LIMIT_BYTES {
        return Err(refused(format!("has {} bytes", whole.len())));
    }
    let parts = whole.split('/').count();
    if parts > NAMESPACE_LIMIT_PARTS {
        return Err(refused(format!("has {parts} parts")));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    for part in whole.split('/') {
        if matches!(part, "" | "." | "..") || !part.bytes().all(legal) {
            return Err(refused(format!("holds the part {part:?}")));
        }
    }
    Ok(whole)
}

fn checked_links(links: Vec<String>) -> Result<Vec<String>, MemoryError> {
    if links.len() > LINK_LIMIT {
        return Err(malformed(format!(
            "there are {} links, at most {LINK_LIMIT} are kept",
            links.len()
        )));
    }
    if let Some(link) = links.iter().find(|link| !is_id(link)) {
        return Err(malformed(format!(
            "{:?} is no name of an entry, so nothing can link to it",
            short(link)
        )));
    }
    Ok(in_order(links))
}

/// Whether `id` can be a name of an entry: nothing else is ever looked up.
#[must_use]
pub fn is_id(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&id.len()) && id.bytes().all(legal)
}

fn short(text: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
