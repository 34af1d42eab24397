//! What the homes made of WebAssembly need beyond commands: each part is looked for, then made.

use super::{apt, compiler};
use crate::{
    process::{self, cargo},
    tools,
};
use anyhow::{Context, Result};
use std::{fs, path::PathBuf, process::Command};

/// One thing that is more than a package.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) why: &'static str,
    /// What is here, in words.
    pub(super) find: fn() -> Result<Option<String>>,
    pub(super) install: fn() -> Result<()>,
    /// The command a person would type.
    pub(super) by_hand: fn() -> String,
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "wasm compiler",
        why: "compiles the Worker and the page",
        find: compiler::find,
        install: compiler::install,
        by_hand: compiler::by_hand,
    },
    Part {
        name: "wasi compiler",
        why: "compiles tools",
        find: compiler::find_wasi,
        install: compiler::install_wasi,
        by_hand: compiler::wasi_by_hand,
    },
    Part {
        name: "wasm-bindgen",
        why: "makes modules that JavaScript can load",
        find: || shown(tools::bindgen()?),
        install: install_bindgen,
        by_hand: || format!("cargo xtask setup (installs {BINDGEN} in Cargo.lock's version)"),
    },
    Part {
        name: "workerd",
        why: "runs the Worker in tests and while developing",
        find: || shown(tools::workerd()?),
        install: install_workerd,
        by_hand: || {
            format!(
                "cargo xtask setup (installs workerd {} by npm)",
                tools::WORKERD
            )
        },
    },
    Part {
        name: "bubblewrap",
        why: "confines programs",
        find: || shown(tools::bubblewrap()),
        install: || apt::install(BUBBLEWRAP),
        by_hand: || apt::by_hand(BUBBLEWRAP),
    },
    Part {
        name: "docker",
        why: "makes containers; the tests start it themselves where none answers",
        find: || shown(tools::docker()),
        install: || apt::install(DOCKER),
        by_hand: || apt::by_hand(DOCKER),
    },
    Part {
        name: "busybox",
        why: "is the shell of the containers that the tests make",
        find: || shown(tools::busybox()),
        install: || apt::install(BUSYBOX),
        by_hand: || apt::by_hand(BUSYBOX),
    },
    Part {
        name: "postgresql",
        why: "is the server of the tests of a shared store; they start one of their own",
        find: || shown(tools::postgresql()),
        install: || apt::install(POSTGRESQL),
        by_hand: || apt::by_hand(POSTGRESQL),
    },
    Part {
        name: "chromium",
        why: "runs the page in tests",
        find: || shown(tools::chromium()),
        install: || apt::install(BROWSER),
        by_hand: || apt::by_hand(BROWSER),
    },
    Part {
        name: "chromedriver",
        why: "drives Chromium in tests",
        find: || shown(tools::chromedriver()),
        install: || apt::install(BROWSER),
        by_hand: || apt::by_hand(BROWSER),
    },
];

const BINDGEN: &str = "wasm-bindgen-cli";

const BUBBLEWRAP: &[&str] = &["bubblewrap"];

/// The engine, and what it refuses to start without.
const DOCKER: &[&str] = &["docker.io", "iptables"];

const BUSYBOX: &[&str] = &["busybox-static"];

/// The server and its tools, in the distribution's version.
const POSTGRESQL: &[&str] = &["postgresql"];

/// A browser and a driver must be of one version: they come together.
const BROWSER: &[&str] = &["chromium", "chromium-driver"];

fn shown(path: Option<PathBuf>) -> Result<Option<String>> {
    Ok(path.map(|path| path.display().to_string()))
}

fn install_bindgen() -> Result<()> {
    let directory = tools::bindgen_directory()?;
    let package = format!("{BINDGEN}@{}", tools::bindgen_version()?);
    let install = |options: &[&str]| {
        let mut command = cargo(["install", "--quiet", "--root"]);
        command.arg(&directory).args(options).arg(&package);
        process::run(&mut command)
    };
    eprintln!("setup: compiling {package}: some minutes");
    if let Err(error) = install(&["--locked"]) {
        // A locked dependency may have been withdrawn since; its successors are compatible.
        eprintln!("setup: {error:#}; again with newer dependencies");
        install(&[])?;
    }
    Ok(())
}

fn install_workerd() -> Result<()> {
    let directory = tools::workerd_directory()?;
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let package = format!("{}@{}", tools::workerd_package()?, tools::WORKERD);
    process::run(
        Command::new("npm")
            .args(["install", "--ignore-scripts", "--save-exact", "--no-audit"])
            .args(["--no-fund", "--loglevel=error", "--prefix"])
            .arg(&directory)
            .arg(&package)
            .current_dir(&directory),
    )
}
