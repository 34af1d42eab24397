//! `cargo xtask wasm`: the modules of the homes made of WebAssembly, from source to what is deployed.
//!
//! Cargo builds each crate alone, so that no feature of one reaches another; the generator makes
//! the JavaScript beside it, and each module must then import nothing but that. One broken module
//! does not hide the next. What comes out lies in `build/`; what cargo keeps lies in a directory
//! of its own beside the native one, as two compilers in one directory undo each other's work.

mod bare;
mod finish;
mod imports;

use crate::{
    process,
    tools::{
        self,
        toolchain::{Toolchain, WASM},
    },
    workspace,
};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Build the Worker, the page and what their tests need.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; everything where none is named.
    parts: Vec<Part>,
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The Worker, into `build/worker`.
    Worker,
    /// The page, into `build/browser`.
    Browser,
    /// The embedded model for the page, into `build/browser/model`.
    Model,
    /// What the tests of both run inside them, into `build/stage`.
    Stages,
    /// The deciding crates for a target without an operating system: checked, nothing kept.
    Bare,
}

/// A crate that becomes a WebAssembly module.
pub(crate) struct Module {
    part: Part,
    package: &'static str,
    runtime: Runtime,
    /// Where it goes, from the root.
    output: &'static str,
    /// What the module and its JavaScript are called.
    name: &'static str,
    /// Files and directories from the root that go beside it as they are.
    files: &'static [&'static str],
    speed: Speed,
}

/// What loads a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runtime {
    /// workerd, which instantiates modules itself.
    Worker,
    /// A page, which fetches them.
    Page,
}

/// What a module is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speed {
    /// Few bytes: it is loaded before the first word.
    Small,
    /// Arithmetic: with SIMD and optimised for time. Other flags are another build of everything,
    /// so it has a directory of its own, and the modules that gain nothing by it go without.
    Fast,
}

const MODULES: &[Module] = &[
    Module {
        part: Part::Worker,
        package: "tau-worker",
        runtime: Runtime::Worker,
        output: "build/worker",
        name: "index",
        files: &["worker/shim.mjs"],
        speed: Speed::Small,
    },
    Module {
        part: Part::Browser,
        package: "tau-browser",
        runtime: Runtime::Page,
        output: "build/browser",
        name: "tau_agent",
        files: &["browser/www"],
        speed: Speed::Small,
    },
    Module {
        part: Part::Model,
        package: "tau-browser-model",
        runtime: Runtime::Page,
        output: "build/browser/model",
        name: "model",
        files: &[],
        speed: Speed::Fast,
    },
    Module {
        part: Part::Stages,
        package: "tau-stage-workerd",
        runtime: Runtime::Worker,
        output: "build/stage/workerd",
        name: "index",
        files: &["tests/homes/workerd/shim.mjs"],
        speed: Speed::Small,
    },
    Module {
        part: Part::Stages,
        package: "tau-stage-page",
        runtime: Runtime::Page,
        output: "build/stage/page",
        name: "tau",
        files: &["tests/homes/page/www"],
        speed: Speed::Small,
    },
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let is_asked = |part: Part| args.parts.is_empty() || args.parts.contains(&part);
    let toolchain = Toolchain::need()?;
    tools::record()?;
    let mut broken = Vec::new();
    for module in MODULES.iter().filter(|module| is_asked(module.part)) {
        match module.build(&toolchain) {
            Ok(built) => println!("{:<18} {built}", module.package),
            Err(error) => {
                eprintln!("wasm: {}: {error:#}", module.package);
                broken.push(module.package);
            }
        }
    }
    if is_asked(Part::Bare) {
        match bare::check(&toolchain, &target_directory(Speed::Small)?) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                eprintln!("wasm: {error:#}");
                broken.push("bare");
            }
        }
    }
    if !broken.is_empty() {
        bail!("wasm: broken: {}", broken.join(", "));
    }
    Ok(())
}

impl Module {
    /// Builds the module into its directory and says what came out.
    pub(crate) fn build(&self, toolchain: &Toolchain) -> Result<finish::Built> {
        let compiled = self.compile(toolchain)?;
        let output = workspace::root().join(self.output);
        finish::clear(&output, &nested(self.output))?;
        self.bind(&compiled, &output)?;
        if self.runtime == Runtime::Worker {
            finish::import_as_module(&output.join(format!("{}.js", self.name)))?;
        }
        for file in self.files {
            finish::copy(&workspace::root().join(file), &output)?;
        }
        let module = output.join(format!("{}_bg.wasm", self.name));
        let bytes = fs::read(&module).with_context(|| format!("no {}", module.display()))?;
        imports::check(&bytes, &format!("./{}_bg.js", self.name))?;
        finish::Built::of(&bytes)
    }

    /// Compiles the crate; says where its module is.
    fn compile(&self, toolchain: &Toolchain) -> Result<PathBuf> {
        let directory = target_directory(self.speed)?;
        let mut command = toolchain.cargo(&["build", "--quiet", "--profile", "wasm"]);
        command
            .args(["--target", WASM, "--package", self.package, "--lib"])
            .env("CARGO_TARGET_DIR", &directory);
        if self.speed == Speed::Fast {
            command
                .args(["--config", "profile.wasm.opt-level=3"])
                .env("RUSTFLAGS", "-Ctarget-feature=+simd128");
        }
        process::run(&mut command)?;
        let file = format!("{}.wasm", self.package.replace('-', "_"));
        Ok(directory.join(WASM).join("wasm").join(file))
    }

    /// Makes the JavaScript that loads the module.
    fn bind(&self, compiled: &Path, output: &Path) -> Result<()> {
        let generator = tools::bindgen()?.context("no wasm-bindgen here: cargo xtask setup")?;
        let mut command = Command::new(generator);
        command
            .args(["--no-typescript", "--out-name", self.name])
            .args(["--remove-name-section", "--remove-producers-section"]);
        match self.runtime {
            // After a panic the instance is thrown away and made again, in place.
            Runtime::Worker => command.args([
                "--target",
                "module",
                "--experimental-reset-state-function",
                "--force-enable-abort-handler",
            ]),
            Runtime::Page => command.args(["--target", "web"]),
        };
        process::run(command.arg("--out-dir").arg(output).arg(compiled))
    }
}

/// Where cargo keeps what it builds for WebAssembly.
fn target_directory(speed: Speed) -> Result<PathBuf> {
    let directory = workspace::target_directory()?;
    Ok(directory.join(match speed {
        Speed::Small => "wasm",
        Speed::Fast => "wasm-simd",
    }))
}

/// Directories of other modules below `output`.
fn nested(output: &str) -> Vec<PathBuf> {
    let others = MODULES.iter().map(|module| Path::new(module.output));
    let below = others.filter(|other| *other != Path::new(output) && other.starts_with(output));
    below.map(|other| workspace::root().join(other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_does_not_clear_the_model_away() {
        let model = workspace::root().join("build/browser/model");
        assert_eq!(nested("build/browser"), [model]);
        assert!(nested("build/browser/model").is_empty());
    }

    #[test]
    fn every_part_but_the_bare_one_has_a_module() {
        for part in Part::value_variants() {
            let has_module = MODULES.iter().any(|module| module.part == *part);
            assert_eq!(has_module, *part != Part::Bare);
        }
    }
}
