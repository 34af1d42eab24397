//! What a part is called: a kind and a word, never a path.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

use super::{BundleError, Reason};

/// Bytes of what follows the kind in a name.
pub const SLUG_LIMIT_BYTES: usize = 96;
const KIND_LIMIT_BYTES: usize = 16;

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A session with what it continues: a section of an export.
    Session,
    /// The receipts of a session: a section of rows.
    Receipts,
    /// The memories of a scope: a section of rows.
    Memory,
    /// A policy, without what a person agreed to.
    Policy,
    /// The manifest of a WebAssembly tool.
    Tool,
    /// The module of the tool of that name.
    Module,
    /// An identity file.
    File,
    /// Of a later version: it is verified, kept out and told.
    Unknown(String),
}

impl Kind {
    /// Those that this version knows.
    pub const ALL: [Self; 7] = [
        Self::Session,
        Self::Receipts,
        Self::Memory,
        Self::Policy,
        Self::Tool,
        Self::Module,
        Self::File,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Session => "session",
            Self::Receipts => "receipts",
            Self::Memory => "memory",
            Self::Policy => "policy",
            Self::Tool => "tool",
            Self::Module => "module",
            Self::File => "file",
            Self::Unknown(name) => name,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a part: `session/0123456789abcdef`, `memory/user`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    kind: Kind,
    slug: String,
}

impl PartName {
    /// The part of that kind called `slug`: 1 to 96 letters, digits, `-` and `_`.
    pub fn new(kind: Kind, slug: &str) -> Result<Self, BundleError> {
        format!("{kind}/{slug}").parse()
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What follows the kind.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// The same for names that one file system could take for each other.
    pub(super) fn folded(&self) -> String {
        format!("{self}").to_ascii_lowercase()
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.slug)
    }
}

impl FromStr for PartName {
    type Err = BundleError;

    fn from_str(name: &str) -> Result<Self, BundleError> {
        let refused = || {
            BundleError::manifest(Reason::Name {
                name: name.chars().take(80).collect(),
            })
        };
        let (kind, slug) = name.split_once('/').ok_or_else(refused)?;
        let is_kind = (1..=KIND_LIMIT_BYTES).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_lowercase());
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_slug = (1..=SLUG_LIMIT_BYTES).contains(&slug.len()) && slug.bytes().all(legal);
        if !is_kind || !is_slug {
            return Err(refused());
        }
        let known = Kind::ALL.into_iter().find(|known| known.name() == kind);
        Ok(Self {
            kind: known.unwrap_or_else(|| Kind::Unknown(kind.into())),
            slug: slug.into(),
        })
    }
}
