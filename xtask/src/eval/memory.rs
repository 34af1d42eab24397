//! `cargo xtask eval memory`: how well the search of memory finds what is meant.
//!
//! The scores are made by `tau_core::memory::eval`, the same as `tau memory eval` uses, in a program
//! of its own that has the embedded model; this finds the sets and runs it.

use crate::{
    process::{self, cargo},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Score the search of memory.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Sets, `{docs: [{id, text}], queries: [{id, text, relevant: [ids]}]}`; without any, those
    /// beside the corpora of `eval safety`.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object a set.
    #[arg(long)]
    json: bool,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let files = match args.files.is_empty() {
        true => beside(&workspace::root().join("../shared/data"))?,
        false => args.files.clone(),
    };
    let mut command = cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        "tau-target-rten",
        "--features",
        "fetch",
        "--example",
        "retrieval",
        "--",
    ]);
    if args.json {
        command.arg("--json");
    }
    process::run(command.args(files))
}

/// The sets of a folder, by name.
fn beside(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read: name the sets", folder.display()))?;
    let mut files = Vec::new();
    for entry in listed {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("retrieval-") && name.ends_with(".json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!(
            "{} has no retrieval-*.json: name the sets",
            folder.display()
        );
    }
    Ok(files)
}
