//! Proofs of who made a JSON object: W3C Data Integrity with `eddsa-jcs-2022` (vc-di-eddsa 3.3).
//!
//! What is signed is SHA-256 of the proof without its value, then SHA-256 of the object without its
//! proof, each as canonical text. So who signed, when and to what end is signed as well, and a proof
//! made for one purpose is none for another.

mod error;

pub use error::Error;

use core::{fmt, str::FromStr};

use alloc::string::String;

use crate::{
    bytes::sha256,
    error::beginning,
    jcs::{Fields, Object, Value},
    key::{PublicKey, Signature, SigningKey},
    time::Timestamp,
};

const TYPE: &str = "DataIntegrityProof";
const SUITE: &str = "eddsa-jcs-2022";

/// What a proof is for, as DID documents list keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whoever sends this is who they say.
    Authentication,
    /// What this says is claimed by whoever signed it.
    AssertionMethod,
    /// Whoever signed this may do it.
    CapabilityInvocation,
    /// Whoever signed this may let others do it.
    CapabilityDelegation,
}

impl Purpose {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::AssertionMethod => "assertionMethod",
            Self::CapabilityInvocation => "capabilityInvocation",
            Self::CapabilityDelegation => "capabilityDelegation",
        }
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "authentication" => Ok(Self::Authentication),
            "assertionMethod" => Ok(Self::AssertionMethod),
            "capabilityInvocation" => Ok(Self::CapabilityInvocation),
            "capabilityDelegation" => Ok(Self::CapabilityDelegation),
            _ => Err(Error::Unsupported {
                member: "proofPurpose",
                found: beginning(name),
            }),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who signs, when, and to what end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// When it is signed, as its signer says.
    pub created: Timestamp,
    /// The id of the signer's key, `<did>#keys-1`.
    pub method: String,
    /// What the proof is for.
    pub purpose: Purpose,
}

impl Options {
    /// The proof without its value. A JSON-LD context of the document is part of it.
    fn to_object(&self, document: &Object) -> Object {
        Object::new()
            .with("type", TYPE)
            .with("cryptosuite", SUITE)
            .with("created", self.created)
            .with("verificationMethod", self.method.as_str())
            .with("proofPurpose", self.purpose.name())
            .with_optional("@context", document.get("@context").cloned())
    }
}

/// An object that is to be proven by a key which is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    document: Object,
    options: Options,
}

impl Unsigned {
    /// `document`, without a proof it has, to be signed as `options` say.
    #[must_use]
    pub fn new(mut document: Object, options: Options) -> Self {
        document.remove("proof");
        Self { document, options }
    }

    /// What is to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        hash_data(self.options.to_object(&self.document), &self.document)
    }

    /// With the signature of `key`, which must be one.
    pub fn signed_with(self, signature: Signature, key: &PublicKey) -> Result<Proven, Error> {
        key.verify(&self.to_bytes(), &signature)?;
        Ok(self.proven(signature))
    }

    fn proven(self, signature: Signature) -> Proven {
        Proven {
            has_context: self.document.get("@context").is_some(),
            document: self.document,
            options: self.options,
            signature,
        }
    }
}

/// An object and the proof it carries, not yet held against a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    document: Object,
    options: Options,
    /// Whether the proof repeats the context of its document: some writers leave it out.
    has_context: bool,
    signature: Signature,
}

impl Proven {
    /// Proves `document`, in place of a proof it has.
    #[must_use]
    pub fn sign(document: Object, options: Options, key: &SigningKey) -> Self {
        let unsigned = Unsigned::new(document, options);
        let signature = key.sign(&unsigned.to_bytes());
        unsigned.proven(signature)
    }

    /// Takes the one proof out of an object.
    pub fn read(mut object: Object) -> Result<Self, Error> {
        let proof = object.remove("proof").ok_or(Error::Absent)?;
        let mut fields = Fields::of("proof", proof)?;
        for (member, supported) in [("type", TYPE), ("cryptosuite", SUITE)] {
            let found = fields.string(member)?;
            if found != supported {
                let found = beginning(&found);
                return Err(Error::Unsupported { member, found });
            }
        }
        let options = Options {
            created: fields.string("created")?.parse()?,
            method: fields.string("verificationMethod")?,
            purpose: fields.string("proofPurpose")?.parse()?,
        };
        let signature = Signature::from_multibase(&fields.string("proofValue")?)?;
        let context = fields.optional("@context");
        fields.end()?;
        if context.is_some() && context.as_ref() != object.get("@context") {
            return Err(Error::Context);
        }
        Ok(Self {
            has_context: context.is_some(),
            document: object,
            options,
            signature,
        })
    }

    /// Checks that `key` signed this for `purpose`.
    pub fn verify(&self, key: &PublicKey, purpose: Purpose) -> Result<(), Error> {
        if self.options.purpose != purpose {
            return Err(Error::Purpose {
                expected: purpose,
                found: self.options.purpose,
            });
        }
        let hash_data = hash_data(self.config(), &self.document);
        key.verify(&hash_data, &self.signature)?;
        Ok(())
    }

    /// The object without its proof.
    #[must_use]
    pub fn document(&self) -> &Object {
        &self.document
    }

    /// Who says to have signed, when and to what end.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The object with its proof.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let proof = self
            .config()
            .with("proofValue", self.signature.to_multibase());
        self.document.clone().with("proof", proof)
    }

    fn config(&self) -> Object {
        let mut config = self.options.to_object(&self.document);
        if !self.has_context {
            config.remove("@context");
        }
        config
    }
}

/// The 64 bytes that are signed.
fn hash_data(config: Object, document: &Object) -> [u8; 64] {
    let mut bytes = [0; 64];
    let config = Value::Object(config).to_canonical();
    let document = Value::Object(document.clone()).to_canonical();
    bytes[..32].copy_from_slice(&sha256(config.as_bytes()));
    bytes[32..].copy_from_slice(&sha256(document.as_bytes()));
    bytes
}

#[cfg(test)]
mod tests;
