//! What is asked of memory, and what it answers: by a session's tools, a person's commands, a page
//! and a Worker's routes alike.
//!
//! Invariant: a request names the scopes it may see, and whoever serves it looks nowhere else.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Access, EmbedError, Memory, MemoryError, Scope,
    entry::Draft,
    index::{self, Filter},
};
use crate::{
    ids::UnixMillis,
    json::{FromJson, ToJson},
    safety::Gate,
    session::StoreError,
};

/// Entries a search finds when nothing else is said.
pub const FOUND: u32 = 8;
/// Entries a search may find.
pub const FOUND_LIMIT: u32 = 1_000;
/// Bytes of a query that are searched.
pub const QUERY_LIMIT_BYTES: usize = 8 * 1024;

/// One thing asked of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Request {
    /// Which scopes are seen, and which one is written.
    pub access: Access,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Keep something. Doing it twice keeps it once.
    Remember {
        /// What.
        draft: Draft,
        /// Where, among the scopes that are seen; where is written without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
    },
    /// Find entries.
    Search(Search),
    /// Give entries by name.
    Read {
        /// Their names, or the beginnings of them.
        ids: Vec<String>,
        /// Whether forgotten ones are given too.
        #[serde(default)]
        forgotten: bool,
    },
    /// Change an entry.
    Update {
        /// Its name, or the beginning of it.
        id: String,
        /// What is to be different.
        changes: Changes,
    },
    /// Hide entries everywhere; they can be had back.
    Forget {
        /// Their names, or the beginnings of them.
        ids: Vec<String>,
        /// Whether they are gone for good instead.
        #[serde(default)]
        purge: bool,
    },
    /// Have forgotten entries back.
    Restore {
        /// Their names, or the beginnings of them.
        ids: Vec<String>,
    },
    /// Give all entries that a filter admits, the newest first.
    List {
        /// What they must be.
        #[serde(default)]
        narrow: Narrow,
        /// At most so many; all without.
        #[serde(default)]
        limit: Option<u32>,
        /// Whether forgotten ones are given, and only those.
        #[serde(default)]
        forgotten: bool,
    },
    /// Give the namespaces with how much is in them.
    Tree {
        /// Only what is in this one and below it.
        #[serde(default)]
        namespace: String,
    },
}

impl Action {
    /// It as a person may ask for it: what is to be kept passes the gate first.
    pub fn through(self, gate: &Gate) -> Result<Self, MemoryError> {
        let keep = |text: String| {
            super::entry::checked_text(&text)?;
            let kept = gate.keep(text.trim().into());
            kept.map(|(text, _)| text)
                .map_err(|families| MemoryError::Withheld { families })
        };
        Ok(match self {
            Self::Remember { draft, scope } => Self::Remember {
                draft: Draft {
                    text: keep(draft.text)?,
                    ..draft
                },
                scope,
            },
            Self::Update { id, changes } => Self::Update {
                id,
                changes: Changes {
                    text: changes.text.map(keep).transpose()?,
                    ..changes
                },
            },
            other => other,
        })
    }

    /// Whether it changes what is kept.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Remember { .. }
                | Self::Update { .. }
                | Self::Forget { .. }
                | Self::Restore { .. }
        )
    }
}

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Search {
    /// What is looked for, in words.
    pub query: String,
    /// What a hit must be.
    pub narrow: Narrow,
    /// How hits are ranked.
    pub method: Method,
    /// At most so many; [`FOUND`] without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// At most so many estimated tokens of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
    /// Entries that are not to be found again.
    pub without: Vec<String>,
}

/// How hits are ranked; see [`index::Method`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By words.
    Keyword,
    /// By meaning.
    Vector,
    /// By reciprocal rank in both.
    Rrf,
    /// By both scores, and what lies around them.
    #[default]
    Fused,
}

impl From<Method> for index::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Keyword => Self::Keyword,
            Method::Vector => Self::Vector,
            Method::Rrf => Self::Rrf,
            Method::Fused => Self::Fused,
        }
    }
}

/// What an entry must be: everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Narrow {
    /// Of this scope, by its kind or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// In this namespace or below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// With each of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// From this source, or written in this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Written then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<UnixMillis>,
    /// Written before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMillis>,
    /// At least so important.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_importance: Option<u8>,
}

