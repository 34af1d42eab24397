//! What is recorded: an entry, what it moved, and its place in the chain.

use alloc::{string::String, vec::Vec};

use super::{GENESIS, LedgerError, Place};
use crate::{
    bytes::{from_hex, hex, in_domain, sha256},
    did::KamnDid,
    escrow::{Amount, Receipt, SignedCommand, Terms},
    jcs::{Fields, Integer, Object, Value},
    key::{PublicKey, Signature, SigningKey},
    multibase,
};

const DOMAIN: &str = "kamn:ledger-event:v1";

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An escrow on these terms, with nothing in it.
    Open(Terms),
    /// Something comes in. Without a receipt it is an entry of this ledger alone.
    Deposit {
        /// Whose it is.
        account: KamnDid,
        /// The asset's symbol.
        asset: String,
        /// How much.
        amount: Amount,
        /// The movement outside.
        receipt: Option<Receipt>,
    },
    /// Something goes out.
    Withdraw {
        /// Whose it was.
        account: KamnDid,
        /// The asset's symbol.
        asset: String,
        /// How much.
        amount: Amount,
        /// The movement outside.
        receipt: Option<Receipt>,
    },
    /// A party's command to an escrow.
    Command(SignedCommand),
}

impl Entry {
    /// As it is written.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Deposit { .. } => "deposit",
            Self::Withdraw { .. } => "withdraw",
            Self::Command(_) => "command",
        }
    }

    fn to_value(&self) -> Result<Value, LedgerError> {
        Ok(match self {
            Self::Open(terms) => terms.to_value()?,
            Self::Command(signed) => signed.to_value()?,
            Self::Deposit {
                account,
                asset,
                amount,
                receipt,
            }
            | Self::Withdraw {
                account,
                asset,
                amount,
                receipt,
            } => {
                let receipt = receipt.as_ref().map(|receipt| {
                    Object::new()
                        .with("id", receipt.id.as_str())
                        .with("finality", receipt.finality.name())
                });
                Object::new()
                    .with("account", account.as_kamn())
                    .with("asset", asset.as_str())
                    .with("amount", *amount)
                    .with_optional("receipt", receipt)
                    .into()
            }
        })
    }

    fn from_value(kind: &str, value: Value) -> Result<Self, LedgerError> {
        match kind {
            "open" => return Ok(Self::Open(Terms::from_value(value)?)),
            "command" => return Ok(Self::Command(SignedCommand::from_value(value)?)),
            _ => {}
        }
        let mut fields = Fields::of("ledger entry", value)?;
        let account = fields.string("account")?.parse()?;
        let asset = fields.string("asset")?;
        let amount = fields.string("amount")?.parse()?;
        let receipt = match fields.optional("receipt") {
            None => None,
            Some(value) => {
                let mut fields = Fields::of("receipt", value)?;
                let receipt = Receipt {
                    id: fields.string("id")?,
                    finality: fields.string("finality")?.parse()?,
                };
                fields.end()?;
                Some(receipt)
            }
        };
        fields.end()?;
        match kind {
            "deposit" => Ok(Self::Deposit {
                account,
                asset,
                amount,
                receipt,
            }),
            "withdraw" => Ok(Self::Withdraw {
                account,
                asset,
                amount,
                receipt,
            }),
            _ => Err(LedgerError::Chain {
                seq: 0,
                why: "is of no known kind",
            }),
        }
    }
}

/// An amount that went from one place to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// The asset's symbol.
    pub asset: String,
    /// How much; never nothing.
    pub amount: Amount,
}

/// One transaction of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 0.
    pub seq: u64,
    /// The hash of the event before; `None` for the first.
    pub prev: Option<[u8; 32]>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was recorded.
    pub entry: Entry,
    /// What it moved.
    pub movements: Vec<Movement>,
}

impl Event {
    /// SHA-256 over what is signed.
    pub fn hash(&self) -> Result<[u8; 32], LedgerError> {
        Ok(sha256(&self.to_sign()?))
    }

