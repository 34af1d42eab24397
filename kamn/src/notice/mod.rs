//! Notices: a recipient tells the sender that a message was refused, and why.
//!
//! A notice is signed by the recipient. It is made of an envelope whose signature was checked, and
//! of no other: whoever forges a sender cannot have notices sent to them.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};
use thiserror::Error as ThisError;

use crate::{
    bytes::in_domain,
    did::{AgentDid, KamnDid},
    envelope::Verified,
    error::beginning,
    jcs::{self, Fields, Integer, Object, Value},
    kel::{self, State},
    key::{PublicKey, Signature, SigningKey},
    time::Timestamp,
};

const DOMAIN: &str = "kamn:notice:v1";
const TYPE: &str = "kamn:delivery-failure:v1";
const LIMIT_BYTES: usize = 4096;
const CODE_LIMIT_BYTES: usize = 64;

/// Why a notice is not taken, or not sent.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// It is not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// A DID, a moment or a signature in it is none.
    #[error(transparent)]
    Value(#[from] crate::Error),
    /// The recipient has no key that counted then and counts now.
    #[error(transparent)]
    Keys(#[from] kel::Error),
    /// It is something else, or of another version.
    #[error("not a delivery failure of version 1: {found:?}")]
    Kind {
        /// The beginning of what it says to be.
        found: String,
    },
    /// Its code is not one as programs write them.
    #[error("{code:?} is no code: 1 to 64 of a-z, 0-9 and _")]
    Code {
        /// The beginning of it.
        code: String,
    },
    /// It comes from somebody else than the message was sent to.
    #[error("the notice is one of {found}")]
    Recipient {
        /// Who it comes from.
        found: String,
    },
    /// The message was sent to others.
    #[error("the message was not addressed to {recipient}")]
    NotAddressed {
        /// Who would send the notice.
        recipient: String,
    },
    /// The sender got as many notices as may be.
    #[error("no more than {limit} notices in {window_ms} ms")]
    Rate {
        /// How many may be.
        limit: usize,
        /// In what time.
        window_ms: u64,
    },
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.reason_code(),
            Self::Value(error) => error.reason_code(),
            Self::Keys(error) => error.reason_code(),
            Self::Kind { .. } => "notice_unknown",
            Self::Code { .. } => "notice_code_invalid",
            Self::Recipient { .. } => "notice_recipient_mismatch",
            Self::NotAddressed { .. } => "recipient_mismatch",
            Self::Rate { .. } => "notice_rate_exceeded",
        }
    }
}

/// That a message was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    message_id: String,
    code: String,
    sender: AgentDid,
    recipient: AgentDid,
    nonce: Integer,
    received_at: Timestamp,
}

impl Notice {
    /// Says to the sender of `refused` that `recipient`, to whom it was sent, refused it.
    pub fn new(
        refused: &Verified,
        code: &str,
        recipient: &AgentDid,
        received_at: Timestamp,
    ) -> Result<Self, Error> {
        check_code(code)?;
        let envelope = refused.envelope();
        if !envelope.to.contains(recipient.as_did()) {
            let recipient = recipient.as_kamn();
            return Err(Error::NotAddressed { recipient });
        }
        Ok(Self {
            message_id: envelope.id.clone(),
            code: code.to_owned(),
            sender: envelope.from.clone(),
            recipient: recipient.clone(),
            nonce: envelope.nonce,
            received_at,
        })
    }

    /// The message that was refused.
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// Why, as a code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Who sent the message, and gets the notice.
    #[must_use]
    pub fn sender(&self) -> &AgentDid {
        &self.sender
    }

    /// Who refused the message, and signs the notice.
    #[must_use]
    pub fn recipient(&self) -> &AgentDid {
        &self.recipient
    }

    /// The number of the message.
    #[must_use]
    pub fn nonce(&self) -> Integer {
        self.nonce
    }

