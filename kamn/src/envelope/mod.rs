//! Envelopes: messages between agents, signed by their sender.
//!
//! ```text
//!   Envelope ── sign ──> SignedEnvelope ── to_canonical ──> bytes
//!                                                             │
//!   Received <─ guard <─ permission <─ signature <─ key <─ time window <─ shape <─ strict JSON <─ size
//! ```
//!
//! The checks run in that order, from the cheapest on, and only the guard, the last of them, changes
//! anything: what is refused earlier can be sent again, and nobody can burn another's numbers.
//! Recipients, keys and times are inside of the signature.

mod antispam;
mod error;
mod lifecycle;
mod read;
mod receive;
mod shape;
mod write;

pub use antispam::{AntiSpam, Spam, SpamPolicy};
pub use error::Error;
pub use lifecycle::{Stage, StageError};
pub use receive::{Arrival, Received, Resolver, Verified, receive, verify};
pub use write::{SignedEnvelope, UnsignedEnvelope};

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    did::{AgentDid, KamnDid},
    jcs::Integer,
    time::Timestamp,
};

/// How many bytes an envelope may have.
pub const ENVELOPE_LIMIT_BYTES: usize = 65_536;
/// How many recipients it may have.
pub const RECIPIENTS_LIMIT: usize = 256;
/// How many entries its body may have.
pub const BODY_LIMIT: usize = 256;
/// How many attachments it may have.
pub const ATTACHMENTS_LIMIT: usize = 16;
/// How many bytes an id may have.
pub const ID_LIMIT_BYTES: usize = 256;

/// A message from one agent to others, not yet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Its own id, never used again by this sender.
    pub id: String,
    /// Who sends it.
    pub from: AgentDid,
    /// Whom it is for, in this order, nobody twice.
    pub to: Vec<KamnDid>,
    /// When it was made.
    pub created: Timestamp,
    /// When it is of no use any more.
    pub expires: Timestamp,
    /// The conversation it belongs to.
    pub thread_id: Option<String>,
    /// The message it answers.
    pub parent_id: Option<String>,
    /// Its number among those of this sender in one place, from 1.
    pub nonce: Integer,
    /// What kind of message it is.
    pub message_type: MessageType,
    /// How urgent it is, in the sender's words.
    pub priority: String,
    /// The media type of what the body holds.
    pub content_type: String,
    /// The ids of the keys it can be opened with, `<did>#key-agreement-1`, each of a recipient.
    pub recipient_keys: Vec<String>,
    /// What it says.
    pub body: BTreeMap<String, String>,
    /// What is elsewhere and belongs to it.
    pub attachments: Vec<Attachment>,
}

/// Something that belongs to a message and is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name within the message.
    pub id: String,
    /// What it is.
    pub media_type: String,
    /// Where it is.
    pub uri: String,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// Asks for something.
    Request,
    /// Answers a request.
    Response,
    /// Proposes a channel or a deal.
    Proposal,
    /// Takes a proposal.
    Acceptance,
    /// Turns a proposal down.
    Rejection,
    /// Hands a task on.
    Delegation,
    /// Says how it goes.
    StatusUpdate,
    /// Offers payment.
    PaymentOffer,
    /// Confirms payment.
    PaymentConfirm,
    /// Says that the sender is there.
    Heartbeat,
    /// Takes something back.
    Revocation,
}

impl MessageType {
    /// Every type there is.
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::Response,
        Self::Proposal,
        Self::Acceptance,
        Self::Rejection,
        Self::Delegation,
        Self::StatusUpdate,
        Self::PaymentOffer,
        Self::PaymentConfirm,
        Self::Heartbeat,
        Self::Revocation,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
            Self::Proposal => "Proposal",
            Self::Acceptance => "Acceptance",
            Self::Rejection => "Rejection",
            Self::Delegation => "Delegation",
            Self::StatusUpdate => "StatusUpdate",
            Self::PaymentOffer => "PaymentOffer",
            Self::PaymentConfirm => "PaymentConfirm",
            Self::Heartbeat => "Heartbeat",
            Self::Revocation => "Revocation",
        }
    }
}

#[cfg(test)]
mod tests;
