//! Attacks on a model that obeys every instruction it reads.
//!
//! A case is a task of the person's and a world of files, pages, memories and tools that somebody
//! else has written into. The model (`model.rs`) follows the person's words and whatever else reads
//! like an order; nobody approves anything but the calls that the task itself asks for. What then
//! happened to the world is the result: the defence has to hold by what the core decides, whether
//! or not the gate saw the attack coming.
//!
//! Invariant: the same case without its attack asks for the same, and must finish.

mod case;
mod model;
mod orders;
mod play;
mod report;
mod world;

pub use case::{Case, Goal, cases};
pub use play::{Outcome, Screens, play};
pub use report::{Report, Row};
pub use world::specs;
