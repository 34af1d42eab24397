//! The providers' side of their formats: what a server sends for an answer.
//!
//! Written against the providers' documents and on purpose without the codecs of the core, which
//! would agree with themselves.

use serde_json::{Value, json};
use tau_core::model::Api;

/// One part of an answer, in the order it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// More text.
    Text(String),
    /// More reasoning.
    Think(String),
    /// The provider's signature over the reasoning before it.
    Signature(String),
    /// A whole tool call; the arguments are sent as they are, JSON or not.
    Call {
        /// The provider's id.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: String,
    },
    /// An error inside the stream.
    Error {
        /// The provider's name for it.
        kind: String,
        /// Its words.
        message: String,
    },
    /// These bytes, outside of any format.
    Raw(String),
    /// What comes next takes so many milliseconds.
    Wait(u64),
    /// The answer is complete, for this reason: `end`, `calls`, `length` or `filter`.
    Stop(String),
    /// Nothing more comes and the connection stays open.
    Hang,
    /// The connection dies.
    Reset,
    /// The body ends cleanly, whatever is missing.
    Close,
}

/// What goes over the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A pause, in milliseconds.
    Wait(u64),
    /// Silence for good.
    Hang,
    /// The end of the connection in the middle of the body.
    Reset,
}

/// Tokens a server tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Of the request.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            input: 100,
            output: 10,
        }
    }
}

/// An answer as `api` streams it. One that does not end otherwise gets its proper end.
///
/// # Panics
///
/// For [`Api::Embedded`], which is not streamed over a connection.
#[must_use]
pub fn stream(api: Api, pieces: &[Piece], tokens: Tokens) -> Vec<Frame> {
    let mut pieces = pieces.to_vec();
    let ends = |piece: &Piece| {
        matches!(
            piece,
            Piece::Stop(_) | Piece::Hang | Piece::Reset | Piece::Close
        )
    };
    if !pieces.last().is_some_and(ends) {
        let calls = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Call { .. }));
        pieces.push(Piece::Stop(if calls { "calls" } else { "end" }.into()));
    }
    let mut encoder = match api {
        Api::OpenAi => Encoder {
            anthropic: false,
            ..Encoder::new(tokens)
        },
        Api::Anthropic => Encoder {
            anthropic: true,
            ..Encoder::new(tokens)
        },
        Api::Embedded => panic!("an embedded model has no wire format"),
    };
    encoder.begin();
    for piece in &pieces {
        match piece {
            Piece::Wait(millis) => encoder.frames.push(Frame::Wait(*millis)),
            Piece::Hang => encoder.frames.push(Frame::Hang),
            Piece::Reset => encoder.frames.push(Frame::Reset),
            Piece::Close => {}
            Piece::Raw(text) => encoder.bytes(text),
            piece if encoder.anthropic => encoder.anthropic(piece),
            piece => encoder.openai(piece),
        }
    }
    encoder.frames
}

struct Encoder {
    anthropic: bool,
    tokens: Tokens,
    frames: Vec<Frame>,
    /// Tool calls (OpenAI) or content blocks (Anthropic) begun.
    index: usize,
    /// The kind of the content block that is open (Anthropic).
    block: Option<&'static str>,
}

impl Encoder {
    fn new(tokens: Tokens) -> Self {
        Self {
            anthropic: false,
            tokens,
            frames: Vec::new(),
            index: 0,
            block: None,
        }
    }

    fn bytes(&mut self, text: &str) {
        self.frames.push(Frame::Bytes(text.as_bytes().to_vec()));
    }

