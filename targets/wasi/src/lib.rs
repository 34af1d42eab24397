//! What a WebAssembly program sees of the world: WASI preview 1, the same under every engine.
//!
//! An engine runs instructions; everything a program can reach beyond its own memory is here, once,
//! so that a tool gives the same answer compiled natively, interpreted in a Worker or in a page:
//!
//! ```text
//!  Grant, Limits, World ──> State ──┐
//!                                   ├── FUNCTIONS: one row a function, linked by each engine
//!  guest memory, arguments ─────────┘        └──> errno, or Stop: exit, limit, denial
//! ```
//!
//! Nothing is granted that the [`Grant`] does not name: no directory, no host, no environment, no
//! clock, no randomness. A program that asks for more gets an error it can handle, and what it asked
//! for is in [`Outcome::denials`]; only a function that does not exist ends it, when it is called.
//!
//! The crate has no IO of its own. A home gives it a [`World`]; the feature `native` has one made of
//! this machine's directories, clock and randomness.

#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "native"))]
extern crate std;

mod abi;
mod engine;
mod errno;
mod files;
mod grant;
mod growth;
mod guest;
#[cfg(feature = "native")]
pub mod native;
mod outcome;
mod state;
#[cfg(test)]
mod tests;
mod tree;
mod world;

pub use abi::{FUNCTIONS, Function, MAX_PARAMETERS, MODULE, TAU, find};
pub use engine::{Call, Engine, Program, Refusal, check_header};
pub use errno::Errno;
pub use files::{Directory, Entry, File, Kind, OpenFlags, Opened, Stat, Times};
pub use grant::{Dir, Grant, Limits, MAX_OPEN_FILES, STACK_BYTES};
pub use growth::Growth;
pub use guest::Memory;
pub use outcome::{Outcome, Stop, Trap};
pub use state::{EPOCH_NS, State};
pub use tree::Tree;
pub use world::{Bytes, Clock, Input, Random, Reach, Still, Unreached, World};
