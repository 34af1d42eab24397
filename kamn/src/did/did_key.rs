//! `did:key`: a DID that is its key, so it needs no registry and can be neither rotated nor revoked.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

use super::DID_LIMIT_BYTES;
use crate::{
    error::{Error, beginning},
    key::{AgreementKey, PublicKey},
    multibase,
};

const PREFIX: &str = "did:key:";

/// A `did:key` of one of the two kinds of key KAMN uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DidKey {
    /// `did:key:z6Mk…`: signs.
    Ed25519(PublicKey),
    /// `did:key:z6LS…`: agrees on secrets.
    X25519(AgreementKey),
}

impl DidKey {
    /// Reads a DID URL whose fragment names the key itself, `did:key:X#X`.
    pub fn parse_url(url: &str) -> Result<Self, Error> {
        let (did, fragment) = url
            .split_once('#')
            .ok_or_else(|| refused(url, "it has no fragment"))?;
        if did.strip_prefix(PREFIX) != Some(fragment) {
            return Err(refused(url, "its fragment is not its key"));
        }
        did.parse()
    }

    /// The multikey after `did:key:`.
    #[must_use]
    pub fn multikey(&self) -> String {
        match self {
            Self::Ed25519(key) => key.to_multikey(),
            Self::X25519(key) => key.to_multikey(),
        }
    }

    /// The DID URL of the key in its own document, `did:key:X#X`.
    #[must_use]
    pub fn to_url(&self) -> String {
        let key = self.multikey();
        format!("{PREFIX}{key}#{key}")
    }
}

impl FromStr for DidKey {
    type Err = Error;

    fn from_str(did: &str) -> Result<Self, Error> {
        let key = did
            .strip_prefix(PREFIX)
            .ok_or_else(|| refused(did, "it does not begin with did:key:"))?;
        if did.len() > DID_LIMIT_BYTES {
            return Err(refused(did, "it is longer than 256 bytes"));
        }
        // A first look at the code only: each kind reads the whole text itself.
        match multibase::decode(key)?.as_slice() {
            [0xec, ..] => AgreementKey::from_multikey(key).map(Self::X25519),
            _ => PublicKey::from_multikey(key).map(Self::Ed25519),
        }
    }
}

impl fmt::Display for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.multikey())
    }
}

fn refused(did: &str, why: &'static str) -> Error {
    Error::Did {
        did: beginning(did),
        expected: "did:key",
        why,
    }
}
