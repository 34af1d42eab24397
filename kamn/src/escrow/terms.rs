//! What two agree on before anything is held, and the name that follows from it.

use alloc::{
    format,
    string::{String, ToString},
};

use super::{Amount, EscrowError};
use crate::{
    bytes::{from_hex, hex, in_domain, sha256},
    did::KamnDid,
    jcs::{Fields, Integer, Object, Value},
};

const DOMAIN: &str = "kamn:escrow:v1";
const ID_DIGITS: usize = 32;
const TEXT_LIMIT_BYTES: usize = 256;

/// The terms of an escrow. All of them go into its name, so terms cannot be changed, only replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The asset's symbol: upper-case letters and digits.
    pub asset: String,
    /// How much is held.
    pub amount: Amount,
    /// Who puts it in.
    pub payer: KamnDid,
    /// Whom it is for.
    pub payee: KamnDid,
    /// Who decides when the two disagree. Without one, only both together can.
    pub arbiter: Option<KamnDid>,
    /// The task it is for.
    pub task_id: String,
    /// When the terms were made.
    pub created_ms: u64,
    /// From when the payer can have back what remains.
    pub timeout_ms: u64,
    /// 16 random bytes: the same terms again are another escrow.
    pub nonce: [u8; 16],
}

impl Terms {
    /// Refuses terms that make no sense.
    pub fn check(&self) -> Result<(), EscrowError> {
        let refused = |why| Err(EscrowError::Terms { why });
        if !is_symbol(&self.asset) {
            return refused("the asset is no symbol of upper-case letters and digits");
        }
        if self.amount.is_zero() {
            return Err(EscrowError::ZeroAmount);
        }
        if self.payer == self.payee {
            return refused("payer and payee are the same");
        }
        let is_party = |did: &KamnDid| *did == self.payer || *did == self.payee;
        if self.arbiter.as_ref().is_some_and(is_party) {
            return refused("a party cannot be the arbiter");
        }
        if self.task_id.trim().is_empty() || self.task_id.len() > TEXT_LIMIT_BYTES {
            return refused("the task's name is blank or too long");
        }
        if self.timeout_ms <= self.created_ms {
            return refused("the deadline is not after the beginning");
        }
        Ok(())
    }

    /// `escrow:` and the first 32 digits of a SHA-256 over the terms.
    pub fn id(&self) -> Result<String, EscrowError> {
        let hash = sha256(&in_domain(DOMAIN, &self.to_value()?));
        Ok(format!("escrow:{}", &hex(&hash)[..ID_DIGITS]))
    }

    /// The terms as they are signed.
    pub fn to_value(&self) -> Result<Value, EscrowError> {
        let arbiter = self.arbiter.as_ref().map(ToString::to_string);
        let object = Object::new()
            .with("asset", self.asset.as_str())
            .with("amount", self.amount)
            .with("payer", self.payer.as_kamn())
            .with("payee", self.payee.as_kamn())
            .with_optional("arbiter", arbiter)
            .with("task_id", self.task_id.as_str())
            .with("created_ms", Integer::try_from(self.created_ms)?)
            .with("timeout_ms", Integer::try_from(self.timeout_ms)?)
            .with("nonce", hex(&self.nonce));
        Ok(object.into())
    }

    /// Reads terms and checks them.
    pub fn from_value(value: Value) -> Result<Self, EscrowError> {
        let mut fields = Fields::of("escrow terms", value)?;
        let terms = Self {
            asset: fields.string("asset")?,
            amount: fields.string("amount")?.parse()?,
            payer: fields.string("payer")?.parse()?,
            payee: fields.string("payee")?.parse()?,
            arbiter: fields
                .optional_string("arbiter")?
                .map(|did| did.parse())
                .transpose()?,
            task_id: fields.string("task_id")?,
            created_ms: fields.unsigned("created_ms")?,
            timeout_ms: fields.unsigned("timeout_ms")?,
            nonce: from_hex("escrow nonce", &fields.string("nonce")?)?,
        };
        fields.end()?;
        terms.check()?;
        Ok(terms)
    }
}

/// Whether a text can name an asset: 1 to 16 upper-case letters and digits.
#[must_use]
pub fn is_symbol(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
