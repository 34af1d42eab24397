//! The tools of `examples/tools`, as `tau tool install` takes them: each module with its manifest.

use super::module::{Speed, target_directory};
use crate::{
    process,
    tools::toolchain::{Toolchain, WASI},
    workspace,
};
use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// Those in Rust, by package.
const RUST: &[&str] = &["chat_poll", "count_vowels", "csv_columns", "page_title"];
/// The one in AssemblyScript.
const SCRIPT: &str = "roll_dice";
/// Where they are kept.
const OUTPUT: &str = "build/tools";

/// Builds them all; says so in a line.
pub(super) fn build() -> Result<String> {
    let toolchain = Toolchain::find_wasi()?
        .with_context(|| format!("no compiler for {WASI} here: cargo xtask setup"))?;
    let source = workspace::root().join("examples/tools");
    let target = target_directory(Speed::Small)?.join("examples");
    let output = workspace::root().join(OUTPUT);
    fs::create_dir_all(&output)?;

    let mut cargo = toolchain.cargo(&["build", "--quiet", "--release", "--locked"]);
    cargo
        .args(["--target", WASI, "--manifest-path"])
        .arg(source.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target);
    process::run(&mut cargo).context("an example does not build")?;
    for name in RUST {
        let built = target.join(WASI).join("release").join(name);
        keep(
            &output,
            name,
            &built.with_extension("wasm"),
            &source.join(name),
        )?;
    }
    let built = script(&source.join(SCRIPT), &target.join(SCRIPT))?;
    keep(&output, SCRIPT, &built, &source.join(SCRIPT))?;
    Ok(format!("{OUTPUT:<18} {} and {SCRIPT}", RUST.join(", ")))
}

/// Has npm's compiler make the module in a folder of its own, so that nothing is left in the source.
fn script(source: &Path, folder: &Path) -> Result<std::path::PathBuf> {
    fs::create_dir_all(folder)?;
    for name in ["package.json", "package-lock.json", "roll_dice.ts"] {
        fs::copy(source.join(name), folder.join(name))
            .with_context(|| format!("{SCRIPT}/{name} is missing"))?;
    }
    if !folder.join("node_modules/assemblyscript").is_dir() {
        let mut npm = Command::new("npm");
        npm.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .current_dir(folder);
        process::run(&mut npm).context("npm cannot fetch AssemblyScript: cargo xtask setup")?;
    }
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", "build"]).current_dir(folder);
    process::run(&mut npm).context("an example does not build")?;
    Ok(folder.join(SCRIPT).with_extension("wasm"))
}

fn keep(output: &Path, name: &str, module: &Path, source: &Path) -> Result<()> {
    let kept = output.join(name).with_extension("wasm");
    fs::copy(module, &kept).with_context(|| module.display().to_string())?;
    let manifest = source.join(name).with_extension("json");
    fs::copy(&manifest, kept.with_extension("json"))
        .with_context(|| manifest.display().to_string())?;
    Ok(())
}
