//! What is refused, and the code that says so to other programs.

use alloc::string::String;
use thiserror::Error as ThisError;

/// Why something is not taken. Nothing that is refused is partly used.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// Not `z` and base58btc.
    #[error("{text:?} is not multibase base58btc (z…)")]
    Multibase {
        /// The beginning of what was given.
        text: String,
    },
    /// The bytes of a key begin with a code that is none of those read here.
    #[error("the key is neither Ed25519 (ed01) nor X25519 (ec01): it begins with {found}")]
    KeyType {
        /// The first bytes, in hex.
        found: String,
    },
    /// The wrong number of bytes for its kind.
    #[error("{what}: {found} bytes, {expected} expected")]
    Length {
        /// What it should have been.
        what: &'static str,
        /// How many bytes that has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Bytes that are no usable public key: off the curve, of small order, not the one encoding of
    /// their point, or all zero.
    #[error("the bytes are no usable {what} public key: {why}")]
    PublicKey {
        /// The kind of key.
        what: &'static str,
        /// What is wrong with them.
        why: &'static str,
    },
    /// The signature is not one of this key over these bytes.
    #[error("the signature does not fit key and message")]
    Signature,
    /// Not a DID of the kind that was asked for.
    #[error("{did:?} is not a {expected} identifier: {why}")]
    Did {
        /// The beginning of what was given.
        did: String,
        /// The kind that was asked for.
        expected: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A role nobody has.
    #[error("no role is called {role:?}: agent, operator, owner or human")]
    Role {
        /// What was given.
        role: String,
    },
    /// An agent's label that cannot stand before its key's fingerprint.
    #[error("{label:?} cannot be an agent's label: {why}")]
    Label {
        /// The beginning of what was given.
        label: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not lower-case hex of its length.
    #[error("{what} is not {bytes} bytes in lower-case hex")]
    Hex {
        /// What it should have been.
        what: &'static str,
        /// How many bytes that has.
        bytes: usize,
    },
    /// Not a moment as it is written in signed objects.
    #[error("{text:?} is not a moment like 2026-02-07T20:15:30.123Z: {why}")]
    Timestamp {
        /// The beginning of what was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Multibase { .. } => "multibase_invalid",
            Self::KeyType { .. } => "key_type_unsupported",
            Self::Length { .. } => "length_invalid",
            Self::PublicKey { .. } => "public_key_invalid",
            Self::Signature => "signature_invalid",
            Self::Did { .. } => "did_invalid",
            Self::Role { .. } => "did_role_unknown",
            Self::Label { .. } => "did_label_invalid",
            Self::Hex { .. } => "hex_invalid",
            Self::Timestamp { .. } => "timestamp_invalid",
        }
    }
}

/// The beginning of a text from outside, short enough for a message.
pub(crate) fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}
