//! What a server says, in the words of the platform; and what may be done about it.

use std::error::Error as _;
use tau_core::session::StoreError;
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

/// A claimed key exists; `schema.sql` raises it.
const TAKEN: &str = "TAU01";

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A key that had to be absent exists.
    Taken(String),
    /// Others were in the way. Nothing was done, and it may go well now.
    Busy(String),
    /// No connection. Nothing was sent.
    Unreachable(String),
    /// The connection ended before the answer: nobody here knows whether it was done.
    Lost(String),
    /// Asking again changes nothing.
    Refused(StoreError),
}

/// A failure in words alone.
pub(crate) fn io(detail: impl Into<String>) -> StoreError {
    StoreError::Io {
        detail: detail.into(),
    }
}

/// Why a question that was sent was not answered.
pub(crate) fn of_question(error: &Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        return match error.is_closed() || has_io(error) {
            true => Failure::Lost(words(error)),
            // What the library could not encode or read: it will not be able to the next time.
            false => Failure::Refused(io(words(error))),
        };
    };
    match db.code() {
        code if code.code() == TAKEN => Failure::Taken(db.message().to_owned()),
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
            Failure::Busy(said(db))
        }
        &SqlState::LOCK_NOT_AVAILABLE => Failure::Busy("another writer does not end".to_owned()),
        &SqlState::DISK_FULL => Failure::Refused(StoreError::Full),
        code if is_ending(code) => Failure::Lost(said(db)),
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            Failure::Refused(io(format!("the server takes no writes: {}", said(db))))
        }
        &SqlState::UNDEFINED_TABLE
        | &SqlState::UNDEFINED_FUNCTION
        | &SqlState::INVALID_SCHEMA_NAME => Failure::Refused(io(format!(
            "Tau's tables were changed or removed: {}",
            said(db)
        ))),
        _ => Failure::Refused(io(said(db))),
    }
}

/// Why there is no connection.
pub(crate) fn of_connecting(error: &Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        return Failure::Unreachable(words(error));
    };
    match db.code() {
        code if is_ending(code) => Failure::Unreachable(said(db)),
        &SqlState::TOO_MANY_CONNECTIONS => Failure::Busy(said(db)),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Failure::Refused(io(format!("the server refused the login: {}", said(db))))
        }
        _ => Failure::Refused(io(said(db))),
    }
}

/// The server is shutting down, starting up, or recovering from a crash.
fn is_ending(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
    ]
    .contains(code)
        || code.code().starts_with("08")
}

fn has_io(error: &Error) -> bool {
    error
        .source()
        .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// What the server said, without the values that it may repeat in its details.
fn said(error: &DbError) -> String {
    format!("{} ({})", error.message(), error.code().code())
}

/// The library's words with what is under them: "error connecting to server" alone helps nobody.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}