impl Narrow {
    /// As the index filters.
    pub fn filter(&self) -> Result<Filter, MemoryError> {
        let namespace = self.namespace.as_deref();
        Ok(Filter {
            namespace: namespace.map(super::entry::checked_namespace).transpose()?,
            kind: self.kind.clone(),
            tags: self.tags.clone(),
            source: self.source.clone(),
            from: self.from,
            until: self.until,
            min_importance: self.min_importance,
        })
    }
}

/// What is to be different in an entry; what is not set stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Changes {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// All tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Where it is filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<u8>,
    /// All links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<String>>,
    /// What the conversation holds in which it is changed.
    pub labels: crate::safety::Labels,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    /// What a person should know, such as that meaning was not searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

impl Reply {
    /// Nothing was found.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            answer: Answer::Found { found: Vec::new() },
            notices: Vec::new(),
        }
    }
}

/// The answer itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is kept.
    Remembered {
        /// As it is.
        kept: Kept,
        /// What it was before.
        was: Was,
    },
    /// What was found, the best first.
    Found {
        /// The hits.
        found: Vec<Found>,
    },
    /// Entries that were asked for or changed.
    Entries {
        /// In the order asked for.
        entries: Vec<Kept>,
    },
    /// Namespaces, in order.
    Tree {
        /// With how much is in each.
        branches: Vec<Branch>,
    },
}

/// What was there before something was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// Nothing.
    New,
    /// The same, which is as it was or took in what was new of it.
    Same,
    /// The same, forgotten.
    Forgotten,
}

/// An entry and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Kept {
    /// Whose.
    pub scope: Scope,
    /// The entry.
    pub entry: Memory,
}

/// A hit, with what made its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Found {
    /// Whose.
    pub scope: Scope,
    /// The entry.
    pub entry: Memory,
    /// What it is ranked by.
    pub score: f64,
    /// Its place by words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Ranked>,
    /// Its place by meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Ranked>,
    /// What else is in the score.
    #[serde(default, skip_serializing_if = "Boosts::is_none")]
    pub boosts: Boosts,
}

/// A place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Ranked {
    /// From 1.
    pub rank: u32,
    /// BM25's score, or the cosine.
    pub score: f64,
}

/// What is in a score beside words and meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Boosts {
    /// From what was written just before or after it.
    pub neighbours: f64,
    /// From a name in the query that the text begins with.
    pub speaker: f64,
    /// From a time in the query.
    pub time: f64,
}

impl Boosts {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Branch {
    /// Whose.
    pub scope: Scope,
    /// Its name; empty for what is filed nowhere.
    pub namespace: String,
    /// Entries in it, those below it left out.
    pub entries: u64,
}

/// Why memory did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    /// What is to be kept is not as it must be.
    #[error("{error}")]
    Refused {
        /// Why.
        error: MemoryError,
    },
    /// No such entry in the scopes that are seen.
    #[error("there is no entry {id:?}")]
    Missing {
        /// The name.
        id: String,
    },
    /// Several begin like that.
    #[error("{id:?} may be {first} or {second}: write more of the name")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// One.
        first: String,
        /// Another.
        second: String,
    },
    /// A scope that is not among those that are seen.
    #[error("there is no scope {scope:?} here; there are {scopes}")]
    NoScope {
        /// As it was named.
        scope: String,
        /// Those that are there, in words.
        scopes: String,
    },
    /// The query is too long, or empty.
    #[error("{what}")]
    BadQuery {
        /// What is wrong.
        what: String,
    },
    /// Nothing turns texts into vectors.
    #[error("{error}")]
    NoVectors {
        /// Why.
        error: EmbedError,
    },
    /// The store failed.
    #[error("{error}")]
    Store {
        /// In its words.
        error: StoreError,
    },
    /// What is stored cannot be read.
    #[error("{detail}")]
    Damaged {
        /// What, where, and what to do.
        detail: String,
    },
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        Self::Refused { error }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store { error }
    }
}

impl Found {
    /// The entry of a hit.
    #[must_use]
    pub fn of(hit: &index::Hit, scope: Scope, entry: Memory) -> Self {
        let ranked = |ranked: Option<index::Ranked>| {
            ranked.map(|place| Ranked {
                rank: place.rank,
                score: f64::from(place.score),
            })
        };
        Self {
            scope,
            entry,
            score: hit.score,
            keyword: ranked(hit.keyword),
            vector: ranked(hit.vector),
            boosts: Boosts {
                neighbours: f64::from(hit.boosts.neighbours),
                speaker: f64::from(hit.boosts.speaker),
                time: f64::from(hit.boosts.time),
            },
        }
    }
}
