//! `cargo xtask bench`: what the runtime itself costs, beside named peers in the same run.
//!
//! The figures and their aims are in `tests/benches/turns.rs`, `tests/benches/memory.rs`,
//! `tests/benches/receipts.rs`, `tests/wasm/benches/tools.rs` and `tests/sandbox/benches/starts.rs`; nothing here is a test,
//! because these are times.

mod embeddings;

use crate::{
    homes,
    process::{self, cargo},
};
use anyhow::Result;

/// Measure turns, forks, long sessions and many sessions; or tools and sandboxes; or memory.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What is measured.
    #[arg(value_enum, default_value_t)]
    part: Part,
    /// One JSON object a table instead.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Turns, forks, long sessions and many sessions.
    #[default]
    Turns,
    /// WebAssembly tools under both engines, and starting a program, by what confines it.
    Tools,
    /// WebAssembly tools alone.
    Wasm,
    /// Starting a program alone.
    Sandboxes,
    /// Vectors a second, beside onnxruntime.
    Embeddings,
    /// Searching, writing and opening memory at 1,000, 10,000 and 100,000 entries, beside SQLite's
    /// full-text index and sqlite-vec.
    Memory,
    /// Searching a memory of 10,000 entries in a page, in Chromium.
    Page,
    /// What receipts cost a session of 1,000 tool calls, and verifying it, beside ed25519-dalek alone.
    Receipts,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wasm = ("tau-test-wasm", "tools");
    let sandboxes = ("tau-sandbox-tests", "starts");
    let benches = match args.part {
        Part::Turns => vec![("tau-tests", "turns")],
        Part::Tools => vec![wasm, sandboxes],
        Part::Wasm => vec![wasm],
        Part::Sandboxes => vec![sandboxes],
        Part::Embeddings => return embeddings::run(args.json),
        Part::Page => return homes::run(&homes::Args::search(args.json)),
        Part::Memory => vec![("tau-tests", "memory")],
        Part::Receipts => vec![("tau-tests", "receipts")],
    };
    for (package, bench) in benches {
        let mut command = cargo(["bench", "--quiet", "--package", package, "--bench", bench]);
        if args.json {
            command.args(["--", "--json"]);
        }
        process::run(&mut command)?;
    }
    Ok(())
}
