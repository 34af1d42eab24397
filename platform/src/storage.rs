//! Storage: ordered keys, conditional atomic commits.
//!
//! Keys read like paths (`session/<id>/journal/<seq>`) and are ASCII; values are versioned JSON.

use alloc::{string::String, vec::Vec};
use tau_core::{
    ids::SessionId,
    session::{Batch, Range, StoreError},
};

/// One ordered map from keys to values, shared by everything a home keeps.
pub trait Storage {
    /// The value of `key`.
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keys of the half-open range and their values, in byte order of the keys, at most
    /// `range.limit`.
    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Changes all of `batch` or nothing: first what it deletes, then what it puts, so that a key
    /// in both ends up with the new value.
    ///
    /// Once it returns `Ok`, the change survives the end of the process. Fails with
    /// [`StoreError::Conflict`] when a key of `require_absent` exists. A future that is dropped
    /// leaves either all of the batch or nothing.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}

/// The error of a commit whose required-absent `key` exists, naming the session of the key.
#[must_use]
pub fn conflict(key: &str) -> StoreError {
    let session = key
        .strip_prefix("session/")
        .or_else(|| key.strip_prefix("receipt/"))
        .and_then(|rest| rest.split('/').next())
        .unwrap_or(key);
    StoreError::Conflict {
        session: SessionId(session.into()),
    }
}
