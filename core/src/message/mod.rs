//! What a conversation is made of.
//!
//! A message is a role and a list of content parts. System text is not a message: it belongs to
//! the request, because only Tau writes it.

mod letter;

pub(crate) use letter::title as letter_title;
pub use letter::{LETTER_LIMIT_BYTES, Letter, Sender};

use alloc::{string::String, vec, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::CallId,
    json::{FromJson, ToJson},
    safety::Labels,
};

/// Who a message speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person or program the agent works for.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls; holds only [`Part::ToolResult`].
    Tool,
}

/// One message: a role and its content, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The content, in the order it was written.
    pub parts: Vec<Part>,
}

/// One piece of content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Plain text or Markdown.
    Text {
        /// The text itself.
        text: String,
    },
    /// A picture.
    Image(Image),
    /// The model's reasoning, kept because some providers require it back.
    Thinking {
        /// The reasoning as shown by the provider; may be empty when only the signature is sent.
        text: String,
        /// The provider's signature over it, to be returned unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// The model asks for a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

/// A picture, inline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub mime: String,
    /// The file's bytes in standard base64 with padding (RFC 4648, section 4).
    pub data: String,
}

/// The model's wish to run a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolCall {
    /// Unique within the message.
    pub id: CallId,
    /// The tool's name as the model wrote it, which need not exist.
    pub name: String,
    /// A JSON object; a string holding the model's own words when they were not JSON.
    pub arguments: Value,
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It ran and did what it is for.
    Ok,
    /// It ran, or could not run, and the text says why.
    Error,
    /// Policy or a person said no; it did not run.
    Denied,
    /// It ran past its time and was ended.
    TimedOut,
    /// The turn was interrupted before it finished.
    Cancelled,
}

/// What came of a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ToolResult {
    /// The call this answers.
    pub call_id: CallId,
    /// The tool's name as called.
    pub name: String,
    /// How it ended.
    pub status: ToolStatus,
    /// What the model reads.
    pub text: String,
    /// Pictures the model may look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// From the start of the call to its answer, by the home's clock.
    #[serde(default)]
    pub duration_ms: u64,
    /// What the text is, by where it came from.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
}

impl Message {
    /// A message of one text part.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::Text { text: text.into() }],
        }
    }

    /// All text parts, joined without separator.
    #[must_use]
    pub fn joined_text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What its tool results are.
    #[must_use]
    pub fn labels(&self) -> Labels {
        self.tool_results()
            .fold(Labels::NONE, |labels, result| labels.with(result.labels))
    }

    /// The tool calls, in the model's order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The tool results, in call order.
    pub fn tool_results(&self) -> impl Iterator<Item = &ToolResult> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(result),
            _ => None,
        })
    }
}

/// Joins what a failed tool call has to say into the text a model can act on.
///
/// One line each: what went wrong, why, what to do instead.
#[must_use]
pub fn explain(problem: &str, cause: Option<&str>, hint: Option<&str>) -> String {
    let mut lines = vec![problem.into()];
    lines.extend(cause.map(|cause| alloc::format!("cause: {cause}")));
    lines.extend(hint.map(|hint| alloc::format!("hint: {hint}")));
    lines.join("\n")
}
