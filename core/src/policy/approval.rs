//! Approvals: what a yes covers.
//!
//! A yes for one call is bound to the very call that was shown. A yes that lasts is bound to a rule
//! that a person can read: a tool, a method and origin, or a command as it stands. One that
//! outlives the session is kept in the store, where a person sees it and takes it back.

use alloc::{format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{SessionId, UnixMillis},
    journal::sha256_hex,
    json::{self, FromJson, ToJson},
    session::Range,
};

/// How far a yes reaches.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    FromJson,
    ToJson,
)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// This call.
    #[default]
    Call,
    /// What the same rule covers, in this session.
    Session,
    /// What the same rule covers, in every session of the same store.
    Always,
}

/// A yes that outlives its session, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Grant {
    /// Format version.
    pub v: u32,
    /// What it covers.
    pub rule: String,
    /// When it was given.
    pub at: UnixMillis,
    /// Where.
    pub session: SessionId,
}

impl Grant {
    /// A yes given now.
    #[must_use]
    pub fn new(rule: &str, at: UnixMillis, session: &SessionId) -> Self {
        Self {
            v: 1,
            rule: rule.into(),
            at,
            session: session.clone(),
        }
    }

    /// Where it is stored: the same rule has one place.
    #[must_use]
    pub fn key(rule: &str) -> String {
        format!("grant/{}", &sha256_hex(rule.as_bytes())[..16])
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// Where all of them are.
    #[must_use]
    pub fn range() -> Range {
        Range::prefix("grant/", 10_000)
    }

    /// Those of stored rows; what is not readable as one gives nothing.
    pub fn read(rows: &[(String, Vec<u8>)]) -> impl Iterator<Item = Self> {
        rows.iter()
            .filter_map(|(_, value)| json::from_slice(value).ok())
    }
}
