//! Why a text, or an object read from it, is not taken.

use alloc::string::String;
use thiserror::Error as ThisError;

/// Why JSON is not taken.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// Longer than its kind may be.
    #[error("{found} bytes of JSON, at most {limit} are read")]
    TooLong {
        /// How many bytes may be.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// Not JSON, or JSON that signed objects must not have.
    #[error("JSON at byte {at}: {why}")]
    Syntax {
        /// Where it stops making sense.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// Arrays and objects too deep in each other.
    #[error("JSON at byte {at}: more than 16 levels deep")]
    TooDeep {
        /// Where the level begins that is one too many.
        at: usize,
    },
    /// A number that not every reader reads alike.
    #[error("JSON at byte {at}: {why}")]
    Number {
        /// Where it begins.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A number beyond 2^53 - 1 was to be written.
    #[error("a number beyond 2^53 - 1 must be written as a decimal string")]
    TooLarge,
    /// A name that an object has twice.
    #[error("an object has {name:?} more than once")]
    Duplicate {
        /// The beginning of the name.
        name: String,
    },
    /// Something of another kind than it must be.
    #[error("{what}: {name:?} must be {expected}")]
    Kind {
        /// The object it is in.
        what: &'static str,
        /// Its name there.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A member that must be there.
    #[error("{what}: {name:?} is missing")]
    Missing {
        /// The object it should be in.
        what: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A member that must not be there.
    #[error("{what}: {name:?} is unknown")]
    Unknown {
        /// The object it is in.
        what: &'static str,
        /// The beginning of its name.
        name: String,
    },
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "json_too_long",
            Self::Syntax { .. } => "json_syntax_invalid",
            Self::TooDeep { .. } => "json_too_deep",
            Self::Number { .. } | Self::TooLarge => "json_number_invalid",
            Self::Duplicate { .. } => "json_key_duplicate",
            Self::Kind { .. } => "json_field_kind_invalid",
            Self::Missing { .. } => "json_field_missing",
            Self::Unknown { .. } => "json_field_unknown",
        }
    }
}
