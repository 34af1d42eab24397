//! Why an envelope is not taken.

use alloc::string::String;
use thiserror::Error as ThisError;

use crate::{guard, jcs, kel, proof};

/// Why an envelope is refused, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// It is too long, not JSON, or has other members than an envelope has.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// A DID, a moment or a signature in it is none.
    #[error(transparent)]
    Value(#[from] crate::Error),
    /// A member that does not say what it must.
    #[error("envelope: {member}: {why}")]
    Shape {
        /// Which member.
        member: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A type of message that is not known.
    #[error("no message type is called {found:?}")]
    MessageType {
        /// The beginning of what it is called.
        found: String,
    },
    /// Too long when written.
    #[error("the envelope has {found} bytes, at most {limit} are sent")]
    TooLong {
        /// How many bytes may be.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// It came too late, too early or again.
    #[error(transparent)]
    Guard(#[from] guard::Refusal),
    /// It is for others.
    #[error("the envelope is not addressed to {recipient}")]
    NotAddressed {
        /// Who got it.
        recipient: String,
    },
    /// Nobody knows the keys of its sender.
    #[error("the keys of {did} are not known")]
    Unresolved {
        /// The sender.
        did: String,
    },
    /// The sender's log has no such key at that time, or is no log to believe.
    #[error(transparent)]
    Keys(#[from] kel::Error),
    /// The proof is missing or wrong.
    #[error(transparent)]
    Proof(#[from] proof::Error),
    /// The sender may not send this here.
    #[error("{actor} may not {action}: {rule}")]
    Forbidden {
        /// Who.
        actor: String,
        /// What they may not.
        action: &'static str,
        /// The rule that says so.
        rule: String,
    },
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.reason_code(),
            Self::Value(error) => error.reason_code(),
            Self::Shape { .. } => "envelope_invalid",
            Self::MessageType { .. } => "message_type_unknown",
            Self::TooLong { .. } => "envelope_too_long",
            Self::Guard(error) => error.reason_code(),
            Self::NotAddressed { .. } => "recipient_mismatch",
            Self::Unresolved { .. } => "sender_unresolved",
            Self::Keys(error) => error.reason_code(),
            Self::Proof(error) => error.reason_code(),
            Self::Forbidden { .. } => "sender_forbidden",
        }
    }
}
