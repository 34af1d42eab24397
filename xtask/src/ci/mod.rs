//! `cargo xtask ci`: everything CI runs, in one place, so that a person can run the same.
//!
//! Failures are collected: one run shows all that is wrong. The last line is the verdict, with counts
//! taken from what the test runners printed. A run that ran no test has failed.

mod counts;

use crate::{
    docs,
    process::{self, Stream, cargo, elapsed},
    setup, tidy, wasm,
};
use anyhow::{Result, bail};
use clap::Parser;
use counts::Counts;
use std::{env, time::Instant};

/// Run everything CI runs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these steps, in CI's order.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    steps: Vec<String>,
}

/// One thing CI does.
struct Step {
    name: &'static str,
    run: fn() -> Result<Outcome>,
}

/// How a step that did not break ended.
enum Outcome {
    /// It holds.
    Passed,
    /// Tests ran; some may have failed.
    Tests(Counts),
}

const STEPS: &[Step] = &[
    Step {
        name: "setup",
        run: || chore(setup::run),
    },
    Step {
        name: "fmt",
        run: || command(&["fmt", "--all", "--check"]),
    },
    Step {
        name: "tidy",
        run: || chore(tidy::run),
    },
    Step {
        name: "clippy",
        run: || {
            command(&[
                "clippy",
                "--workspace",
                "--all-features",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])
        },
    },
    Step {
        name: "rustdoc",
        run: rustdoc,
    },
    Step {
        name: "docs",
        run: || chore(docs::run),
    },
    // Before the tests, which run what it builds; after the quick steps, as it takes minutes.
    Step {
        name: "wasm",
        run: || chore(wasm::run),
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "doctests",
        run: doctests,
    },
    Step {
        name: "deny",
        run: deny,
    },
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| args.steps.is_empty() || args.steps.iter().any(|name| name == step.name))
        .collect();
    let mut verdict = Verdict::default();
    for (index, step) in chosen.iter().enumerate() {
        eprintln!("\n== {}/{} {}", index + 1, chosen.len(), step.name);
        let start = Instant::now();
        let result = (step.run)();
        let report = verdict.add(step.name, result);
        eprintln!("== {}: {report} in {}", step.name, elapsed(start.elapsed()));
    }
    for failure in &verdict.failures {
        eprintln!("ci: {failure}");
    }
    let runs_tests = chosen.iter().any(|step| step.name == "tests");
    let is_empty = runs_tests && verdict.counts.ran() == 0;
    if is_empty {
        eprintln!("ci: no test ran");
    }
    println!("{}", verdict.line(&elapsed(start.elapsed())));
    if is_empty || !verdict.failures.is_empty() || verdict.counts.failed > 0 {
        bail!("ci failed");
    }
    Ok(())
}

/// What the steps said so far.
#[derive(Default)]
struct Verdict {
    steps: usize,
    failures: Vec<String>,
    counts: Counts,
}

impl Verdict {
    /// Takes one step's result and says it in a few words.
    fn add(&mut self, step: &'static str, result: Result<Outcome>) -> String {
        self.steps += 1;
        match result {
            Ok(Outcome::Passed) => "ok".to_owned(),
            Ok(Outcome::Tests(counts)) => {
                self.counts += counts;
                if counts.failed > 0 {
                    self.failures.push(format!("{step} failed: {counts}"));
                }
                counts.to_string()
            }
            Err(error) => {
                self.failures.push(format!("{step} failed: {error:#}"));
                format!("FAILED: {error:#}")
            }
        }
    }

    /// The one line a reader may look at alone.
    fn line(&self, time: &str) -> String {
        let broken = match self.failures.len() {
            0 => String::new(),
            count => format!(" ({count} failed)"),
        };
        format!(
            "ci: {} steps{broken}, {} in {time}",
            self.steps, self.counts
        )
    }
}

/// Runs another chore with its default arguments.
fn chore<A: clap::Args>(run: fn(&A) -> Result<()>) -> Result<Outcome> {
    #[derive(Parser)]
    struct Defaults<A: clap::Args> {
        #[command(flatten)]
        args: A,
    }
    run(&Defaults::<A>::try_parse_from(["xtask"])?.args)?;
    Ok(Outcome::Passed)
}

fn command(arguments: &[&str]) -> Result<Outcome> {
    process::run(&mut cargo(arguments))?;
    Ok(Outcome::Passed)
}

fn rustdoc() -> Result<Outcome> {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--quiet"]);
    let flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    process::run(command.env("RUSTDOCFLAGS", format!("{flags} -D warnings")))?;
    Ok(Outcome::Passed)
}

fn tests() -> Result<Outcome> {
    let color = process::color();
    let mut command = cargo([
        "nextest",
        "run",
        "--workspace",
        "--all-features",
        "--profile",
        "ci",
        "--color",
        color,
    ]);
    let (succeeded, output) = process::watch(&mut command, Stream::Err)?;
    let Some(counts) = counts::of_nextest(&output) else {
        bail!("the tests did not run");
    };
    if !succeeded && counts.failed == 0 {
        bail!("the test runner failed after {counts}");
    }
    Ok(Outcome::Tests(counts))
}

fn doctests() -> Result<Outcome> {
    let mut command = cargo([
        "test",
        "--doc",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
    ]);
    let (succeeded, output) = process::watch(&mut command, Stream::Out)?;
    let counts = counts::of_libtest(&output);
    if !succeeded && counts.failed == 0 {
        bail!("the examples did not compile");
    }
    Ok(Outcome::Tests(counts))
}

fn deny() -> Result<Outcome> {
    // Advisories need a database from the network; the rest is decided by what is in the tree.
    command(&[
        "deny",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn the_summary_counts_every_runner() {
        let mut verdict = Verdict::default();
        verdict.add("fmt", Ok(Outcome::Passed));
        verdict.add("tests", Ok(Outcome::Tests(counts(310, 0, 0))));
        verdict.add("doctests", Ok(Outcome::Tests(counts(2, 0, 0))));
        assert_eq!(
            verdict.line("14m03s"),
            "ci: 3 steps, 312 tests passed, 0 failed, 0 skipped in 14m03s"
        );
    }

    #[test]
    fn a_broken_step_is_in_the_summary() {
        let mut verdict = Verdict::default();
        verdict.add("clippy", Err(anyhow::anyhow!("ended with 101")));
        verdict.add("tests", Ok(Outcome::Tests(counts(1, 2, 3))));
        assert_eq!(
            verdict.line("7s"),
            "ci: 2 steps (2 failed), 1 tests passed, 2 failed, 3 skipped in 7s"
        );
        assert_eq!(verdict.failures[0], "clippy failed: ended with 101");
    }
}
