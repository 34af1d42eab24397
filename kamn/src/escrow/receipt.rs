//! What an outside system says about a movement, and what follows from it.

use alloc::string::String;
use core::str::FromStr;

use super::EscrowError;
use crate::error::beginning;

/// How settled a movement is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It may still fail.
    Pending,
    /// It cannot be undone any more.
    Final,
    /// It did not happen.
    Failed,
}

impl Finality {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Final => "FINAL",
            Self::Failed => "FAILED",
        }
    }
}

impl FromStr for Finality {
    type Err = EscrowError;

    fn from_str(name: &str) -> Result<Self, EscrowError> {
        match name {
            "PENDING" => Ok(Self::Pending),
            "FINAL" => Ok(Self::Final),
            "FAILED" => Ok(Self::Failed),
            _ => Err(EscrowError::InvalidReceiptFinality {
                found: beginning(name),
            }),
        }
    }
}

/// A receipt for a movement outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its name there; unique.
    pub id: String,
    /// How settled it is.
    pub finality: Finality,
}

/// What a receipt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciliation<T> {
    /// Not settled yet: nothing changed.
    Pending,
    /// It failed: nothing changed.
    Rejected,
    /// It is final: this happened.
    Done(T),
}

/// Does `action` once a receipt is final, and nothing before.
pub fn reconcile<T>(
    receipt: &Receipt,
    action: impl FnOnce() -> Result<T, EscrowError>,
) -> Result<Reconciliation<T>, EscrowError> {
    if receipt.id.trim().is_empty() {
        return Err(EscrowError::MissingReceiptEvidence);
    }
    match receipt.finality {
        Finality::Pending => Ok(Reconciliation::Pending),
        Finality::Failed => Ok(Reconciliation::Rejected),
        Finality::Final => action().map(Reconciliation::Done),
    }
}
