//! `cargo xtask bench`: what the runtime itself costs, beside named peers in the same run.
//!
//! The figures and their aims are in `tests/benches/turns.rs` and `tests/sandbox/benches/starts.rs`;
//! nothing here is a test, because these are times.

use crate::process::{self, cargo};
use anyhow::Result;

/// Measure turns, forks, long sessions and many sessions; or starting programs in sandboxes.
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
    /// Starting a program, by what confines it.
    Sandboxes,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (package, bench) = match args.part {
        Part::Turns => ("tau-tests", "turns"),
        Part::Sandboxes => ("tau-sandbox-tests", "starts"),
    };
    let mut command = cargo(["bench", "--quiet", "--package", package, "--bench", bench]);
    if args.json {
        command.args(["--", "--json"]);
    }
    process::run(&mut command)
}
