//! What is said, as it is signed.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::AttestError;
use crate::{
    bytes::{hex, in_domain, sha256},
    did::AgentDid,
    jcs::{Fields, Integer, Object, Value},
    key::{PublicKey, Signature, SigningKey},
    multibase,
    time::Timestamp,
};

const TYPE: &str = "kamn:attestation:v1";
const TEXT_LIMIT_BYTES: usize = 512;
const ID_DIGITS: usize = 32;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The subject did a task. By who paid for it.
    TaskCompleted {
        /// How long the first answer took.
        response_ms: u64,
    },
    /// The subject did not do a task. By who paid for it.
    TaskFailed {
        /// How long the first answer took.
        response_ms: u64,
    },
    /// The subject handed a task on.
    TaskDelegated,
    /// A good word.
    Endorsement {
        /// What is said.
        note: String,
    },
    /// The issuer disputes what the subject did.
    DisputeOpened {
        /// Why.
        reason: String,
    },
    /// A dispute was decided.
    DisputeResolved {
        /// Whether against the subject.
        is_upheld: bool,
    },
    /// The subject can do something.
    Capability {
        /// What.
        capability: String,
        /// Where the proof is.
        proof_ref: String,
    },
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TaskCompleted { .. } => "task_completed",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskDelegated => "task_delegated",
            Self::Endorsement { .. } => "endorsement",
            Self::DisputeOpened { .. } => "dispute_opened",
            Self::DisputeResolved { .. } => "dispute_resolved",
            Self::Capability { .. } => "capability",
        }
    }

    fn to_data(&self) -> Result<Object, AttestError> {
        let data = Object::new();
        Ok(match self {
            Self::TaskCompleted { response_ms } | Self::TaskFailed { response_ms } => {
                data.with("response_ms", Integer::try_from(*response_ms)?)
            }
            Self::TaskDelegated => data,
            Self::Endorsement { note } => data.with("note", note.as_str()),
            Self::DisputeOpened { reason } => data.with("reason", reason.as_str()),
            Self::DisputeResolved { is_upheld } => data.with("upheld", *is_upheld),
            Self::Capability {
                capability,
                proof_ref,
            } => data
                .with("capability", capability.as_str())
                .with("proof_ref", proof_ref.as_str()),
        })
    }

    fn from_data(name: &str, mut data: Fields) -> Result<Self, AttestError> {
        let shape = |why| AttestError::Shape { why };
        let kind = match name {
            "task_completed" => Self::TaskCompleted {
                response_ms: data.unsigned("response_ms")?,
            },
            "task_failed" => Self::TaskFailed {
                response_ms: data.unsigned("response_ms")?,
            },
            "task_delegated" => Self::TaskDelegated,
            "endorsement" => Self::Endorsement {
                note: text(data.string("note")?)?,
            },
            "dispute_opened" => Self::DisputeOpened {
                reason: text(data.string("reason")?)?,
            },
            "dispute_resolved" => Self::DisputeResolved {
                is_upheld: match data.value("upheld")? {
                    Value::Bool(is) => is,
                    _ => return Err(shape("upheld is neither true nor false")),
                },
            },
            "capability" => Self::Capability {
                capability: text(data.string("capability")?)?,
                proof_ref: text(data.string("proof_ref")?)?,
            },
            _ => return Err(shape("there is no such kind")),
        };
        data.end()?;
        Ok(kind)
    }
}

/// What one agent says of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// What.
    pub kind: Kind,
    /// Of whom.
    pub subject: AgentDid,
    /// By whom.
    pub issuer: AgentDid,
    /// About what: the name of an escrow for tasks and disputes, anything else for the others.
    pub reference: String,
    /// At which block.
    pub height: u64,
    /// When.
    pub created: Timestamp,
    /// Until when it may be admitted.
    pub expires: Timestamp,
    /// Never twice of an issuer.
    pub nonce: u64,
}

impl Attestation {
    /// The attestation with its issuer's signature.
    pub fn sign(self, key: &SigningKey) -> Result<SignedAttestation, AttestError> {
        let signature = key.sign(&self.to_sign()?);
        self.signed(signature, &key.public_key())
    }

    /// The same with a signature that was made elsewhere over [`Attestation::to_sign`], if it is one
    /// of `key`.
    pub fn signed(
        self,
        signature: Signature,
        key: &PublicKey,
    ) -> Result<SignedAttestation, AttestError> {
        let signed = SignedAttestation {
            attestation: self,
            signature,
        };
        signed.verify(key)?;
        Ok(signed)
    }

    /// The bytes that are signed and hashed.
    pub fn to_sign(&self) -> Result<Vec<u8>, AttestError> {
        Ok(in_domain(TYPE, &self.to_object()?.into()))
    }

    fn to_object(&self) -> Result<Object, AttestError> {
        Ok(Object::new()
            .with("v", 1_u32)
            .with("type", TYPE)
            .with("kind", self.kind.name())
            .with("subject", self.subject.to_string())
            .with("issuer", self.issuer.to_string())
            .with("ref", self.reference.as_str())
            .with("data", self.kind.to_data()?)
            .with("height", Integer::try_from(self.height)?)
            .with("created", self.created)
            .with("expires", self.expires)
            .with("nonce", Integer::try_from(self.nonce)?))
    }
}

/// An attestation as it is sent, its signature not yet held against anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttestation {
    pub(super) attestation: Attestation,
    pub(super) signature: Signature,
}

impl SignedAttestation {
    /// What it says.
    #[must_use]
    pub fn attestation(&self) -> &Attestation {
        &self.attestation
    }

    /// Its name: the first 32 digits of a SHA-256 over what is signed.
    pub fn id(&self) -> Result<String, AttestError> {
        let mut name = hex(&sha256(&self.attestation.to_sign()?));
        name.truncate(ID_DIGITS);
        Ok(name)
    }

    /// The attestation as JSON, with `sig`.
    pub fn to_value(&self) -> Result<Value, AttestError> {
        let signature = multibase::encode(&self.signature.to_bytes());
        Ok(self.attestation.to_object()?.with("sig", signature).into())
    }

    /// Reads an attestation, and refuses one with anything else in it.
    pub fn from_value(value: Value) -> Result<Self, AttestError> {
        let shape = |why| AttestError::Shape { why };
        let mut fields = Fields::of("attestation", value)?;
        if fields.unsigned("v")? != 1 || fields.string("type")? != TYPE {
            return Err(shape("it is not of version 1"));
        }
        let name = fields.string("kind")?;
        let attestation = Attestation {
            kind: Kind::from_data(&name, fields.fields("data", "attestation data")?)?,
            subject: fields.string("subject")?.parse()?,
            issuer: fields.string("issuer")?.parse()?,
            reference: text(fields.string("ref")?)?,
            height: fields.unsigned("height")?,
            created: fields.string("created")?.parse()?,
            expires: fields.string("expires")?.parse()?,
            nonce: fields.unsigned("nonce")?,
        };
        let signature = multibase::decode(&fields.string("sig")?)?;
        fields.end()?;
        Ok(Self {
            attestation,
            signature: Signature::from_bytes(&signature)?,
        })
    }

    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), AttestError> {
        Ok(key.verify(&self.attestation.to_sign()?, &self.signature)?)
    }
}

fn text(text: String) -> Result<String, AttestError> {
    if text.trim().is_empty() || text.len() > TEXT_LIMIT_BYTES {
        return Err(AttestError::Shape {
            why: "a text is blank or longer than 512 bytes",
        });
    }
    Ok(text)
}
