//! Receipts: what an agent did, signed by it, beside the journal that tells of it.
//!
//! ```text
//!   journal record ── Tracker ──> Fact ──┐
//!   the receipt before ── hash ──────────┴─> Receipt ── to_signed() ──> the agent's key ── stored()
//! ```
//!
//! A journal's chain shows what was changed by somebody who could not rewrite all of it; a receipt
//! shows it even then, because nobody else has the key. Each names its record by hash, and with that
//! the whole journal up to it, and the receipt before it.
//!
//! Invariants: what a receipt says follows from the journal alone ([`Tracker`]), so whoever has both
//! derives it again and compares; one thing has one text ([RFC 8785](tau_kamn::jcs)); a stored receipt
//! has at most [`LIMIT_BYTES`].

mod fact;
mod file;
mod head;
pub mod rerun;
pub mod verify;

pub use fact::{Fact, Kind, Told, Tracker};
pub(crate) use file::{Line, Part};
pub use file::{log_line, receipt_line};
pub use head::{Head, head_key, key, range};

use alloc::{string::String, vec::Vec};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tau_kamn::{
    Signature, bytes,
    jcs::{self, Fields, Integer, Object, Value},
};
use thiserror::Error;

use crate::{
    ids::{SessionId, UnixMillis},
    safety::Labels,
};

/// The version this code writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// Bytes that a stored receipt has at most.
pub const LIMIT_BYTES: usize = 700;

/// What stands before the text of a receipt when it is signed.
const DOMAIN: &str = "kamn:receipt:v1";
/// What stands for the receipt before the first.
const GENESIS: &str = "GENESIS";
/// What the signature adds to the text: its name, quotes, and 64 bytes in base64.
const SIGNATURE_BYTES: usize = r#","sig":"""#.len() + 86;
/// Bytes of a name, as JSON writes it: more is cut.
const WHAT_BYTES: usize = 36;
/// Bytes of a decision, likewise, where there is room for so many.
const DECISION_BYTES: usize = 100;

/// What was done, by whom, and after what. Signed, it is a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it was done.
    pub session: SessionId,
    /// The how-manieth receipt of its session, from 0.
    pub n: u64,
    /// When: its record's time, but never before the key was made.
    pub at: UnixMillis,
    /// What.
    pub fact: Fact,
    /// SHA-256 of the stored receipt before it; `None` for the first.
    pub prev: Option<[u8; 32]>,
    /// The whole id of the key that signs it, `<did>#keys-1`.
    pub key: String,
}

/// Why something is not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// A later version of Tau wrote it.
    #[error("it has version {found}, this Tau reads up to {VERSION}")]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Not the JSON of a receipt.
    #[error("it is not a receipt: {0}")]
    Syntax(#[from] jcs::Error),
    /// Not the one text that what it says has.
    #[error("it is not written as a receipt is")]
    NotCanonical,
    /// Something in it is not what it can be.
    #[error("it is not a receipt: {what} cannot be so")]
    Field {
        /// Which.
        what: &'static str,
    },
}

impl ReceiptError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "receipt_version_unsupported",
            Self::Syntax(_) => "receipt_unreadable",
            Self::NotCanonical => "receipt_not_canonical",
            Self::Field { .. } => "receipt_field_invalid",
        }
    }
}

impl Receipt {
    /// What is signed.
    #[must_use]
    pub fn to_signed(&self) -> Vec<u8> {
        bytes::in_domain(DOMAIN, &self.to_object().into())
    }

    /// The receipt as it is stored, with its signature.
    #[must_use]
    pub fn stored(&self, signature: &Signature) -> Vec<u8> {
        let signature = BASE64.encode(signature.to_bytes());
        let whole: Value = self.to_object().with("sig", signature).into();
        whole.to_canonical().into_bytes()
    }

