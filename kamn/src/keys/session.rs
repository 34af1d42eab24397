//! Keys of single sessions: one for each, and only for a while.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String};

use super::Error;
use crate::key::PublicKey;

const ID_LIMIT_BYTES: usize = 256;

/// The key of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// The key.
    pub key: PublicKey,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// The keys of sessions, at most so many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    limit: usize,
    sessions: BTreeMap<String, SessionKey>,
}

impl SessionKeys {
    /// Room for so many sessions.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            sessions: BTreeMap::new(),
        }
    }

    /// Gives a session its key, which no other session has. What has ended makes room.
    pub fn insert(&mut self, id: &str, key: SessionKey, now_ms: u64) -> Result<(), Error> {
        if id.trim().is_empty() || id.len() > ID_LIMIT_BYTES {
            let why = "its id must have 1 to 256 bytes";
            return Err(Error::Session { why });
        }
        if key.expires_ms <= now_ms {
            let why = "its key ends before it begins";
            return Err(Error::Session { why });
        }
        let is_used = |(known, held): (&String, &SessionKey)| known == id || held.key == key.key;
        if self.sessions.iter().any(is_used) {
            let id = id.to_owned();
            return Err(Error::SessionKnown { id });
        }
        if self.sessions.len() >= self.limit {
            self.sessions.retain(|_, held| held.expires_ms > now_ms);
        }
        if self.sessions.len() >= self.limit {
            return Err(Error::SessionsFull);
        }
        self.sessions.insert(id.to_owned(), key);
        Ok(())
    }

    /// The key of a session, if it has not ended.
    pub fn get(&self, id: &str, now_ms: u64) -> Result<&PublicKey, Error> {
        match self.sessions.get(id) {
            Some(held) if held.expires_ms > now_ms => Ok(&held.key),
            _ => Err(Error::SessionUnknown { id: id.to_owned() }),
        }
    }
}
