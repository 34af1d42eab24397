//! The crates that decide know no machine: they compile where there is no operating system.

use super::module::{Speed, target_directory};
use crate::{
    process,
    tools::toolchain::{BARE, Toolchain},
};
use anyhow::{Context, Result};

const PACKAGES: &[&str] = &["tau-core", "tau-platform", "tau-kamn"];

/// Checks them for [`BARE`]; says so in a line.
pub(super) fn check(toolchain: &Toolchain) -> Result<String> {
    let mut command = toolchain.cargo(&["check", "--quiet", "--target", BARE]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    command.env("CARGO_TARGET_DIR", target_directory(Speed::Small)?);
    process::run(&mut command).context("a deciding crate needs an operating system")?;
    Ok(format!("{BARE}: {} build", PACKAGES.join(", ")))
}