    /// Its text without the signature. A long decision is cut: the record it is about has all of it.
    fn to_object(&self) -> Object {
        let fact = &self.fact;
        let hash = |hash: &[u8; 32]| BASE64.encode(hash);
        let object = Object::new()
            .with("v", VERSION)
            .with("session", self.session.0.as_str())
            .with("n", number(self.n))
            .with("at", number(self.at.0))
            .with("kind", fact.kind.name())
            .with("seq", number(fact.seq))
            .with("record", hash(&fact.record))
            .with("what", cut(&fact.what, WHAT_BYTES))
            .with_optional("module", fact.module.as_ref().map(hash))
            .with_optional("args", fact.args.as_ref().map(hash))
            .with_optional("result", fact.result.as_ref().map(hash))
            .with_optional("fuel", fact.fuel.map(number))
            .with_optional("taint", letters(fact.taint))
            .with(
                "prev",
                self.prev.as_ref().map_or_else(|| GENESIS.into(), hash),
            )
            .with("key", self.key.as_str());
        if fact.decision.is_empty() {
            return object;
        }
        let taken = Value::from(object.clone()).to_canonical().len() + SIGNATURE_BYTES;
        let room = LIMIT_BYTES.saturating_sub(taken + r#","decision":"""#.len());
        object.with("decision", cut(&fact.decision, room.min(DECISION_BYTES)))
    }

    /// Reads a stored receipt and its signature, which is not held against anything yet.
    pub fn read(stored: &[u8]) -> Result<(Self, Signature), ReceiptError> {
        let value = jcs::parse(stored, LIMIT_BYTES)?;
        if value.to_canonical().as_bytes() != stored {
            return Err(ReceiptError::NotCanonical);
        }
        let mut fields = Fields::of("receipt", value)?;
        let found = fields.unsigned("v")?;
        if found != u64::from(VERSION) {
            return Err(ReceiptError::Newer { found });
        }
        let sig = binary::<64>(&fields.string("sig")?, "sig")?;
        let refused = |what| ReceiptError::Field { what };
        let signature = Signature::from_bytes(&sig).map_err(|_| refused("sig"))?;
        let kind = Kind::of(&fields.string("kind")?).ok_or(refused("kind"))?;
        let mut hash = |name| match fields.optional_string(name)? {
            Some(text) => binary::<32>(&text, name).map(Some),
            None => Ok(None),
        };
        let (module, args, result) = (hash("module")?, hash("args")?, hash("result")?);
        let fuel = match fields.optional("fuel") {
            Some(Value::Integer(fuel)) => Some(fuel.unsigned().ok_or(refused("fuel"))?),
            Some(_) => return Err(refused("fuel")),
            None => None,
        };
        let taint = match fields.optional_string("taint")? {
            Some(text) => labels(&text).ok_or(refused("taint"))?,
            None => Labels::NONE,
        };
        let prev = match fields.string("prev")?.as_str() {
            GENESIS => None,
            hash => Some(binary(hash, "prev")?),
        };
        let receipt = Self {
            session: SessionId(fields.string("session")?),
            n: fields.unsigned("n")?,
            at: UnixMillis(fields.unsigned("at")?),
            fact: Fact {
                kind,
                seq: fields.unsigned("seq")?,
                record: binary(&fields.string("record")?, "record")?,
                at: UnixMillis(0),
                what: fields.string("what")?,
                module,
                args,
                result,
                fuel,
                decision: fields.optional_string("decision")?.unwrap_or_default(),
                taint,
            },
            prev,
            key: fields.string("key")?,
        };
        fields.end()?;
        Ok((receipt, signature))
    }

    /// Whose receipt it is: the DID before the key's name.
    #[must_use]
    pub fn did(&self) -> &str {
        self.key.split_once('#').map_or(&self.key, |(did, _)| did)
    }
}

fn number(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
}

fn binary<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], ReceiptError> {
    let bytes = BASE64.decode(text).unwrap_or_default();
    bytes.try_into().map_err(|_| ReceiptError::Field { what })
}

/// As many letters as take `limit` bytes in JSON; control characters as spaces.
fn cut(text: &str, limit: usize) -> String {
    let mut short = String::new();
    let mut taken = 0;
    for letter in text.chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        taken += match letter {
            '"' | '\\' => 2,
            letter => letter.len_utf8(),
        };
        if taken > limit {
            break;
        }
        short.push(letter);
    }
    short
}

/// Labels by their first letters; none for none.
fn letters(labels: Labels) -> Option<String> {
    let all = [
        (labels.private, 'p'),
        (labels.untrusted, 'u'),
        (labels.external, 'e'),
    ];
    let letters: String = all.iter().filter(|(is, _)| *is).map(|(_, c)| *c).collect();
    (!letters.is_empty()).then_some(letters)
}

fn labels(text: &str) -> Option<Labels> {
    let found = Labels {
        private: text.contains('p'),
        untrusted: text.contains('u'),
        external: text.contains('e'),
    };
    (letters(found).as_deref() == Some(text)).then_some(found)
}

/// A receipt in words.
impl core::fmt::Display for Receipt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Fact { kind, what, .. } = &self.fact;
        write!(f, "receipt {} ({} {what})", self.n, kind.name())
    }
}

#[cfg(test)]
mod tests;
