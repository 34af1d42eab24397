//! Keys: Ed25519 to sign with, X25519 to agree on secrets with, and their multikey text.
//!
//! A public key that exists is usable: on its curve, not of small order, in the one encoding its
//! point has. Signatures are verified strictly (RFC 8032 with canonical encodings, and no key or
//! commitment of small order), so that all homes agree about every signature.

mod agreement;
mod secret;

pub use agreement::AgreementSecret;
pub use secret::SigningKey;

use alloc::{format, string::String, vec::Vec};
use core::fmt;
use ed25519_dalek::VerifyingKey;

use crate::{error::Error, multibase};

/// Multicodec `ed25519-pub` as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];
/// Multicodec `x25519-pub` as a varint.
const X25519: [u8; 2] = [0xec, 0x01];

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of 32 bytes as RFC 8032 writes them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let refused = |why| Error::PublicKey {
            what: "Ed25519",
            why,
        };
        let bytes: &[u8; 32] = sized("Ed25519 public key", bytes)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| refused("not on the curve"))?;
        if key.is_weak() {
            return Err(refused("of small order"));
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(refused("not the canonical encoding of its point"));
        }
        Ok(Self(key))
    }

    /// The key of a text such as `z6Mk…`.
    pub fn from_multikey(text: &str) -> Result<Self, Error> {
        match split(&multibase::decode(text)?)? {
            (ED25519, key) => Self::from_bytes(&key),
            (found, _) => Err(unsupported(&found)),
        }
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its text, `z6Mk…`.
    #[must_use]
    pub fn to_multikey(&self) -> String {
        multibase::encode(&self.to_codec_bytes())
    }

    /// Its bytes after the code that says what they are, `ed01`.
    #[must_use]
    pub fn to_codec_bytes(&self) -> Vec<u8> {
        join(ED25519, &self.to_bytes())
    }

    /// Checks that whoever holds the secret of this key signed exactly `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), Error> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| Error::Signature)
    }

    /// The X25519 key of the same secret: u = (1 + y) / (1 - y), as the did:key method derives it.
    #[must_use]
    pub fn to_agreement(&self) -> AgreementKey {
        AgreementKey(self.0.to_montgomery().to_bytes())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_multikey())
    }
}

/// An X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AgreementKey([u8; 32]);

impl AgreementKey {
    /// The key of 32 bytes as RFC 7748 writes them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; 32] = sized("X25519 public key", bytes)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(Error::PublicKey {
                what: "X25519",
                why: "all zero",
            });
        }
        Ok(Self(*bytes))
    }

    /// The key of a text such as `z6LS…`.
    pub fn from_multikey(text: &str) -> Result<Self, Error> {
        match split(&multibase::decode(text)?)? {
            (X25519, key) => Self::from_bytes(&key),
            (found, _) => Err(unsupported(&found)),
        }
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Its text, `z6LS…`.
    #[must_use]
    pub fn to_multikey(&self) -> String {
        multibase::encode(&join(X25519, &self.0))
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementKey({})", self.to_multikey())
    }
}

/// An Ed25519 signature: 64 bytes, not yet held against anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The signature of 64 bytes as RFC 8032 writes them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        sized("Ed25519 signature", bytes).map(|bytes| Self(*bytes))
    }

    /// The signature of a text such as `z5pd…`.
    pub fn from_multibase(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&multibase::decode(text)?)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0
    }

    /// Its text: `z` and base58btc.
    #[must_use]
    pub fn to_multibase(&self) -> String {
        multibase::encode(&self.0)
    }
}

fn sized<'a, const N: usize>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Length {
        what,
        expected: N,
        found: bytes.len(),
    })
}

fn split(bytes: &[u8]) -> Result<([u8; 2], Vec<u8>), Error> {
    match bytes {
        // Both codes are two bytes, and a varint of two bytes is minimal unless its last is zero.
        [a, b, key @ ..] => Ok(([*a, *b], key.into())),
        short => Err(unsupported(short)),
    }
}

fn join(code: [u8; 2], key: &[u8; 32]) -> Vec<u8> {
    let mut bytes = Vec::from(code);
    bytes.extend_from_slice(key);
    bytes
}

fn unsupported(code: &[u8]) -> Error {
    Error::KeyType {
        found: code.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests;
