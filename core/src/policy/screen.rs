//! What the gate does with what it finds: by where the text came from and how strong the evidence is.
//!
//! A preset is a row for each subject; an explicit value replaces the row, also where it is looser.
//! Rows never get looser from permissive to hardened.

use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

use super::{Policy, Preset};
use crate::json::{FromJson, ToJson};
use crate::safety::{Kind, Severity};

/// What somebody wants to be done with findings.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    FromJson,
    ToJson,
)]
#[serde(rename_all = "snake_case")]
pub enum Screen {
    /// It is told to whoever watches; the text stays.
    Warn,
    /// It is taken out of the text.
    Redact,
    /// The text is withheld whole.
    Block,
}

/// What was set explicitly about findings; the rest is the preset's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Screening {
    /// Injections in a person's own prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Screen>,
    /// Injections in what tools, pages, files and memories say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Screen>,
    /// Secrets, wherever they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Screen>,
    /// Patterns beside Tau's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// A pattern of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it finds.
    pub kind: Kind,
    /// The name it is told by.
    pub family: String,
    /// A regular expression.
    pub pattern: String,
    /// How strong the evidence is.
    pub severity: Severity,
}

/// What a row of measures is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Injections in a person's own words.
    Prompt,
    /// Injections in what anybody else wrote.
    Content,
    /// Secrets, whoever wrote them.
    Secrets,
}

impl Subject {
    /// All, in the order they are shown.
    pub const ALL: [Self; 3] = [Self::Prompt, Self::Content, Self::Secrets];

    /// The name of its value in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "screen.prompt",
            Self::Content => "screen.content",
            Self::Secrets => "screen.secrets",
        }
    }
}

/// What is done about one finding, from nothing to the most.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    FromJson,
    ToJson,
)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Nothing, and nobody is told.
    Pass,
    /// Whoever watches is told; the text stays.
    Warn,
    /// The text stays, with a note to the model before it that its instructions are nobody's.
    Label,
    /// The place is replaced by `[redacted: FAMILY]`.
    Redact,
    /// The text is withheld whole; a prompt is refused.
    Block,
}

impl Measure {
    /// As it is written in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Label => "label",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

/// What is done about findings of one subject, by the strength of their evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Measures {
    /// Weak evidence.
    pub low: Measure,
    /// More likely than not.
    pub medium: Measure,
    /// Explicit.
    pub high: Measure,
}

impl Measures {
    const fn new(low: Measure, medium: Measure, high: Measure) -> Self {
        Self { low, medium, high }
    }

    /// What is done about evidence of that strength.
    #[must_use]
    pub fn of(&self, severity: Severity) -> Measure {
        match severity {
            Severity::Low => self.low,
            Severity::Medium => self.medium,
            Severity::High => self.high,
        }
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, medium, high] = [self.low, self.medium, self.high].map(Measure::name);
        write!(f, "low {low}, medium {medium}, high {high}")
    }
}

impl Screening {
    /// What was set explicitly about `subject`.
    #[must_use]
    pub fn explicit(&self, subject: Subject) -> Option<Screen> {
        match subject {
            Subject::Prompt => self.prompt,
            Subject::Content => self.content,
            Subject::Secrets => self.secrets,
        }
    }
}

impl Policy {
    /// What is done about findings of `subject`.
    #[must_use]
    pub fn measures(&self, subject: Subject) -> Measures {
        match self.screen.explicit(subject) {
            Some(screen) => explicit(subject, screen),
            None => preset(subject, self.preset),
        }
    }
}

/// An explicit value says what is done about real evidence; a guess gets the next weaker measure.
const fn explicit(subject: Subject, screen: Screen) -> Measures {
    use Measure::{Block, Label, Pass, Redact, Warn};
    match (subject, screen) {
        (Subject::Prompt | Subject::Content, Screen::Warn) => Measures::new(Pass, Warn, Warn),
        (Subject::Prompt, Screen::Redact) => Measures::new(Pass, Redact, Redact),
        (Subject::Prompt, Screen::Block) => Measures::new(Warn, Block, Block),
        (Subject::Content, Screen::Redact) => Measures::new(Label, Redact, Redact),
        (Subject::Content, Screen::Block) => Measures::new(Label, Block, Block),
        (Subject::Secrets, Screen::Warn) => Measures::new(Warn, Warn, Warn),
        (Subject::Secrets, Screen::Redact) => Measures::new(Warn, Redact, Redact),
        (Subject::Secrets, Screen::Block) => Measures::new(Redact, Block, Block),
    }
}

const fn preset(subject: Subject, preset: Preset) -> Measures {
    use Measure::{Block, Label, Pass, Redact, Warn};
    match (subject, preset) {
        (Subject::Prompt, Preset::Permissive | Preset::Balanced) => Measures::new(Pass, Warn, Warn),
        (Subject::Prompt, Preset::Strict) => Measures::new(Pass, Warn, Redact),
        (Subject::Prompt, Preset::Hardened) => Measures::new(Warn, Redact, Block),
        (Subject::Content, Preset::Permissive) => Measures::new(Pass, Warn, Redact),
        (Subject::Content, Preset::Balanced) => Measures::new(Label, Label, Redact),
        (Subject::Content, Preset::Strict) => Measures::new(Label, Redact, Block),
        (Subject::Content, Preset::Hardened) => Measures::new(Label, Block, Block),
        (Subject::Secrets, Preset::Permissive | Preset::Balanced) => {
            Measures::new(Warn, Redact, Redact)
        }
        (Subject::Secrets, Preset::Strict) => Measures::new(Redact, Redact, Redact),
        (Subject::Secrets, Preset::Hardened) => Measures::new(Redact, Block, Block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERITIES: [Severity; 3] = [Severity::Low, Severity::Medium, Severity::High];

    #[test]
    fn measures_never_get_looser_from_permissive_to_hardened_nor_with_stronger_evidence() {
        for subject in Subject::ALL {
            for severity in SEVERITIES {
                let row =
                    Preset::ALL.map(|preset| Policy::preset(preset).measures(subject).of(severity));
                assert!(row.is_sorted(), "{} {severity:?}: {row:?}", subject.name());
            }
            for preset in Preset::ALL {
                let measures = Policy::preset(preset).measures(subject);
                let row = SEVERITIES.map(|severity| measures.of(severity));
                assert!(row.is_sorted(), "{} {preset}: {row:?}", subject.name());
            }
        }
    }

    #[test]
    fn an_explicit_value_wins_over_every_preset_also_where_it_is_looser() {
        for preset in Preset::ALL {
            let policy = |screen| Policy {
                screen: Screening {
                    prompt: Some(screen),
                    content: Some(screen),
                    secrets: Some(screen),
                    rules: Vec::new(),
                },
                ..Policy::preset(preset)
            };
            for (screen, measure) in [
                (Screen::Warn, Measure::Warn),
                (Screen::Redact, Measure::Redact),
                (Screen::Block, Measure::Block),
            ] {
                for subject in Subject::ALL {
                    let measures = policy(screen).measures(subject);
                    assert_eq!(measures.high, measure);
                    assert_eq!(measures.medium, measure);
                }
            }
        }
    }
}
