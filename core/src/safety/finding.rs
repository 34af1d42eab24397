//! What the gate found in a text.

use alloc::borrow::Cow;
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::json::{FromJson, ToJson};
use crate::policy::screen::Measure;

/// What a finding is about.
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
pub enum Kind {
    /// Characters that a terminal or a model interprets instead of showing.
    Control,
    /// Text that gives the model orders it must not take from there.
    Injection,
    /// A value that gives access to something.
    Secret,
}

impl Kind {
    /// As it is written in a profile and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Injection => "injection",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How strong the evidence is.
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
pub enum Severity {
    /// Weak: worth a label.
    Low,
    /// More likely than not.
    Medium,
    /// Explicit.
    High,
}

/// One place in a text, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// Which family of patterns matched, such as `instruction_override` or `github_token`.
    pub family: Cow<'static, str>,
    /// How strong the evidence is.
    pub severity: Severity,
    /// Where it begins: a byte of the text as it came, on a character's boundary.
    pub start: usize,
    /// The byte after its end.
    pub end: usize,
}

/// A finding and what was done about it. Holds nothing of the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Screened {
    /// What it is about.
    pub kind: Kind,
    /// Which family of patterns matched.
    pub family: Cow<'static, str>,
    /// How strong the evidence is.
    pub severity: Severity,
    /// Where it began: a byte of the text without its control characters.
    pub start: usize,
    /// The byte after its end.
    pub end: usize,
    /// Which of the content's texts it was in, in their order, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text: u32,
    /// What was done.
    pub action: Measure,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
