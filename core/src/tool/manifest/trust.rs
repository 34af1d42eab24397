//! Whether a module is the one its manifest is about, and who vouches for both.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use tau_kamn::{DidKey, Signature, SigningKey};

use super::{Manifest, SignatureField, hash};

/// What is signed begins with this, so that nothing else that is signed can be taken for it.
const DOMAIN: &[u8] = b"tau tool manifest v1\n";

/// Whom a person trusts with tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Whether only tools run that are signed by one of `signers`.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub require_signature: bool,
    /// DIDs whose signature counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// What never runs: hashes of modules (`sha256:…`) and DIDs of signers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
}

/// Who vouches for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Nobody.
    Unsigned,
    /// This DID, whose signature is right. Whether that counts is another question.
    By(String),
}

/// Why a tool does not run, whatever it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The module is not the one the manifest is about.
    #[error("the module is {actual}, and the manifest is about {expected}")]
    OtherModule {
        /// What the manifest says.
        expected: String,
        /// What the module is.
        actual: String,
    },
    /// It is signed without naming the module.
    #[error("it is signed, and its manifest does not say for which module: hash is missing")]
    NoHash,
    /// The signature cannot be read.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// The signature is not one of this manifest by that key.
    #[error("the signature is not {by}'s, or something was changed after it was made")]
    BadSignature {
        /// Who is said to have signed.
        by: String,
    },
    /// A person took trust in it back.
    #[error("{what} is revoked")]
    Revoked {
        /// The hash or the DID.
        what: String,
    },
    /// A signature that counts is required.
    #[error("tools.require_signature is set, and {}", match .by {
        Some(by) => alloc::format!("{by} is not one of tools.signers"),
        None => "nobody signed it".into(),
    })]
    NotTrusted {
        /// Who signed it.
        by: Option<String>,
    },
}

impl Manifest {
    /// What is signed.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        [DOMAIN, &self.canonical()].concat()
    }

    /// This, for `module` and signed by `key`.
    #[must_use]
    pub fn sign(self, module: &[u8], key: &SigningKey) -> Self {
        let mut manifest = self.with_hash_of(module);
        let signature = key.sign(&manifest.signed_bytes());
        manifest.signature = Some(SignatureField {
            by: DidKey::Ed25519(key.public_key()).to_string(),
            value: BASE64_STANDARD.encode(signature.to_bytes()),
        });
        manifest
    }

    /// Whether `module` may be taken for this tool under `trust`.
    pub fn verify(&self, module: &[u8], trust: &Trust) -> Result<Signed, Distrust> {
        let actual = hash(module);
        if trust.revoked.contains(&actual) {
            return Err(Distrust::Revoked { what: actual });
        }
        if let Some(expected) = self.hash.as_ref().filter(|expected| **expected != actual) {
            let expected = expected.clone();
            return Err(Distrust::OtherModule { expected, actual });
        }
        let signed = self.signed()?;
        let by = match &signed {
            Signed::Unsigned => None,
            Signed::By(by) if trust.revoked.contains(by) => {
                return Err(Distrust::Revoked { what: by.clone() });
            }
            Signed::By(by) => Some(by),
        };
        let counts = by.is_some_and(|by| trust.signers.contains(by));
        if trust.require_signature && !counts {
            let by = by.cloned();
            return Err(Distrust::NotTrusted { by });
        }
        Ok(signed)
    }

    fn signed(&self) -> Result<Signed, Distrust> {
        let Some(SignatureField { by, value }) = &self.signature else {
            return Ok(Signed::Unsigned);
        };
        if self.hash.is_none() {
            return Err(Distrust::NoHash);
        }
        let unreadable = |why: String| Distrust::Unreadable(why);
        let key = match by.parse() {
            Ok(DidKey::Ed25519(key)) => key,
            Ok(DidKey::X25519(_)) => return Err(unreadable("its key does not sign".into())),
            Err(error) => return Err(unreadable(alloc::format!("{error}"))),
        };
        let bytes = BASE64_STANDARD
            .decode(value)
            .map_err(|error| unreadable(alloc::format!("{error}")))?;
        let signature =
            Signature::from_bytes(&bytes).map_err(|error| unreadable(alloc::format!("{error}")))?;
        match key.verify(&self.signed_bytes(), &signature) {
            Ok(()) => Ok(Signed::By(by.clone())),
            Err(_) => Err(Distrust::BadSignature { by: by.clone() }),
        }
    }
}
