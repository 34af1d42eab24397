//! A session between two: what is left of a handshake, and the messages under it.
//!
//! Each direction has a chain of its own. A key is wiped when its message is sealed or opened, so who
//! takes the state of a session reads nothing of what came before. Messages may be lost and come out
//! of order, up to 256 apart; each opens once.
//!
//! Invariants: nothing changes unless a tag fits; a session ends after 2^20 messages in a direction or
//! seven days, and then only a handshake helps. A snapshot put back after further messages would open
//! those again: it must be stored before a message is handed on, and never exchanged for an older one.

pub(crate) mod chain;
pub(crate) mod snapshot;

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use self::chain::{ReceiveChain, Secret, SendChain};
use crate::bytes::push_lp;

/// How many messages a direction has before there must be another handshake.
pub const MESSAGE_LIMIT: u64 = 1 << 20;
/// How long a session lasts.
pub const AGE_LIMIT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

const COUNTER: &str = "counter";
const CIPHERTEXT: &str = "ciphertext";

/// Why a message of a session is not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum RatchetError {
    /// There is nothing to seal.
    #[error("an empty plaintext is not sealed")]
    EmptyPlaintext,
    /// It was opened already, or is so old that its key is gone.
    #[error("message {counter} was opened before, or is too old")]
    Replay {
        /// Its number.
        counter: u64,
    },
    /// Too many would have to be missing before it.
    #[error(
        "the message is {ahead} ahead, at most {} are skipped",
        chain::SKIP_LIMIT
    )]
    TooFar {
        /// How far.
        ahead: u64,
    },
    /// Another session, sender or number than it was sealed with, or changed bytes.
    #[error("the message does not open: another session, sender or number, or changed bytes")]
    Tag,
    /// The session has had its messages.
    #[error("the session has had its {MESSAGE_LIMIT} messages")]
    Exhausted,
    /// The session is too old, or not begun yet.
    #[error("the session is over: sessions last seven days")]
    Expired,
    /// A body that is none of a session.
    #[error("body entry {entry:?}: {why}")]
    Body {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A snapshot that is none, or was changed.
    #[error("the snapshot does not open")]
    Snapshot,
}

impl RatchetError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::EmptyPlaintext => "empty_plaintext",
            Self::Replay { .. } => "replay",
            Self::TooFar { .. } => "too_many_skipped",
            Self::Tag => "decryption_failed",
            Self::Exhausted | Self::Expired => "rehandshake_required",
            Self::Body { .. } => "session_body_invalid",
            Self::Snapshot => "snapshot_invalid",
        }
    }
}

/// A message under a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionMessage {
    /// Its number in its direction, from 1.
    pub counter: u64,
    /// The ciphertext, its 16-byte tag at the end.
    pub ciphertext: Vec<u8>,
}

impl SessionMessage {
    /// As the entries of an envelope's body.
    #[must_use]
    pub fn to_entries(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (COUNTER.into(), self.counter.to_string()),
            (CIPHERTEXT.into(), URL_SAFE_NO_PAD.encode(&self.ciphertext)),
        ])
    }

    /// Reads the entries of an envelope's body, and refuses any further one.
    pub fn from_entries(entries: &BTreeMap<String, String>) -> Result<Self, RatchetError> {
        let refused = |entry: &str, why| RatchetError::Body {
            entry: entry.into(),
            why,
        };
        let entry = |name| entries.get(name).ok_or_else(|| refused(name, "is missing"));
        let text = entry(COUNTER)?;
        let counter = text
            .parse::<u64>()
            .ok()
            .filter(|counter| *counter > 0 && counter.to_string() == *text)
            .ok_or_else(|| refused(COUNTER, "is no number from 1"))?;
        let ciphertext = URL_SAFE_NO_PAD
            .decode(entry(CIPHERTEXT)?)
            .map_err(|_| refused(CIPHERTEXT, "is not base64url without padding"))?;
        match entries
            .keys()
            .find(|name| ![COUNTER, CIPHERTEXT].contains(&name.as_str()))
        {
            Some(name) => Err(refused(name, "is none of a session's")),
            None => Ok(Self {
                counter,
                ciphertext,
            }),
        }
    }
}

/// An established session, as one of the two sees it.
pub struct Session {
    channel: String,
    me: String,
    peer: String,
    established_ms: u64,
    send: SendChain,
    receive: ReceiveChain,
}

impl Session {
    /// What a handshake ends with; `send` and `receive` are the keys of the two directions.
    pub(crate) fn new(
        channel: String,
        me: String,
        peer: String,
        established_ms: u64,
        send: Secret,
        receive: Secret,
    ) -> Self {
        Self {
            channel,
            me,
            peer,
            established_ms,
            send: SendChain::new(send, 1),
            receive: ReceiveChain::new(receive, 1),
        }
    }

    /// The channel it is for.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The other's DID.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Seals the next message to the other.
    pub fn seal(&mut self, now_ms: u64, plaintext: &[u8]) -> Result<SessionMessage, RatchetError> {
        self.check_age(now_ms)?;
        if plaintext.is_empty() {
            return Err(RatchetError::EmptyPlaintext);
        }
        if self.send.next() > MESSAGE_LIMIT {
            return Err(RatchetError::Exhausted);
        }
        let (channel, me) = (&self.channel, &self.me);
        let (counter, ciphertext) = self
            .send
            .seal(|counter| aad(channel, me, counter), plaintext)?;
        Ok(SessionMessage {
            counter,
            ciphertext,
        })
    }

    /// Opens a message of the other, once.
    pub fn open(
        &mut self,
        now_ms: u64,
        message: &SessionMessage,
    ) -> Result<Zeroizing<Vec<u8>>, RatchetError> {
        self.check_age(now_ms)?;
        if message.counter > MESSAGE_LIMIT {
            return Err(RatchetError::Exhausted);
        }
        let aad = aad(&self.channel, &self.peer, message.counter);
        self.receive
            .open(message.counter, &aad, &message.ciphertext)
    }

    fn check_age(&self, now_ms: u64) -> Result<(), RatchetError> {
        if now_ms.saturating_sub(self.established_ms) > AGE_LIMIT_MS {
            return Err(RatchetError::Expired);
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = format!("{} -> {} in {}", self.me, self.peer, self.channel);
        write!(f, "Session({between}, secret keys)")
    }
}

fn aad(channel: &str, sender: &str, counter: u64) -> Vec<u8> {
    let mut aad = Vec::from(b"kamn-msg-v1\0");
    push_lp(&mut aad, channel.as_bytes());
    push_lp(&mut aad, sender.as_bytes());
    aad.extend_from_slice(&counter.to_be_bytes());
    aad
}

#[cfg(test)]
mod tests;
