//! `cargo xtask bench`: what the runtime itself costs, beside named peers in the same run.
//!
//! The figures and their aims are in `tests/benches/turns.rs`; nothing here is a test, because
//! these are times.

use crate::process::{self, cargo};
use anyhow::Result;

/// Measure turns, forks, long sessions and many sessions.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo([
        "bench",
        "--quiet",
        "--package",
        "tau-tests",
        "--bench",
        "turns",
    ]);
    if args.json {
        command.args(["--", "--json"]);
    }
    process::run(&mut command)
}