    /// The event, signed by whoever keeps the ledger.
    pub fn sign(self, operator: &SigningKey) -> Result<SignedEvent, LedgerError> {
        let signature = operator.sign(&self.to_sign()?);
        self.signed(signature, &operator.public_key())
    }

    /// The same with a signature that was made elsewhere over [`Event::to_sign`], if it is one of
    /// `operator`.
    pub fn signed(
        self,
        signature: Signature,
        operator: &PublicKey,
    ) -> Result<SignedEvent, LedgerError> {
        let signed = SignedEvent {
            event: self,
            signature,
        };
        signed.verify(operator)?;
        Ok(signed)
    }

    /// The bytes that are signed and hashed.
    pub fn to_sign(&self) -> Result<Vec<u8>, LedgerError> {
        Ok(in_domain(DOMAIN, &self.to_object()?.into()))
    }

    fn to_object(&self) -> Result<Object, LedgerError> {
        let movements: Value = self
            .movements
            .iter()
            .map(|movement| {
                Object::new()
                    .with("from", alloc::format!("{}", movement.from))
                    .with("to", alloc::format!("{}", movement.to))
                    .with("asset", movement.asset.as_str())
                    .with("amount", movement.amount)
            })
            .collect();
        Ok(Object::new()
            .with("v", 1_u32)
            .with("seq", Integer::try_from(self.seq)?)
            .with(
                "prev",
                self.prev.map_or_else(|| GENESIS.into(), |hash| hex(&hash)),
            )
            .with("at_ms", Integer::try_from(self.at_ms)?)
            .with("kind", self.entry.kind())
            .with("entry", self.entry.to_value()?)
            .with("movements", movements))
    }
}

/// An event as it is stored, its signature not yet held against anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    pub(super) event: Event,
    pub(super) signature: Signature,
}

impl SignedEvent {
    /// The event; what it says is proved by [`super::restore`] alone.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event as JSON, with `sig`.
    pub fn to_value(&self) -> Result<Value, LedgerError> {
        let signature = multibase::encode(&self.signature.to_bytes());
        Ok(self.event.to_object()?.with("sig", signature).into())
    }

    /// Reads an event, and refuses one with anything else in it.
    pub fn from_value(value: Value) -> Result<Self, LedgerError> {
        let mut fields = Fields::of("ledger event", value)?;
        let seq = fields.unsigned("seq")?;
        if fields.unsigned("v")? != 1 {
            return Err(LedgerError::Chain {
                seq,
                why: "is not of version 1",
            });
        }
        let prev = match fields.string("prev")?.as_str() {
            GENESIS => None,
            text => Some(from_hex("event hash", text)?),
        };
        let at_ms = fields.unsigned("at_ms")?;
        let kind = fields.string("kind")?;
        let entry = Entry::from_value(&kind, fields.value("entry")?)?;
        let movements = fields
            .array("movements")?
            .into_iter()
            .map(movement)
            .collect::<Result<_, _>>()?;
        let signature = multibase::decode(&fields.string("sig")?)?;
        fields.end()?;
        Ok(Self {
            event: Event {
                seq,
                prev,
                at_ms,
                entry,
                movements,
            },
            signature: Signature::from_bytes(&signature)?,
        })
    }

    /// Checks that whoever holds the secret of `operator` signed exactly this event; whether it
    /// follows is for [`super::restore`] to say.
    pub fn verify(&self, operator: &PublicKey) -> Result<(), LedgerError> {
        Ok(operator.verify(&self.event.to_sign()?, &self.signature)?)
    }
}

fn movement(value: Value) -> Result<Movement, LedgerError> {
    let mut fields = Fields::of("movement", value)?;
    let movement = Movement {
        from: fields.string("from")?.parse()?,
        to: fields.string("to")?.parse()?,
        asset: fields.string("asset")?,
        amount: fields.string("amount")?.parse()?,
    };
    fields.end()?;
    Ok(movement)
}
