//! KAMN: who an agent is, and messages between agents that can be believed, without any IO.
//!
//! ```text
//!   32-byte seed ─> KeyTree ─> SigningKey, AgreementSecret     keys    all keys from one secret
//!                                  │
//!                 PublicKey ──> did:key:z6Mk…                  did     DidKey: the key is the name
//!                     └───────> kamn:did:agent:…               did     AgentDid: a name bound to the key
//!                                  │
//!                               KeyLog ── State                kel     its keys change, the name does not
//!                                  └────> Document             did_doc, did_web, registry
//!   Envelope ── proof ──> bytes ── receive ── guard ──> once   envelope, proof, guard, notice, instruction
//!      └─ body: sealed for one or several                      seal
//!               under a session, from three signed messages    handshake, ratchet
//!               under a sender's key in a group                group, channel: who may do what
//!   Attestation ──> Book ──> score ──> who is asked            attest, trust, routing
//!   Terms, Command ──> Escrow ──> Ledger ──> what is claimed   escrow, ledger, task, payment, settlement
//! ```
//!
//! [`interop`] says tasks, calls and envelopes in the words of others; [`signers`] knows whose keys count.
//!
//! Invariants: time and randomness are the caller's, a seed above all; a secret has neither `Clone`
//! nor `Serialize`, shows nothing in `Debug` and is wiped when dropped; what does not parse exactly
//! is refused, with a stable `reason_code`; what is refused changes nothing.

#![no_std]

extern crate alloc;

pub mod attest;
pub mod bytes;
pub mod channel;
mod crypto;
pub mod did;
pub mod did_doc;
pub mod did_web;
pub mod envelope;
mod error;
pub mod escrow;
pub mod group;
pub mod guard;
pub mod handshake;
pub mod instruction;
pub mod interop;
pub mod jcs;
pub mod kel;
pub mod key;
pub mod keys;
pub mod ledger;
pub mod multibase;
pub mod notice;
pub mod payment;
pub mod proof;
pub mod ratchet;
pub mod registry;
pub mod routing;
pub mod seal;
#[cfg(feature = "secp256k1")]
pub mod service_auth;
pub mod settlement;
pub mod signers;
pub mod task;
#[cfg(test)]
mod testing;
pub mod time;
pub mod trust;

pub use did::{AgentDid, DidKey, KamnDid, Role};
pub use error::Error;
pub use key::{AgreementKey, AgreementSecret, PublicKey, Signature, SigningKey};
