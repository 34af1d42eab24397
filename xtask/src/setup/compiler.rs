//! The compiler for WebAssembly: rustup's targets, else Debian's compiler with a library built once.
//!
//! Debian ships the compiler and the sources of its library, and the library of no other target.
//! That library is compiled here and laid out like an installed one, so that plain cargo works
//! afterwards; the directory gets its name only when it is whole.

use super::apt;
use crate::{
    process,
    tools::toolchain::{self, BARE, DEBIAN_RUSTC, Toolchain, WASI, WASM},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long rustup may take to fetch two small libraries; without a way out it may never answer.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];

/// Beside them, what a program for WASI is linked with.
const WASI_PACKAGE: &str = "wasi-libc";

/// Where Debian keeps WASI's C library.
const WASI_LIBRARY: &str = "/usr/lib/wasm32-wasi";

/// Where Debian keeps its compiler's files.
const DEBIAN: &str = "/usr/lib/rustlib";

/// A crate of nothing: cargo builds a standard library only for something.
const MANIFEST: &str = "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\n\n[workspace]\n";

/// What is here, in words.
pub(super) fn find() -> Result<Option<String>> {
    Ok(Toolchain::find()?.map(|found| shown(&found)))
}

/// What is here for tools, in words.
pub(super) fn find_wasi() -> Result<Option<String>> {
    Ok(Toolchain::find_wasi()?.map(|found| shown(&found)))
}

fn shown(found: &Toolchain) -> String {
    match found.bin() {
        None => "the compiler in use has it".to_owned(),
        Some(bin) => bin.display().to_string(),
    }
}

/// What a person would do.
pub(super) fn by_hand() -> String {
    format!("rustup target add {WASM} {BARE}")
}

/// What a person would do for tools.
pub(super) fn wasi_by_hand() -> String {
    format!("rustup target add {WASI}")
}

/// Gets the targets, by rustup if it can.
pub(super) fn install() -> Result<()> {
    if rustup(&[WASM, BARE], find)? {
        return Ok(());
    }
    if !has_sources() {
        apt::install(PACKAGES)?;
    }
    build()
}

/// Gets the target of tools, by rustup if it can.
pub(super) fn install_wasi() -> Result<()> {
    if rustup(&[WASI], find_wasi)? {
        return Ok(());
    }
    if !has_sources() {
        apt::install(PACKAGES)?;
    }
    if !Path::new(WASI_LIBRARY).is_dir() {
        apt::install(&[WASI_PACKAGE])?;
    }
    build_wasi()
}

/// Whether rustup got the targets for the compiler in use; what it said is shown.
fn rustup(targets: &[&str], find: fn() -> Result<Option<String>>) -> Result<bool> {
    let mut command = Command::new("rustup");
    command.args(["target", "add"]).args(targets);
    match process::run_within(&mut command, RUSTUP_LIMIT) {
        Ok(()) if find()?.is_some() => return Ok(true),
        Ok(()) => {
            eprintln!("setup: rustup has its targets for another compiler than the one in use")
        }
        Err(error) => eprintln!("setup: not by rustup: {error:#}"),
    }
    eprintln!("setup: next: Debian's compiler, with the libraries built here");
    Ok(false)
}

/// Whether Debian's compiler is here with its sources and those of their dependencies.
fn has_sources() -> bool {
    Path::new(DEBIAN_RUSTC).is_file()
        && vendored().is_dir()
        && Path::new("/usr/bin/cargo").is_file()
}

fn vendored() -> PathBuf {
    Path::new(DEBIAN).join("src/rust/library/vendor")
}

