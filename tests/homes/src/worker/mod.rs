//! The Worker from outside: started as it is deployed, spoken to over HTTP, with a scripted
//! provider behind it.

pub mod client;
pub mod load;
pub mod model;
pub mod runtime;

pub use client::{Client, Event, Events, Reply};
pub use model::{Asked, Do, Model};
pub use runtime::Worker;
