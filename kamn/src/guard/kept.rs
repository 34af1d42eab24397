//! A guard that writes down what it takes before anybody acts on it.

use core::fmt;

use super::{Corrupt, Delivery, Guard, GuardStore, Refusal, snapshot};
use crate::jcs::Value;

/// Wherever a guard writes what it takes.
pub trait Persist {
    /// Writes one record for good, after those before. Returns once it would survive a crash.
    fn persist(&mut self, record: &Value) -> Result<(), Unwritten>;
}

/// Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten;

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the record could not be written")
    }
}

impl core::error::Error for Unwritten {}

/// A guard and the place its records go to. After a crash between writing and acting, a message
/// counts as taken: it is lost rather than taken twice.
#[derive(Debug)]
pub struct Kept<P> {
    guard: Guard,
    place: P,
}

impl<P: Persist> Kept<P> {
    /// Goes on with a guard that knows everything that was written before.
    pub fn new(guard: Guard, place: P) -> Self {
        Self { guard, place }
    }

    /// The guard, to take a snapshot of.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The place its records go to.
    pub fn place(&self) -> &P {
        &self.place
    }

    /// The same, to drop the records that are in a snapshot.
    pub fn place_mut(&mut self) -> &mut P {
        &mut self.place
    }
}

impl<P: Persist> GuardStore for Kept<P> {
    fn admit(&mut self, delivery: &Delivery, now_ms: u64) -> Result<(), Refusal> {
        self.guard.check(delivery, now_ms)?;
        let record = snapshot::record(delivery, now_ms).map_err(|_| Refusal::Unwritten)?;
        let written = self.place.persist(&record);
        written.map_err(|Unwritten| Refusal::Unwritten)?;
        self.guard.take(delivery, now_ms);
        Ok(())
    }
}

impl Guard {
    /// Takes a record again that a [`Kept`] guard wrote after this one's snapshot.
    pub fn replay(&mut self, record: Value) -> Result<(), Corrupt> {
        let (delivery, now_ms) = snapshot::read_record(record)?;
        self.admit(&delivery, now_ms).map_err(Corrupt::Refused)
    }
}
