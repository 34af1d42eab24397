//! `cargo xtask eval`: how good Tau is at what it claims, from lists and corpora.

mod memory;
mod obey;
mod safety;
mod train;

use crate::process::{self, cargo};
use anyhow::Result;

/// Score Tau on lists and corpora.
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
    /// The detectors and the egress decision on public corpora, and how fast they are, natively and
    /// as WebAssembly.
    Safety(safety::Args),
    /// Make the tables of the injection detector from corpora.
    Train(train::Args),
    /// The search of memory, on questions with known answers: recall, nDCG and MRR by method.
    Memory(memory::Args),
    /// A model that obeys every instruction it reads, over scripted attacks: what it gets out and
    /// changes, and whether the same tasks finish without them.
    Obey(obey::Args),
}

/// The list that is owed, and one that nothing was tuned to.
const INSTRUCTIONS: [&str; 2] = [
    "tests/embedded/instructions.jsonl",
    "tests/embedded/heldout.jsonl",
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.subject {
        Subject::Embedded => embedded(),
        Subject::Safety(args) => safety::run(args),
        Subject::Train(args) => train::run(args),
        Subject::Memory(args) => memory::run(args),
        Subject::Obey(args) => obey::run(args),
    }
}

fn embedded() -> Result<()> {
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
