//! The compiler for the homes made of WebAssembly.
//!
//! The compiler in use serves where its standard library has the targets; else one that
//! `cargo xtask setup` put together in the tools' directory, whose programs go first in the path.

use super::root;
use crate::{process, workspace};
use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The target of the Worker and the page.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// A target without an operating system: what the deciding crates must build for.
pub(crate) const BARE: &str = "thumbv7em-none-eabihf";
/// The target of tools: WebAssembly with a system interface.
pub(crate) const WASI: &str = "wasm32-wasip1";

/// Debian's compiler, the only one that can be put together without rustup.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that has both targets.
pub(crate) enum Toolchain {
    /// The one this chore was built with.
    InUse,
    /// One of its own; the directory holds its programs.
    Beside(PathBuf),
}

impl Toolchain {
    /// The compiler that is here, if one is.
    pub(crate) fn find() -> Result<Option<Self>> {
        if sysroot().is_some_and(|sysroot| has_targets(&sysroot)) {
            return Ok(Some(Self::InUse));
        }
        let built = built_directory()?.filter(|directory| has_targets(directory));
        Ok(built.map(|directory| Self::Beside(directory.join("bin"))))
    }

    /// The compiler for tools, if one is here.
    pub(crate) fn find_wasi() -> Result<Option<Self>> {
        if sysroot().is_some_and(|sysroot| has_wasi(&sysroot)) {
            return Ok(Some(Self::InUse));
        }
        let built = built_directory()?.filter(|directory| has_wasi(directory));
        Ok(built.map(|directory| Self::Beside(directory.join("bin"))))
    }

    /// The compiler that is here, or how to get one.
    pub(crate) fn need() -> Result<Self> {
        Self::find()?.with_context(|| format!("no compiler for {WASM} here: cargo xtask setup"))
    }

    /// What goes first in the path.
    pub(crate) fn bin(&self) -> Option<&Path> {
        match self {
            Self::InUse => None,
            Self::Beside(bin) => Some(bin),
        }
    }

    /// Its cargo, at the root of the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let Self::Beside(bin) = self else {
            return process::cargo(arguments);
        };
        let mut command = Command::new(bin.join("cargo"));
        let path = env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(bin.clone()).chain(env::split_paths(&path));
        if let Ok(path) = env::join_paths(path) {
            command.env("PATH", path);
        }
        command
            .args(arguments)
            .current_dir(workspace::root())
            .env("RUSTC", bin.join("rustc"))
            .env("RUSTDOC", bin.join("rustdoc"))
            .env_remove("RUSTUP_TOOLCHAIN");
        command
    }
}

/// The directory of the compiler in use.
fn sysroot() -> Option<PathBuf> {
    process::probe(Command::new("rustc").args(["--print", "sysroot"])).map(PathBuf::from)
}

/// Where a compiler put together from Debian's is, or would be; `None` where Debian's is not here.
///
/// Its version is in the name: after an upgrade it is another directory, and built again.
pub(crate) fn built_directory() -> Result<Option<PathBuf>> {
    let Some(line) = process::probe(Command::new(DEBIAN_RUSTC).arg("--version")) else {
        return Ok(None);
    };
    Ok(Some(root()?.join(stamp(&line))))
}

/// A directory's name for what `rustc --version` prints.
fn stamp(line: &str) -> String {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(3).collect();
    format!("{}-wasm", words.join("-"))
}

/// Whether the standard libraries of both targets are under `sysroot`.
fn has_targets(sysroot: &Path) -> bool {
    has_library(sysroot, WASM, "libstd-") && has_library(sysroot, BARE, "liballoc-")
}

/// Whether the library for tools is under `sysroot`, and the C library it is linked with.
fn has_wasi(sysroot: &Path) -> bool {
    let start = library_directory(sysroot, WASI).join("self-contained/crt1-command.o");
    has_library(sysroot, WASI, "libstd-") && start.is_file()
}

fn has_library(sysroot: &Path, target: &str, library: &str) -> bool {
    let files = std::fs::read_dir(library_directory(sysroot, target));
    files.into_iter().flatten().flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with(library) && name.ends_with(".rlib")
    })
}

/// Where a compiler looks for the libraries of `target`.
pub(crate) fn library_directory(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib/rustlib").join(target).join("lib")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_named_by_version_and_commit() {
        let line = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)";
        assert_eq!(stamp(line), "rustc-1.96.0-ac68faa20-wasm");
        assert_eq!(stamp("rustc 1.96.0"), "rustc-1.96.0-wasm");
    }
}
