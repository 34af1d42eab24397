//! The journal: what happened in a session, one hash-chained JSON record after another.
//!
//! A record is stored before anything it decides is done, under a key that must not exist yet, so
//! two writers cannot interleave. Each record holds the SHA-256 of the one before: a changed byte
//! is found, and told at its record. Readers ignore fields they do not know; a record of an
//! unknown type or a newer version is refused rather than misread.

pub mod blob;
mod record;
pub mod replay;
pub mod sections;
pub mod verify;

pub use blob::Blobs;
pub use record::{
    Body, Copied, Created, FinishedBy, ForkPoint, ImportedEntry, MovedBy, NextAttempt, Record,
    VERSION,
};

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    ids::{SessionId, UnixMillis},
    json::{self, FromJson, ToJson, Value},
    session::Range,
};

/// The hash that stands before the first record of a session.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The key of one record.
#[must_use]
pub fn key(session: &SessionId, seq: u64) -> String {
    // Ten digits keep byte order equal to number order.
    format!("session/{session}/journal/{seq:010}")
}

/// The keys of a session's records from `seq` on.
#[must_use]
pub fn range(session: &SessionId, seq: u64, limit: u32) -> Range {
    Range {
        start: key(session, seq),
        end: format!("session/{session}/journal/\u{7f}"),
        limit,
    }
}

/// The key of a session's line in the list of sessions.
#[must_use]
pub fn summary_key(session: &SessionId) -> String {
    format!("sessions/{session}")
}

/// A session's line in the list of sessions, kept beside its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Summary {
    /// Format version.
    pub v: u32,
    /// The session.
    pub session: SessionId,
    /// The beginning of the first prompt.
    pub title: String,
    /// When it was created.
    pub created: UnixMillis,
    /// When it was last written.
    pub updated: UnixMillis,
    /// Turns begun.
    pub turns: u32,
    /// Messages.
    pub entries: u64,
    /// Journal records.
    pub records: u64,
    /// Bytes of all that was said, each time it was said: what it takes to have it in memory.
    #[serde(default)]
    pub bytes: u64,
    /// SHA-256 of the last record, in lower-case hex.
    #[serde(default)]
    pub hash: String,
    /// The model of the last turn.
    pub model: String,
    /// Whether a turn is unfinished.
    pub running: bool,
}

impl Summary {
    /// The line as it is stored at [`summary_key`]; `None` if it is not one.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        json::from_slice(line).ok()
    }
}

/// Where the chain stands: how many records, and the hash of the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of the next record.
    pub next_seq: u64,
    /// SHA-256 of the last record's bytes in lower-case hex; [`GENESIS`] before the first.
    pub hash: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            next_seq: 0,
            hash: GENESIS.into(),
        }
    }
}

/// A journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// No records.
    #[error("the session has no records")]
    Empty,
    /// Bytes that are no record.
    #[error("record {seq} is not readable: {detail}")]
    Unreadable {
        /// Its place.
        seq: u64,
        /// What is wrong.
        detail: String,
    },
    /// A later version of Tau wrote it.
    #[error("record {seq} has format version {found}, this Tau reads up to {VERSION}")]
    Newer {
        /// Its place.
        seq: u64,
        /// Its version.
        found: u32,
    },
    /// A number is missing or out of order.
    #[error("record {expected} is missing, {found} follows")]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The record before was changed after this one was written, or this one's link was.
    #[error("record {seq} does not continue the one before it: one of the two was changed")]
    Broken {
        /// The later of the two.
        seq: u64,
    },
    /// A content that a record refers to is not stored.
    #[error("record {seq} refers to the content {hash}, which is missing")]
    MissingContent {
        /// The record.
        seq: u64,
        /// The content's SHA-256.
        hash: String,
    },
    /// A content is not what its name says.
    #[error("the content {hash} was changed after it was written")]
    AlteredContent {
        /// The SHA-256 it had.
        hash: String,
    },
    /// A record that makes no sense where it stands.
    #[error("record {seq} does not fit what comes before: {detail}")]
    OutOfPlace {
        /// Its place.
        seq: u64,
        /// Why.
        detail: String,
    },
}

/// SHA-256 of `bytes` in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Reads lower-case hex of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}

impl Chain {
    /// Gives `body` its number and link; the bytes are one line of JSON without the newline.
    pub fn append(&mut self, body: Body, at: UnixMillis) -> (Record, Vec<u8>) {
        let record = Record {
            v: VERSION,
            seq: self.next_seq,
            at,
            prev: self.hash.clone(),
            body,
        };
        let bytes = json::to_vec(&record);
        self.next_seq += 1;
        self.hash = sha256_hex(&bytes);
        (record, bytes)
    }

    /// The same, with large contents apart from the record: they are to be stored beside it.
    pub(crate) fn append_apart(
        &mut self,
        mut body: Body,
        at: UnixMillis,
    ) -> (Record, Vec<u8>, Blobs) {
        let blobs = blob::detach(&mut body);
        let (mut record, bytes) = self.append(body, at);
        let attached = blob::attach(&mut record.body, &blobs);
        debug_assert_eq!(attached, Ok(()), "what was taken out is put back");
        (record, bytes, blobs)
    }

    /// The same as [`Chain::read`], with the contents that the record refers to.
    pub fn read_whole(&mut self, bytes: &[u8], blobs: &Blobs) -> Result<Record, JournalError> {
        let seq = self.next_seq;
        let mut record = self.read(bytes)?;
        blob::attach(&mut record.body, blobs)
            .map_err(|hash| JournalError::MissingContent { seq, hash })?;
        Ok(record)
    }

    /// Reads the next record and checks that it continues the chain. What is stored apart from it
    /// stands there by name ([`blob`]).
    pub fn read(&mut self, bytes: &[u8]) -> Result<Record, JournalError> {
        let seq = self.next_seq;
        let unreadable = |error: json::Error| JournalError::Unreadable {
            seq,
            detail: error.to_string(),
        };
        let mut tree: Value = json::from_slice(bytes).map_err(unreadable)?;
        let head = record::Head::from_json(&mut tree).map_err(unreadable)?;
        if head.v > VERSION {
            return Err(JournalError::Newer { seq, found: head.v });
        }
        if head.seq != seq {
            return Err(JournalError::Gap {
                expected: seq,
                found: head.seq,
            });
        }
        let record = Record::from_json(&mut tree).map_err(unreadable)?;
        if record.prev != self.hash {
            return Err(JournalError::Broken { seq });
        }
        self.next_seq += 1;
        self.hash = sha256_hex(bytes);
        Ok(record)
    }
}
