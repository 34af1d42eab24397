//! Modules in the text format that run the same in every home, and what comes of each.
//!
//! `corpus/` holds one module a file: its fields, to which `prelude.wat` is put, or a whole module
//! where it says so. Lines of comments at its beginning say what it is run with:
//!
//! ```text
//! ;; args: NAME ARG "AN ARG"     ;; env: NAME=VALUE      ;; stdin: TEXT
//! ;; file: PATH = TEXT           ;; writes               ;; limit: NAME NUMBER
//! ;; trap: NAME                  ;; module
//! ```
//!
//! What comes of them stands in `corpus/expected.txt`, a line each, with the interpreter's fuel.

#[cfg(feature = "corpus")]
mod corpus;
#[cfg(feature = "corpus")]
mod programs;

#[cfg(feature = "corpus")]
pub use corpus::{engines, module};
#[cfg(feature = "corpus")]
pub use programs::compile;

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use tau_target_wasi::{
    Call, Directory, Engine, Errno, Grant, Limits, Outcome, Refusal, Tree, World,
};

/// A module with what it is run with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The file's name.
    pub name: String,
    /// The module.
    pub wasm: Vec<u8>,
    /// What it may reach; a directory of it is in memory.
    pub grant: Grant,
    /// What it may use.
    pub limits: Limits,
    /// Its standard input.
    pub stdin: String,
    /// The files in its directory.
    pub files: Vec<(String, String)>,
    /// The trap it says it ends in.
    pub trap: Option<String>,
}

impl Case {
    /// Runs it in a world of its own, without a clock, so that nothing differs between two runs.
    pub fn run(&self, engine: &dyn Engine) -> Result<Outcome, Refusal> {
        let tree = Tree::new();
        for (path, text) in &self.files {
            let put = tree.put(path, text.as_bytes());
            put.map_err(|errno: Errno| Refusal::Invalid(format!("{path}: {errno}")))?;
        }
        let mut world = World::still(self.stdin.clone().into_bytes());
        for _ in &self.grant.dirs {
            let directory: Box<dyn Directory> = Box::new(tree.clone());
            world.dirs.push(directory);
        }
        let program = engine.load(&self.wasm)?;
        Ok(program.run(Call {
            grant: &self.grant,
            limits: &self.limits,
            world,
        }))
    }
}

/// Runs it under the interpreter and gives what came of it, with the fuel: what every home does.
pub fn run_here(case: &Case) -> String {
    match case.run(&tau_target_wasmi::Engine::new()) {
        Ok(outcome) => line(&case.name, &outcome, true),
        Err(refusal) => format!("{}: refused: {refusal}", case.name),
    }
}

/// What came of a run in one line; without `fuel`, what every engine must agree on.
pub fn line(name: &str, outcome: &Outcome, fuel: bool) -> String {
    let mut line = format!("{name}: ");
    match (&outcome.trap, outcome.exit) {
        (Some(trap), _) => line.push_str(&trap.name()),
        (None, Some(code)) => {
            let _ = write!(line, "exit {code}");
        }
        (None, None) => line.push_str("neither exit nor trap"),
    }
    if fuel {
        let _ = write!(line, ", fuel {}", outcome.fuel);
    }
    let _ = write!(line, ", memory {}", outcome.memory_bytes);
    let _ = write!(line, ", {:?}", String::from_utf8_lossy(&outcome.stdout));
    for denial in &outcome.denials {
        let _ = write!(line, ", denied {denial:?}");
    }
    line
}
