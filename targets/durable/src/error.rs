//! The runtime's errors in the words of the platform.

use tau_core::session::StoreError;
use worker::Error;

/// An error of the object's storage. SQLite's codes stand at the end of the runtime's messages.
pub(crate) fn words(error: &Error) -> StoreError {
    let detail = match error {
        Error::UnknownJsError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    if detail.contains("SQLITE_FULL") {
        StoreError::Full
    } else if detail.contains("SQLITE_CORRUPT") || detail.contains("SQLITE_NOTADB") {
        StoreError::Corrupt { detail }
    } else {
        StoreError::Io { detail }
    }
}
