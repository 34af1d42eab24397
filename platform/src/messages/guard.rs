//! What was taken of each sender, in the store: `guard/<did>/<n>` is one message, `guard/<did>/snapshot`
//! what all before it amount to.
//!
//! Invariant: each message is a row that must not exist when it is written, so of two processes that
//! took different ones at the same time one reads again. Rows stay for a while after the snapshot
//! holds them, for whoever still has an old one in mind.

use alloc::{
    format,
    string::{String, ToString},
};
use tau_core::session::{Batch, Range};
use tau_kamn::{
    AgentDid,
    envelope::{Arrival, Received, Verified},
    guard::{Guard, Kept, Limits, Order, Persist, Unwritten, WindowSize},
    jcs::{self, Fields, Integer, Object, Value},
};

use super::MessageError;
use crate::Storage;

/// Messages of one sender that come out of order, at most.
const WINDOW: usize = 1_024;
/// A snapshot is taken after so many messages.
const SNAPSHOT_EVERY: u64 = 32;
/// So many rows stay that a snapshot holds.
const LAG: u64 = 96;
/// Bytes of a snapshot: 1,024 ids and 16 lanes.
const SNAPSHOT_LIMIT_BYTES: usize = 1 << 20;
const RECORD_LIMIT_BYTES: usize = 4_096;

fn limits() -> Limits {
    Limits {
        // Each sender has a guard of its own.
        senders: 1,
        ..Limits::default()
    }
}

fn order() -> Order {
    WindowSize::new(WINDOW).map_or(Order::Strict, Order::Window)
}

/// The guard against one sender, and the number of the next message it takes.
#[derive(Debug)]
pub(super) struct Stored {
    did: AgentDid,
    guard: Guard,
    pub(super) next: u64,
}

/// A message that the guard takes, if what it wrote can be stored.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) received: Received,
    /// Its number among all of its sender.
    pub(super) number: u64,
    pub(super) batch: Batch,
}

struct Written(Option<Value>);

impl Persist for Written {
    fn persist(&mut self, record: &Value) -> Result<(), Unwritten> {
        self.0 = Some(record.clone());
        Ok(())
    }
}

/// Where the records of `did` are.
pub(super) fn prefix(did: &AgentDid) -> String {
    format!("guard/{}/", did.as_kamn())
}

impl Stored {
    /// What was taken of `did` so far.
    pub(super) async fn load(storage: &impl Storage, did: &AgentDid) -> Result<Self, MessageError> {
        let prefix = prefix(did);
        let most = u32::try_from(LAG + 2 * SNAPSHOT_EVERY).unwrap_or(u32::MAX) + 1;
        let rows = storage.scan(Range::prefix(&prefix, most)).await?;
        let mut stored = Self {
            did: did.clone(),
            guard: Guard::new(order(), limits()),
            next: 0,
        };
        // After every number.
        if let Some((key, bytes)) = rows.iter().find(|(key, _)| key.ends_with("/snapshot")) {
            stored.restore(bytes).map_err(|why| damaged(key, why))?;
        }
        for (key, bytes) in &rows {
            let number = key
                .strip_prefix(&prefix)
                .and_then(|n| n.parse::<u64>().ok());
            let Some(number) = number.filter(|number| *number >= stored.next) else {
                continue;
            };
            let record = jcs::parse(bytes, RECORD_LIMIT_BYTES);
            let record = record.map_err(|error| damaged(key, error.to_string()))?;
            let replayed = stored.guard.replay(record);
            replayed.map_err(|error| damaged(key, error.to_string()))?;
            stored.next = number + 1;
        }
        Ok(stored)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let value = jcs::parse(bytes, SNAPSHOT_LIMIT_BYTES).map_err(|error| error.to_string())?;
        let mut fields = Fields::of("guard", value).map_err(|error| error.to_string())?;
        let mut read = || -> Result<(u64, u64, Value), jcs::Error> {
            Ok((
                fields.unsigned("v")?,
                fields.unsigned("next")?,
                fields.value("guard")?,
            ))
        };
        let (version, next, guard) = read().map_err(|error| error.to_string())?;
        if version != 1 {
            return Err(format!("it is of version {version}, only 1 is read"));
        }
        self.guard = Guard::restore(guard, limits()).map_err(|error| error.to_string())?;
        self.next = next;
        Ok(())
    }

    /// Takes a message, if what this gives is committed; else nothing happened.
    pub(super) fn admit(
        self,
        verified: Verified,
        arrival: Arrival<'_>,
    ) -> Result<Admitted, MessageError> {
        let mut kept = Kept::new(self.guard, Written(None));
        let received = verified.admit(arrival, &mut kept)?;
        let number = self.next;
        let prefix = prefix(&self.did);
        let key = format!("{prefix}{number:012}");
        let record = kept.place().0.as_ref().map(Value::to_canonical);
        let mut batch = Batch::default();
        batch.require_absent.push(key.clone());
        batch
            .put
            .push((key, record.unwrap_or_default().into_bytes()));
        if number % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1 {
            let unsound = |error: jcs::Error| damaged(&prefix, error.to_string());
            let snapshot = Object::new()
                .with("v", 1)
                .with("next", Integer::try_from(number + 1).map_err(unsound)?)
                .with("guard", kept.guard().snapshot().map_err(unsound)?);
            let snapshot = Value::from(snapshot).to_canonical().into_bytes();
            batch.put.push((format!("{prefix}snapshot"), snapshot));
            let until = (number + 1).saturating_sub(LAG);
            let from = until.saturating_sub(SNAPSHOT_EVERY);
            let old = (from..until).map(|number| format!("{prefix}{number:012}"));
            batch.delete.extend(old);
        }
        Ok(Admitted {
            received,
            number,
            batch,
        })
    }
}

fn damaged(key: &str, why: String) -> MessageError {
    let key = key.into();
    MessageError::Damaged { key, why }
}
