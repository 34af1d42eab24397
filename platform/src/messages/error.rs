//! Why a message is not taken or not sent.

use alloc::string::String;
use tau_core::session::StoreError;
use tau_kamn::{
    envelope, guard, handshake::HandshakeError, jcs, kel, notice, ratchet::RatchetError,
    seal::SealError,
};
use thiserror::Error;

use super::{ChannelRefusal, Flood};
use crate::{EntropyError, SignerError, peers::LogError};

/// Why a message is not taken or not sent. Nothing of it happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of this agent's own is damaged in the store.
    #[error("what is stored at {key} is damaged: {why}")]
    Damaged {
        /// Where.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The agent's own keys did not do it.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// An agent has no key of a kind that counts now.
    #[error("{did} has no {key} key now")]
    NoKey {
        /// Who.
        did: String,
        /// Which.
        key: &'static str,
    },
    /// An agent's keys are not to be believed.
    #[error(transparent)]
    Keys(#[from] kel::Error),
    /// A log of keys was not taken.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A value that can be none.
    #[error(transparent)]
    Value {
        /// Which.
        error: tau_kamn::Error,
    },
    /// What came is no packet.
    #[error("not a message: {error}")]
    Packet {
        /// What is wrong with it.
        error: jcs::Error,
    },
    /// What came is of a version that is not read here.
    #[error("a packet of version {found}, only 1 is read")]
    Version {
        /// Its version.
        found: u64,
    },
    /// Too much from one place or one agent.
    #[error(transparent)]
    Flood(#[from] Flood),
    /// The envelope is not taken.
    #[error(transparent)]
    Envelope(#[from] envelope::Error),
    /// A sealed body does not open, or is not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A body under a session does not open, or is not sealed.
    #[error(transparent)]
    Session(#[from] RatchetError),
    /// A handshake goes no further.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The session has another channel than the message.
    #[error("there is no session with {peer} for this channel: shake hands first")]
    NoSession {
        /// With whom.
        peer: String,
    },
    /// The handshake is about keys that are not known here.
    #[error("{peer} goes by keys that are not known here")]
    KelHead {
        /// Who.
        peer: String,
    },
    /// The two do not mean the same by the channel.
    #[error("{peer} means another channel or other permissions")]
    Channel {
        /// Who.
        peer: String,
    },
    /// A channel of several agents does not let it be.
    #[error(transparent)]
    Several(#[from] ChannelRefusal),
    /// What a body says is no text.
    #[error("the body {why}")]
    Body {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A media type nobody here reads.
    #[error("a body of type {found:?} is not read here")]
    ContentType {
        /// The beginning of it.
        found: String,
    },
    /// No more letters of that agent are kept unread.
    #[error("{limit} letters of {peer} wait to be read, and no more are taken")]
    InboxFull {
        /// Whose.
        peer: String,
        /// How many.
        limit: u64,
    },
    /// No more messages to that agent wait.
    #[error("{limit} messages to {peer} wait to be sent, and no more are taken")]
    OutboxFull {
        /// To whom.
        peer: String,
        /// How many.
        limit: u64,
    },
    /// The message holds what gives access to something.
    #[error("the message holds what looks like a secret ({family})")]
    Secret {
        /// The family found.
        family: String,
    },
    /// Nobody knows where that agent takes messages.
    #[error("where {peer} takes messages is not known")]
    NoAddress {
        /// Who.
        peer: String,
    },
    /// A notice is not taken.
    #[error(transparent)]
    Notice(#[from] notice::Error),
    /// Others wrote at the same time, again and again.
    #[error("other processes write messages at the same time; nothing was taken")]
    Busy,
}

impl MessageError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store_failed",
            Self::Damaged { .. } => "store_damaged",
            Self::Entropy(_) => "entropy_failed",
            Self::Signer(_) => "signer_failed",
            Self::NoKey { .. } => "key_missing",
            Self::Keys(error) => error.reason_code(),
            Self::Log(error) => error.reason_code(),
            Self::Value { error } => error.reason_code(),
            Self::Packet { error } => error.reason_code(),
            Self::Version { .. } => "packet_version_unknown",
            Self::Flood(flood) => flood.reason_code(),
            Self::Envelope(error) => error.reason_code(),
            Self::Seal(error) => error.reason_code(),
            Self::Session(error) => error.reason_code(),
            Self::Handshake(error) => error.reason_code(),
            Self::NoSession { .. } => "session_unknown",
            Self::KelHead { .. } => "kel_head_mismatch",
            Self::Channel { .. } => "channel_mismatch",
            Self::Several(refusal) => refusal.reason_code(),
            Self::Body { .. } => "body_invalid",
            Self::ContentType { .. } => "content_type_unknown",
            Self::InboxFull { .. } => "inbox_full",
            Self::OutboxFull { .. } => "outbox_full",
            Self::Secret { .. } => "message_holds_secret",
            Self::NoAddress { .. } => "address_unknown",
            Self::Notice(error) => error.reason_code(),
            Self::Busy => "busy",
        }
    }

    /// Whether it was refused for something of the message or its sender, and not for the want of
    /// something here.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Store(_)
                | Self::Damaged { .. }
                | Self::Entropy(_)
                | Self::Signer(_)
                | Self::Busy
                | Self::Envelope(envelope::Error::Guard(guard::Refusal::Unwritten))
        )
    }

    /// Whether the same message may be taken later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        !self.is_refusal()
            || matches!(self, Self::Several(refusal) if refusal.is_passing())
            || matches!(
                self,
                Self::Flood(_)
                    | Self::InboxFull { .. }
                    | Self::Envelope(envelope::Error::Guard(guard::Refusal::Full { .. }))
            )
    }
}
