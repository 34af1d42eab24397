//! Scopes: whose an entry is, and which of them a conversation may read and write.
//!
//! Invariant: a scope is a segment of every key of its entries and of their index, and no name can
//! be written so that it leads to another's: names are letters, digits, `-` and `_`, the kind comes
//! first, and nothing is looked up but in the scopes that a [`Access`] lists.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    journal,
    json::{self, FromJson, ToJson, object_of},
    session::Range,
};

/// Where entries were before there were scopes: they are the person's.
const BEFORE_SCOPES: &str = "default";
/// The longest name of a workspace, an agent or a channel.
const NAME_LIMIT_BYTES: usize = 64;
/// The end of a range that holds everything.
const ALL: u32 = u32::MAX;

/// Whose an entry is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// The person's, wherever they work.
    User,
    /// Of one folder, by a name that says which.
    Workspace(String),
    /// Of one agent.
    Agent(String),
    /// Of one channel, such as a chat with somebody.
    Channel(String),
}

/// A scope that is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no scope: write user, or workspace, agent or channel with a name of 1 to \
     {NAME_LIMIT_BYTES} letters, digits, - or _, such as agent:reviewer"
)]
pub struct BadScope(pub String);

impl Scope {
    /// The scope of the folder with that canonical path.
    #[must_use]
    pub fn of_folder(path: &str) -> Self {
        let digest = Sha256::digest(path.as_bytes());
        Self::Workspace(journal::hex(&digest[..8]))
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User => ("user", ""),
            Self::Workspace(name) => ("workspace", name),
            Self::Agent(name) => ("agent", name),
            Self::Channel(name) => ("channel", name),
        }
    }

    /// What kind it is: `user`, `workspace`, `agent` or `channel`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.parts().0
    }

    /// It as a segment of a key.
    #[must_use]
    pub fn segment(&self) -> String {
        match self.parts() {
            (kind, "") => kind.into(),
            (kind, name) => format!("{kind}-{name}"),
        }
    }

    /// Where an entry of that id is stored.
    #[must_use]
    pub fn key(&self, id: &str) -> String {
        format!("memory/{}/{id}", self.segment())
    }

    /// All its entries.
    #[must_use]
    pub fn range(&self) -> Range {
        Range::prefix(&format!("memory/{}/", self.segment()), ALL)
    }

    /// Where it is told which entry holds a text that its id does not say.
    #[must_use]
    pub fn same_key(&self, id: &str) -> String {
        format!("same/{}/{id}", self.segment())
    }

    /// Entries of the time before scopes that are now this scope's.
    #[must_use]
    pub fn before(&self) -> Option<Range> {
        matches!(self, Self::User).then(|| Range::prefix(&format!("memory/{BEFORE_SCOPES}/"), ALL))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, "") => f.write_str(kind),
            (kind, name) => write!(f, "{kind}:{name}"),
        }
    }
}

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        let is_name = |name: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !name.is_empty() && name.len() <= NAME_LIMIT_BYTES && name.bytes().all(legal)
        };
        match text.split_once(':') {
            None if text == "user" => Ok(Self::User),
            Some(("workspace", name)) if is_name(name) => Ok(Self::Workspace(name.into())),
            Some(("agent", name)) if is_name(name) => Ok(Self::Agent(name.into())),
            Some(("channel", name)) if is_name(name) => Ok(Self::Channel(name.into())),
            _ => Err(BadScope(text.chars().take(NAME_LIMIT_BYTES).collect())),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = BadScope;

    fn try_from(text: String) -> Result<Self, BadScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl FromJson for Scope {
    fn from_json(value: &mut Value) -> Result<Self, json::Error> {
        let text = String::from_json(value)?;
        text.parse()
            .map_err(|error: BadScope| json::Error::custom(&error))
    }
}

impl ToJson for Scope {
    fn to_json(&self, out: &mut json::Writer) {
        self.to_string().to_json(out);
    }
}

/// What of memory a conversation may see and where it writes.
///
/// Written as an object; one that reads and writes the person's own entries and recalls nothing by
/// itself is written as it was before there were scopes, so that an old record stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Access {
    /// Where it searches and reads, in the order in which a name is looked up. The one it writes
    /// is among them.
    pub read: Vec<Scope>,
    /// Where it writes when nothing else is said; also the only scope but those in `read`.
    pub write: Scope,
    /// Estimated tokens of what is recalled at the beginning of a turn; 0 recalls nothing.
    pub recall_tokens: u32,
    /// Whether the model may file, change and forget; else it keeps and searches plain texts.
    pub manages: bool,
}

impl Access {
    /// The person's own entries, kept and searched; nothing is recalled unasked.
    #[must_use]
    pub fn of_person() -> Self {
        Self::to(Scope::User)
    }

    /// One scope alone, kept and searched; nothing is recalled unasked.
    #[must_use]
    pub fn to(scope: Scope) -> Self {
        Self {
            read: vec![scope.clone()],
            write: scope,
            recall_tokens: 0,
            manages: false,
        }
    }

    /// Whether `scope` is among those that may be seen.
    #[must_use]
    pub fn sees(&self, scope: &Scope) -> bool {
        self.scopes().any(|seen| seen == scope)
    }

    /// Every scope that may be seen, each once.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let write = Some(&self.write).filter(|write| !self.read.contains(write));
        self.read.iter().chain(write)
    }

    /// The scope of that kind or name among those that may be seen: a model knows no more of them.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Scope> {
        self.scopes()
            .find(|scope| scope.kind() == name || scope.to_string() == name)
    }

    fn of_value(value: Value) -> Result<Self, json::Error> {
        #[derive(FromJson)]
        struct Written {
            read: Vec<Scope>,
            write: Scope,
            #[serde(default)]
            recall_tokens: u32,
            #[serde(default)]
            manages: bool,
        }
        if value.is_string() {
            return Ok(Self::of_person());
        }
        let written: Written = json::from_value(value)?;
        Ok(Self {
            read: written.read,
            write: written.write,
            recall_tokens: written.recall_tokens,
            manages: written.manages,
        })
    }

    fn value(&self) -> Value {
        if *self == Self::of_person() {
            return BEFORE_SCOPES.into();
        }
        let read: Vec<Value> = self
            .read
            .iter()
            .map(|scope| scope.to_string().into())
            .collect();
        object_of([
            ("read", read.into()),
            ("write", self.write.to_string().into()),
            ("recall_tokens", self.recall_tokens.into()),
            ("manages", self.manages.into()),
        ])
    }
}

impl TryFrom<Value> for Access {
    type Error = json::Error;

    fn try_from(value: Value) -> Result<Self, json::Error> {
        Self::of_value(value)
    }
}

impl From<Access> for Value {
    fn from(access: Access) -> Self {
        access.value()
    }
}

impl FromJson for Access {
    fn from_json(value: &mut Value) -> Result<Self, json::Error> {
        Self::of_value(core::mem::take(value))
    }
}

impl ToJson for Access {
    fn to_json(&self, out: &mut json::Writer) {
        self.value().to_json(out);
    }
}

/// A namespace as it is looked up: without slashes at its ends.
pub(super) fn trimmed(namespace: &str) -> String {
    namespace.trim_matches('/').to_owned()
}
