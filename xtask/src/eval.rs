//! `cargo xtask eval`: how good Tau is at what it claims, from lists and corpora.

use crate::process::{self, cargo};
use anyhow::Result;

/// Score Tau on lists.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(clap::Subcommand)]
enum Subject {
    /// The embedded model: right tool and argument on plain instructions, and its speed beside
    /// llama.cpp's where `llama-bench` is installed.
    Embedded,
}

/// The list that is owed, and one that nothing was tuned to.
const INSTRUCTIONS: [&str; 2] = [
    "tests/embedded/instructions.jsonl",
    "tests/embedded/heldout.jsonl",
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    match args.subject {
        Subject::Embedded => {
            let mut command = cargo([
                "run",
                "--quiet",
                "--release",
                "--package",
                "tau-target-rten",
            ]);
            command.args(["--features", "eval,fetch", "--example", "measure", "--"]);
            process::run(command.args(INSTRUCTIONS))
        }
    }
}
