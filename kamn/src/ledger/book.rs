//! How much is where. Movements alone change it, all of a transaction or none.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
};
use core::{fmt, str::FromStr};

use super::{LedgerError, Movement};
use crate::{
    did::KamnDid,
    error::{Error, beginning},
    escrow::Amount,
};

/// Where amounts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Not in this ledger.
    Outside,
    /// At the disposal of an account.
    Available(KamnDid),
    /// In an escrow.
    Held(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("outside"),
            Self::Available(did) => write!(f, "available {did}"),
            Self::Held(id) => write!(f, "held {id}"),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "outside" {
            return Ok(Self::Outside);
        }
        match text.split_once(' ') {
            Some(("available", did)) => Ok(Self::Available(did.parse()?)),
            Some(("held", id)) if !id.is_empty() => Ok(Self::Held(id.into())),
            _ => Err(Error::Did {
                did: beginning(text),
                expected: "ledger",
                why: "it is no place: outside, available or held",
            }),
        }
    }
}

/// Amounts by place and asset. What is outside is counted twice: what came in, and what went out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Book {
    amounts: BTreeMap<(Place, String), Amount>,
    came_in: BTreeMap<String, Amount>,
    went_out: BTreeMap<String, Amount>,
}

impl Book {
    pub(super) fn at(&self, place: &Place, asset: &str) -> Amount {
        let key = (place.clone(), asset.to_string());
        self.amounts.get(&key).copied().unwrap_or_default()
    }

    pub(super) fn came_in(&self, asset: &str) -> Amount {
        self.came_in.get(asset).copied().unwrap_or_default()
    }

    /// The book after a transaction.
    pub(super) fn after(&self, movements: &[Movement]) -> Result<Self, LedgerError> {
        let mut next = self.clone();
        for movement in movements {
            next.take(movement)?;
            next.put(movement)?;
        }
        Ok(next)
    }

    /// Whether, per asset, what is here is what came in less what went out.
    pub(super) fn is_balanced(&self) -> bool {
        // Assets of which all has gone out again have nothing here, and are still to be checked.
        let assets = self.came_in.keys();
        let mut here: BTreeMap<&str, Amount> =
            assets.map(|asset| (asset.as_str(), Amount::ZERO)).collect();
        for ((_, asset), amount) in &self.amounts {
            let sum = here.entry(asset).or_default();
            match sum.plus(*amount) {
                Ok(next) => *sum = next,
                Err(_) => return false,
            }
        }
        here.iter().all(|(asset, sum)| {
            let out = self.went_out.get(*asset).copied().unwrap_or_default();
            self.came_in(asset).minus(out) == Ok(*sum)
        })
    }

    fn take(&mut self, movement: &Movement) -> Result<(), LedgerError> {
        let Movement {
            from,
            asset,
            amount,
            ..
        } = movement;
        if *from == Place::Outside {
            let sum = self.came_in.entry(asset.clone()).or_default();
            *sum = sum.plus(*amount)?;
            return Ok(());
        }
        let available = self.at(from, asset);
        let left = available
            .minus(*amount)
            .map_err(|_| LedgerError::Insufficient {
                asset: asset.clone(),
                available,
                amount: *amount,
            })?;
        self.set(from, asset, left);
        Ok(())
    }

    fn put(&mut self, movement: &Movement) -> Result<(), LedgerError> {
        let Movement {
            to, asset, amount, ..
        } = movement;
        if *to == Place::Outside {
            let sum = self.went_out.entry(asset.clone()).or_default();
            *sum = sum.plus(*amount)?;
            return Ok(());
        }
        let sum = self.at(to, asset).plus(*amount)?;
        self.set(to, asset, sum);
        Ok(())
    }

    /// A place with nothing in it is not kept, so equal books are equal values.
    fn set(&mut self, place: &Place, asset: &str, amount: Amount) {
        let key = (place.clone(), asset.to_string());
        if amount.is_zero() {
            self.amounts.remove(&key);
        } else {
            self.amounts.insert(key, amount);
        }
    }
}
