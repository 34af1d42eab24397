//! `cargo xtask eval obey`: the cases of `tests/obey`, played by the core.

use crate::process::{self, cargo};
use anyhow::Result;

/// Play the attacks.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the chore; an attack that succeeds or a task that does not finish fails it.
pub(super) fn run(args: &Args) -> Result<()> {
    let mut command = cargo([
        "run",
        "--quiet",
        "--package",
        "tau-tests",
        "--bin",
        "obey",
        "--",
    ]);
    command.args(args.json.then_some("--json"));
    process::run(&mut command)
}
