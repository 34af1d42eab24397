//! Workers AI by its binding, as a model inside the home.
//!
//! The binding takes what OpenAI's API takes and streams server-sent events. Newer models stream
//! OpenAI's chunks; older ones `{"response": "…"}`, with whole tool calls, which are put into the
//! same shape here and then read by the same decoder.
//! <https://developers.cloudflare.com/workers-ai/configuration/bindings/>

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use js_sys::{JSON, Promise, Reflect, futures::JsFuture};
use std::{collections::VecDeque, pin::pin, sync::Arc};
use tau_core::{
    json::{self, Value, object_of},
    model::{Api, Delta, ModelConfig, ModelRequest},
    session::{FailureKind, GenerateError},
    wire::{Decoder, IDLE_TIMEOUT_MS, ProviderError, WireError, encode},
};
use tau_platform::{Clock, Generation, LocalModel};
use tau_target_web::WebClock;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{ByteStream, Error};

use crate::config::{AI, Settings};

#[wasm_bindgen]
extern "C" {
    /// What stands behind the binding.
    type Binding;

    #[wasm_bindgen(method, catch)]
    fn run(this: &Binding, model: &str, input: &JsValue) -> Result<Promise, JsValue>;
}

/// The models of Workers AI.
#[derive(Clone, Debug)]
pub(crate) struct WorkersAi {
    settings: Settings,
}

impl WorkersAi {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

/// An answer while it streams.
pub(crate) struct AiAnswer {
    stream: Option<ByteStream>,
    shape: Shape,
    decoder: Decoder,
    ready: VecDeque<Delta>,
}

impl LocalModel for WorkersAi {
    type Generation = AiAnswer;

    async fn generate(&self, request: ModelRequest) -> Result<AiAnswer, GenerateError> {
        let binding = self.settings.binding(AI);
        if binding.is_undefined() {
            return Err(GenerateError::Unavailable {
                detail: format!("the Worker has no binding {AI}"),
            });
        }
        let name = request.model.name.clone();
        let input = input(request).ok_or_else(|| GenerateError::Failed {
            detail: "the request cannot be written".into(),
        })?;
        let binding: &Binding = binding.unchecked_ref();
        let asked = binding.run(&name, &input).map_err(thrown)?;
        let answered = within_idle_timeout(JsFuture::from(asked)).await?;
        let answered = answered.map_err(thrown)?;
        let mut shape = Shape::default();
        let mut decoder = Decoder::new(Api::OpenAi, Some("text/event-stream"));
        let mut ready = Vec::new();
        let stream = match answered.dyn_into::<worker::web_sys::ReadableStream>() {
            Ok(stream) => Some(ByteStream::from(stream)),
            Err(whole) => {
                // A model that does not stream answers with one object.
                let whole = JSON::stringify(&whole)
                    .map(String::from)
                    .unwrap_or_default();
                let frames = shape.frames(format!("data: {whole}\n\ndata: [DONE]\n\n").as_bytes());
                decoder.push(&frames, &mut ready).map_err(unreadable)?;
                decoder.finish(&mut ready).map_err(unreadable)?;
                None
            }
        };
        Ok(AiAnswer {
            stream,
            shape,
            decoder,
            ready: ready.into(),
        })
    }
}

impl Generation for AiAnswer {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Ok(Some(delta));
            }
            let Some(stream) = &mut self.stream else {
                return Ok(None);
            };
            let piece = within_idle_timeout(stream.next()).await?;
            let mut ready = Vec::new();
            match piece {
                Some(Ok(piece)) => {
                    let frames = self.shape.frames(&piece);
                    self.decoder.push(&frames, &mut ready).map_err(unreadable)?;
                    if self.decoder.is_done() {
                        self.stream = None;
                    }
                }
                Some(Err(error)) => return Err(cut(&error)),
                None => {
                    self.stream = None;
                    self.decoder.finish(&mut ready).map_err(unreadable)?;
                }
            }
            self.ready.extend(ready);
        }
    }
}

