//! Which programs a shell command may start.
//!
//! A command is read ([`Script`]), not searched for words: a rule is about programs and their
//! arguments, and what was not understood is never allowed. A rule is words, `*` in a word stands
//! for any characters, and a last word of `*` alone for any further words, also none:
//! `cargo test *` allows `cargo test` and `cargo test --all`, `git status` only just that.
//!
//! With a list of allowed commands, every program of a command must be on it, also those that other
//! programs start: `env cargo test` needs `env *` and `cargo test *`. A denied command is denied
//! with any further arguments, in any folder and in any case of letters.

mod effects;
mod parse;
mod unwrap;

pub use effects::Written;
pub use parse::{Call, Redirect, Script, Word};

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

use super::{Action, Preset, Refusal, paths::lower_case};
use crate::json::{FromJson, ToJson};

/// What was set explicitly about commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Commands {
    /// The only commands that run without a question, when there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Commands that never run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// What is done about a command that is not on the list of allowed ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<Action>,
}

/// What the rules about commands say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: no rule is about it.
    Unset,
    /// It runs without a question.
    Allow {
        /// The rules that let it.
        rule: String,
    },
    /// A person is asked, and why.
    Ask {
        /// Why.
        reason: String,
    },
    /// It does not run.
    Refuse(Refusal),
}

/// A rule that can mean nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("commands.{list}[{index}]: {why}")]
pub struct BadCommandRule {
    /// `allow` or `deny`.
    pub list: &'static str,
    /// Its place in the list.
    pub index: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl Commands {
    /// What is done about a command that is not on the list of allowed ones.
    #[must_use]
    pub fn unlisted(&self, preset: Preset) -> Action {
        self.unlisted.unwrap_or(if preset >= Preset::Strict {
            Action::Deny
        } else {
            Action::Ask
        })
    }

    /// What the rules say about a command.
    #[must_use]
    pub fn decide(&self, preset: Preset, script: &Script) -> Verdict {
        for call in &script.calls {
            if let Some(rule) = self.deny.iter().find(|rule| denies(rule, call)) {
                return Verdict::Refuse(Refusal {
                    rule: format!("commands.deny {rule:?}"),
                    reason: format!("the policy denies {}", shown(call)),
                    hint: Some("do it without this program, or say what is left undone".into()),
                });
            }
        }
        if self.allow.is_empty() {
            return match self.deny.is_empty() || self.execution_is_certain(script) {
                true => Verdict::Unset,
                false => Verdict::Ask {
                    reason: format!(
                        "whether it starts a denied program cannot be told: {}",
                        doubt(script).unwrap_or_default()
                    ),
                },
            };
        }
        let unlisted = script
            .calls
            .iter()
            .find(|call| self.allowing(call).is_none());
        if let Some(call) = unlisted {
            return self.unlisted_call(preset, call);
        }
        if let Some(why) = script.unknown {
            return Verdict::Ask {
                reason: format!("not all of the command is understood: {why}"),
            };
        }
        let opaque = script.calls.iter().find_map(|call| {
            let why = call.opaque?;
            // Written out without a wildcard, it is just what a person meant.
            let exact = self.allowing(call).is_some_and(|rule| !rule.contains('*'));
            (!exact).then(|| format!("{}: {why}", shown(call)))
        });
        match opaque {
            Some(reason) => Verdict::Ask { reason },
            None => {
                let mut rules: Vec<&String> = Vec::new();
                for rule in script.calls.iter().filter_map(|call| self.allowing(call)) {
                    if !rules.contains(&rule) {
                        rules.push(rule);
                    }
                }
                Verdict::Allow {
                    rule: format!("commands.allow {rules:?}"),
                }
            }
        }
    }

    /// The first rule that cannot be meant.
    pub fn check(&self) -> Result<(), BadCommandRule> {
        for (list, rules) in [("allow", &self.allow), ("deny", &self.deny)] {
            for (index, rule) in rules.iter().enumerate() {
                let bad = |why| Err(BadCommandRule { list, index, why });
                let Some(program) = rule.split_whitespace().next() else {
                    return bad("it is empty");
                };
                if list == "allow" && program.contains('*') {
                    return bad("the program of an allowed command has no *");
                }
                if rule.contains(|c: char| "'\"`;&|<>()$\\".contains(c) || c.is_control()) {
                    return bad(
                        "a rule is a program and its arguments, without quotes or operators",
                    );
                }
            }
        }
        Ok(())
    }

    fn execution_is_certain(&self, script: &Script) -> bool {
        doubt(script).is_none()
    }

    fn allowing(&self, call: &Call) -> Option<&String> {
        self.allow.iter().find(|rule| allows(rule, call))
    }

    fn unlisted_call(&self, preset: Preset, call: &Call) -> Verdict {
        let reason = format!("{} is not on the list of allowed commands", shown(call));
        match self.unlisted(preset) {
            Action::Allow => Verdict::Unset,
            Action::Ask => Verdict::Ask { reason },
            Action::Deny => Verdict::Refuse(Refusal {
                rule: "commands.allow".into(),
                reason,
                hint: Some(format!("allowed are {}", self.allow.join(", "))),
            }),
        }
    }
}

/// Why it is not certain that the calls are all that would run.
fn doubt(script: &Script) -> Option<String> {
    script.unknown.map(ToString::to_string).or_else(|| {
        let found = script.calls.iter().find(|call| call.opaque.is_some());
        found.map(|call| format!("{}: {}", shown(call), call.opaque.unwrap_or_default()))
    })
}

/// Whether every word of `call` is one of `rule`, in order.
fn allows(rule: &str, call: &Call) -> bool {
    let mut words = call.words.iter();
    let mut rules = rule.split_whitespace().peekable();
    while let Some(pattern) = rules.next() {
        if pattern == "*" && rules.peek().is_none() {
            return true;
        }
        match words.next() {
            // A word that is expanded may become none, or several.
            Some(word) if word.fixed && wildcard(pattern, &word.text) => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

/// Whether `call` begins with the words of `rule`; one that is expanded may be any word.
fn denies(rule: &str, call: &Call) -> bool {
    let mut words = call.words.iter();
    rule.split_whitespace().enumerate().all(|(index, pattern)| {
        let Some(word) = words.next() else {
            return pattern == "*";
        };
        if !word.fixed {
            return index > 0;
        }
        let text = lower_case(&word.text);
        let pattern = lower_case(pattern);
        wildcard(&pattern, &text)
            || index == 0
                && [
                    text.rsplit('/').next().unwrap_or_default(),
                    &unwrap::known_name(&text),
                ]
                .iter()
                .any(|name| wildcard(&pattern, name))
    })
}

/// Whether `text` is `pattern`, in which `*` stands for any characters.
pub(in crate::policy) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            // The last star takes one more; those before it need not.
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The beginning of a call, for messages.
fn shown(call: &Call) -> String {
    let words: Vec<&str> = call.words.iter().take(3).map(|word| &*word.text).collect();
    let text = words.join(" ");
    let mut short: String = text.chars().take(60).collect();
    if call.words.len() > 3 || short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
