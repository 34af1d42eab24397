//! SQLite's errors in the words of the platform.

use rusqlite::{Error, ErrorCode, ffi};
use std::path::Path;
use tau_core::session::StoreError;

/// How a person gets a damaged store back.
const MEND: &str = "`tau session repair` saves what can be read";

/// An error of a store that is open.
pub(super) fn words(error: Error) -> StoreError {
    let code = error.sqlite_error_code();
    let detail = match &error {
        // Without the number that the library puts before it.
        Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match code {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // The log's index could not grow: what a full disk is called when the store is opened.
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(&detail),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked {
            holder: "another process that is writing".to_owned(),
        },
        // A row without its value, or with one that no Tau writes.
        _ if matches!(error, Error::InvalidColumnType(..)) => damaged(&detail),
        _ => StoreError::Io { detail },
    }
}

/// The same, naming the file.
pub(super) fn words_of(path: &Path, error: Error) -> StoreError {
    match words(error) {
        StoreError::Io { detail } => io(path, &detail),
        StoreError::Corrupt { detail } => StoreError::Corrupt {
            detail: format!("{}: {detail}", path.display()),
        },
        other => other,
    }
}

/// A file whose content makes no sense.
pub(super) fn corrupt(path: &Path, detail: &str) -> StoreError {
    damaged(&format!("{}: {detail}", path.display()))
}

/// A file that cannot be used as it is.
pub(super) fn io(path: &Path, detail: &str) -> StoreError {
    StoreError::Io {
        detail: format!("{}: {detail}", path.display()),
    }
}

fn damaged(detail: &str) -> StoreError {
    StoreError::Corrupt {
        detail: format!("{detail}; {MEND}"),
    }
}
