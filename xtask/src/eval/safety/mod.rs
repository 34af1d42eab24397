//! `cargo xtask eval safety`: what the detectors find and leave alone, and how fast they are.
//!
//! The scoring and timing happen in programs of their own, built as they are shipped; this runs
//! them and prints what they say beside what is aimed at.

mod table;

use crate::{
    process::{self, cargo},
    tools::toolchain::Toolchain,
    wasm::module::{Module, Profile, Runtime, Speed},
    workspace,
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Score the detectors.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of corpora: injection.jsonl, secrets.b64.jsonl, ssrf.jsonl [default: shared/data
    /// beside the checkout].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Name the rows that were judged wrongly.
    #[arg(long)]
    wrong: bool,
    /// How long slow texts are searched for.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    search: u64,
    /// Leave WebAssembly out.
    #[arg(long)]
    native_only: bool,
}

const FILES: [&str; 3] = ["injection.jsonl", "secrets.b64.jsonl", "ssrf.jsonl"];

/// The detectors behind a plain interface.
const MODULE: Module = Module {
    package: "tau-safety-speed",
    features: &[],
    runtime: Runtime::Page,
    output: "build/eval/safety",
    name: "safety",
    files: &[
        "xtask/wasm/safety/measure.mjs",
        "xtask/wasm/safety/package.json",
    ],
    speed: Speed::Small,
};

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let data = data_directory(args.data.as_deref())?;
    let texts = workspace::scratch("eval-safety")?.join("texts.json");
    let mut command = cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        "tau-eval-safety",
        "--",
    ]);
    command.arg(&data).arg(&texts).arg(args.search.to_string());
    let report = process::read(&mut command)?;
    let mut report: Value = serde_json::from_str(&report).context("the report is not JSON")?;
    report["data"] = json!(data);
    report["wasm"] = match args.native_only {
        true => json!({"left_out": "--native-only"}),
        false => wasm(&texts)?,
    };
    if args.json {
        println!("{report}");
    } else {
        table::print(&report, args.wrong);
    }
    Ok(())
}

/// The folder, once all its files are seen.
pub(super) fn data_directory(given: Option<&Path>) -> Result<PathBuf> {
    let beside = workspace::root().join("../shared/data");
    let data = given.map_or(beside, Path::to_owned);
    let missing: Vec<&str> = FILES
        .into_iter()
        .filter(|file| !data.join(file).is_file())
        .collect();
    if !missing.is_empty() {
        bail!(
            "the corpora are not in {}: no {}; name their folder with --data DIR",
            data.display(),
            missing.join(", ")
        );
    }
    data.canonicalize()
        .with_context(|| format!("cannot open {}", data.display()))
}

/// The same texts as WebAssembly; where that cannot run, why not.
fn wasm(texts: &Path) -> Result<Value> {
    if process::probe(Command::new("node").arg("--version")).is_none() {
        return Ok(json!({"left_out": "no node here"}));
    }
    let Some(toolchain) = Toolchain::find()? else {
        return Ok(json!({"left_out": "no compiler for it here: cargo xtask setup"}));
    };
    MODULE.build(&toolchain, Profile::Shipped)?;
    let script = workspace::root().join(MODULE.output).join("measure.mjs");
    let said = process::read(Command::new("node").arg(script).arg(texts))?;
    serde_json::from_str(&said).context("the module's report is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_corpora_is_named_with_what_is_missing() {
        let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let error = data_directory(Some(&empty)).unwrap_err().to_string();
        assert!(
            error.contains("injection.jsonl, secrets.b64.jsonl, ssrf.jsonl"),
            "{error}"
        );
        assert!(error.contains("--data DIR"), "{error}");
    }
}
