//! What goes over the wire: an envelope with the keys of its sender, and what is answered to it.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use tau_kamn::{
    envelope::{ENVELOPE_LIMIT_BYTES, SignedEnvelope},
    jcs::{self, Fields, Object, Value},
    kel::KeyLog,
};

use super::MessageError;

/// Bytes of a log that comes along. A longer one is asked for by itself.
pub(super) const LOG_LIMIT_BYTES: usize = 64 * 1024;
/// Bytes of a packet.
pub const PACKET_LIMIT_BYTES: usize = ENVELOPE_LIMIT_BYTES + LOG_LIMIT_BYTES + 1_024;
/// Messages that come back with an answer.
const REPLIES: usize = 4;

/// A message on its way: the signed envelope, and the log of its sender's keys for who does not know
/// them. Nothing of either is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The signed envelope's text.
    pub message: String,
    /// The sender's log.
    pub log: Option<KeyLog>,
}

impl Packet {
    /// A signed envelope with the log of its sender's keys, left out where it is long.
    #[must_use]
    pub fn of(message: String, log: &KeyLog) -> Self {
        let is_short = log.to_value().to_canonical().len() <= LOG_LIMIT_BYTES;
        Self {
            message,
            log: is_short.then(|| log.clone()),
        }
    }

    /// Reads a packet, or an envelope by itself.
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        let value = parse(bytes)?;
        let is_packet = value
            .as_object()
            .is_some_and(|object| object.get("v").is_some());
        if !is_packet {
            let message = value.to_canonical();
            return Ok(Self { message, log: None });
        }
        let mut fields = versioned("packet", value)?;
        let message = fields.value("message").map_err(packet)?.to_canonical();
        let log = log(fields.optional("log"))?;
        fields.end().map_err(packet)?;
        Ok(Self { message, log })
    }

    /// The text that is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let message = value_of(&self.message);
        let log = self.log.as_ref().map(KeyLog::to_value);
        let object = Object::new()
            .with("v", 1)
            .with("message", message)
            .with_optional("log", log);
        Value::from(object).to_canonical().into_bytes()
    }
}

/// That a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A stable name for programs.
    pub reason_code: String,
    /// In words.
    pub reason: String,
    /// Whether the same message may be taken later.
    pub is_passing: bool,
    /// The recipient's signed notice, where the sender was known by its signature.
    pub notice: Option<String>,
}

/// What is answered to a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The id of the message that was taken.
    pub taken: Option<String>,
    /// Why it was not.
    pub refused: Option<Refused>,
    /// Signed envelopes for the sender: the next step of a handshake.
    pub replies: Vec<String>,
    /// The recipient's own log.
    pub log: Option<KeyLog>,
}

impl Answer {
    /// Who takes messages here: what is said to somebody who asks.
    #[must_use]
    pub fn about(log: &KeyLog) -> Self {
        Self {
            log: Some(log.clone()),
            ..Self::default()
        }
    }

    /// The answer to a message that was not taken.
    #[must_use]
    pub fn refused(error: &MessageError, notice: Option<String>) -> Self {
        // What failed here is nobody's business but ours.
        let reason = match error.is_refusal() {
            true => error.to_string(),
            false => "the message could not be taken now".into(),
        };
        Self {
            refused: Some(Refused {
                reason_code: error.reason_code().into(),
                reason,
                is_passing: error.is_passing(),
                notice,
            }),
            ..Self::default()
        }
    }

    /// The HTTP status it goes with.
    #[must_use]
    pub fn status(&self) -> u16 {
        let Some(refused) = &self.refused else {
            return 200;
        };
        match refused.reason_code.as_str() {
            "json_too_long" | "envelope_too_long" => 413,
            "replay" => 409,
            "signature_invalid" | "sender_unresolved" | "proof_missing" => 401,
            "recipient_mismatch" => 421,
            "store_failed" | "store_damaged" | "entropy_failed" | "signer_failed" | "busy" => 503,
            _ if refused.is_passing => 429,
            _ => 400,
        }
    }

    /// The text that is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let refused = self.refused.as_ref().map(|refused| {
            let notice = refused.notice.as_deref().map(value_of);
            Object::new()
                .with("reason_code", refused.reason_code.as_str())
                .with("reason", refused.reason.as_str())
                .with("passing", refused.is_passing)
                .with_optional("notice", notice)
        });
        let replies: Value = self.replies.iter().map(|text| value_of(text)).collect();
        let object = Object::new()
            .with("v", 1)
            .with_optional("taken", self.taken.as_deref())
            .with_optional("refused", refused)
            .with("replies", replies)
            .with_optional("log", self.log.as_ref().map(KeyLog::to_value));
        Value::from(object).to_canonical().into_bytes()
    }

    /// Reads an answer, of which nothing is believed yet.
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut fields = versioned("answer", parse(bytes)?)?;
        let refused = match fields.optional("refused") {
            None => None,
            Some(value) => {
                let mut refused = Fields::of("refused", value).map_err(packet)?;
                let is_passing = refused.value("passing").map_err(packet)? == Value::Bool(true);
                let read = Refused {
                    reason_code: refused.string("reason_code").map_err(packet)?,
                    reason: refused.string("reason").map_err(packet)?,
                    is_passing,
                    notice: refused.optional("notice").map(|value| value.to_canonical()),
                };
                refused.end().map_err(packet)?;
                Some(read)
            }
        };
        let replies = fields.array("replies").map_err(packet)?;
        let replies = replies.iter().take(REPLIES).map(Value::to_canonical);
        let answer = Self {
            taken: fields.optional_string("taken").map_err(packet)?,
            refused,
            replies: replies.collect(),
            log: log(fields.optional("log"))?,
        };
        fields.end().map_err(packet)?;
        Ok(answer)
    }

    /// The answer that took this message.
    pub(super) fn took(id: &str) -> Self {
        Self {
            taken: Some(id.into()),
            ..Self::default()
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Value, MessageError> {
    jcs::parse(bytes, PACKET_LIMIT_BYTES).map_err(packet)
}

fn packet(error: jcs::Error) -> MessageError {
    MessageError::Packet { error }
}

fn versioned(what: &'static str, value: Value) -> Result<Fields, MessageError> {
    let mut fields = Fields::of(what, value).map_err(packet)?;
    match fields.unsigned("v").map_err(packet)? {
        1 => Ok(fields),
        found => Err(MessageError::Version { found }),
    }
}

fn log(value: Option<Value>) -> Result<Option<KeyLog>, MessageError> {
    Ok(value.map(KeyLog::from_value).transpose()?)
}

/// Text that Tau itself wrote as JSON.
fn value_of(text: &str) -> Value {
    jcs::parse(text.as_bytes(), PACKET_LIMIT_BYTES).unwrap_or(Value::String(text.into()))
}

/// The signed envelope of a packet.
pub(super) fn envelope(packet: &Packet) -> Result<SignedEnvelope, MessageError> {
    Ok(SignedEnvelope::read(packet.message.as_bytes())?)
}
