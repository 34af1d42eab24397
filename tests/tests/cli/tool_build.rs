//! `tau tool build`: what a build leaves in its folder leads nowhere else.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::support::{Done, Tau, finish};

fn person(tau: &Tau) -> PathBuf {
    tau.home().parent().expect("a folder").to_owned()
}

fn script(file: &Path, text: &str) {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("a script");
}

/// A folder to be built by a toolchain whose cargo does what `cargo` says.
fn project(tau: &Tau, cargo: &str) {
    tau.write("Cargo.toml", "");
    tau.write(
        "count.json",
        r#"{"name": "count", "description": "Counts."}"#,
    );
    let toolchain = person(tau).join("toolchain");
    fs::create_dir(&toolchain).expect("a folder");
    script(&toolchain.join("cargo"), cargo);
    // As rustup's: a file of the folder chooses which compiler runs.
    script(
        &toolchain.join("rustc"),
        "[ -e rust-toolchain.toml ] && touch obeyed; echo /usr",
    );
}

fn build(tau: &Tau) -> Done {
    let toolchain = person(tau).join("toolchain");
    let mut command = tau.command(["tool", "build"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", toolchain.display()));
    command.env("CARGO_HOME", &toolchain);
    finish(command.spawn().expect("tau starts"), b"")
}

const MAKES: &str = "mkdir -p target/wasm32-wasip1/release; \
    printf '\\0asm\\1\\0\\0\\0' > target/wasm32-wasip1/release/count.wasm";

#[test]
fn a_file_of_the_folder_chooses_no_compiler_outside_of_the_sandbox() {
    let tau = Tau::new();
    project(&tau, MAKES);
    tau.write("rust-toolchain.toml", "[toolchain]\npath = \"/evil\"\n");
    build(&tau).code(0);
    assert!(!tau.workspace().join("obeyed").exists());
    assert!(tau.workspace().join("count.wasm").exists());
}

#[test]
fn links_that_a_build_script_left_are_not_written_through() {
    let tau = Tau::new();
    let (shell, notes) = (person(&tau).join(".profile"), person(&tau).join("notes"));
    fs::write(&shell, "MINE").expect("a file");
    fs::write(&notes, "MINE").expect("a file");
    let leave = format!("ln -sf {} count.wasm", shell.display());
    project(&tau, &format!("{MAKES}; {leave}"));
    build(&tau).code(0);
    assert_eq!(fs::read_to_string(&shell).expect("a file"), "MINE");
    let built = fs::symlink_metadata(tau.workspace().join("count.wasm"));
    assert!(built.expect("a module").is_file());

    // What is signed or installed is put in the place of a link, too.
    fs::create_dir_all(tau.workspace().join(".tau/tools")).expect("a folder");
    for (name, led_to) in [("count.wasm", &shell), ("count.json", &notes)] {
        symlink(led_to, tau.workspace().join(".tau/tools").join(name)).expect("a link");
    }
    tau.tau(&["tool", "install", "count.wasm", "--here"])
        .code(0);
    for file in [&shell, &notes] {
        assert_eq!(fs::read_to_string(file).expect("a file"), "MINE");
    }
}

#[test]
fn what_was_built_is_not_taken_from_elsewhere() {
    let tau = Tau::new();
    let key = person(&tau).join("key");
    fs::write(&key, "PRIVATE").expect("a file");
    let leave = format!(
        "mkdir -p target/wasm32-wasip1/release; ln -s {} target/wasm32-wasip1/release/count.wasm",
        key.display()
    );
    project(&tau, &leave);
    build(&tau).code(2).tells("a link leads to");
    assert!(!tau.workspace().join("count.wasm").exists());
}

#[test]
fn neither_a_pipe_for_a_manifest_nor_the_tokens_of_a_registry_are_read() {
    let tau = Tau::new();
    project(
        &tau,
        &format!("{MAKES}; cat \"$CARGO_HOME/credentials.toml\" >&2; true"),
    );
    let toolchain = person(&tau).join("toolchain");
    fs::write(toolchain.join("credentials.toml"), "TOKEN").expect("a file");
    let made = std::process::Command::new("mkfifo")
        .arg(tau.workspace().join("aaa.json"))
        .status();
    assert!(made.expect("mkfifo").success());
    let done = build(&tau);
    done.code(0);
    assert!(!done.stderr.contains("TOKEN"), "{}", done.stderr);
}
