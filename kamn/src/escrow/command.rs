//! What a party asks of an escrow, signed.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec::Vec,
};

use super::{Amount, EscrowError};
use crate::{
    bytes::{in_domain, sha256},
    did::KamnDid,
    jcs::{Fields, Integer, Object, Value},
    key::{PublicKey, Signature, SigningKey},
    multibase,
    signers::Signers,
    time::Timestamp,
};

const DOMAIN: &str = "kamn:escrow-cmd:v1";
const REASON_LIMIT_BYTES: usize = 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Holds the amount of the terms. The payer's.
    Fund,
    /// Gives some of it to the payee. The payer's.
    Release {
        /// How much.
        amount: Amount,
    },
    /// Gives what remains back. The payee's.
    RefundByPayee,
    /// Gives what remains back, after the deadline. The payer's.
    TimeoutRefund,
    /// Stops everything until a decision. Either party's.
    Dispute {
        /// Why.
        reason: String,
    },
    /// Decides a dispute. The arbiter's; without one, both parties' together.
    Resolve {
        /// What the payee gets of what remains.
        to_payee: Amount,
        /// What goes back.
        to_payer: Amount,
    },
}

impl Action {
    /// As it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fund => "fund",
            Self::Release { .. } => "release",
            Self::RefundByPayee => "refund_by_payee",
            Self::TimeoutRefund => "timeout_refund",
            Self::Dispute { .. } => "dispute",
            Self::Resolve { .. } => "resolve",
        }
    }
}

/// One command to one escrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The escrow.
    pub escrow_id: String,
    /// Its number, from 1, one more than the last.
    pub seq: u64,
    /// What is asked.
    pub action: Action,
    /// Who asks.
    pub actor: KamnDid,
    /// When.
    pub created: Timestamp,
}

impl Command {
    /// The bytes that are signed and hashed.
    pub fn to_sign(&self) -> Result<Vec<u8>, EscrowError> {
        Ok(in_domain(DOMAIN, &self.to_object()?.into()))
    }

    /// The command with its actor's signature.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCommand, EscrowError> {
        let signature = key.sign(&self.to_sign()?);
        self.signed(signature, &key.public_key())
    }

    /// The same with a signature that was made elsewhere over [`Command::to_sign`], if it is one of
    /// `key`.
    pub fn signed(
        self,
        signature: Signature,
        key: &PublicKey,
    ) -> Result<SignedCommand, EscrowError> {
        key.verify(&self.to_sign()?, &signature)?;
        Ok(SignedCommand {
            command: self,
            signature,
            cosignature: None,
        })
    }

    fn to_object(&self) -> Result<Object, EscrowError> {
        let object = Object::new()
            .with("v", 1_u32)
            .with("escrow_id", self.escrow_id.as_str())
            .with("seq", Integer::try_from(self.seq)?)
            .with("cmd", self.action.name())
            .with("actor", self.actor.as_kamn())
            .with("created", self.created);
        Ok(match &self.action {
            Action::Fund | Action::RefundByPayee | Action::TimeoutRefund => object,
            Action::Release { amount } => object.with("amount", *amount),
            Action::Dispute { reason } => object.with("reason", reason.as_str()),
            Action::Resolve { to_payee, to_payer } => object
                .with("to_payee", *to_payee)
                .with("to_payer", *to_payer),
        })
    }
}

/// A command as it is sent, its signatures not yet held against anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCommand {
    /// What is asked.
    pub command: Command,
    /// The actor's signature.
    pub signature: Signature,
    /// Another's over the same bytes, where two must agree.
    pub cosignature: Option<(KamnDid, Signature)>,
}

impl SignedCommand {
    /// Adds the agreement of another.
    pub fn cosign(self, by: KamnDid, key: &SigningKey) -> Result<Self, EscrowError> {
        let signature = key.sign(&self.command.to_sign()?);
        self.cosigned(by, signature, &key.public_key())
    }

    /// The same with a signature that was made elsewhere over [`Command::to_sign`], if it is one of
    /// `key`.
    pub fn cosigned(
        mut self,
        by: KamnDid,
        signature: Signature,
        key: &PublicKey,
    ) -> Result<Self, EscrowError> {
        key.verify(&self.command.to_sign()?, &signature)?;
        self.cosignature = Some((by, signature));
        Ok(self)
    }

