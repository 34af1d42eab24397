//! What an agent says by signing a text: a challenge, a file.
//!
//! Signed is `tau:statement:v1`, a zero byte and the text, by the key that messages are signed with.
//! So a text that somebody hands over to be signed never passes for a key event, an envelope or a
//! receipt. For the same reason a text holds no U+0000.

use alloc::{format, string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    Signature,
    kel::{self, Key, KeyLog},
    multibase,
};
use thiserror::Error;

/// What the signed bytes begin with, before a zero byte.
pub const DOMAIN: &str = "tau:statement:v1";
/// Bytes a text may have.
pub const LIMIT_BYTES: usize = 64 << 20;

/// Why a statement is not signed, or not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// The text cannot be signed.
    #[error("a text to sign has at most {LIMIT_BYTES} bytes, this one has {found}")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
    /// The text cannot be signed.
    #[error("a text to sign must not hold the character U+0000")]
    Zero,
    /// What is said to be a signature is none.
    #[error("that is no signature: 64 bytes in base58 after a z, or in base64, are one")]
    Shape,
    /// No key the agent ever had signed exactly this.
    #[error("no key of {did} signed exactly this text")]
    Unsigned {
        /// Who is said to have signed.
        did: String,
    },
    /// A key of the agent signed it, and is not to be believed.
    #[error("signed by {key_id}, which does not count: {why}")]
    Key {
        /// The key.
        key_id: String,
        /// Why.
        why: kel::Error,
    },
    /// The log proves nothing.
    #[error(transparent)]
    Log(#[from] kel::Error),
}

impl StatementError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "text_too_long",
            Self::Zero => "text_holds_zero",
            Self::Shape => "signature_malformed",
            Self::Unsigned { .. } => "signature_invalid",
            Self::Key { why, .. } | Self::Log(why) => why.reason_code(),
        }
    }
}

/// The bytes that are signed for `text`.
pub fn to_bytes(text: &[u8]) -> Result<Vec<u8>, StatementError> {
    let found = text.len();
    if found > LIMIT_BYTES {
        return Err(StatementError::TooLong { found });
    }
    if text.contains(&0) {
        return Err(StatementError::Zero);
    }
    let mut bytes = Vec::with_capacity(DOMAIN.len() + 1 + text.len());
    bytes.extend_from_slice(DOMAIN.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(text);
    Ok(bytes)
}

/// Reads a signature as any home writes it: `z…` in base58, or base64.
pub fn read_signature(text: &str) -> Result<Signature, StatementError> {
    let text = text.trim();
    let shape = |_| StatementError::Shape;
    // 64 bytes end in two signs of equality in base64, and in none in base58.
    let bytes = match text.strip_suffix("==") {
        None => multibase::decode(text).map_err(shape)?,
        Some(_) => STANDARD.decode(text).map_err(|_| StatementError::Shape)?,
    };
    Signature::from_bytes(&bytes).map_err(shape)
}

/// Which key of `log` signed `text`, if it is to be believed at `now`.
///
/// Of a key that was replaced or revoked since, only what the caller saw before that, at `seen`.
pub fn check(
    log: &KeyLog,
    text: &[u8],
    signature: &Signature,
    now: UnixMillis,
    seen: Option<UnixMillis>,
) -> Result<String, StatementError> {
    let bytes = to_bytes(text)?;
    let state = log.state()?;
    let did = state.did().as_kamn();
    for entry in state.keys() {
        let Key::Signing(key) = &entry.key else {
            continue;
        };
        if key.verify(&bytes, signature).is_err() {
            continue;
        }
        let key_id = format!("{did}#{}", entry.fragment);
        let seen_ms = seen.map(|seen| seen.0);
        // A text does not say when it was signed: the key must count now, or have when it was seen.
        let made_ms = seen_ms.unwrap_or(entry.from_ms);
        let counts = state.signing_key_at(&key_id, made_ms, now.0, seen_ms);
        return match counts {
            Ok(_) => Ok(key_id),
            Err(why) => Err(StatementError::Key { key_id, why }),
        };
    }
    Err(StatementError::Unsigned { did })
}

#[cfg(test)]
mod tests;
