//! What the tests of the program share.

mod server;
mod tau;
mod terminal;

pub(crate) use server::{Do, Server, call, say};
pub(crate) use tau::{Done, KEY, Tau, finish};
pub(crate) use terminal::Terminal;