/// The request as the binding takes it: OpenAI's body without what names the model.
fn input(request: ModelRequest) -> Option<JsValue> {
    let model = ModelConfig {
        api: Api::OpenAi,
        ..(*request.model).clone()
    };
    let request = ModelRequest {
        model: Arc::new(model),
        ..request
    };
    let encoded = encode(&request)?;
    let input = JSON::parse(core::str::from_utf8(&encoded.body).ok()?).ok()?;
    for name in ["model", "stream_options"] {
        Reflect::delete_property(input.unchecked_ref::<js_sys::Object>(), &name.into()).ok()?;
    }
    Some(input)
}

/// Puts the frames of older models into OpenAI's shape.
#[derive(Debug, Default)]
struct Shape {
    /// A line whose end has not come.
    line: Vec<u8>,
    /// An older model said something, and this about how it ends.
    ends: Option<&'static str>,
}

impl Shape {
    fn frames(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                let line = core::mem::take(&mut self.line);
                self.line(&line, &mut out);
            }
        }
        // A line of a body that never ends one is the decoder's to refuse.
        if self.line.len() > tau_core::wire::FRAME_LIMIT_BYTES {
            out.append(&mut self.line);
        }
        out
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let data = core::str::from_utf8(line)
            .ok()
            .and_then(|line| line.strip_prefix("data:"))
            .map(str::trim);
        match data {
            Some("[DONE]") => {
                if let Some(reason) = self.ends.take() {
                    let last = choice(object_of([]), Some(reason));
                    out.extend_from_slice(frame(&last).as_bytes());
                }
                out.extend_from_slice(line);
            }
            Some(data) => match json::from_str(data)
                .ok()
                .and_then(|frame| self.older(&frame))
            {
                Some(frames) => out.extend_from_slice(frames.as_bytes()),
                None => out.extend_from_slice(line),
            },
            None => out.extend_from_slice(line),
        }
    }

    /// The frame of an older model in the newer shape; `None` for any other.
    fn older(&mut self, frame: &Value) -> Option<String> {
        if frame.get("choices").is_some() {
            return None;
        }
        let text = frame.get("response").and_then(Value::as_str);
        let calls = frame.get("tool_calls").and_then(Value::as_array);
        if text.is_none() && calls.is_none() {
            return None;
        }
        let mut delta = object_of([]);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            delta["content"] = text.into();
        }
        if let Some(calls) = calls.filter(|calls| !calls.is_empty()) {
            delta["tool_calls"] = calls
                .iter()
                .enumerate()
                .map(|(at, call)| call_delta(at, call))
                .collect();
            self.ends = Some("tool_calls");
        }
        self.ends.get_or_insert("stop");
        let mut frames = self::frame(&choice(delta, None));
        if let Some(usage) = frame.get("usage") {
            let none = Value::Array(Vec::new());
            let chunk = object_of([("choices", none), ("usage", usage.clone())]);
            frames.push_str(&self::frame(&chunk));
        }
        Some(frames)
    }
}

fn frame(chunk: &Value) -> String {
    format!("data: {}\n\n", json::to_string(chunk))
}

fn choice(delta: Value, finish_reason: Option<&str>) -> Value {
    let mut choice = object_of([("index", 0.into()), ("delta", delta)]);
    if let Some(reason) = finish_reason {
        choice["finish_reason"] = reason.into();
    }
    object_of([("choices", vec![choice].into())])
}

fn call_delta(at: usize, call: &Value) -> Value {
    let arguments = match call.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(value) => json::to_string(value),
        None => "{}".into(),
    };
    let text = |name: &str| Value::from(call.get(name).and_then(Value::as_str).unwrap_or_default());
    let function = object_of([("name", text("name")), ("arguments", arguments.into())]);
    object_of([
        ("index", at.into()),
        ("id", text("id")),
        ("type", "function".into()),
        ("function", function),
    ])
}

async fn within_idle_timeout<F: Future>(work: F) -> Result<F::Output, GenerateError> {
    let deadline = WebClock.now().plus(IDLE_TIMEOUT_MS);
    let sleep = WebClock.sleep_until(deadline);
    match select(pin!(work), pin!(sleep)).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(provider(
            FailureKind::Connection,
            format!("Workers AI said nothing for {IDLE_TIMEOUT_MS} ms"),
            true,
        )),
    }
}

