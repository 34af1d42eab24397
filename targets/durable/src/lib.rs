//! What a Durable Object gives Tau: a store in its SQL storage, and a timer that outlives it.
//!
//! Invariants:
//! - When a commit is answered with `Ok`, the runtime has confirmed it; a commit that fails for
//!   whatever reason changed nothing.
//! - While somebody sleeps on an [`AlarmClock`], the object's alarm is set to the earliest deadline
//!   or before it: an object that is evicted meanwhile is woken in time.
//!
//! One object has one alarm, so it has one [`Alarm`], shared by its clocks.

mod alarm;
mod error;
mod storage;

pub use alarm::{Alarm, AlarmClock, Wish};
pub use storage::{DurableStorage, ROW_LIMIT_BYTES, SCHEMA_VERSION};
