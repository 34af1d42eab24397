//! Debian packages, as root or through a sudo that asks nothing.

use crate::process;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// The command a person would type.
pub(super) fn by_hand(packages: &[&str]) -> String {
    format!("sudo apt-get install -y {}", packages.join(" "))
}

/// Installs `packages`, or says why it cannot.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    if process::probe(Command::new("apt-get").arg("--version")).is_none() {
        bail!(
            "no apt-get here; install these with your package manager: {}",
            packages.join(" ")
        );
    }
    let is_root = process::probe(Command::new("id").arg("-u")).as_deref() == Some("0");
    let has_sudo = process::probe(Command::new("sudo").args(["-n", "true"])).is_some();
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            command.args(["-n", "apt-get"]);
        }
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if !is_root && !has_sudo {
        bail!(
            "not root and no sudo without a password; run: {}",
            by_hand(packages)
        );
    }
    process::run(&mut apt_get(&["update", "--quiet"]))?;
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(packages);
    process::run(&mut apt_get(&arguments))
        .with_context(|| format!("try by hand: {}", by_hand(packages)))
}
