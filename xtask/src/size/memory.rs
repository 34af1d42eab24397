//! Peak memory of a child process.
//!
//! The kernel keeps one maximum over all children that were waited for, so each measurement runs in a
//! fresh process of this program, with one child. A child also inherits its parent's size at the moment
//! of its start: that is the floor below which nothing can be told, and it is said.

use crate::process;
use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsString,
    fmt,
    path::Path,
    process::{Command, Stdio},
};

/// Run a program and print its peak memory.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// How much memory a process held at most.
pub(super) struct Peak {
    pub(super) bytes: u64,
    /// The figure is the measuring process's own; the program held less.
    is_floor: bool,
}

impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if self.is_floor { "at most " } else { "" };
        write!(f, "{most}{}", super::megabytes(self.bytes))
    }
}

/// Runs `binary` with `arguments`, quietly, and says how much it held. Its exit code does not matter.
pub(super) fn of(binary: &Path, home: &Path, arguments: &[&str]) -> Result<Peak> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("peak-memory").arg(binary).args(arguments);
    command
        .env("TAU_HOME", home)
        .env("NO_COLOR", "1")
        .current_dir(home);
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or_default();
    let mut numbers = last.split(' ').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(bytes)), Some(Ok(own))) => Ok(Peak {
            bytes,
            is_floor: bytes <= own,
        }),
        _ => bail!("cannot measure memory: {last}"),
    }
}

/// Runs the hidden chore: prints the child's peak and this process's own, in bytes.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (program, arguments) = args.command.split_first().context("no program")?;
    let mut command = Command::new(program);
    process::quiet(command.args(arguments))?;
    // Asked last: starting the child has cost this process memory too, and the child began with it.
    eprintln!("{} {}", children()?, own());
    Ok(())
}

/// The most memory the child held, in bytes.
#[cfg(unix)]
fn children() -> Result<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // getrusage(2): kilobytes, but bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(u64::try_from(usage.max_rss())? * unit)
}

#[cfg(not(unix))]
fn children() -> Result<u64> {
    bail!("peak memory is measured on Unix only")
}

/// The most memory this program held, in bytes; 0 where the system does not say.
///
/// Not from getrusage, whose figure for this process begins with that of the one that started it.
fn own() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
