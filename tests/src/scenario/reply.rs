//! Turns a written answer into what the simulated network or model does.

use serde_json::Value;
use tau_core::{
    model::{Api, Delta, StopReason, Usage},
    session::GenerateError,
};
use tau_platform::sim::{Exchange, SimHost, Step};

use super::{Head, Reply, Setup};
use crate::wire::{self, Frame, Piece, Tokens};

impl Reply {
    /// Puts the answer at the end of the home's script.
    pub(super) fn load(&self, home: &SimHost, setup: &Setup) {
        let Some(model) = setup.model(self.model.as_deref()) else {
            return;
        };
        match (model.api(), self.head) {
            (Api::Embedded, Head::Status(_)) => home.model().answer(self.steps()),
            (Api::Embedded, _) => {
                home.model().fail(GenerateError::Unavailable {
                    detail: "it was not built in".into(),
                });
            }
            (api, _) => home.http().expect(self.exchange(api, &model.host())),
        }
    }

    fn exchange(&self, api: Api, host: &str) -> Exchange {
        let mut exchange = match self.head {
            Head::Refused => return Exchange::refused().to(host).late(self.late_ms),
            Head::Hangs => return Exchange::hanging().to(host),
            Head::Status(status) => Exchange::status(status).to(host).late(self.late_ms),
        };
        let is_answer = self.head == Head::Status(200);
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            let kind = if is_answer {
                "text/event-stream"
            } else {
                "application/json"
            };
            exchange = exchange.header("content-type", kind);
        }
        for (name, value) in &self.headers {
            exchange = exchange.header(name, value);
        }
        let frames = if is_answer {
            wire::stream(api, &self.pieces, self.tokens)
        } else {
            self.error_frames(api)
        };
        for frame in &frames {
            exchange = match frame {
                Frame::Bytes(bytes) => exchange.bytes(bytes.clone()),
                Frame::Wait(millis) => exchange.wait(*millis),
                Frame::Hang => exchange.stall(),
                Frame::Reset => exchange.reset(),
            };
        }
        if let Some(bytes) = self.cut {
            exchange = exchange.cut(bytes);
            exchange = match frames.last() {
                Some(Frame::Hang) => exchange.stall(),
                Some(Frame::Reset) => exchange.reset(),
                _ => exchange,
            };
        }
        match self.split {
            Some(bytes) => exchange.split(bytes),
            None => exchange,
        }
    }

    /// The body beside an error status: text as it is, errors in the provider's format.
    fn error_frames(&self, api: Api) -> Vec<Frame> {
        let frame = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Raw(text) => Some(Frame::Bytes(text.as_bytes().to_vec())),
            Piece::Error { kind, message } => Some(Frame::Bytes(
                wire::error_body(api, kind, message).into_bytes(),
            )),
            Piece::Wait(millis) => Some(Frame::Wait(*millis)),
            Piece::Hang => Some(Frame::Hang),
            Piece::Reset => Some(Frame::Reset),
            _ => None,
        };
        self.pieces.iter().filter_map(frame).collect()
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
