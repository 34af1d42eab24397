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

    /// What a transaction makes of the places it touches.
    pub(super) fn change(&self, movements: &[Movement]) -> Result<Change, LedgerError> {
        let mut change = Change::default();
        for movement in movements {
            change.take(self, movement)?;
            change.put(self, movement)?;
        }
        Ok(change)
    }

    /// Makes a change. It must have been computed from this book.
    pub(super) fn make(&mut self, change: Change) {
        for (key, amount) in change.0.amounts {
            // A place with nothing in it is not kept, so equal books are equal values.
            if amount.is_zero() {
                self.amounts.remove(&key);
            } else {
                self.amounts.insert(key, amount);
            }
        }
        self.came_in.extend(change.0.came_in);
        self.went_out.extend(change.0.went_out);
    }

    /// What is available, by account and asset, and held, by escrow and asset.
    pub(super) fn amounts(&self) -> impl Iterator<Item = (&Place, &str, Amount)> {
        let amounts = self.amounts.iter();
        amounts.map(|((place, asset), amount)| (place, asset.as_str(), *amount))
    }

    /// The assets that ever came in, with how much came in and went out.
    pub(super) fn turnover(&self) -> impl Iterator<Item = (&str, Amount, Amount)> {
        let assets = self.came_in.iter();
        assets.map(|(asset, came_in)| (asset.as_str(), *came_in, self.went_out(asset)))
    }

    fn went_out(&self, asset: &str) -> Amount {
        self.went_out.get(asset).copied().unwrap_or_default()
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
        here.iter()
            .all(|(asset, sum)| self.came_in(asset).minus(self.went_out(asset)) == Ok(*sum))
    }
}

/// New amounts of the places a transaction touches: as long as a transaction, not as a book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change(Book);

impl Change {
    fn take(&mut self, before: &Book, movement: &Movement) -> Result<(), LedgerError> {
        let Movement {
            from,
            asset,
            amount,
            ..
        } = movement;
        if *from == Place::Outside {
            let sums = &mut self.0.came_in;
            let sum = sums.get(asset).copied();
            let sum = sum.unwrap_or_else(|| before.came_in(asset)).plus(*amount)?;
            sums.insert(asset.clone(), sum);
            return Ok(());
        }
        let available = self.at(before, from, asset);
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

    fn put(&mut self, before: &Book, movement: &Movement) -> Result<(), LedgerError> {
        let Movement {
            to, asset, amount, ..
        } = movement;
        if *to == Place::Outside {
            let sums = &mut self.0.went_out;
            let sum = sums.get(asset).copied();
            let sum = sum
                .unwrap_or_else(|| before.went_out(asset))
                .plus(*amount)?;
            sums.insert(asset.clone(), sum);
            return Ok(());
        }
        let sum = self.at(before, to, asset).plus(*amount)?;
        self.set(to, asset, sum);
        Ok(())
    }

    fn at(&self, before: &Book, place: &Place, asset: &str) -> Amount {
        let key = (place.clone(), asset.to_string());
        let changed = self.0.amounts.get(&key).copied();
        changed.unwrap_or_else(|| before.at(place, asset))
    }

    fn set(&mut self, place: &Place, asset: &str, amount: Amount) {
        let key = (place.clone(), asset.to_string());
        self.0.amounts.insert(key, amount);
    }
}
