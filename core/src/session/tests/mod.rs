//! The session by its contract alone: commands and answers in, effects and events out.

mod budgets;
mod calls;
pub(crate) mod durability;
mod failures;
mod graph;
pub(crate) mod harness;
mod screening;
