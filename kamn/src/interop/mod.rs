//! KAMN's messages and tasks in the words of others, and theirs in KAMN's.
//!
//! Pure mappings: nothing is sent, nothing is fetched. What does not fit exactly is either refused,
//! carries a warning, or asks for a person ([`a2a::Back::ManualReview`]): it is never guessed.

pub mod a2a;
pub mod alias;
pub mod didcomm;
pub mod mcp;
pub mod tau;

use alloc::string::String;

use thiserror::Error as ThisError;

use crate::{envelope, error::Error, jcs};

/// Why something has no words on the other side.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum InteropError {
    /// Something that the other side does not say so.
    #[error("{what} is refused: {why}")]
    Shape {
        /// What.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A type, method or algorithm nobody maps.
    #[error("{what} {found:?} is not mapped")]
    Unmapped {
        /// What.
        what: &'static str,
        /// The beginning of what was given.
        found: String,
    },
    /// Something that does not parse.
    #[error(transparent)]
    Text(#[from] Error),
    /// Something that is not JSON as signed objects have it.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// An envelope that cannot be.
    #[error(transparent)]
    Envelope(#[from] envelope::Error),
}

impl InteropError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "interop_shape_invalid",
            Self::Unmapped { .. } => "interop_unmapped",
            Self::Text(error) => error.reason_code(),
            Self::Json(error) => error.reason_code(),
            Self::Envelope(error) => error.reason_code(),
        }
    }
}

fn shape(what: &'static str, why: &'static str) -> InteropError {
    InteropError::Shape { what, why }
}
