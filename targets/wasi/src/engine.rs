//! What an engine is: something that loads modules and runs them.

use crate::{Grant, Limits, Outcome, World};
use alloc::{boxed::Box, string::String};

/// One run of a program.
pub struct Call<'a> {
    /// What it may reach.
    pub grant: &'a Grant,
    /// How much it may use.
    pub limits: &'a Limits,
    /// What it acts on.
    pub world: World,
}

/// Loads modules.
pub trait Engine {
    /// What it is called in results and on the command line.
    fn name(&self) -> &'static str;
    /// Checks and prepares a module.
    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Program>, Refusal>;
}

/// A loaded module. Each run is a fresh instance: nothing of one is there in the next.
pub trait Program: Send + Sync {
    /// Runs it to its end, which comes whatever the program does.
    fn run(&self, call: Call<'_>) -> Outcome;
}

/// Why a module is not run at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are something else.
    #[error("not a WebAssembly module: it does not begin with \\0asm")]
    NotWasm,
    /// A component, which another kind of engine runs.
    #[error("a WebAssembly component, not a module: build it for wasm32-wasip1")]
    Component,
    /// A module of a version there is no engine for.
    #[error("WebAssembly of version {0}, not 1")]
    Version(u16),
    /// It does not pass validation, or uses what is not part of the common set of features.
    #[error("not a valid module: {0}")]
    Invalid(String),
    /// It cannot be run as a command.
    #[error("not a WASI command: it exports no function _start without parameters")]
    NotCommand,
    /// It imports a memory, a table or a global, and nothing here exports one.
    #[error("imports the {kind} {module}.{name}, which nothing here has")]
    Import {
        /// What is imported.
        kind: &'static str,
        /// From where.
        module: String,
        /// By which name.
        name: String,
    },
}

/// Says what is wrong with a module's first bytes, before an engine reads the rest.
pub fn check_header(wasm: &[u8]) -> Result<(), Refusal> {
    let Some((magic, rest)) = wasm.split_first_chunk::<4>() else {
        return Err(Refusal::NotWasm);
    };
    if magic != b"\0asm" {
        return Err(Refusal::NotWasm);
    }
    let Some((&[a, b, layer, _], _)) = rest.split_first_chunk::<4>() else {
        return Err(Refusal::Invalid("it ends within its header".into()));
    };
    match (u16::from_le_bytes([a, b]), layer) {
        (1, 0) => Ok(()),
        (_, 1) => Err(Refusal::Component),
        (version, _) => Err(Refusal::Version(version)),
    }
}
