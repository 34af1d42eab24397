//! The core of Tau.

#![no_std]

extern crate alloc;

pub mod audit;
pub mod context;
pub mod credential;
pub mod egress;
pub mod ids;
pub mod journal;
pub mod memory;
pub mod message;
pub mod model;
pub mod policy;
pub mod routine;
pub mod safety;
pub mod session;
pub mod tool;
mod turn;
pub mod wire;
