//! DIDs: the native form `kamn:did:<role>:<id>`, its W3C alias `did:kamn:<role>:<id>`, and `did:key`.
//!
//! The native form is the one stored and signed; the alias is for documents that must satisfy the
//! grammar of DID Core, and turns back into the same native form.

mod agent;
mod did_key;

pub use agent::{AgentDid, Trust};
pub use did_key::DidKey;

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

use crate::error::{Error, beginning};

const NATIVE: &str = "kamn:did:";
const W3C: &str = "did:kamn:";
const DID_LIMIT_BYTES: usize = 256;
const ID_LIMIT_BYTES: usize = 128;

/// Whom a DID names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A program that acts.
    Agent,
    /// Whoever runs agents.
    Operator,
    /// Whoever agents belong to.
    Owner,
    /// A person.
    Human,
}

impl Role {
    /// As it is written in a DID.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
            Self::Owner => "owner",
            Self::Human => "human",
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "agent" => Ok(Self::Agent),
            "operator" => Ok(Self::Operator),
            "owner" => Ok(Self::Owner),
            "human" => Ok(Self::Human),
            _ => Err(Error::Role {
                role: beginning(name),
            }),
        }
    }
}

/// A KAMN DID of any role. An id is one or more of `[a-z0-9_-]`, at most 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KamnDid {
    role: Role,
    id: String,
}

impl KamnDid {
    /// Reads the native form or the W3C alias.
    pub fn parse_any(did: &str) -> Result<Self, Error> {
        match did.strip_prefix(W3C) {
            Some(rest) => Self::parse(did, rest),
            None => did.parse(),
        }
    }

    /// Whom it names.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What follows the role.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The native form, `kamn:did:<role>:<id>`: what is stored and signed.
    #[must_use]
    pub fn as_kamn(&self) -> String {
        format!("{NATIVE}{}:{}", self.role.name(), self.id)
    }

    /// The W3C alias, `did:kamn:<role>:<id>`: what documents use.
    #[must_use]
    pub fn as_w3c(&self) -> String {
        format!("{W3C}{}:{}", self.role.name(), self.id)
    }

    fn parse(did: &str, rest: &str) -> Result<Self, Error> {
        let refused = |why| Error::Did {
            did: beginning(did),
            expected: "KAMN",
            why,
        };
        if did.len() > DID_LIMIT_BYTES {
            return Err(refused("it is longer than 256 bytes"));
        }
        let (role, id) = rest
            .split_once(':')
            .ok_or_else(|| refused("it has no id after the role"))?;
        let role = role.parse()?;
        if id.is_empty() {
            return Err(refused("its id is empty"));
        }
        if id.len() > ID_LIMIT_BYTES {
            return Err(refused("its id is longer than 128 bytes"));
        }
        if !is_id(id) {
            return Err(refused("its id has something other than a-z, 0-9, _ and -"));
        }
        Ok(Self {
            role,
            id: id.into(),
        })
    }
}

impl FromStr for KamnDid {
    type Err = Error;

    /// Reads the native form alone.
    fn from_str(did: &str) -> Result<Self, Error> {
        match did.strip_prefix(NATIVE) {
            Some(rest) => Self::parse(did, rest),
            None => Err(Error::Did {
                did: beginning(did),
                expected: "KAMN",
                why: "it does not begin with kamn:did:",
            }),
        }
    }
}

impl fmt::Display for KamnDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_kamn())
    }
}

fn is_id(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests;