    fn begin(&mut self) {
        if self.anthropic {
            let usage = json!({"input_tokens": self.tokens.input, "output_tokens": 1});
            self.event(&json!({"type": "message_start", "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "sim",
                "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
            }}));
        }
    }

    fn openai(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text) => self.delta(&json!({"content": text}), None),
            Piece::Think(text) => self.delta(&json!({"reasoning_content": text}), None),
            Piece::Call {
                id,
                name,
                arguments,
            } => {
                let index = self.index;
                self.index += 1;
                let function = json!({"name": name, "arguments": ""});
                let start =
                    json!({"index": index, "id": id, "type": "function", "function": function});
                self.delta(&json!({"tool_calls": [start]}), None);
                for fragment in halves(arguments) {
                    let more = json!({"index": index, "function": {"arguments": fragment}});
                    self.delta(&json!({"tool_calls": [more]}), None);
                }
            }
            Piece::Error { kind, message } => {
                let error = json!({"error": {"message": message, "type": kind, "code": null}});
                self.bytes(&format!("data: {error}\n\n"));
            }
            Piece::Stop(reason) => {
                let reason = match reason.as_str() {
                    "calls" => "tool_calls",
                    "length" => "length",
                    "filter" => "content_filter",
                    _ => "stop",
                };
                self.delta(&json!({}), Some(reason));
                let Tokens { input, output } = self.tokens;
                let usage = json!({"prompt_tokens": input, "completion_tokens": output,
                    "total_tokens": input + output});
                let last =
                    json!({"object": "chat.completion.chunk", "choices": [], "usage": usage});
                self.bytes(&format!("data: {last}\n\n"));
                self.bytes("data: [DONE]\n\n");
            }
            // The format has no place for signatures; the rest is not content.
            _ => {}
        }
    }

    fn delta(&mut self, delta: &Value, reason: Option<&str>) {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0,
            "model": "sim", "choices": [choice]});
        self.bytes(&format!("data: {chunk}\n\n"));
    }

    fn anthropic(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text) => {
                self.open("text", || json!({"type": "text", "text": ""}));
                self.block_delta(&json!({"type": "text_delta", "text": text}));
            }
            Piece::Think(text) => {
                self.open(
                    "thinking",
                    || json!({"type": "thinking", "thinking": "", "signature": ""}),
                );
                self.block_delta(&json!({"type": "thinking_delta", "thinking": text}));
            }
            Piece::Signature(signature) => {
                self.block_delta(&json!({"type": "signature_delta", "signature": signature}));
            }
            Piece::Call {
                id,
                name,
                arguments,
            } => {
                self.close();
                self.open(
                    "tool_use",
                    || json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                );
                for fragment in halves(arguments) {
                    self.block_delta(
                        &json!({"type": "input_json_delta", "partial_json": fragment}),
                    );
                }
                self.close();
            }
            Piece::Error { kind, message } => {
                self.event(&json!({"type": "error", "error": {"type": kind, "message": message}}));
            }
            Piece::Stop(reason) => {
                self.close();
                let reason = match reason.as_str() {
                    "calls" => "tool_use",
                    "length" => "max_tokens",
                    "filter" => "refusal",
                    _ => "end_turn",
                };
                let usage = json!({"output_tokens": self.tokens.output});
                let delta = json!({"stop_reason": reason, "stop_sequence": null});
                self.event(&json!({"type": "message_delta", "delta": delta, "usage": usage}));
                self.event(&json!({"type": "message_stop"}));
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Value) {
        let name = event["type"].as_str().unwrap_or_default();
        self.bytes(&format!("event: {name}\ndata: {event}\n\n"));
    }

    fn open(&mut self, kind: &'static str, block: impl FnOnce() -> Value) {
        if self.block != Some(kind) {
            self.close();
            let (index, block) = (self.index, block());
            self.event(
                &json!({"type": "content_block_start", "index": index, "content_block": block}),
            );
            self.block = Some(kind);
        }
    }

    fn block_delta(&mut self, delta: &Value) {
        let index = self.index;
        self.event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }

    fn close(&mut self) {
        if self.block.take().is_some() {
            let index = self.index;
            self.event(&json!({"type": "content_block_stop", "index": index}));
            self.index += 1;
        }
    }
}

/// A text in two parts, because that is how arguments come.
fn halves(text: &str) -> Vec<&str> {
    let (a, b) = text.split_at(text.floor_char_boundary(text.len() / 2));
    [a, b].into_iter().filter(|part| !part.is_empty()).collect()
}

/// The body of a response with an error status.
#[must_use]
pub fn error_body(api: Api, kind: &str, message: &str) -> String {
    let error = json!({"type": kind, "message": message});
    match api {
        Api::Anthropic => json!({"type": "error", "error": error}).to_string(),
        _ => json!({"error": error}).to_string(),
    }
}
