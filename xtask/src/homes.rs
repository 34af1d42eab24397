//! `cargo xtask homes`: the same conversations natively, in workerd and in Chromium.
//!
//! What is played and compared stands in `tests/homes`; this builds what it needs and runs it.

use crate::{
    process::{self, cargo},
    wasm::{self, Part},
};
use anyhow::Result;
use std::ffi::OsString;

/// Play the conversations in every home and compare their transcripts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on: `cargo xtask homes -- --help` lists what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Args {
    /// What measures searches in a page.
    pub(crate) fn search(json: bool) -> Self {
        let arguments = ["search", "--json"].iter().take(1 + usize::from(json));
        Self {
            arguments: arguments.map(OsString::from).collect(),
        }
    }
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    wasm::run(&wasm::Args::only(&[Part::Stages]))?;
    let mut command = cargo(["run", "--quiet", "--package", "tau-homes", "--"]);
    process::run(command.args(&args.arguments))
}
