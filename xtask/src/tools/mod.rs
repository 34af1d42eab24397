//! Where the tools live that are Tau's alone: compiler, binding generator, Worker runtime, browser.
//!
//! They stand in one directory outside the tree, each in a folder named by its version, so that a
//! second checkout shares them and another version never changes one that is in use:
//! `$TAU_TOOLS`, else `$XDG_CACHE_HOME/tau-tools`, else `~/.cache/tau-tools`.
//! [`record`] writes their paths to `build/tools.json` for programs that do not depend on this one.

pub(crate) mod toolchain;

use crate::workspace;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The Worker runtime's version. It decides which compatibility dates a configuration may name.
pub(crate) const WORKERD: &str = "1.20261117.1";

/// What Chromium's program is called, by system and distribution.
const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The directory of all tools; it need not exist.
pub(crate) fn root() -> Result<PathBuf> {
    let of = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let path = match (of("TAU_TOOLS"), of("XDG_CACHE_HOME"), of("HOME")) {
        (Some(tools), ..) => PathBuf::from(tools),
        (None, Some(cache), _) => PathBuf::from(cache).join("tau-tools"),
        (None, None, Some(home)) => PathBuf::from(home).join(".cache/tau-tools"),
        (None, None, None) => bail!("neither TAU_TOOLS nor HOME is set"),
    };
    std::path::absolute(&path).with_context(|| format!("no path: {}", path.display()))
}

/// The version of `wasm-bindgen` the workspace is locked to.
///
/// The generator must have the very same one: what it reads from a module has no stable format.
pub(crate) fn bindgen_version() -> Result<String> {
    let text = fs::read_to_string(workspace::root().join("Cargo.lock"))?;
    locked_version(&text, "wasm-bindgen")
}

/// The version of `package` in the text of a lock file.
fn locked_version(lock: &str, package: &str) -> Result<String> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is not TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let mut versions = packages
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))
        .filter_map(|entry| entry.get("version")?.as_str());
    let version = versions
        .next()
        .with_context(|| format!("Cargo.lock has no {package}"))?;
    if versions.next().is_some() {
        bail!("Cargo.lock has more than one {package}");
    }
    Ok(version.to_owned())
}

/// Where the binding generator is installed, present or not.
pub(crate) fn bindgen_directory() -> Result<PathBuf> {
    Ok(root()?.join(format!("wasm-bindgen-{}", bindgen_version()?)))
}

/// The binding generator of the right version.
pub(crate) fn bindgen() -> Result<Option<PathBuf>> {
    Ok(existing(bindgen_directory()?.join("bin/wasm-bindgen")))
}

/// Where the Worker runtime is installed, present or not.
pub(crate) fn workerd_directory() -> Result<PathBuf> {
    Ok(root()?.join(format!("workerd-{WORKERD}")))
}

/// The npm package that carries the Worker runtime for this machine.
pub(crate) fn workerd_package() -> Result<&'static str> {
    Ok(match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "@cloudflare/workerd-linux-64",
        ("linux", "aarch64") => "@cloudflare/workerd-linux-arm64",
        ("macos", "x86_64") => "@cloudflare/workerd-darwin-64",
        ("macos", "aarch64") => "@cloudflare/workerd-darwin-arm64",
        (system, machine) => bail!("workerd is not published for {machine} {system}"),
    })
}

/// The Worker runtime.
pub(crate) fn workerd() -> Result<Option<PathBuf>> {
    let package = workerd_directory()?
        .join("node_modules")
        .join(workerd_package()?);
    Ok(existing(package.join("bin/workerd")))
}

/// What confines programs.
pub(crate) fn bubblewrap() -> Option<PathBuf> {
    on_path("bwrap")
}

/// A Docker engine: one that is there, else the program of one.
pub(crate) fn docker() -> Option<PathBuf> {
    let named = env::var("DOCKER_HOST").ok();
    named
        .and_then(|host| existing_socket(host.trim_start_matches("unix://")))
        .or_else(|| existing_socket("/var/run/docker.sock"))
        .or_else(|| on_path("dockerd").filter(|_| on_path("iptables").is_some()))
}

/// A socket that somebody listens at.
fn existing_socket(path: &str) -> Option<PathBuf> {
    #[cfg(unix)]
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Some(path.into());
    }
    None
}

/// A shell that needs no libraries, where the tests look for it.
pub(crate) fn busybox() -> Option<PathBuf> {
    existing("/usr/bin/busybox".into())
}

/// The programs of a PostgreSQL server, the newest: where Debian keeps each version's, else in the
/// path.
pub(crate) fn postgresql() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let program = existing(entry.path().join("bin/initdb"))?;
        Some((version, program.parent()?.to_owned()))
    });
    let newest = newest.max().map(|(_, programs)| programs);
    newest.or_else(|| Some(on_path("initdb")?.parent()?.to_owned()))
}

/// A Chromium, whatever its name.
pub(crate) fn chromium() -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| on_path(name))
}

/// The program that drives it.
pub(crate) fn chromedriver() -> Option<PathBuf> {
    on_path("chromedriver")
}

/// Writes `build/tools.json`: the path of every tool, or null where it is missing.
///
/// This file is how the tests of the homes find what `cargo xtask setup` installed:
/// `{"rust_wasm_bin", "rust_wasi_bin", "wasm_bindgen", "workerd", "chromium", "chromedriver"}`. `rust_wasm_bin` is the
/// directory to put first in the path to compile for wasm, and null where the compiler in use can;
/// `rust_wasi_bin` is the same for tools, and false where no compiler here can.
/// `cargo xtask setup` and `cargo xtask wasm` both write it.
pub(crate) fn record() -> Result<()> {
    let compiler = toolchain::Toolchain::find()?;
    let tools = toolchain::Toolchain::find_wasi()?;
    let paths = json!({
        "rust_wasm_bin": compiler.as_ref().and_then(toolchain::Toolchain::bin),
        "rust_wasi_bin": tools.as_ref().map_or(json!(false), |found| json!(found.bin())),
        "wasm_bindgen": bindgen()?,
        "workerd": workerd()?,
        "chromium": chromium(),
        "chromedriver": chromedriver(),
    });
    let file = workspace::root().join("build/tools.json");
    write(&file, &format!("{paths:#}\n"))
}

/// Writes `text` to `file`, in a directory made for it.
fn write(file: &Path, text: &str) -> Result<()> {
    let directory = file.parent().context("a file without a directory")?;
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(file, text))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The program called `name`, which may be a path.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|directory| existing(directory.join(name)))
}

fn existing(file: PathBuf) -> Option<PathBuf> {
    file.is_file().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9.9.9\"\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").unwrap(), "0.2.130");
    }

    #[test]
    fn an_absent_or_doubled_package_is_an_error() {
        let entry = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
        let doubled = format!("{entry}{}", entry.replace("1.0.0", "2.0.0"));
        let error = |lock: &str, name: &str| locked_version(lock, name).unwrap_err().to_string();
        assert_eq!(error(entry, "b"), "Cargo.lock has no b");
        assert_eq!(error(&doubled, "a"), "Cargo.lock has more than one a");
    }

    #[test]
    fn the_workspace_is_locked_to_one_generator() {
        assert!(bindgen_version().unwrap().starts_with("0."));
    }
}
