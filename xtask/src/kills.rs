//! `cargo xtask kills`: `kill -9` in as many places of everything that stores.
//!
//! The tests do the same in fewer places; each prints a line of the table, and fails where anything
//! acknowledged is gone or anything half done is seen.

use crate::process::{self, Stream, cargo};
use anyhow::{Result, bail};

/// Kill processes in many places.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kills of each kind.
    #[arg(long, value_name = "N", default_value_t = 500)]
    places: u32,
    /// Where they fall, as far as that is up to us.
    #[arg(long, value_name = "N", default_value_t = 6)]
    seed: u64,
}

/// Package, test target and the beginning of the tests' names.
const TESTS: [[&str; 3]; 3] = [
    ["tau-tests", "kills", "killed_anywhere"],
    ["tau-target-native", "memory", "kills_anywhere"],
    ["tau-test-postgres", "store", "killed_in_mid_commit"],
];

/// Runs the chore; every kind is run, also after one that failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (mut table, mut failed) = (Vec::new(), Vec::new());
    for [package, target, name] in TESTS {
        let mut command = cargo(["test", "--quiet", "--package", package, "--test", target]);
        command
            .args([name, "--", "--nocapture", "--test-threads=2"])
            .env("TAU_TEST_KILLS", args.places.to_string())
            .env("TAU_TEST_SEED", args.seed.to_string());
        let (is_success, said) = process::watch(&mut command, Stream::Out)?;
        table.extend(said.lines().filter_map(row));
        if !is_success {
            failed.push(target);
        }
    }
    println!("\n{}", table.join("\n"));
    if !failed.is_empty() {
        bail!("something was lost or half done: {}", failed.join(", "));
    }
    Ok(())
}

/// The line of the table in what a test wrote; the harness may have begun it with words of its own.
fn row(line: &str) -> Option<String> {
    let (before, after) = line.split_once(" kills: ")?;
    let own = before.rfind("... ").map_or(0, |place| place + 4);
    Some(format!("{} kills: {after}", &before[own..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_behind_the_words_of_the_harness() {
        let line = "test a::b ... imports   500 kills: 1 left nothing";
        assert_eq!(
            row(line).as_deref(),
            Some("imports   500 kills: 1 left nothing")
        );
        assert_eq!(
            row("copies 3 kills: x").as_deref(),
            Some("copies 3 kills: x")
        );
        assert_eq!(row("test a::b ... ok"), None);
    }
}
