//! Messages between agents: written, sent, taken in once, and given to a session as what they are.
//!
//! ```text
//!  Draft ─ write ─> letter/out/… ─ post ─> a carrier ─> the other's inbox
//!                                                          │ size, flood, envelope, key, guard, seal
//!  a session <─ Command::Deliver <─ letter/in/… <─ one commit ┘ with guard/… and the session's keys
//! ```
//!
//! Invariants: what is refused leaves nothing behind but a log that the sender's own keys prove; what
//! is taken is stored, with everything that keeps it from being taken again, before anybody acts on
//! it; what is sent is stored before it leaves, so that no key of a session seals twice. Whoever is
//! not known by a signature costs a bounded amount of work and no room.

mod channel;
mod desk;
mod error;
mod groups;
mod guard;
mod letters;
mod packet;
mod post;
mod receive;
mod write;

pub use desk::{Desk, Flood, Pace};
pub use error::MessageError;
pub use groups::{
    CHANNEL, Change, ChannelId, ChannelRefusal, MEMBERS_LIMIT, Member, Over, Round, Standing,
    Words, about, kind_of,
};
pub use letters::{Held, Sent, Status, done, list, mark_done, outbox, read, unmark};
pub use packet::{Answer, PACKET_LIMIT_BYTES, Packet, Refused};
pub use post::{Carrier, CarryError, Post, Posted};
pub use receive::{Arrived, Taken};
pub use write::{Draft, Outgoing, Way};

use alloc::{format, string::String};
use tau_core::ids::UnixMillis;
use tau_kamn::{AgentDid, AgreementKey, AgreementSecret, PublicKey, kel::State, time::Timestamp};

use crate::{Entropy, Signer, Storage};

/// The media type of a body in the clear.
pub const PLAIN: &str = "text/plain";
/// The media type of a body sealed for its recipient.
pub const SEALED: &str = "application/kamn-sealed-v3";
/// The media type of a body under a session of two.
pub const SESSION: &str = "application/kamn-session-v1";
/// The media type of a message that begins such a session.
pub const HANDSHAKE: &str = "application/kamn-hs-v1";

/// An agent's place for messages: its store, its keys, and randomness for what is sealed.
#[derive(Debug)]
pub struct Office<'a, S, K, E> {
    /// Where everything is kept.
    pub storage: &'a S,
    /// Who signs.
    pub signer: &'a K,
    /// Where ephemeral keys come from.
    pub entropy: &'a E,
}

impl<S, K, E> Clone for Office<'_, S, K, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, K, E> Copy for Office<'_, S, K, E> {}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// The agent's keys as they are now.
    fn own(&self) -> Result<&State, MessageError> {
        Ok(self.signer.log().state()?)
    }

    fn me(&self) -> Result<AgentDid, MessageError> {
        Ok(self.own()?.did().clone())
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], MessageError> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn ephemeral(&self) -> Result<AgreementSecret, MessageError> {
        let bytes = zeroize::Zeroizing::new(self.random::<32>()?);
        Ok(AgreementSecret::from_bytes(&bytes))
    }

    /// A name no message had before.
    fn id(&self) -> Result<String, MessageError> {
        let mut bytes = self.random::<16>()?;
        // RFC 9562, version 4.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let digits = tau_kamn::bytes::hex(&bytes);
        Ok(format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        ))
    }
}

/// The key that signs for an agent now.
fn signing(state: &State) -> Result<(&str, &PublicKey), MessageError> {
    let missing = || MessageError::NoKey {
        did: state.did().as_kamn(),
        key: "signing",
    };
    state.current_signing().ok_or_else(missing)
}

/// The key that an agent agrees on secrets with now, and its full name.
fn agreement(state: &State) -> Result<(String, &AgreementKey), MessageError> {
    let missing = || MessageError::NoKey {
        did: state.did().as_kamn(),
        key: "agreement",
    };
    let (fragment, key) = state.current_agreement().ok_or_else(missing)?;
    Ok((format!("{}#{fragment}", state.did()), key))
}

fn timestamp(at: UnixMillis) -> Result<Timestamp, MessageError> {
    Timestamp::from_unix_ms(at.0).map_err(|error| MessageError::Value { error })
}

#[cfg(test)]
mod tests;
