//! Tau's adapters for a native program: one module per outside thing, no decisions.

pub mod tools;
