//! `cargo xtask wasm`: the modules of the homes made of WebAssembly, from source to what is deployed.
//!
//! Cargo builds each crate alone, so that no feature of one reaches another; the generator makes
//! the JavaScript beside it, and each module must then import nothing but that. One broken module
//! does not hide the next. What comes out lies in `build/`; what cargo keeps lies in a directory
//! of its own beside the native one, as two compilers in one directory undo each other's work.

mod bare;
mod examples;
pub(crate) mod finish;
mod imports;
pub(crate) mod module;

use crate::tools::{self, toolchain::Toolchain};
use anyhow::{Result, bail};
use clap::ValueEnum;
use module::{Module, Profile, Runtime, Speed};

/// Build the Worker, the page and what their tests need.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; everything where none is named.
    parts: Vec<Part>,
    /// Build quickly instead of small and fast.
    #[arg(long)]
    dev: bool,
}

impl Args {
    /// Only these parts, as they are shipped.
    pub(crate) fn only(parts: &[Part]) -> Self {
        Self {
            parts: parts.to_vec(),
            dev: false,
        }
    }
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The Worker, into `build/worker`.
    Worker,
    /// The page, into `build/browser`.
    Browser,
    /// The embedded model for the page, into `build/browser/model`.
    Model,
    /// What the tests of both run inside them, into `build/stage`.
    Stages,
    /// The tools of `examples/tools`, into `build/tools`.
    Tools,
    /// The deciding crates for a target without an operating system: checked, nothing kept.
    Bare,
}

const MODULES: &[(Part, Module)] = &[
    (
        Part::Worker,
        Module {
            package: "tau-worker",
            features: &[],
            runtime: Runtime::Worker,
            output: "build/worker",
            name: "index",
            files: &["worker/shim.mjs"],
            speed: Speed::Small,
        },
    ),
    (
        Part::Browser,
        Module {
            package: "tau-browser",
            features: &[],
            runtime: Runtime::Page,
            output: "build/browser",
            name: "tau_agent",
            files: &["browser/www"],
            speed: Speed::Small,
        },
    ),
    (
        Part::Browser,
        Module {
            package: "tau-browser",
            features: &["agents"],
            runtime: Runtime::Page,
            output: "build/browser/agents",
            name: "tau_agent",
            files: &[],
            speed: Speed::Small,
        },
    ),
    (
        Part::Model,
        Module {
            package: "tau-browser-model",
            features: &[],
            runtime: Runtime::Page,
            output: "build/browser/model",
            name: "tau_model",
            // The page brings them too; they stand in this directory, which each build clears.
            files: &["browser/www/model"],
            speed: Speed::Fast,
        },
    ),
    (
        Part::Stages,
        Module {
            package: "tau-stage-workerd",
            features: &[],
            runtime: Runtime::Worker,
            output: "build/stage/workerd",
            name: "index",
            files: &["tests/homes/workerd/shim.mjs"],
            speed: Speed::Small,
        },
    ),
    (
        Part::Stages,
        Module {
            package: "tau-stage-page",
            features: &[],
            runtime: Runtime::Page,
            output: "build/stage/page",
            name: "tau",
            files: &["tests/homes/page/www"],
            speed: Speed::Small,
        },
    ),
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let is_asked = |part: Part| args.parts.is_empty() || args.parts.contains(&part);
    let toolchain = Toolchain::need()?;
    tools::record()?;
    let mut broken = Vec::new();
    let profile = match args.dev {
        true => Profile::Dev,
        false => Profile::Shipped,
    };
    for (_, module) in MODULES.iter().filter(|(part, _)| is_asked(*part)) {
        match module.build(&toolchain, profile) {
            Ok(size) => println!("{:<18} {size}", module.title()),
            Err(error) => {
                eprintln!("wasm: {}: {error:#}", module.title());
                broken.push(module.package);
            }
        }
    }
    let mut check = |part: Part, name: &'static str, done: &dyn Fn() -> Result<String>| {
        if !is_asked(part) {
            return;
        }
        match done() {
            Ok(line) => println!("{line}"),
            Err(error) => {
                eprintln!("wasm: {error:#}");
                broken.push(name);
            }
        }
    };
    check(Part::Tools, "tools", &examples::build);
    check(Part::Bare, "bare", &|| bare::check(&toolchain));
    if !broken.is_empty() {
        bail!("wasm: broken: {}", broken.join(", "));
    }
    Ok(())
}

/// The modules that are shipped for `part`.
pub(crate) fn modules(part: Part) -> impl Iterator<Item = &'static Module> {
    let of_part = MODULES.iter().filter(move |(of, _)| *of == part);
    of_part.map(|(_, module)| module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_home_has_a_module() {
        for part in Part::value_variants() {
            let has_module = modules(*part).next().is_some();
            assert_eq!(has_module, ![Part::Tools, Part::Bare].contains(part));
        }
    }
}
