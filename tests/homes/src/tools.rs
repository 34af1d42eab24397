//! Where the real parts are.
//!
//! Invariant: what is missing is an error that names the command that makes it. Nothing is skipped.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Programs that `cargo xtask setup` found or installed.
#[derive(Clone, Debug, Deserialize)]
pub struct Tools {
    workerd: Option<PathBuf>,
    chromium: Option<PathBuf>,
    chromedriver: Option<PathBuf>,
}

/// The top of the source tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Tools {
    /// Reads `build/tools.json`.
    pub fn find() -> Result<Self> {
        let file = root().join("build/tools.json");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("no {}: cargo xtask setup", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
    }

    /// The Worker runtime.
    pub fn workerd(&self) -> Result<&Path> {
        present("workerd", self.workerd.as_deref())
    }

    /// The browser.
    pub fn chromium(&self) -> Result<&Path> {
        present("Chromium", self.chromium.as_deref())
    }

    /// The program that drives the browser.
    pub fn chromedriver(&self) -> Result<&Path> {
        present("chromedriver", self.chromedriver.as_deref())
    }
}

fn present<'p>(name: &str, path: Option<&'p Path>) -> Result<&'p Path> {
    match path {
        Some(path) if path.is_file() => Ok(path),
        Some(path) => bail!("no {name} at {}: cargo xtask setup", path.display()),
        None => bail!("no {name} here: cargo xtask setup"),
    }
}

/// A directory that `cargo xtask wasm` makes, such as `build/stage/page`.
pub fn built(directory: &str, module: &str) -> Result<PathBuf> {
    let path = root().join(directory);
    if !path.join(module).is_file() {
        bail!("no {directory}/{module}: cargo xtask wasm");
    }
    Ok(path)
}
