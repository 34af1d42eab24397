//! The session by its contract alone: commands and answers in, effects and events out.

mod budgets;
mod calls;
pub(crate) mod durability;
mod failures;
mod graph;
mod graph_any;
mod graph_back;
mod graph_merge;
mod graph_names;
pub(crate) mod harness;
mod large;
mod letters;
mod received;
mod screening;
