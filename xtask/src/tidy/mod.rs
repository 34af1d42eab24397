//! `cargo xtask tidy`: the rules of the source tree, each one a function from the tree to its violations.
//!
//! The same functions run as tests of this package, one per rule, so `cargo nextest run` sees them too.
//! A rule reads a [`Tree`] and nothing else; samples in memory show that each rule can fail.

mod bands;
mod manifests;
mod names;
mod purity;
mod source;
mod text;
mod tokens;
pub(crate) mod tree;

use anyhow::{Result, bail};
use std::fmt;
use tree::Tree;

/// Check the rules of the source tree.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this rule; `--list` names them.
    rule: Option<String>,
    /// Print the rules and what they ask.
    #[arg(long)]
    list: bool,
}

/// One rule of the tree.
pub(crate) struct Check {
    name: &'static str,
    /// What the rule asks, as a sentence.
    asks: &'static str,
    find: fn(&Tree) -> Vec<Violation>,
}

/// A place where a rule does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    /// From 1.
    line: usize,
    rule: &'static str,
    hint: String,
    /// Said, but not a failure.
    is_warning: bool,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, hint: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            hint: hint.into(),
            is_warning: false,
        }
    }

    fn warning(self) -> Self {
        Self {
            is_warning: true,
            ..self
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_warning { "warning: " } else { "" };
        let Self {
            path,
            line,
            rule,
            hint,
            ..
        } = self;
        write!(f, "{path}:{line}: {kind}{rule}: {hint}")
    }
}

const CHECKS: &[Check] = &[
    Check {
        name: "bands",
        asks: "dependencies run one way: core <- platform <- targets <- homes",
        find: bands::direction,
    },
    Check {
        name: "reachable",
        asks: "every crate is part of a home",
        find: bands::reachable,
    },
    Check {
        name: "no-std",
        asks: "core, kamn and platform are no_std and know neither std nor the machine",
        find: purity::no_std,
    },
    Check {
        name: "one-loop",
        asks: "only platform's drive asks a session for its effects",
        find: purity::one_loop,
    },
    Check {
        name: "length",
        asks: "no production file is over 800 lines",
        find: source::length,
    },
    Check {
        name: "unfinished",
        asks: "nothing is left to do at run time, and no test is skipped",
        find: source::unfinished,
    },
    Check {
        name: "silenced",
        asks: "a lint is silenced with a reason",
        find: source::silenced,
    },
    Check {
        name: "names",
        asks: "names say what a thing does, not which ticket asked for it",
        find: names::tickets,
    },
    Check {
        name: "machine",
        asks: "no tracked file names a registry's host or somebody's home directory",
        find: text::machine,
    },
    Check {
        name: "readme",
        asks: "the README's first code block is two commands",
        find: text::readme,
    },
    Check {
        name: "manifests",
        asks: "every member inherits the workspace's lints, licence and edition",
        find: manifests::inherit,
    },
    Check {
        name: "lock",
        asks: "dependencies come from the registry, and TLS is pure Rust",
        find: manifests::lock,
    },
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        for check in CHECKS {
            println!("{:<12} {}", check.name, check.asks);
        }
        return Ok(());
    }
    let chosen: Vec<&Check> = CHECKS
        .iter()
        .filter(|check| args.rule.as_deref().is_none_or(|rule| rule == check.name))
        .collect();
    if chosen.is_empty() {
        bail!("no such rule; `cargo xtask tidy --list` names them");
    }
    let tree = Tree::load()?;
    let found: Vec<Violation> = chosen
        .iter()
        .flat_map(|check| (check.find)(&tree))
        .collect();
    for violation in &found {
        println!("{violation}");
    }
    let failures = found.iter().filter(|v| !v.is_warning).count();
    if failures > 0 {
        bail!("tidy: {failures} violations of {} rules", chosen.len());
    }
    eprintln!("tidy: {} rules hold", chosen.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule called `name` holds for the tree this was built from.
    fn holds(name: &str) {
        let tree = Tree::load().expect("the tree can be read");
        let check = CHECKS
            .iter()
            .find(|check| check.name == name)
            .expect("a rule of that name");
        let failures: Vec<String> = (check.find)(&tree)
            .into_iter()
            .filter(|violation| !violation.is_warning)
            .map(|violation| violation.to_string())
            .collect();
        assert!(
            failures.is_empty(),
            "{}\n{}",
            check.asks,
            failures.join("\n")
        );
    }

    /// One test per rule, and a list of them to compare with [`CHECKS`].
    macro_rules! rules {
        ($($test:ident => $name:literal,)+) => {
            $(#[test] fn $test() { holds($name); })+
            const TESTED: &[&str] = &[$($name),+];
        };
    }

    rules! {
        dependencies_run_one_way => "bands",
        every_crate_is_part_of_a_home => "reachable",
        the_deciding_crates_know_no_machine => "no-std",
        there_is_one_loop => "one-loop",
        no_production_file_is_too_long => "length",
        nothing_is_unfinished => "unfinished",
        silenced_lints_have_reasons => "silenced",
        names_hold_no_tickets => "names",
        no_file_names_a_machine => "machine",
        the_readme_starts_with_two_commands => "readme",
        manifests_inherit => "manifests",
        dependencies_come_from_the_registry => "lock",
    }

    #[test]
    fn every_rule_has_its_test() {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names, TESTED);
    }

    #[test]
    fn a_violation_reads_as_place_rule_hint() {
        let violation =
            Violation::new("core/src/a.rs", 3, "no-std", "take the time as an argument");
        assert_eq!(
            violation.to_string(),
            "core/src/a.rs:3: no-std: take the time as an argument"
        );
        assert_eq!(
            violation.warning().to_string(),
            "core/src/a.rs:3: warning: no-std: take the time as an argument"
        );
    }
}
