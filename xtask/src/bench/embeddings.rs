//! `cargo xtask bench embeddings`: vectors a second, beside onnxruntime in the same run.
//!
//! Both run the same graph with the same tokenizer on the same texts and threads, and their vectors are compared: a
//! faster engine that answers something else is none. The libraries of this workspace that compute are optimised in
//! every profile, so that no release build is needed.

use crate::{
    process::{self, cargo},
    tools, workspace,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};

/// What is compared with: another version is another engine.
const PACKAGES: [&str; 3] = ["onnxruntime==1.32.0", "tokenizers", "numpy"];
/// Vectors of the two engines that are less alike are a mistake, not a rounding.
const LEAST_COSINE: f64 = 0.999;

/// Runs both and prints the table, or one JSON object.
pub(super) fn run(json: bool) -> Result<()> {
    let python = python()?;
    let folder = workspace::root().join("build/bench");
    fs::create_dir_all(&folder).with_context(|| format!("no folder {}", folder.display()))?;
    let own: Value = read(
        cargo([
            "run",
            "--quiet",
            "--package",
            "tau-target-rten",
            "--all-features",
        ])
        .args(["--example", "embeddings", "--"])
        .arg(&folder),
    )?;
    let script = workspace::root().join("xtask/src/bench/embeddings.py");
    let text = |name: &str| own[name].as_str().unwrap_or_default().to_owned();
    let threads = own["threads"].to_string();
    let other: Value = read(
        Command::new(python)
            .arg(script)
            .args([text("graph"), text("tokenizer")])
            .arg(folder.join("embeddings.json"))
            .arg(threads),
    )?;
    let cosine = other["least_cosine"].as_f64().unwrap_or_default();
    ensure!(
        cosine >= LEAST_COSINE,
        "the vectors of the two engines differ: the least cosine is {cosine}"
    );
    if json {
        println!("{}", json!({ "rten": own, "onnxruntime": other }));
        return Ok(());
    }
    let load_ms = &own["load_ms"];
    println!(
        "all-MiniLM-L6-v2, texts of about 32 tokens, {} threads; loaded in {load_ms} ms",
        own["threads"]
    );
    println!(
        "{:<24} {:>12} {:>12} {:>8}",
        "texts a second", "rten", "onnxruntime", "ratio"
    );
    for (name, key) in [("one at a time", "batch_1"), ("32 at once", "batch_32")] {
        let (a, b) = (figure(&own, key), figure(&other, key));
        println!("{name:<24} {a:>12.0} {b:>12.0} {:>8.2}", a / b);
    }
    println!("the aim is a ratio of 0.7; the least cosine between their vectors is {cosine:.6}");
    Ok(())
}

fn figure(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap_or_default()
}

fn read(command: &mut Command) -> Result<Value> {
    let text = process::read(command)?;
    serde_json::from_str(text.trim()).with_context(|| format!("no figures in {text:?}"))
}

/// A Python that has what is compared with; made the first time.
fn python() -> Result<PathBuf> {
    let folder = tools::root()?.join("onnxruntime-1.32.0");
    let python = folder.join("bin/python");
    if process::probe(Command::new(&python).args(["-c", "import onnxruntime, tokenizers"]))
        .is_none()
        || !python.is_file()
    {
        eprintln!(
            "making a Python with {} in {}",
            PACKAGES[0],
            folder.display()
        );
        process::run_silent(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        process::run_silent(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(PACKAGES),
        )?;
    }
    Ok(python)
}
