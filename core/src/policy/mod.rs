//! Policy: what may run, what is asked first, and within which limits.
//!
//! A preset is a row of data; an explicit value always wins over it, also when it equals another
//! preset's default. Limits of the four presets fall monotonically from permissive to hardened.

pub mod approval;
pub mod commands;
pub mod http;
pub mod ledger;
pub mod paths;
pub mod programs;
pub mod rates;
pub mod screen;

pub use approval::{Extent, Grant};
pub use commands::Commands;
pub use http::Http;
pub use paths::Paths;
pub use programs::{ProgramLimits, Programs, Sandbox};
pub use rates::Rates;
pub use screen::Screening;

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::json::{FromJson, ToJson};
use crate::tool::{ToolClass, ToolLimits, ToolSpec};

/// The four rows of defaults.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Preset {
    /// Nothing is asked.
    Permissive,
    /// Programs and the network are asked for; files of the workspace may be changed.
    #[default]
    Balanced,
    /// Every change is asked for.
    Strict,
    /// Every change is asked for; programs and the network are not to be had.
    Hardened,
}

impl Preset {
    /// All, from the loosest to the tightest.
    pub const ALL: [Self; 4] = [
        Self::Permissive,
        Self::Balanced,
        Self::Strict,
        Self::Hardened,
    ];

    /// As it is written in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Permissive => "permissive",
            Self::Balanced => "balanced",
            Self::Strict => "strict",
            Self::Hardened => "hardened",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| UnknownPreset(name.into()))
    }
}

/// A preset's name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy preset is called {0:?}: permissive, balanced, strict or hardened")]
pub struct UnknownPreset(pub String);

/// What is done about a tool call.
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
pub enum Action {
    /// It runs.
    Allow,
    /// A person is asked.
    Ask,
    /// It does not run.
    Deny,
}

impl Action {
    /// As it is written in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// The policy in force: a preset and what was set explicitly.
///
/// The explicit values are kept apart from the preset, so that `tau policy show` can say where
/// each value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The row of defaults.
    pub preset: Preset,
    /// Tools that only look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<Action>,
    /// Tools that change what Tau keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remember: Option<Action>,
    /// Tools that change files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<Action>,
    /// Tools that reach the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Action>,
    /// Tools that start programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute: Option<Action>,
    /// Single tools by name; wins over their class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Action>,
    /// Wall time of a tool call in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_timeout_ms: Option<u64>,
    /// Bytes of a tool's result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_output_bytes: Option<u64>,
    /// Tool calls that run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tools: Option<u32>,
    /// How long an approval is waited for, in ms; then it is a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_timeout_ms: Option<u64>,
    /// What is done when private data and untrusted content were read and something leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<Action>,
    /// What is done where a program cannot be confined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// What runs without a question because a person said so for good; see [`approval`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<String>,
    /// Requests of tools.
    #[serde(skip_serializing_if = "is_default")]
    pub http: Http,
    /// What is done with what the gate finds.
    #[serde(skip_serializing_if = "is_default")]
    pub screen: Screening,
    /// Paths that no tool may write.
    #[serde(skip_serializing_if = "is_default")]
    pub paths: Paths,
    /// Commands that may run.
    #[serde(skip_serializing_if = "is_default")]
    pub commands: Commands,
    /// How programs are confined.
    #[serde(skip_serializing_if = "is_default")]
    pub programs: Programs,
    /// Calls a minute.
    #[serde(skip_serializing_if = "is_default")]
    pub rates: Rates,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One preset's defaults.
struct Row {
    read: Action,
    remember: Action,
    write: Action,
    network: Action,
    execute: Action,
    tool_timeout_ms: u64,
    tool_output_bytes: u64,
    parallel_tools: u32,
    approval_timeout_ms: u64,
}

const fn row(preset: Preset) -> Row {
    use Action::{Allow, Ask, Deny};
    const MINUTE: u64 = 60_000;
    match preset {
        Preset::Permissive => Row {
            read: Allow,
            remember: Allow,
            write: Allow,
            network: Allow,
            execute: Allow,
            tool_timeout_ms: 10 * MINUTE,
            tool_output_bytes: 256 * 1024,
            parallel_tools: 16,
            approval_timeout_ms: 24 * 60 * MINUTE,
        },
        Preset::Balanced => Row {
            read: Allow,
            remember: Allow,
            write: Allow,
            network: Ask,
            execute: Ask,
            tool_timeout_ms: 2 * MINUTE,
            tool_output_bytes: 64 * 1024,
            parallel_tools: 8,
            approval_timeout_ms: 60 * MINUTE,
        },
        Preset::Strict => Row {
            read: Allow,
            remember: Allow,
            write: Ask,
            network: Ask,
            execute: Ask,
            tool_timeout_ms: MINUTE,
            tool_output_bytes: 32 * 1024,
            parallel_tools: 4,
            approval_timeout_ms: 15 * MINUTE,
        },
        Preset::Hardened => Row {
            read: Allow,
            remember: Ask,
            write: Ask,
            network: Deny,
            execute: Deny,
            tool_timeout_ms: MINUTE / 2,
            tool_output_bytes: 16 * 1024,
            parallel_tools: 2,
            approval_timeout_ms: 5 * MINUTE,
        },
    }
}

impl Policy {
    /// The preset alone.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        Self {
            preset,
            ..Self::default()
        }
    }

    /// What is done about tools of `class`.
    #[must_use]
    pub fn class_action(&self, class: ToolClass) -> Action {
        let row = row(self.preset);
        match class {
            ToolClass::Read => self.read.unwrap_or(row.read),
            ToolClass::Remember => self.remember.unwrap_or(row.remember),
            ToolClass::Write => self.write.unwrap_or(row.write),
            ToolClass::Network => self.network.unwrap_or(row.network),
            ToolClass::Execute => self.execute.unwrap_or(row.execute),
        }
    }

    /// What is done about `tool`, and the rule that says so.
    #[must_use]
    pub fn action(&self, tool: &ToolSpec) -> (Action, String) {
        if let Some(action) = self.tools.get(&tool.name) {
            return (
                *action,
                alloc::format!("tools.{} = {}", tool.name, action.name()),
            );
        }
        let class = tool.class.name();
        let action = self.class_action(tool.class);
        (
            action,
            alloc::format!("{class} = {} ({})", action.name(), self.preset),
        )
    }

    /// What is done when private data and untrusted content were read and something leaves.
    #[must_use]
    pub fn taint(&self) -> Action {
        self.taint.unwrap_or(match self.preset {
            Preset::Permissive | Preset::Balanced | Preset::Strict => Action::Ask,
            Preset::Hardened => Action::Deny,
        })
    }

    /// Limits of one tool call.
    #[must_use]
    pub fn tool_limits(&self) -> ToolLimits {
        let row = row(self.preset);
        ToolLimits {
            timeout_ms: self.tool_timeout_ms.unwrap_or(row.tool_timeout_ms),
            output_bytes: self.tool_output_bytes.unwrap_or(row.tool_output_bytes),
        }
    }

    /// Tool calls that run at the same time, at least 1.
    #[must_use]
    pub fn parallel_tools(&self) -> usize {
        let calls = self
            .parallel_tools
            .unwrap_or(row(self.preset).parallel_tools);
        calls.max(1) as usize
    }

    /// How long an approval is waited for.
    #[must_use]
    pub fn approval_timeout_ms(&self) -> u64 {
        self.approval_timeout_ms
            .unwrap_or(row(self.preset).approval_timeout_ms)
    }
}

/// A "no" the model can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Refusal {
    /// The rule that decided, by name.
    pub rule: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What would work instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests;
