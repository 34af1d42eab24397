//! Turns a written answer into what the model in the process says.

use serde_json::Value;
use tau_core::{
    model::{Delta, StopReason, Usage},
    session::GenerateError,
};
use tau_platform::sim::{ScriptedModel, Step};

use super::{Head, Reply};
use crate::wire::{Piece, Tokens};

impl Reply {
    /// Puts the answer at the end of the script of the model in the process.
    pub(super) fn load(&self, model: &ScriptedModel) {
        match self.head {
            Head::Status(_) => model.answer(self.steps()),
            Head::Refused | Head::Hangs => model.fail(GenerateError::Unavailable {
                detail: "it was not built in".into(),
            }),
        }
    }

    /// The answer of a model in the process. A hang is a day; a reset is a failure of the engine.
    fn steps(&self) -> Vec<Step> {
        const DAY_MS: u64 = 86_400_000;
        let mut steps = Vec::new();
        let mut after_ms = self.late_ms;
        let mut calls = 0;
        let mut stopped = false;
        let push = |steps: &mut Vec<Step>, after_ms: &mut u64, delta| {
            steps.push(Step {
                after_ms: std::mem::take(after_ms),
                delta,
            });
        };
        for piece in &self.pieces {
            let delta = match piece {
                Piece::Text(text) => Delta::Text { text: text.clone() },
                Piece::Think(text) => Delta::Thinking { text: text.clone() },
                Piece::Signature(signature) => Delta::ThinkingSignature {
                    signature: signature.clone(),
                },
                Piece::Call {
                    id,
                    name,
                    arguments,
                } => {
                    let index = calls;
                    calls += 1;
                    let start = Delta::ToolCallStart {
                        index,
                        id: id.clone(),
                        name: name.clone(),
                    };
                    push(&mut steps, &mut after_ms, Ok(start));
                    Delta::ToolCallArguments {
                        index,
                        fragment: arguments.clone(),
                    }
                }
                Piece::Wait(millis) => {
                    after_ms += millis;
                    continue;
                }
                Piece::Hang => {
                    after_ms += DAY_MS;
                    Delta::Text {
                        text: String::new(),
                    }
                }
                Piece::Stop(reason) => {
                    stopped = true;
                    Delta::Stop {
                        reason: reason_of(reason),
                    }
                }
                Piece::Error { message, .. } | Piece::Raw(message) => {
                    let failed = GenerateError::Failed {
                        detail: message.clone(),
                    };
                    push(&mut steps, &mut after_ms, Err(failed));
                    continue;
                }
                Piece::Reset | Piece::Close => {
                    stopped = true;
                    continue;
                }
            };
            push(&mut steps, &mut after_ms, Ok(delta));
        }
        if !stopped {
            let Tokens { input, output } = self.tokens;
            let usage = Usage {
                input_tokens: input,
                output_tokens: output,
                ..Usage::default()
            };
            push(&mut steps, &mut after_ms, Ok(Delta::Usage { usage }));
            let reason = if calls > 0 {
                StopReason::ToolUse
            } else {
                StopReason::EndTurn
            };
            push(&mut steps, &mut after_ms, Ok(Delta::Stop { reason }));
        }
        steps
    }
}

fn reason_of(word: &str) -> StopReason {
    match word {
        "calls" => StopReason::ToolUse,
        "length" => StopReason::MaxTokens,
        "filter" => StopReason::ContentFilter,
        _ => StopReason::EndTurn,
    }
}

/// Every text in a JSON value.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
