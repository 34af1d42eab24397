//! Tau's chores, one file each: `cargo xtask ci` is what CI runs.
//!
//! A chore either ends well or says what is wrong and how to mend it, and exits with 1.
//! Nothing here is shipped; nothing shipped depends on it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a chore is for"
)]

mod bench;
mod ci;
mod docs;
mod eval;
mod fuzz;
mod homes;
mod kills;
mod process;
mod setup;
mod size;
mod tidy;
mod tools;
mod wasm;
mod worker;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tau's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Make this machine ready for every test: tools, then the embedded models.
    Setup(setup::Args),
    /// Run everything CI runs, collect the failures, end with one summary line.
    Ci(ci::Args),
    /// Build the Worker, the page and what their tests need for WebAssembly, and check the modules.
    Wasm(wasm::Args),
    /// Play the conversations natively, in workerd and in Chromium, and compare their transcripts.
    Homes(homes::Args),
    /// Serve the Worker on this machine, without wrangler.
    Worker(worker::Args),
    /// Check the rules of the source tree: bands, no_std, lengths, names, manifests.
    Tidy(tidy::Args),
    /// Check that links, paths and commands named in the documentation exist.
    Docs(docs::Args),
    /// Print what `tau` weighs: bytes, dependencies, start-up, memory, tokens of the first request.
    Size(size::Args),
    /// Measure what turns, long sessions, tools and memory cost, beside named peers in the same run.
    Bench(bench::Args),
    /// Score Tau on lists and corpora: the embedded model, the detectors, memory, attacks on an obedient
    /// model.
    Eval(eval::Args),
    /// Feed the parsers and detectors made-up input for a while.
    Fuzz(fuzz::Args),
    /// Kill processes in hundreds of places of what they store, and print what was left.
    Kills(kills::Args),
    /// Run a program and print its peak memory in bytes on the last line of stderr.
    #[command(hide = true)]
    PeakMemory(size::memory::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Setup(args) => setup::run(&args),
        Chore::Ci(args) => ci::run(&args),
        Chore::Wasm(args) => wasm::run(&args),
        Chore::Worker(args) => worker::run(&args),
        Chore::Homes(args) => homes::run(&args),
        Chore::Tidy(args) => tidy::run(&args),
        Chore::Docs(args) => docs::run(&args),
        Chore::Size(args) => size::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Eval(args) => eval::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Kills(args) => kills::run(&args),
        Chore::PeakMemory(args) => size::memory::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
