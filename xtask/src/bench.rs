//! `cargo xtask bench`: what the runtime itself costs, beside named peers in the same run.
//!
//! The figures and their aims are in `tests/benches/turns.rs` and `tests/wasm/benches/tools.rs`;
//! nothing here is a test, because these are times.

use crate::process::{self, cargo};
use anyhow::Result;

/// Measure turns, forks, long sessions and many sessions; or WebAssembly tools.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What is measured.
    #[arg(value_enum, default_value_t)]
    part: Part,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Turns, forks, long sessions and many sessions.
    #[default]
    Turns,
    /// WebAssembly tools, under both engines.
    Tools,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (package, bench) = match args.part {
        Part::Turns => ("tau-tests", "turns"),
        Part::Tools => ("tau-test-wasm", "tools"),
    };
    let mut command = cargo(["bench", "--quiet", "--package", package, "--bench", bench]);
    if args.json {
        command.args(["--", "--json"]);
    }
    process::run(&mut command)
}
