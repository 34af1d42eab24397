//! The compiler for WebAssembly: rustup's targets, else Debian's compiler with a library built once.
//!
//! Debian ships the compiler and the sources of its library, and the library of no other target.
//! That library is compiled here and laid out like an installed one, so that plain cargo works
//! afterwards; the directory gets its name only when it is whole.

use super::apt;
use crate::{
    process,
    tools::toolchain::{self, BARE, DEBIAN_RUSTC, Toolchain, WASM},
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

/// Where Debian keeps its compiler's files.
const DEBIAN: &str = "/usr/lib/rustlib";

/// A crate of nothing: cargo builds a standard library only for something.
const MANIFEST: &str = "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\n\n[workspace]\n";

/// What is here, in words.
pub(super) fn find() -> Result<Option<String>> {
    Ok(Toolchain::find()?.map(|found| match found.bin() {
        None => "the compiler in use has it".to_owned(),
        Some(bin) => bin.display().to_string(),
    }))
}

/// What a person would do.
pub(super) fn by_hand() -> String {
    format!("rustup target add {WASM} {BARE}")
}

/// Gets the targets, by rustup if it can.
pub(super) fn install() -> Result<()> {
    match rustup() {
        Ok(()) if find()?.is_some() => return Ok(()),
        Ok(()) => {
            eprintln!("setup: rustup has its targets for another compiler than the one in use")
        }
        Err(error) => eprintln!("setup: not by rustup: {error:#}"),
    }
    eprintln!("setup: next: Debian's compiler, with the libraries built here");
    if !has_sources() {
        apt::install(PACKAGES)?;
    }
    build()
}

fn rustup() -> Result<()> {
    let mut command = Command::new("rustup");
    command.args(["target", "add", WASM, BARE]);
    process::run_within(&mut command, RUSTUP_LIMIT)
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
    let root = toolchain::built_directory()?.context("Debian's compiler does not run")?;
    let line = process::probe(Command::new(DEBIAN_RUSTC).arg("--version")).unwrap_or_default();
    super::new_enough(&line)?;
    if root.is_dir() {
        bail!("{} is there and incomplete; remove it", root.display());
    }
    eprintln!("setup: building the libraries of {WASM} and {BARE}: about a minute");
    let work = workspace::scratch("std")?;
    fs::create_dir_all(work.join("src"))?;
    fs::create_dir_all(work.join(".cargo"))?;
    fs::write(work.join("Cargo.toml"), MANIFEST)?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(work.join(".cargo/config.toml"), sources())?;
    compile(&work, WASM, "std,panic_abort,proc_macro,test")?;
    compile(&work, BARE, "core,alloc")?;

    let partial = root.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    for target in [WASM, BARE] {
        let built = work.join("target").join(target).join("release/deps");
        copy_libraries(&built, &toolchain::library_directory(&partial, target))?;
    }
    link(&partial)?;
    write_programs(&partial, &root)?;
    fs::rename(&partial, &root)?;
    // Half a gigabyte that nothing needs again.
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
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
