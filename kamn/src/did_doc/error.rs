//! Why a DID document is not taken.

use alloc::string::String;
use thiserror::Error as ThisError;

use crate::{jcs, kel};

/// Why a DID document is refused or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// It is not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// A DID or a key in it is none.
    #[error(transparent)]
    Value(#[from] crate::Error),
    /// The key event log is none to believe.
    #[error(transparent)]
    Keys(#[from] kel::Error),
    /// It is the document of another subject.
    #[error("the document is one of {found:?}, expected {expected:?}")]
    Subject {
        /// Whose it should be.
        expected: String,
        /// The beginning of whose it is.
        found: String,
    },
    /// Something in it holds a secret.
    #[error("the document holds private material: {name:?}")]
    Private {
        /// The member that does.
        name: String,
    },
    /// A member that does not say what it must.
    #[error("document: {member}: {why}")]
    Invalid {
        /// Which member.
        member: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A relationship names a key that is not there, or one of the other curve.
    #[error("document: {relationship} names {id:?}: {why}")]
    Relationship {
        /// Which relationship.
        relationship: &'static str,
        /// The beginning of what it names.
        id: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// An address that is none for its kind of service.
    #[error("{endpoint:?} is no endpoint of its kind: {why}")]
    Endpoint {
        /// The beginning of the address.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The agent has no key of that kind now.
    #[error("the agent has no key to {purpose} with now")]
    NoKey {
        /// What there is no key for.
        purpose: &'static str,
    },
    /// The document says something else than the agent's key event log.
    #[error("the document is not the one its key event log yields")]
    NotOfLog,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.reason_code(),
            Self::Value(error) => error.reason_code(),
            Self::Keys(error) => error.reason_code(),
            Self::Subject { .. } => "document_subject_mismatch",
            Self::Private { .. } => "document_private_material",
            Self::Invalid { .. } => "document_invalid",
            Self::Relationship { .. } => "document_relationship_invalid",
            Self::Endpoint { .. } => "document_endpoint_invalid",
            Self::NoKey { .. } => "document_key_missing",
            Self::NotOfLog => "document_log_mismatch",
        }
    }
}