    /// The command as JSON, with `sig`, and `cosigner` and `cosig` where another agreed.
    pub fn to_value(&self) -> Result<Value, EscrowError> {
        let text = |signature: &Signature| multibase::encode(&signature.to_bytes());
        let mut object = self.command.to_object()?.with("sig", text(&self.signature));
        if let Some((by, signature)) = &self.cosignature {
            object.set("cosigner", by.to_string());
            object.set("cosig", text(signature));
        }
        Ok(object.into())
    }

    /// Reads a command, and refuses one with anything else in it.
    pub fn from_value(value: Value) -> Result<Self, EscrowError> {
        let mut fields = Fields::of("escrow command", value)?;
        if fields.unsigned("v")? != 1 {
            return Err(EscrowError::Command {
                why: "its version is not 1",
            });
        }
        let name = fields.string("cmd")?;
        let action = match name.as_str() {
            "fund" => Action::Fund,
            "release" => Action::Release {
                amount: fields.string("amount")?.parse()?,
            },
            "refund_by_payee" => Action::RefundByPayee,
            "timeout_refund" => Action::TimeoutRefund,
            "dispute" => Action::Dispute {
                reason: fields.string("reason")?,
            },
            "resolve" => Action::Resolve {
                to_payee: fields.string("to_payee")?.parse()?,
                to_payer: fields.string("to_payer")?.parse()?,
            },
            _ => {
                return Err(EscrowError::Command {
                    why: "there is no such command",
                });
            }
        };
        let command = Command {
            escrow_id: fields.string("escrow_id")?,
            seq: fields.unsigned("seq")?,
            action,
            actor: fields.string("actor")?.parse()?,
            created: fields.string("created")?.parse()?,
        };
        let signature = signature(&fields.string("sig")?)?;
        let cosignature = match (
            fields.optional_string("cosigner")?,
            fields.optional_string("cosig")?,
        ) {
            (None, None) => None,
            (Some(by), Some(text)) => Some((by.parse()?, self::signature(&text)?)),
            _ => {
                return Err(EscrowError::Command {
                    why: "a second signature needs its signer",
                });
            }
        };
        fields.end()?;
        Ok(Self {
            command,
            signature,
            cosignature,
        })
    }

    /// Checks the signatures, under keys that counted when the command was made and when it was seen.
    pub fn verify(
        self,
        signers: &dyn Signers,
        seen_ms: u64,
    ) -> Result<VerifiedCommand, EscrowError> {
        let bytes = self.command.to_sign()?;
        let mut by = BTreeSet::new();
        let first = Some((&self.command.actor, &self.signature));
        let second = self.cosignature.as_ref().map(|(did, sig)| (did, sig));
        for (did, signature) in first.into_iter().chain(second) {
            let key = signers
                .signing_key(did, self.command.created.unix_ms(), seen_ms)
                .ok_or_else(|| EscrowError::UnknownSigner { did: did.as_kamn() })?;
            key.verify(&bytes, signature)?;
            by.insert(did.clone());
        }
        if let Action::Dispute { reason } = &self.command.action
            && (reason.trim().is_empty() || reason.len() > REASON_LIMIT_BYTES)
        {
            return Err(EscrowError::Command {
                why: "a dispute needs a reason of at most 1024 bytes",
            });
        }
        Ok(VerifiedCommand {
            hash: sha256(&bytes),
            signed: self,
            by,
        })
    }
}

/// A command whose signatures fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCommand {
    signed: SignedCommand,
    hash: [u8; 32],
    by: BTreeSet<KamnDid>,
}

impl VerifiedCommand {
    /// What is asked.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.signed.command
    }

    /// With its signatures.
    #[must_use]
    pub fn signed(&self) -> &SignedCommand {
        &self.signed
    }

    /// SHA-256 over what was signed.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Whether `did` signed it.
    #[must_use]
    pub fn is_signed_by(&self, did: &KamnDid) -> bool {
        self.by.contains(did)
    }
}

fn signature(text: &str) -> Result<Signature, EscrowError> {
    Ok(Signature::from_bytes(&multibase::decode(text)?)?)
}
