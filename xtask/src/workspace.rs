//! Where the workspace is, what is in it, and how to get its `tau` binary.

use crate::process;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The directory of the root manifest.
///
/// Cargo says at run time where this package is: two checkouts may share one target directory,
/// so the path of compile time is only the fallback.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|path| path.ends_with("xtask"))
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
    package
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// `cargo metadata` of the workspace members alone.
pub(crate) fn metadata() -> Result<Value> {
    let text = process::read(&mut process::cargo([
        "metadata",
        "--format-version=1",
        "--no-deps",
    ]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// The directory for build products.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = metadata()?;
    let path = metadata["target_directory"].as_str();
    path.map(PathBuf::from)
        .context("cargo metadata names no target directory")
}

/// Whether the workspace has a member called `package`.
pub(crate) fn has_package(package: &str) -> Result<bool> {
    let metadata = metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    Ok(packages.iter().any(|p| p["name"] == package))
}

/// How `tau` is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// With everything the tests need, so that the test run afterwards compiles nothing twice:
    /// features are unified over what is built together.
    Tests,
    /// As it is shipped.
    Release,
}

/// Builds `tau` and says where it is.
pub(crate) fn tau(build: Build) -> Result<PathBuf> {
    let mut command = process::cargo(["build", "--message-format=json-render-diagnostics"]);
    match build {
        Build::Tests => command.args(["--workspace", "--all-features", "--bins", "--tests"]),
        Build::Release => command.args(["--release", "--package", "tau", "--bin", "tau"]),
    };
    let messages = process::read(&mut command)?;
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let is_tau = message["target"]["name"] == "tau" && message["profile"]["test"] == false;
        if let (true, Some(path)) = (is_tau, message["executable"].as_str()) {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("the build made no `tau` binary")
}

/// `tau` with nothing of the user's in reach: its own `TAU_HOME`, no colours.
pub(crate) fn isolated_tau(binary: &Path, home: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env("TAU_HOME", home)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .current_dir(home);
    command
}

/// An empty directory of this name under the target directory.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let path = target_directory()?.join("xtask").join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path)
            .with_context(|| format!("cannot empty {}", path.display()))?;
    }
    std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}
