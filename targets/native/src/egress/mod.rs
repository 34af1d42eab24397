//! Requests of tools, from a name to the addresses that were decided about.

mod resolve;

pub use resolve::{Resolve, SystemResolver};
