//! What the gate does with what it finds.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::safety::{Kind, Severity};

/// What is done with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
