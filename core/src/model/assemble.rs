//! Putting an answer together from its pieces.
//!
//! Invariant: an answer without [`Delta::Stop`] is never complete, however plausible it looks.

use alloc::{format, string::String, vec::Vec};
use serde_json::Value;
use thiserror::Error;

use super::{Delta, StopReason, Usage};
use crate::{
    ids::CallId,
    json,
    message::{Message, Part, Role, ToolCall},
};

/// Collects the deltas of one model call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembler {
    parts: Vec<Piece>,
    /// Where each of the answer's tool calls stands in `parts`.
    calls: Vec<(u32, usize)>,
    usage: Usage,
    stop: Option<StopReason>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Thinking {
        text: String,
        signature: Option<String>,
    },
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The model's message; may be without parts.
    pub message: Message,
    /// Unpriced totals.
    pub usage: Usage,
    /// Why it stopped; `None` for an answer that was cut off.
    pub stop: Option<StopReason>,
}

/// A delta that does not fit those before it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AssembleError {
    /// Arguments for a call that was never started.
    #[error("arguments for tool call {index}, which was never started")]
    UnknownCall {
        /// The index named.
        index: u32,
    },
    /// Content after the stop.
    #[error("content after the end of the answer")]
    AfterStop,
}

impl Assembler {
    /// Takes the next piece.
    pub fn push(&mut self, delta: &Delta) -> Result<(), AssembleError> {
        if self.stop.is_some() && !matches!(delta, Delta::Usage { .. }) {
            return Err(AssembleError::AfterStop);
        }
        match delta {
            Delta::Text { text } => match self.parts.last_mut() {
                Some(Piece::Text(so_far)) => so_far.push_str(text),
                _ => self.parts.push(Piece::Text(text.clone())),
            },
            Delta::Thinking { text } => self.thinking().0.push_str(text),
            Delta::ThinkingSignature { signature } => {
                self.thinking()
                    .1
                    .get_or_insert_default()
                    .push_str(signature);
            }
            Delta::ToolCallStart { index, id, name } => {
                self.calls.push((*index, self.parts.len()));
                self.parts.push(Piece::Call {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                });
            }
            Delta::ToolCallArguments { index, fragment } => {
                let mut calls = self.calls.iter().rev();
                let place = calls.find(|(of, _)| of == index).map(|(_, place)| *place);
                match place.and_then(|place| self.parts.get_mut(place)) {
                    Some(Piece::Call { arguments, .. }) => arguments.push_str(fragment),
                    _ => return Err(AssembleError::UnknownCall { index: *index }),
                }
            }
            Delta::Usage { usage } => self.usage = *usage,
            Delta::Stop { reason } => self.stop = Some(reason.clone()),
        }
        Ok(())
    }

    fn thinking(&mut self) -> (&mut String, &mut Option<String>) {
        // A signature closes a block of reasoning; what follows is a new one.
        let open = matches!(
            self.parts.last(),
            Some(Piece::Thinking {
                signature: None,
                ..
            })
        );
        if !open {
            self.parts.push(Piece::Thinking {
                text: String::new(),
                signature: None,
            });
        }
        match self.parts.last_mut() {
            Some(Piece::Thinking { text, signature }) => (text, signature),
            _ => unreachable!("a block of reasoning was pushed just above"),
        }
    }

    /// Whether the provider said that the answer is complete.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// What has come so far. `fallback_id` names calls whose provider sent no id or one twice.
    #[must_use]
    pub fn finish(self, fallback_id: &str) -> Assembled {
        let mut seen: Vec<String> = Vec::new();
        let parts = self
            .parts
            .into_iter()
            .enumerate()
            .filter_map(|(place, piece)| match piece {
                Piece::Text(text) if text.is_empty() => None,
                Piece::Text(text) => Some(Part::Text { text }),
                Piece::Thinking { text, signature } => Some(Part::Thinking { text, signature }),
                Piece::Call {
                    id,
                    name,
                    arguments,
                } => {
                    let id = if id.is_empty() || seen.contains(&id) {
                        format!("{fallback_id}_{place}")
                    } else {
                        id
                    };
                    seen.push(id.clone());
                    let arguments = parse_arguments(arguments);
                    Some(Part::ToolCall(ToolCall {
                        id: CallId(id),
                        name,
                        arguments,
                    }))
                }
            })
            .collect();
        Assembled {
            message: Message {
                role: Role::Assistant,
                parts,
            },
            usage: self.usage,
            stop: self.stop,
        }
    }
}

/// Arguments as sent: none at all is an empty object; what is not JSON stays as the model's words,
/// for the dispatcher to refuse with the reason.
fn parse_arguments(text: String) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match json::from_str(&text) {
        Ok(value @ Value::Object(_)) => value,
        _ => Value::String(text),
    }
}
