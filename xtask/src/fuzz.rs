//! `cargo xtask fuzz`: the targets of `fuzz/`, one after another, each for so long.
//!
//! The compiler in use is enough: coverage counters are made by the passes every release has, and
//! there is no unsafe code in what is fuzzed that a sanitizer could say more about. Those who have
//! cargo-fuzz can run the same targets with it.

use crate::{process, workspace};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Run the fuzz targets.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; all where none is named.
    targets: Vec<String>,
    /// How long each runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

/// What turns a build into one that can be fuzzed (LLVM SanitizerCoverage).
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// The longest input, in bytes.
const MAX_BYTES: u32 = 4096;
/// An input that takes longer than this, in seconds, is a finding.
const SLOWEST: u32 = 10;

/// Runs the chore; every target runs, also after one with a finding.
pub(crate) fn run(args: &Args) -> Result<()> {
    let all = targets()?;
    let unknown = args.targets.iter().find(|name| !all.contains(name));
    if let Some(name) = unknown {
        bail!("there is no fuzz target {name}: {}", all.join(", "));
    }
    let chosen: Vec<&String> = all
        .iter()
        .filter(|name| args.targets.is_empty() || args.targets.contains(name))
        .collect();
    let host = host()?;
    let directory = workspace::target_directory()?.join("fuzz");
    let mut command = process::cargo(["build", "--release", "--target", &host]);
    command
        .args(["--manifest-path", "fuzz/Cargo.toml"])
        .env("CARGO_TARGET_DIR", &directory)
        .env("RUSTFLAGS", FLAGS);
    for name in &chosen {
        command.args(["--bin", name]);
    }
    process::run(&mut command)?;
    let mut found = Vec::new();
    for name in chosen {
        let binary = directory.join(&host).join("release").join(name);
        match fuzz(name, &binary, args.seconds) {
            Ok(()) => println!("{name}: {} s without a finding", args.seconds),
            Err(error) => {
                eprintln!("fuzz: {name}: {error:#}");
                found.push(name.as_str());
            }
        }
    }
    if !found.is_empty() {
        bail!("findings in {}: see build/fuzz", found.join(", "));
    }
    Ok(())
}

/// One target, from what earlier runs found worth keeping and the examples beside it.
fn fuzz(name: &str, binary: &Path, seconds: u64) -> Result<()> {
    let kept = workspace::root().join("build/fuzz");
    let corpus = kept.join("corpus").join(name);
    let artifacts = kept.join("artifacts").join(name);
    for directory in [&corpus, &artifacts] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let mut command = Command::new(binary);
    command
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_BYTES}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=0"]);
    let words = workspace::root().join("fuzz/words.dict");
    command.arg(format!("-dict={}", words.display()));
    // It ends by itself; longer than this it hangs.
    process::run_within(&mut command, Duration::from_secs(seconds + 120))
}

/// The names of the targets, from their files.
fn targets() -> Result<Vec<String>> {
    let directory = workspace::root().join("fuzz/fuzz_targets");
    let listed =
        fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let paths = listed.flatten().map(|entry| entry.path());
    let mut names: Vec<String> = paths
        .filter(|path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The machine's own target, named so that the flags reach no build script.
fn host() -> Result<String> {
    let said = process::read(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not name its host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_target_is_one_of_the_manifest() {
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(targets.len() >= 8);
        for name in &targets {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
    }
}
