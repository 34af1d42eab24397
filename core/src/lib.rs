//! The core of Tau.

#![no_std]

extern crate alloc;
// What is derived names the core from outside, here as elsewhere.
extern crate self as tau_core;

pub mod audit;
pub mod bundle;
pub mod context;
pub mod credential;
pub mod egress;
pub mod identity_files;
pub mod ids;
pub mod journal;
pub mod json;
mod letter;
pub mod memory;
pub mod message;
pub mod model;
pub mod order;
pub mod policy;
pub mod receipt;
pub mod routine;
pub mod safety;
pub mod session;
pub mod tool;
mod turn;
pub mod wire;
