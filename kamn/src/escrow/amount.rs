//! Amounts of an asset in its smallest unit, as signed objects write them: decimal strings.

use alloc::string::{String, ToString};
use core::{fmt, str::FromStr};

use super::EscrowError;
use crate::{error::beginning, jcs::Value};

/// A number of atomic units. Arithmetic is checked: nothing wraps and nothing saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many atomic units.
    #[must_use]
    pub fn new(units: u128) -> Self {
        Self(units)
    }

    /// How many atomic units.
    #[must_use]
    pub fn units(self) -> u128 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Result<Self, EscrowError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(EscrowError::AmountOverflow)
    }

    /// The difference; an overflow where `other` is more.
    pub fn minus(self, other: Self) -> Result<Self, EscrowError> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or(EscrowError::AmountOverflow)
    }
}

impl FromStr for Amount {
    type Err = EscrowError;

    /// Reads decimal digits without sign or leading zeros: each amount has one spelling.
    fn from_str(text: &str) -> Result<Self, EscrowError> {
        text.parse::<u128>()
            .ok()
            .filter(|units| units.to_string() == text)
            .map(Self)
            .ok_or_else(|| EscrowError::AmountText {
                text: beginning(text),
            })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Amount> for Value {
    fn from(amount: Amount) -> Self {
        let text: String = amount.to_string();
        text.into()
    }
}
