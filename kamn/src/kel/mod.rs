//! The key event log: what keys an agent has had, and how it came to have others.
//!
//! ```text
//!   inception ── rotate ── revoke_key ── rotate_identity ── deactivate ── recover ── rotate …
//!   the DID is    other     a key was     the key that was   the end,      by those the
//!   bound to      keys to   lost since    committed to       unless        inception named
//!   its key       sign with
//! ```
//!
//! Each event names the hash of the one before and is signed by the identity key of its time, so a
//! log proves itself: whoever has it needs no authority, and replaying it always gives the same
//! [`State`]. Two valid events in one place are a fork, and from then on the DID is compromised.
//!
//! What is signed and hashed is `kamn:key-event:v1`, a zero byte and the canonical text of the event
//! without its proofs (`sig`, `previous_sig`, `approvals`): proofs are no part of what they prove,
//! so other approvers of the same recovery make no other event.

mod error;
mod event;
mod log;
mod policy;
mod proofs;
mod proposal;
mod read;
mod state;

pub use error::Error;
pub use event::{Change, Event, Recovery, next_digest};
pub use log::{KeyLog, Observed};
pub use proofs::{Approval, SignedEvent};
pub use proposal::{Proposal, Standing};
pub use state::{Key, KeyEntry, Revocation, State};

/// How many events a log may have.
pub const EVENTS_LIMIT: usize = 1024;
/// How many bytes of JSON a log may have.
pub const LOG_LIMIT_BYTES: usize = 1 << 20;
/// How many may be named to approve a recovery.
pub const APPROVERS_LIMIT: usize = 16;
/// How far clocks may be apart: a key counts so long before it was made.
pub const SKEW_MS: u64 = 300_000;

#[cfg(test)]
mod tests;
