//! The token KAMN names, and what its allocation must add up to.

use alloc::{collections::BTreeSet, string::String};

use thiserror::Error as ThisError;

use crate::escrow::is_symbol;

/// Its symbol.
pub const SYMBOL: &str = "KAMN";
/// How many whole tokens there are.
pub const SUPPLY: u128 = 1_000_000_000;
/// How many decimals a token has.
pub const DECIMALS: u32 = 18;
/// Atomic units of a millionth of a token: what Tau counts costs in.
pub const UNITS_PER_MICRO: u128 = 1_000_000_000_000;
/// The parts of the supply in KAMN's order, in hundredths of a per cent.
pub const BUCKETS_BPS: [u32; 5] = [4000, 2500, 2000, 1000, 500];

const WHOLE_BPS: u32 = 10_000;

/// Part of a supply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What it is for; unique.
    pub name: String,
    /// Its part, in hundredths of a per cent.
    pub bps: u32,
    /// Its part, in whole tokens.
    pub amount: u128,
}

/// Why an allocation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum TokenError {
    /// Not upper-case letters and digits.
    #[error("the symbol is not upper-case letters and digits")]
    Symbol,
    /// More decimals than atomic units can count.
    #[error("more than 18 decimals")]
    Decimals,
    /// A blank name, or one that comes twice.
    #[error("the buckets are not named apart")]
    Bucket,
    /// The parts are not the whole.
    #[error("the parts do not add up to the supply")]
    Sum,
}

impl TokenError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::Symbol => "token_symbol_invalid",
            Self::Decimals => "token_decimals_invalid",
            Self::Bucket => "token_bucket_invalid",
            Self::Sum => "token_allocation_mismatch",
        }
    }
}

/// Checks a token and how its supply is divided.
pub fn check(
    symbol: &str,
    decimals: u32,
    supply: u128,
    buckets: &[Bucket],
) -> Result<(), TokenError> {
    if !is_symbol(symbol) {
        return Err(TokenError::Symbol);
    }
    if decimals > DECIMALS {
        return Err(TokenError::Decimals);
    }
    let names: BTreeSet<&str> = buckets.iter().map(|bucket| bucket.name.trim()).collect();
    if names.len() != buckets.len() || names.contains("") {
        return Err(TokenError::Bucket);
    }
    let bps = buckets
        .iter()
        .try_fold(0_u32, |sum, bucket| sum.checked_add(bucket.bps));
    let amount = buckets
        .iter()
        .try_fold(0_u128, |sum, bucket| sum.checked_add(bucket.amount));
    if bps == Some(WHOLE_BPS) && amount == Some(supply) {
        Ok(())
    } else {
        Err(TokenError::Sum)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;

    fn buckets() -> Vec<Bucket> {
        BUCKETS_BPS
            .iter()
            .enumerate()
            .map(|(at, bps)| Bucket {
                name: format!("bucket {at}"),
                bps: *bps,
                amount: SUPPLY * u128::from(*bps) / 10_000,
            })
            .collect()
    }

    #[test]
    fn kamns_allocation_adds_up_in_atomic_units() {
        assert_eq!(check(SYMBOL, DECIMALS, SUPPLY, &buckets()), Ok(()));
        let whole = SUPPLY.checked_mul(10_u128.pow(DECIMALS));
        assert_eq!(whole, Some(10_u128.pow(27)));
        assert_eq!(UNITS_PER_MICRO * 1_000_000, 10_u128.pow(DECIMALS));
    }

    #[test]
    fn allocation_that_does_not_add_up_is_refused() {
        let changed = |change: fn(&mut Vec<Bucket>)| {
            let mut buckets = buckets();
            change(&mut buckets);
            check(SYMBOL, DECIMALS, SUPPLY, &buckets)
        };
        assert_eq!(changed(|b| b[0].bps += 1), Err(TokenError::Sum));
        assert_eq!(changed(|b| b[0].amount -= 1), Err(TokenError::Sum));
        assert_eq!(changed(|b| b[0].bps = u32::MAX), Err(TokenError::Sum));
        assert_eq!(
            changed(|b| b[1].name = b[0].name.clone()),
            Err(TokenError::Bucket)
        );
        assert_eq!(
            check("kamn", 18, SUPPLY, &buckets()),
            Err(TokenError::Symbol)
        );
        assert_eq!(
            check("KAMN", 19, SUPPLY, &buckets()),
            Err(TokenError::Decimals)
        );
        assert_eq!(TokenError::Sum.reason_code(), "token_allocation_mismatch");
    }
}
