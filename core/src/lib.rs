//! The core of Tau.

#![no_std]

extern crate alloc;

pub mod ids;
pub mod message;
pub mod model;
pub mod policy;
pub mod safety;
pub mod session;
pub mod tool;
pub mod wire;