    /// Signs it with the recipient's key; what is sent.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Value {
        self.with_signature(key.sign(&self.to_bytes()))
    }

    /// The same where the key is elsewhere: the signature of `key` over [`Notice::to_bytes`], which
    /// must be one.
    pub fn signed_with(&self, signature: Signature, key: &PublicKey) -> Result<Value, Error> {
        key.verify(&self.to_bytes(), &signature)?;
        Ok(self.with_signature(signature))
    }

    fn with_signature(&self, signature: Signature) -> Value {
        let sig = signature.to_multibase();
        self.to_object().with("sig", sig).into()
    }

    /// Reads a notice and checks that `recipient`, whose log says what keys it had, signed it.
    pub fn read(text: &[u8], recipient: &State, now_ms: u64) -> Result<Self, Error> {
        let mut fields = Fields::of("notice", jcs::parse(text, LIMIT_BYTES)?)?;
        let (version, kind) = (fields.unsigned("v")?, fields.string("type")?);
        if version != 1 || kind != TYPE {
            let found = beginning(&kind);
            return Err(Error::Kind { found });
        }
        let notice = Self {
            message_id: fields.string("message_id")?,
            code: fields.string("code")?,
            sender: fields.string("sender")?.parse()?,
            recipient: fields.string("recipient")?.parse()?,
            nonce: Integer::try_from(fields.unsigned("nonce")?)?,
            received_at: fields.string("received_at")?.parse()?,
        };
        let sig = Signature::from_multibase(&fields.string("sig")?)?;
        fields.end()?;
        check_code(&notice.code)?;
        if recipient.did() != &notice.recipient {
            let found = notice.recipient.as_kamn();
            return Err(Error::Recipient { found });
        }
        let key = recipient.signing_key_of(notice.received_at.unix_ms(), now_ms)?;
        key.verify(&notice.to_bytes(), &sig)?;
        Ok(notice)
    }

    fn to_object(&self) -> Object {
        Object::new()
            .with("v", 1)
            .with("type", TYPE)
            .with("message_id", self.message_id.as_str())
            .with("code", self.code.as_str())
            .with("sender", self.sender.as_kamn())
            .with("recipient", self.recipient.as_kamn())
            .with("nonce", self.nonce)
            .with("received_at", self.received_at)
    }

    /// What is to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        in_domain(DOMAIN, &self.to_object().into())
    }
}

fn check_code(code: &str) -> Result<(), Error> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let has_length = (1..=CODE_LIMIT_BYTES).contains(&code.len());
    match has_length && code.bytes().all(is_letter) {
        true => Ok(()),
        false => Err(Error::Code {
            code: beginning(code),
        }),
    }
}

/// How many notices each sender gets, so that nobody's refusals become a flood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeLimit {
    notices: usize,
    window_ms: u64,
    senders: usize,
    /// When each sender's window began, and how many notices it got since.
    sent: BTreeMap<KamnDid, (u64, usize)>,
}

impl NoticeLimit {
    /// At most so many notices to one sender in a window, and to so many senders.
    #[must_use]
    pub fn new(notices: usize, window_ms: u64, senders: usize) -> Self {
        Self {
            notices,
            window_ms,
            senders,
            sent: BTreeMap::new(),
        }
    }

    /// Counts one more notice to a sender, or says that it must not be sent.
    pub fn count(&mut self, notice: &Notice, now_ms: u64) -> Result<(), Error> {
        let (limit, window_ms) = (self.notices, self.window_ms);
        let refused = Err(Error::Rate { limit, window_ms });
        let has_passed = |began_ms: u64| began_ms.saturating_add(window_ms) <= now_ms;
        let sender = notice.sender.as_did();
        if !self.sent.contains_key(sender) && self.sent.len() >= self.senders {
            self.sent.retain(|_, (began_ms, _)| !has_passed(*began_ms));
            if self.sent.len() >= self.senders {
                return refused;
            }
        }
        let (began_ms, count) = self.sent.entry(sender.clone()).or_insert((now_ms, 0));
        if has_passed(*began_ms) {
            (*began_ms, *count) = (now_ms, 0);
        }
        if *count >= limit {
            return refused;
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
