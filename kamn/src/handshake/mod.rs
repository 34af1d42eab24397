//! The handshake that begins a session (`kamn-hs-v1`): three signed envelopes between two agents.
//!
//! ```text
//!   initiator                                           responder
//!      Proposal      channel, suites, E_i, nonce_i  ─────>
//!      <─────  Acceptance   suite, E_r, nonce_r, hash of the proposal, confirm_r
//!      StatusUpdate  hash of the acceptance, confirm_i ──>
//!
//!   th  = SHA-256("kamn-hs-v1" 0 ‖ lp(didA) ‖ lp(didB) ‖ lp(channel) ‖ E_i ‖ E_r ‖ nonces ‖ hash of 1)
//!   ikm = DH(e_i, e_r) ‖ DH(e_i, S_r) ‖ DH(S_i, e_r)
//!   HKDF-SHA256(th, ikm, "kamn-hs-v1 keys", 128) = k_i2r ‖ k_r2i ‖ c_i ‖ c_r
//! ```
//!
//! Each envelope has passed [`crate::envelope::receive`]: proof, time, guard. What it is to a handshake
//! is its [`Received`]; here it is checked that the three belong together, that both hold the keys they
//! claim, and that the suite is the best both have.
//!
//! Invariants: there is a session only after the other's confirmation; a message that is refused
//! changes nothing; the ephemeral secrets are wiped as soon as the keys are made; a handshake not
//! finished within [`TIMEOUT_MS`] is over.

pub mod federated;
mod initiator;
mod keys;
mod message;
mod pending;
mod responder;
mod snapshot;

pub use initiator::Initiator;
pub use message::{Acceptance, Confirmation, Proposal};
pub use pending::Pending;
pub use responder::{Answer, Responder};

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use core::fmt;
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use crate::{
    envelope::{self, MessageType},
    error::Error,
    key::{AgreementKey, AgreementSecret},
};

/// The version of the protocol, as `hs` in each message.
pub const VERSION: &str = "kamn-hs-v1";
/// How long a handshake may take.
pub const TIMEOUT_MS: u64 = 60_000;
/// The suites there are, the best first.
pub const SUITES: &[&str] = &["X25519-XChaCha20-Poly1305-SHA256"];

/// Why a handshake goes no further.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum HandshakeError {
    /// A body that is none of a handshake.
    #[error("handshake entry {entry:?}: {why}")]
    Body {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another version of the protocol.
    #[error("handshake version {found:?} is not {VERSION}")]
    Version {
        /// The beginning of what was given.
        found: String,
    },
    /// The two have no suite in common.
    #[error("no suite in common: offered {offered:?}")]
    NoCommonSuite {
        /// What was offered.
        offered: Vec<String>,
    },
    /// A suite that is not the best both have.
    #[error("suite {found:?} is not {expected:?}, the best that both have")]
    Downgrade {
        /// The one chosen.
        found: String,
        /// The one that had to be.
        expected: String,
    },
    /// A message of or for somebody else.
    #[error("the message is from {from} to {to}, not between the two of this handshake")]
    Parties {
        /// The sender.
        from: String,
        /// The recipient.
        to: String,
    },
    /// An answer to another message.
    #[error("the message answers another one")]
    InReplyTo,
    /// Not the message that comes next.
    #[error("the handshake is not at a point where this comes")]
    OutOfOrder,
    /// It took too long.
    #[error("the handshake took longer than {TIMEOUT_MS} ms")]
    Timeout,
    /// There is one between the two already.
    #[error("a handshake with {peer} is going on")]
    Pending {
        /// The other.
        peer: String,
    },
    /// The other does not have the keys: something on the way was changed.
    #[error("the confirmation does not fit: the two have not seen the same handshake")]
    Confirmation,
    /// A snapshot that is none, or was changed.
    #[error("the snapshot does not open")]
    Snapshot,
    /// A key that is refused.
    #[error(transparent)]
    Key(#[from] Error),
}

impl HandshakeError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Body { .. } => "handshake_body_invalid",
            Self::Version { .. } => "handshake_version_unsupported",
            Self::NoCommonSuite { .. } => "handshake_no_common_suite",
            Self::Downgrade { .. } => "handshake_downgrade_detected",
            Self::Parties { .. } => "handshake_parties_mismatch",
            Self::InReplyTo => "handshake_in_reply_to_mismatch",
            Self::OutOfOrder => "handshake_out_of_order",
            Self::Timeout => "handshake_timeout",
            Self::Pending { .. } => "handshake_pending",
            Self::Confirmation => "handshake_confirmation_invalid",
            Self::Snapshot => "snapshot_invalid",
            Self::Key(error) => error.reason_code(),
        }
    }
}

/// This agent's static agreement key, wherever its secret half is.
#[derive(Clone, Copy)]
pub enum Own<'a> {
    /// Here.
    Secret(&'a AgreementSecret),
    /// Elsewhere: what it has in common with the ephemeral key of the other's message.
    Agreed(&'a [u8; 32]),
}

impl Own<'_> {
    fn agree(&self, ephemeral: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, Error> {
        match self {
            Self::Secret(secret) => secret.agree(ephemeral),
            Self::Agreed(agreed) => Ok(Zeroizing::new(**agreed)),
        }
    }
}

impl<'a> From<&'a AgreementSecret> for Own<'a> {
    fn from(secret: &'a AgreementSecret) -> Self {
        Self::Secret(secret)
    }
}

impl fmt::Debug for Own<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(secret)")
    }
}

/// What is known of an envelope whose proof, time window and freshness were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who signed it.
    pub from: String,
    /// Its only recipient.
    pub to: String,
    /// SHA-256 over the canonical text of the signed envelope.
    pub hash: [u8; 32],
}

/// The suite that both have and `offered` names first; `offered` is in the order of its sender.
#[must_use]
pub fn best_common<'a>(offered: &'a [String], supported: &[String]) -> Option<&'a str> {
    offered
        .iter()
        .find(|suite| supported.contains(suite))
        .map(String::as_str)
}

/// The suites there are, as they are offered.
#[must_use]
pub fn suites() -> Vec<String> {
    SUITES.iter().map(ToString::to_string).collect()
}

impl Received {
    /// What a received envelope is to a handshake, if it is a message of that type for one recipient.
    pub fn of(
        received: &envelope::Received,
        expected: MessageType,
    ) -> Result<Self, HandshakeError> {
        let envelope = received.envelope();
        let (from, to) = (envelope.from.as_kamn(), envelope.to.as_slice());
        match to {
            [to] if envelope.message_type == expected => Ok(Self {
                from,
                to: to.as_kamn(),
                hash: received.verified().signed().hash(),
            }),
            [_] => Err(HandshakeError::OutOfOrder),
            _ => Err(HandshakeError::Parties {
                from,
                to: String::from("several"),
            }),
        }
    }
}

fn check_parties(received: &Received, from: &str, to: &str) -> Result<(), HandshakeError> {
    if received.from == from && received.to == to && from != to {
        Ok(())
    } else {
        Err(HandshakeError::Parties {
            from: received.from.clone(),
            to: received.to.clone(),
        })
    }
}

fn check_time(started_ms: u64, now_ms: u64) -> Result<(), HandshakeError> {
    if now_ms.saturating_sub(started_ms) > TIMEOUT_MS {
        Err(HandshakeError::Timeout)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
