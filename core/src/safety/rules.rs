//! The patterns of a profile, beside Tau's own.
//!
//! Invariant: a pattern that does not compile is an error when it is read, never a rule that
//! silently finds nothing; and matching takes time linear in the text for every pattern.

mod machine;
mod pattern;

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::ops::Range;

use self::{machine::Machine, pattern::Program};
use super::{Finding, Kind, Severity, normal};
use crate::order;
pub use crate::policy::screen::Rule;

/// The most findings of one rule in one text.
const MOST_FINDINGS: usize = 1024;

/// The most rules of one profile.
const MOST: usize = 256;

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{family}` has a bad pattern: {message}")]
pub struct BadRule {
    /// Which of the rules, from 0.
    pub index: usize,
    /// The name it has.
    pub family: String,
    /// What is wrong with its pattern, and where.
    pub message: String,
}

/// Rules, ready to use.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Compiled>);

#[derive(Clone, Debug)]
struct Compiled {
    kind: Kind,
    family: String,
    severity: Severity,
    program: Program,
}

impl Rules {
    /// Compiles rules; tells of the first that is bad.
    pub fn compile(rules: &[Rule]) -> Result<Self, BadRule> {
        let compile = |(index, rule): (usize, &Rule)| {
            let program = if index < MOST {
                pattern::compile(&rule.pattern)
            } else {
                Err(alloc::format!("a profile has at most {MOST} rules"))
            };
            match program {
                Ok(program) => Ok(Compiled {
                    kind: rule.kind,
                    family: rule.family.clone(),
                    severity: rule.severity,
                    program,
                }),
                Err(message) => Err(BadRule {
                    index,
                    family: rule.family.clone(),
                    message,
                }),
            }
        };
        rules
            .iter()
            .enumerate()
            .map(compile)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the rules find in a text, by where it begins. A text in disguise is looked at as it
    /// stands and without (see [`super::normal`]; that form is in small letters).
    #[must_use]
    pub fn scan(&self, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.is_empty() {
            return findings;
        }
        let normal = (!text.is_ascii()).then(|| normal::normalise(text));
        for rule in &self.0 {
            let finding = |span: Range<usize>| Finding {
                kind: rule.kind,
                family: Cow::Owned(rule.family.clone()),
                severity: rule.severity,
                start: span.start,
                end: span.end,
            };
            let mut found: Vec<Finding> = Vec::new();
            let mut machine = Machine::new(&rule.program);
            machine.find(text, &mut |span| {
                if found.len() < MOST_FINDINGS {
                    found.push(finding(span));
                }
            });
            if let Some(normal) = &normal {
                machine.find(&normal.text, &mut |span| {
                    let span = normal.origin(span);
                    let is_new = || {
                        found
                            .iter()
                            .all(|f| (f.start, f.end) != (span.start, span.end))
                    };
                    if found.len() < MOST_FINDINGS && is_new() {
                        found.push(finding(span));
                    }
                });
            }
            findings.append(&mut found);
        }
        order::sort_by(&mut findings, |a, b| (a.start, a.end) < (b.start, b.end));
        findings
    }
}

#[cfg(test)]
mod tests;