/// Compiles the libraries and lays them out as a compiler expects them.
fn build() -> Result<()> {
    let root = built_directory()?;
    if toolchain::library_directory(&root, WASM).is_dir() {
        bail!("{} is there and incomplete; remove it", root.display());
    }
    eprintln!("setup: building the libraries of {WASM} and {BARE}: about a minute");
    let work = nothing("std")?;
    compile(&work, WASM, "std,panic_abort,proc_macro,test")?;
    compile(&work, BARE, "core,alloc")?;
    lay_out(&root)?;
    for target in [WASM, BARE] {
        let built = work.join("target").join(target).join("release/deps");
        place(&root, target, |libraries| copy_libraries(&built, libraries))?;
    }
    // Half a gigabyte that nothing needs again.
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// The same for the target of tools, with Debian's C library where a compiler expects its own.
fn build_wasi() -> Result<()> {
    let root = built_directory()?;
    if toolchain::library_directory(&root, WASI).is_dir() {
        bail!("{} has an incomplete {WASI}; remove it", root.display());
    }
    eprintln!("setup: building the library of {WASI}: about a minute");
    let work = nothing("std-wasi")?;
    compile(&work, WASI, "std,panic_abort,proc_macro,test")?;
    lay_out(&root)?;
    let built = work.join("target").join(WASI).join("release/deps");
    place(&root, WASI, |libraries| {
        copy_libraries(&built, libraries)?;
        copy_c_library(&libraries.join("self-contained"))
    })?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Where the libraries go, which is also a check that Debian's compiler will do.
fn built_directory() -> Result<PathBuf> {
    let root = toolchain::built_directory()?.context("Debian's compiler does not run")?;
    let line = process::probe(Command::new(DEBIAN_RUSTC).arg("--version")).unwrap_or_default();
    super::new_enough(&line)?;
    Ok(root)
}

/// A directory with a crate of nothing to build libraries for.
fn nothing(name: &str) -> Result<PathBuf> {
    let work = workspace::scratch(name)?;
    fs::create_dir_all(work.join("src"))?;
    fs::create_dir_all(work.join(".cargo"))?;
    fs::write(work.join("Cargo.toml"), MANIFEST)?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(work.join(".cargo/config.toml"), sources())?;
    Ok(work)
}

/// Makes the compiler's directory, unless it is there.
fn lay_out(root: &Path) -> Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    let partial = root.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(partial.join("lib/rustlib"))?;
    link(&partial)?;
    write_programs(&partial, root)?;
    fs::rename(&partial, root)
        .with_context(|| format!("cannot name {} {}", partial.display(), root.display()))
}

/// Puts the libraries of one target into the compiler's directory, whole or not at all.
fn place(root: &Path, target: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let libraries = toolchain::library_directory(root, target);
    let directory = libraries
        .parent()
        .context("a library without a directory")?;
    let partial = directory.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fill(&partial.join("lib"))?;
    fs::rename(&partial, directory).with_context(|| format!("cannot make {}", directory.display()))
}

/// Copies what a program for WASI starts with and its C library.
fn copy_c_library(to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let from = Path::new(WASI_LIBRARY);
    let files = fs::read_dir(from).with_context(|| format!("no {}", from.display()))?;
    for file in files {
        let name = file?.file_name();
        let text = name.to_string_lossy();
        let is_start = text.starts_with("crt1") && text.ends_with(".o");
        if is_start || text == "libc.a" || text.starts_with("libwasi-emulated-") {
            fs::copy(from.join(&name), to.join(&name))?;
        }
    }
    Ok(())
}

/// Has cargo take the library's dependencies from where Debian put them.
fn sources() -> String {
    format!(
        "[source.crates-io]\nreplace-with = \"debian\"\n\n[source.debian]\ndirectory = \"{}\"\n",
        vendored().display()
    )
}

fn compile(work: &Path, target: &str, crates: &str) -> Result<()> {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .args(["build", "--quiet", "--offline", "--release"])
        .args(["--target", target, &format!("-Zbuild-std={crates}")])
        .current_dir(work)
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env("RUSTC", DEBIAN_RUSTC)
        // Building a library is what a stable compiler leaves to its own build.
        .env("RUSTC_BOOTSTRAP", "1")
        // Bitcode is what link-time optimisation of the homes reads.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    process::run(&mut command)
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let files = fs::read_dir(from).with_context(|| format!("no {}", from.display()))?;
    for file in files {
        let name = file?.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libnothing") {
            fs::copy(from.join(&name), to.join(&name))?;
        }
    }
    Ok(())
}

/// Shares what the new library does not change: the host's own library and the sources.
fn link(root: &Path) -> Result<()> {
    let host = process::read(Command::new(DEBIAN_RUSTC).args(["--print", "host-tuple"]))?;
    for name in [host.trim(), "src", "etc"] {
        let original = Path::new(DEBIAN).join(name);
        if original.exists() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(original, root.join("lib/rustlib").join(name))?;
        }
    }
    Ok(())
}

/// Programs that call Debian's with this library. Links would not do: the compiler follows them to
/// find its library.
fn write_programs(partial: &Path, root: &Path) -> Result<()> {
    let bin = partial.join("bin");
    fs::create_dir_all(&bin)?;
    for program in ["rustc", "rustdoc"] {
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/{program} --sysroot '{}' \"$@\"\n",
            root.display()
        );
        let file = bin.join(program);
        fs::write(&file, text)?;
        make_executable(&file)?;
    }
    let file = bin.join("cargo");
    fs::write(&file, "#!/bin/sh\nexec /usr/bin/cargo \"$@\"\n")?;
    make_executable(&file)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        file,
        fs::Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
