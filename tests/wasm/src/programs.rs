//! Programs in Rust, compiled for WASI by the toolchain that `cargo xtask setup` found or made.

use crate::Case;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tau_target_wasi::{Dir, Grant, Limits};

/// The programs of `programs/`, compiled, each to be run with the same things.
pub fn compile() -> Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let source = entry?.path();
        let name = source.file_stem().unwrap_or_default().to_string_lossy();
        cases.push(Case {
            wasm: compiled(&source).with_context(|| source.display().to_string())?,
            grant: Grant {
                args: vec![name.to_string(), "one".to_owned(), "two words".to_owned()],
                environment: vec![("LANG".to_owned(), "C".to_owned())],
                dirs: vec![Dir {
                    host: String::new(),
                    guest: "/data".to_owned(),
                    writes: true,
                }],
                ..Grant::default()
            },
            limits: Limits::default(),
            stdin: "{\"question\":[1,2,3]}".to_owned(),
            files: vec![("given/a.txt".to_owned(), "alpha".to_owned())],
            trap: None,
            name: name.into_owned(),
        });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn compiled(source: &Path) -> Result<Vec<u8>> {
    let output = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(compiler()?);
    command
        .args(["--edition", "2024", "--target", "wasm32-wasip1"])
        .args(["-Copt-level=s", "-Cstrip=symbols", "-Cpanic=abort", "-o"])
        .arg(output.path())
        .arg(source)
        .env_remove("RUSTUP_TOOLCHAIN");
    let done = command.output().context("no rustc")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("cargo xtask setup gets a compiler for wasm32-wasip1; the one here says: {said}");
    }
    Ok(fs::read(output.path())?)
}

/// The compiler of `build/tools.json`, else the one in use.
fn compiler() -> Result<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/tools.json");
    let Ok(text) = fs::read_to_string(tools) else {
        return Ok("rustc".into());
    };
    let tools: serde_json::Value = serde_json::from_str(&text)?;
    Ok(match tools["rust_wasi_bin"].as_str() {
        Some(bin) => Path::new(bin).join("rustc"),
        None => "rustc".into(),
    })
}
