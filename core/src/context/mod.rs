//! What of a conversation goes into a request: estimates, the window, summaries.
//!
//! Invariant: a tool result never goes without its call, nor a call without its result. The
//! window therefore moves by whole groups: an answer with tool calls and its results are one.

mod prompt;
mod window;

pub use prompt::{
    SUMMARY_CLOSING, SUMMARY_SYSTEM, last_answer_note, summary_message, system_prompt,
};
pub use window::Window;

use crate::{
    message::{Message, Part},
    tool::ToolSpec,
};

/// Estimated tokens of a text: four ASCII characters, or one of any other script, are about one.
///
/// An estimate only: usage told by the provider is what is counted and paid.
#[must_use]
pub fn estimate_text(text: &str) -> u32 {
    // Counting bytes keeps this at memory speed: a character beyond ASCII has two to four of them,
    // the first of which is the only one from 0xc0 up.
    let mut ascii = 0_u64;
    let mut other = 0_u64;
    for byte in text.bytes() {
        ascii += u64::from(byte < 0x80);
        other += u64::from(byte >= 0xc0);
    }
    u32::try_from(ascii.div_ceil(4) + other).unwrap_or(u32::MAX)
}

/// Estimated tokens of a message, its frame included.
#[must_use]
pub fn estimate_message(message: &Message) -> u32 {
    const FRAME: u32 = 4;
    // What providers charge for a picture of a screen's size, about.
    const IMAGE: u32 = 1_500;
    message.parts.iter().fold(FRAME, |sum, part| {
        sum.saturating_add(match part {
            Part::Text { text } | Part::Thinking { text, .. } => estimate_text(text),
            Part::Image(_) => IMAGE,
            Part::ToolCall(call) => FRAME
                .saturating_add(estimate_text(&call.name))
                .saturating_add(estimate_json(&call.arguments)),
            Part::ToolResult(result) => FRAME
                .saturating_add(estimate_text(&result.text))
                .saturating_add(IMAGE.saturating_mul(result.images.len() as u32)),
        })
    })
}

/// Estimated tokens of a tool's description.
#[must_use]
pub fn estimate_tool(tool: &ToolSpec) -> u32 {
    const FRAME: u32 = 8;
    FRAME
        .saturating_add(estimate_text(&tool.name))
        .saturating_add(estimate_text(&tool.description))
        .saturating_add(estimate_json(&tool.parameters))
}

fn estimate_json(value: &serde_json::Value) -> u32 {
    use serde_json::Value;
    match value {
        Value::String(text) => estimate_text(text).saturating_add(1),
        Value::Array(items) => items
            .iter()
            .fold(1, |sum, item| sum.saturating_add(estimate_json(item))),
        Value::Object(map) => map.iter().fold(1, |sum, (key, value)| {
            sum.saturating_add(estimate_text(key))
                .saturating_add(1)
                .saturating_add(estimate_json(value))
        }),
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
