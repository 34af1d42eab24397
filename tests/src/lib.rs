//! Tau from end to end.
//!
//! ```text
//! scenarios/NAME.md ──parse──> Scenario ──play──> Played { journal, requests, … } ──> NAME.transcript
//!                                             └── a simulated home in virtual time, which may die
//! ```
//!
//! [`scenario`] reads and plays conversations written as Markdown; it needs no files, clock or
//! network, so any home can play them. [`wire`] speaks the providers' side of their formats, for
//! scenarios and for the scripted server that the tests of the program talk to. [`deal`] is two agents
//! that work for each other, to the same bytes in every home.

#[cfg(not(target_family = "wasm"))]
pub mod binary;
pub mod deal;
pub mod entries;
pub mod obey;
pub mod scenario;
pub mod searches;
pub mod task;
pub mod wire;
