//! Places in the life of a process.

use serde::{Deserialize, Serialize};
use tau_core::ids::EffectId;

/// What a home does for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Make records durable.
    Commit,
    /// Search, read or write what is remembered.
    Memory,
    /// Send a request.
    Send,
    /// Read a piece of a response.
    Read,
    /// Start the model in the process.
    Generate,
    /// Pull a piece from it.
    Next,
    /// Run a tool.
    Tool,
}

impl Operation {
    /// As a scenario writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "commit" => Self::Commit,
            "memory" => Self::Memory,
            "send" => Self::Send,
            "read" => Self::Read,
            "generate" => Self::Generate,
            "next" => Self::Next,
            "tool" => Self::Tool,
            _ => return None,
        })
    }
}

/// A place in the life of a process: next to its `nth` operation, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Of this kind; of any without.
    pub operation: Option<Operation>,
    /// The how-manieth of this process.
    pub nth: usize,
    /// Before it is done, or after it is done and before anybody is told.
    pub side: Side,
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is done.
    Before,
    /// All of it is done.
    After,
}

/// One run of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLog {
    /// The effect it ran as.
    pub effect: EffectId,
    /// The call.
    pub call: String,
    /// The tool.
    pub name: String,
}
