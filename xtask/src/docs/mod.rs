//! `cargo xtask docs`: what the documentation names is there.
//!
//! Links and anchors resolve, files named in backticks exist, and every `tau …` or `cargo xtask …`
//! command line is one the program accepts. `docs/cli.md` is the program's own help, word for word.

mod help;
mod markdown;
mod names;

use crate::{tidy::tree::Tree, workspace};
use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use help::Help;
use std::{fmt, fs, path::PathBuf};

/// Where the command line's reference is written.
const REFERENCE: &str = "docs/cli.md";

/// Check that links, paths and commands named in the documentation exist.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write docs/cli.md from the program's help first.
    #[arg(long)]
    write: bool,
    /// Ask this program instead of building `tau`.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Something a page names that is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dangling {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut programs = vec![Help::of_clap("cargo xtask", &crate::Cli::command())];
    let mut found = Vec::new();
    let binary = match &args.binary {
        Some(file) => {
            Some(fs::canonicalize(file).with_context(|| format!("no {}", file.display()))?)
        }
        None if workspace::has_package("tau")? => Some(workspace::tau(workspace::Build::Tests)?),
        None => None,
    };
    if let Some(binary) = binary {
        let tau = help::of_tau(&binary)?;
        found.extend(reference(&tau, args.write)?);
        programs.push(tau);
    } else if args.write {
        bail!("the workspace has no package `tau` whose help could be written");
    } else {
        eprintln!("docs: the workspace has no package `tau`; its commands are not checked");
    }
    let tree = Tree::load()?;
    let pages: Vec<_> = tree
        .files
        .iter()
        .filter(|file| is_documentation(&file.path))
        .collect();
    for page in &pages {
        let page = markdown::Page::read(&page.path, &page.text);
        found.extend(markdown::links(&page, &tree));
        found.extend(names::paths(&page, &tree));
        // The reference is the help itself, and shows usage rather than commands to type.
        if page.path != REFERENCE {
            found.extend(names::commands(&page, &programs));
        }
    }
    for dangling in &found {
        println!("{dangling}");
    }
    if !found.is_empty() {
        bail!("docs: {} things are named that are not there", found.len());
    }
    eprintln!("docs: {} pages name nothing that is not there", pages.len());
    Ok(())
}

fn is_documentation(path: &str) -> bool {
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ];
    top.contains(&path) || (path.starts_with("docs/") && path.ends_with(".md"))
}

/// Compares the written reference with the program's help, or writes it.
fn reference(tau: &Help, write: bool) -> Result<Option<Dangling>> {
    let path = workspace::root().join(REFERENCE);
    let wanted = tau.page();
    if write {
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(&path, wanted).with_context(|| format!("cannot write {REFERENCE}"))?;
        eprintln!("docs: wrote {REFERENCE}");
        return Ok(None);
    }
    let is_current = fs::read_to_string(&path).is_ok_and(|text| text == wanted);
    Ok((!is_current).then(|| Dangling {
        path: REFERENCE.to_owned(),
        line: 1,
        what: "differs from the program's help; run `cargo xtask docs --write`".to_owned(),
    }))
}