/// What the binding throws: its own number and words, `3040: Capacity temporarily exceeded`.
/// <https://developers.cloudflare.com/workers-ai/platform/errors/>
fn thrown(thrown: JsValue) -> GenerateError {
    let message = match Error::from(thrown) {
        Error::UnknownJsError { message, .. } => message,
        other => other.to_string(),
    };
    let number = message
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 4)
        .and_then(|digits| digits.parse::<u32>().ok());
    let (kind, retryable) = match number {
        Some(3036) => (FailureKind::RateLimited, false),
        Some(3040) => (FailureKind::RateLimited, true),
        Some(3007 | 3008) => (FailureKind::Unavailable, true),
        Some(3023 | 3041 | 5016 | 5018) => (FailureKind::Unauthorized, false),
        Some(3042 | 5007) => (FailureKind::NotFound, false),
        Some(3003 | 3006 | 5004 | 5005) => (FailureKind::BadRequest, false),
        _ => (FailureKind::Unavailable, false),
    };
    provider(kind, message, retryable)
}

fn unreadable(error: WireError) -> GenerateError {
    match error {
        WireError::Provider(error) => GenerateError::Provider(error),
        error => provider(error.kind(), error.to_string(), error.is_retryable()),
    }
}

fn cut(error: &Error) -> GenerateError {
    provider(
        FailureKind::Connection,
        format!("Workers AI broke off: {error}"),
        true,
    )
}

fn provider(kind: FailureKind, message: String, retryable: bool) -> GenerateError {
    GenerateError::Provider(ProviderError {
        kind,
        message: message.chars().take(300).collect(),
        hint: None,
        retry_after_ms: None,
        retryable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_core::model::StopReason;

    /// What comes out of a stream that arrives in pieces of `size` bytes.
    fn read(stream: &str, size: usize) -> Result<Vec<Delta>, WireError> {
        let mut shape = Shape::default();
        let mut decoder = Decoder::new(Api::OpenAi, Some("text/event-stream"));
        let mut deltas = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            decoder.push(&shape.frames(piece), &mut deltas)?;
        }
        decoder.finish(&mut deltas)?;
        Ok(deltas)
    }

    fn text(text: &str) -> Delta {
        Delta::Text { text: text.into() }
    }

    #[test]
    fn older_models_are_read_like_newer_ones_however_the_bytes_are_cut() {
        let stream = "data: {\"response\":\"Hel\"}\n\ndata: {\"response\":\"lo\",\"p\":\"abc\"}\n\n\
            data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
        for size in [1, 3, 1_000] {
            let deltas = read(stream, size).unwrap();
            assert_eq!(deltas[..2], [text("Hel"), text("lo")]);
            assert!(
                deltas.contains(&Delta::Stop {
                    reason: StopReason::EndTurn
                }),
                "{deltas:?}"
            );
            assert!(
                deltas.iter().any(
                    |delta| matches!(delta, Delta::Usage { usage } if usage.input_tokens == 7)
                )
            );
        }
    }

    #[test]
    fn calls_of_older_models_are_calls() {
        let stream = "data: {\"response\":null,\"tool_calls\":[{\"name\":\"recall\",\"arguments\":{\"query\":\"x\"}}]}\n\ndata: [DONE]\n\n";
        let deltas = read(stream, 7).unwrap();
        assert!(
            deltas.iter().any(
                |delta| matches!(delta, Delta::ToolCallStart { name, .. } if name == "recall")
            )
        );
        assert!(deltas.contains(&Delta::Stop {
            reason: StopReason::ToolUse
        }));
    }

    #[test]
    fn a_stream_without_its_end_is_cut() {
        assert_eq!(
            read("data: {\"response\":\"Hel\"}\n\n", 9),
            Err(WireError::Truncated)
        );
    }

    #[test]
    fn newer_models_pass_unchanged() {
        let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let deltas = read(stream, 5).unwrap();
        assert_eq!(deltas[0], text("Hi"));
        let stops = deltas
            .iter()
            .filter(|delta| matches!(delta, Delta::Stop { .. }));
        assert_eq!(stops.count(), 1);
    }
}
