//! Tools as the core sees them: what they are called, what they take, what they may touch.
//!
//! Running one is an effect ([`crate::session::Effect::RunTool`]); whether it runs is decided in
//! [`dispatch`], and nowhere else.

pub mod dispatch;
pub mod http;
pub mod manifest;
pub mod notice;
pub mod reserved;
pub mod schema;

use alloc::{boxed::Box, string::String};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::CallId,
    json::{FromJson, ToJson},
    message::{Image, ToolCall, ToolStatus},
    policy::{Policy, ProgramLimits, http::HttpLimits, rates::RateLimits},
    safety::Labels,
};
use alloc::vec::Vec;

/// What a tool touches, from harmless to powerful; policy decides by it.
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
pub enum ToolClass {
    /// Looks at the workspace or the clock and changes nothing.
    Read,
    /// Changes what Tau itself keeps, such as memories.
    Remember,
    /// Changes files of the workspace.
    Write,
    /// Reaches addresses the model chooses, and so can carry out what was read.
    Network,
    /// Starts programs.
    Execute,
}

impl ToolClass {
    /// As it is written in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Remember => "remember",
            Self::Write => "write",
            Self::Network => "network",
            Self::Execute => "execute",
        }
    }
}

/// What happens to a call that was running when the home went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum OnRestore {
    /// Run again under the same effect id: a second run does no harm.
    Reissue,
    /// Tell the model that nobody knows whether it ran.
    Fail,
    /// Ask the person whether to run it again.
    Ask,
}

/// A tool offered to the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolSpec {
    /// `[A-Za-z0-9_-]{1,64}`, unique among the tools offered.
    pub name: String,
    /// One or two sentences for the model.
    pub description: String,
    /// JSON Schema of the arguments, an object schema in the subset of [`schema`].
    pub parameters: Value,
    /// What it touches.
    pub class: ToolClass,
    /// What a restore does with an unfinished call.
    pub on_restore: OnRestore,
    /// Which of its arguments name something outside, so that policy can decide by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<Touch>,
    /// What its results are.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub yields: Labels,
}

impl ToolSpec {
    /// What a restore does with an unfinished call: a request that changes nothing is sent again,
    /// whatever the tool does with others.
    #[must_use]
    pub fn on_restore_of(&self, arguments: &Value) -> OnRestore {
        let asks_only = self.touches.iter().any(|touch| match touch {
            Touch::Url {
                method: Some(method),
                ..
            } => arguments[method]
                .as_str()
                .is_none_or(|name| http::Method::parse(name).is_some_and(http::Method::is_safe)),
            _ => false,
        });
        if asks_only {
            OnRestore::Reissue
        } else {
            self.on_restore
        }
    }
}

/// An argument that names something outside, by its name among the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Touch {
    /// A path of the workspace.
    Path {
        /// The argument.
        argument: String,
        /// Whether it is written.
        writes: bool,
    },
    /// An address that is requested.
    Url {
        /// The argument.
        argument: String,
        /// The argument that names the method, where there is a choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
    },
    /// A command for the shell.
    Command {
        /// The argument.
        argument: String,
    },
}

/// The limits one call runs under, in force whatever the model asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolLimits {
    /// Wall time; at its end the call and everything it started is ended.
    pub timeout_ms: u64,
    /// Bytes of UTF-8 text in the result; more is cut in the middle and said so.
    pub output_bytes: u64,
}

/// A call that the dispatcher let through, as a home runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolRun {
    /// The model's id of the call.
    pub call_id: CallId,
    /// The tool.
    pub name: String,
    /// An object that fits the tool's schema.
    pub arguments: Value,
    /// What it must stay within.
    pub limits: ToolLimits,
    /// What it counts against, with the calls of all sessions of its principal.
    pub rates: RateLimits,
    /// For a tool that reaches the network: where its requests may go, and within what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpLimits>,
    /// For a tool that starts programs: how they are confined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<ProgramLimits>,
}

impl ToolRun {
    /// A call of `tool` under `policy`, as it runs once it is let through.
    #[must_use]
    pub fn new(call: &ToolCall, tool: &ToolSpec, policy: &Policy) -> Self {
        Self {
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            limits: policy.tool_limits(),
            rates: policy.rate_limits(tool.class),
            http: (tool.class == ToolClass::Network).then(|| policy.http.limits(policy.preset)),
            programs: (tool.class == ToolClass::Execute).then(|| policy.program_limits()),
        }
    }
}

/// What ran, where that can be named by its content, and what it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Ran {
    /// SHA-256 of the module and its manifest, in lower-case hex ([`manifest::Manifest::digest`]).
    pub module: String,
    /// What ran it.
    pub engine: String,
    /// The work it did, in the engine's unit.
    pub fuel: u64,
}

/// What a home's tool gives back. Its text is untrusted until the gate has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolOutput {
    /// How it ended; a home uses `Ok`, `Error`, `Denied` and `TimedOut`.
    pub status: ToolStatus,
    /// What the model reads.
    pub text: String,
    /// Pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What the text is, where the tool knows better than its spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What ran, where it is a module. Boxed: most are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<Box<Ran>>,
}

impl ToolOutput {
    /// A result that worked.
    #[must_use]
    pub fn ok(text: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Ok,
            text: text.into(),
            images: Vec::new(),
            labels: None,
            ran: None,
        }
    }

    /// A failure the model can act on.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Error,
            text: text.into(),
            images: Vec::new(),
            labels: None,
            ran: None,
        }
    }
}
