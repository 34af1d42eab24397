//! Channels: messages from elsewhere, brought by a module of WebAssembly, answered by the agent.
//!
//! ```text
//!  service <── requests ── module ──> protocol ──> intake ──> ledger: inbox ──> a session's turn
//!                            ^                       │                               │
//!                            └── send ── ledger: outbox <── a stranger's line ── the answer
//! ```
//!
//! Invariants: nobody talks to the agent but senders a person allowed; a message is answered once,
//! wherever the process ends; what is said here is words from outside, and nobody is asked.

mod intake;
mod ledger;
mod protocol;
mod reply;
mod runner;
mod turn;

pub(crate) use ledger::{Allowed, Ledger, Stranger};
pub(crate) use protocol::check_name;
pub(crate) use runner::{Runner, find, hold, quoted};
