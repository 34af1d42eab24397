//! One module: a crate, what loads it, and its way from source to its directory.

use super::{
    finish::{self, Size},
    imports,
};
use crate::{
    process,
    tools::{
        self,
        toolchain::{Toolchain, WASM},
    },
    workspace,
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A crate that becomes a WebAssembly module.
pub(crate) struct Module {
    pub(crate) package: &'static str,
    pub(crate) features: &'static [&'static str],
    pub(crate) runtime: Runtime,
    /// Where it goes, from the root.
    pub(crate) output: &'static str,
    /// What the module and its JavaScript are called.
    pub(crate) name: &'static str,
    /// Files, and directories of files, from the root that go beside it as they are.
    pub(crate) files: &'static [&'static str],
    pub(crate) speed: Speed,
}

/// What loads a module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// workerd, which compiles modules itself.
    Worker,
    /// A page, which fetches them.
    Page,
}

/// What a module is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// Few bytes: it is loaded before the first word.
    Small,
    /// Arithmetic: with SIMD and optimised for time. Other flags are another build of everything,
    /// so it has a directory of its own, and modules that gain nothing by them go without.
    Fast,
}

/// How much time the build may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Little: to try something.
    Dev,
    /// As it is shipped.
    Shipped,
}

impl Module {
    /// What it is called beside the others.
    pub(crate) fn title(&self) -> String {
        let features = self.features.iter().map(|feature| format!("+{feature}"));
        [self.package.to_owned()]
            .into_iter()
            .chain(features)
            .collect()
    }

    /// Builds the module into its directory and says what it weighs. Nothing broken gets there.
    pub(crate) fn build(&self, toolchain: &Toolchain, profile: Profile) -> Result<Size> {
        let compiled = self.compile(toolchain, profile)?;
        let made = workspace::scratch(self.package)?;
        self.bind(&compiled, &made)?;
        if self.runtime == Runtime::Worker {
            finish::make_loadable(&made, self.name)?;
        }
        let module = made.join(format!("{}_bg.wasm", self.name));
        let bytes = fs::read(&module).with_context(|| format!("no {}", module.display()))?;
        imports::check(&bytes, &format!("./{}_bg.js", self.name))?;
        let output = workspace::root().join(self.output);
        finish::clear(&output)?;
        finish::copy(&made, &output)?;
        for file in self.files {
            finish::copy(&workspace::root().join(file), &output)?;
        }
        Size::of(&bytes)
    }

    /// Compiles the crate; says where its module is.
    fn compile(&self, toolchain: &Toolchain, profile: Profile) -> Result<PathBuf> {
        let directory = target_directory(self.speed)?;
        let (profile, built) = match profile {
            Profile::Dev => ("dev", "debug"),
            Profile::Shipped => ("wasm", "wasm"),
        };
        let mut command = toolchain.cargo(&["build", "--quiet", "--profile", profile]);
        command
            .args(["--target", WASM, "--package", self.package, "--lib"])
            .env("CARGO_TARGET_DIR", &directory);
        if !self.features.is_empty() {
            command.args(["--features", &self.features.join(",")]);
        }
        if self.speed == Speed::Small {
            // Records are hashed one at a time: a loop that is not unrolled is fast enough.
            command.env("RUSTFLAGS", "--cfg sha2_backend_soft=\"compact\"");
        } else {
            command
                // A quarter of a gigabyte of weights is hashed.
                .args(["--config", "profile.wasm.package.sha2.opt-level=3"])
                .env("RUSTFLAGS", "-Ctarget-feature=+simd128");
        }
        process::run(&mut command)?;
        let file = format!("{}.wasm", self.package.replace('-', "_"));
        Ok(directory.join(WASM).join(built).join(file))
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
        // It warns of what the profile strips on purpose: sections that would only be removed here.
        process::run_silent(command.arg("--out-dir").arg(output).arg(compiled))
    }
}

/// Where cargo keeps what it builds for WebAssembly: two compilers in one directory would undo each
/// other's work, and so would two sets of flags.
pub(super) fn target_directory(speed: Speed) -> Result<PathBuf> {
    let directory = workspace::target_directory()?;
    Ok(directory.join(match speed {
        Speed::Small => "wasm",
        Speed::Fast => "wasm-simd",
    }))
}
