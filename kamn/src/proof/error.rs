//! Why a proof is not taken.

use alloc::string::String;
use thiserror::Error as ThisError;

use super::Purpose;
use crate::jcs;

/// Why a proof is not taken.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// The proof is not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// A moment or a signature is none, or the signature is of another key or another text.
    #[error(transparent)]
    Value(#[from] crate::Error),
    /// There is no proof.
    #[error("the object carries no proof")]
    Absent,
    /// A proof of a kind that is not read here.
    #[error("a proof whose {member} is {found:?} is not supported")]
    Unsupported {
        /// Which member says so.
        member: &'static str,
        /// What it says.
        found: String,
    },
    /// The proof is for something else.
    #[error("the proof is for {found}, not for {expected}")]
    Purpose {
        /// What it should be for.
        expected: Purpose,
        /// What it is for.
        found: Purpose,
    },
    /// The proof was made in another JSON-LD context than the object has.
    #[error("the proof was made in another @context")]
    Context,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.reason_code(),
            Self::Value(error) => error.reason_code(),
            Self::Absent => "proof_missing",
            Self::Unsupported { .. } => "proof_unsupported",
            Self::Purpose { .. } => "proof_purpose_mismatch",
            Self::Context => "proof_context_mismatch",
        }
    }
}
