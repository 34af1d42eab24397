//! Chat Completions as OpenAI documents them and compatible servers speak them.
//!
//! Sources: OpenAI API reference, "Chat Completions" (create, streaming); the guides of Ollama,
//! llama.cpp, vLLM, OpenRouter, DeepSeek and Mistral for where they differ. The answer is stopped
//! by the chunk with a finish reason; `[DONE]` after it, or instead of it, ends the stream.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;

use super::{
    Frame, WireError,
    calls::{Calls, Fragment},
    error, object,
    shape::{self, count, get},
    table::{Action, Situation, settle},
};
use crate::{
    json::{self, object_of},
    message::{Image, Message, Part},
    model::{Delta, ModelRequest, StopReason, ToolChoice, Usage},
};

/// The request's body.
pub(super) fn body(request: &ModelRequest) -> Value {
    let model = &request.model;
    let mut messages = Vec::new();
    if !request.system.is_empty() {
        messages.push(said("system", (**request.system).into()));
    }
    let mut pictures = Vec::new();
    for message in request.messages.iter() {
        let results = message.tool_results().next().is_some();
        if !results {
            flush(&mut pictures, &mut messages);
        }
        match message.role {
            crate::message::Role::Assistant => messages.extend(assistant(message)),
            _ => {
                for result in message.tool_results() {
                    messages.push(object_of([
                        ("role", "tool".into()),
                        ("tool_call_id", result.call_id.0.as_str().into()),
                        ("content", result.text.as_str().into()),
                    ]));
                    if !result.images.is_empty() {
                        let note = format!("Pictures from {} ({}):", result.name, result.call_id);
                        pictures.push(shape::text_part(&note));
                        pictures.extend(result.images.iter().map(|i| picture(i, model.images)));
                    }
                }
                if let Some(message) = user(message, model.images) {
                    push_user(message, &mut messages);
                }
            }
        }
    }
    flush(&mut pictures, &mut messages);
    if let Some(closing) = &request.closing {
        messages.push(said("user", (***closing).into()));
    }
    let mut body = object_of([
        ("model", model.name.as_str().into()),
        ("messages", messages.into()),
        ("stream", true.into()),
        (
            "stream_options",
            object_of([("include_usage", true.into())]),
        ),
    ]);
    // OpenAI's own newer models refuse `max_tokens`; most other servers know nothing else.
    let limit = match host(&model.base_url) == "api.openai.com" {
        true => "max_completion_tokens",
        false => "max_tokens",
    };
    body[limit] = request.max_output_tokens.into();
    if let Some(milli) = model.temperature_milli {
        body["temperature"] = (f64::from(milli) / 1000.0).into();
    }
    if !request.tools.is_empty() {
        body["tools"] = request
            .tools
            .iter()
            .map(|tool| {
                object_of([
                    ("type", "function".into()),
                    (
                        "function",
                        object_of([
                            ("name", tool.name.as_str().into()),
                            ("description", tool.description.as_str().into()),
                            ("parameters", tool.parameters.clone()),
                        ]),
                    ),
                ])
            })
            .collect();
        if request.tool_choice == ToolChoice::None {
            body["tool_choice"] = "none".into();
        }
    }
    body
}

/// Tool messages hold text only, and nothing may stand between them: their pictures follow.
fn flush(pictures: &mut Vec<Value>, messages: &mut Vec<Value>) {
    if !pictures.is_empty() {
        messages.push(said("user", core::mem::take(pictures).into()));
    }
}

/// Templates of many local models insist that roles alternate: a text joins the one before it.
fn push_user(message: Value, messages: &mut Vec<Value>) {
    if let Some(before) = messages.last_mut()
        && before["role"] == "user"
        && let (Some(a), Some(b)) = (before["content"].as_str(), message["content"].as_str())
    {
        before["content"] = format!("{a}\n\n{b}").into();
        return;
    }
    messages.push(message);
}

/// Texts as one string, which every server takes; anything else as parts.
fn user(message: &Message, images: bool) -> Option<Value> {
    let parts: Vec<Value> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } if !text.is_empty() => Some(shape::text_part(text)),
            Part::Image(image) => Some(picture(image, images)),
            _ => None,
        })
        .collect();
    let is_text = |part: &Part| matches!(part, Part::Text { .. });
    let content = match message.parts.iter().all(is_text) {
        _ if parts.is_empty() => return None,
        true => message.joined_text().into(),
        false => Value::Array(parts),
    };
    Some(said("user", content))
}

fn said(role: &str, content: Value) -> Value {
    object_of([("role", role.into()), ("content", content)])
}

fn picture(image: &Image, allowed: bool) -> Value {
    if !allowed {
        return shape::text_part(shape::NO_PICTURES);
    }
    let url = format!("data:{};base64,{}", image.mime, image.data);
    object_of([
        ("type", "image_url".into()),
        ("image_url", object_of([("url", url.into())])),
    ])
}

/// `None` for a message of reasoning only, which this format has no place for.
fn assistant(message: &Message) -> Option<Value> {
    let text = message.joined_text();
    let calls: Vec<Value> = message
        .tool_calls()
        .map(|call| {
            // Servers parse the history too: what the model once wrote that is no JSON would have
            // them refuse every later request of the session.
            let arguments = match &call.arguments {
                Value::String(words) => {
                    json::to_string(&object_of([("unparsed", words.as_str().into())]))
                }
                value => json::to_string(value),
            };
            object_of([
                ("id", call.id.0.as_str().into()),
                ("type", "function".into()),
                (
                    "function",
                    object_of([
                        ("name", shape::tool_name(&call.name).into()),
                        ("arguments", arguments.into()),
                    ]),
                ),
            ])
        })
        .collect();
    let content = match text.is_empty() {
        true if calls.is_empty() => return None,
        true => Value::Null,
        false => text.into(),
    };
    let mut entry = said("assistant", content);
    if !calls.is_empty() {
        entry["tool_calls"] = calls.into();
    }
    Some(entry)
}

/// The host of an absolute URL, in lower case, without credentials and port.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// What has come of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    calls: Calls,
    usage: Usage,
    /// Text, reasoning or a call came.
    content: bool,
    /// A finish reason came; its [`Delta::Stop`] is out.
    stopped: bool,
    /// `[DONE]` came.
    done: bool,
}

impl Answer {
    pub(super) fn take(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), WireError> {
        if self.done {
            return settle(Situation::AfterEnd, || "bytes after [DONE]".into()).map(|_| ());
        }
        if frame.data.trim_ascii() == b"[DONE]" {
            return self.done(out);
        }
        if self.stopped {
            // Usage comes after the finish reason. Whatever else does, even if it is broken, takes
            // nothing from an answer that is complete.
            if let Ok(Some(chunk)) = object(frame) {
                self.usage(&chunk, out);
            }
            return settle(Situation::AfterEnd, || "content after the end".into()).map(|_| ());
        }
        let Some(chunk) = object(frame)? else {
            return Ok(());
        };
        self.usage(&chunk, out);
        if error::is_error(&frame.name, &chunk) {
            return error::in_stream(&chunk);
        }
        let choices = shape::list(&chunk, "choices")?;
        let situation = match get(&chunk, "type").and_then(Value::as_str) {
            _ if get(&chunk, "choices").is_some() => Situation::NoChoices,
            Some("ping") => Situation::KeepAlive,
            _ => Situation::UnknownEvent,
        };
        if choices.is_empty() {
            settle(situation, || "a chunk without choices".into())?;
        }
        for choice in choices {
            if !choice.is_object() {
                shape::wrong("choices", "list of objects")?;
                continue;
            }
            if count(choice, "index").unwrap_or(0) > 0 {
                settle(Situation::OtherChoice, || "a second choice".into())?;
                continue;
            }
            self.choice(choice, out)?;
        }
        Ok(())
    }

    /// Whether `[DONE]`, or a whole body, came.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// At the end of the bytes.
    pub(super) fn end(&mut self) -> Result<(), WireError> {
        let situation = match (self.done, self.stopped) {
            (true, _) => return Ok(()),
            (false, true) => Situation::EndAfterReason,
            (false, false) => Situation::EndWithoutEnd,
        };
        settle(situation, || "the end is missing".into()).map(|_| ())
    }

    fn choice(&mut self, choice: &Value, out: &mut Vec<Delta>) -> Result<(), WireError> {
        if get(choice, "error").is_some() {
            return error::in_stream(choice);
        }
        let delta = shape::object(choice, "delta")?;
        let message = shape::object(choice, "message")?;
        let reason = shape::text(choice, "finish_reason")?.filter(|reason| !reason.is_empty());
        match (delta, message) {
            (Some(delta), _) => self.delta(delta, out)?,
            (None, Some(_)) if self.content => {
                settle(Situation::RepeatedWhole, || "a repeated answer".into())?;
            }
            (None, Some(message)) => self.delta(message, out)?,
            (None, None) => {}
        }
        match reason {
            Some("error") => error::in_stream(choice),
            Some(reason) => {
                self.stop(reason, out)?;
                // Usage stands in the same chunk and is already out.
                self.done = delta.is_none() && message.is_some();
                Ok(())
            }
            // A body that is no stream is done when it is there.
            None if message.is_some() => self.done(out),
            None => Ok(()),
        }
    }

    fn delta(&mut self, delta: &Value, out: &mut Vec<Delta>) -> Result<(), WireError> {
        let before = out.len();
        // DeepSeek, llama.cpp and SGLang use the first name; Ollama, OpenRouter and vLLM the second.
        let reasoning = match shape::text(delta, "reasoning_content")? {
            Some(text) => Some(text),
            None => match get(delta, "reasoning") {
                Some(Value::String(text)) => Some(text.as_str()),
                Some(_) => {
                    settle(Situation::UnknownField, || "`reasoning`".into()).map(|_| None)?
                }
                None => None,
            },
        };
        push(reasoning.unwrap_or_default().into(), true, out);
        match get(delta, "content") {
            None => {}
            Some(Value::String(text)) => push(text.into(), false, out),
            Some(Value::Array(parts)) => {
                for part in parts {
                    content_part(part, out)?;
                }
            }
            Some(_) => shape::wrong("content", "string")?,
        }
        // What the model says when it declines is its answer.
        push(
            shape::text(delta, "refusal")?.unwrap_or_default().into(),
            false,
            out,
        );
        for call in shape::list(delta, "tool_calls")? {
            let function = shape::object(call, "function")?.unwrap_or(&Value::Null);
            let arguments = match get(function, "arguments") {
                None => Cow::default(),
                Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
                Some(whole @ Value::Object(_)) => Cow::Owned(json::to_string(whole)),
                Some(_) => {
                    shape::wrong("arguments", "string")?;
                    continue;
                }
            };
            let fragment = Fragment {
                number: count(call, "index"),
                id: shape::text(call, "id")?.unwrap_or_default(),
                name: shape::text(function, "name")?.unwrap_or_default(),
                arguments: &arguments,
            };
            self.calls.take(fragment, out)?;
        }
        if get(delta, "function_call").is_some() {
            settle(Situation::LegacyFunctionCall, || "`function_call`".into())?;
        }
        self.content |= out.len() > before;
        Ok(())
    }

    fn stop(&mut self, reason: &str, out: &mut Vec<Delta>) -> Result<(), WireError> {
        let reason = match reason {
            // Forced and local tool calls come with `stop`, too.
            "stop" if !self.calls.is_empty() => StopReason::ToolUse,
            "stop" => StopReason::EndTurn,
            "tool_calls" => StopReason::ToolUse,
            "length" => StopReason::MaxTokens,
            "content_filter" => StopReason::ContentFilter,
            other => {
                let what = || format!("finish reason {other}");
                match settle(Situation::UnknownFinishReason, what)? {
                    Action::Keep => StopReason::Unknown(other.to_string()),
                    _ => return Ok(()),
                }
            }
        };
        self.stopped = true;
        out.push(Delta::Stop { reason });
        Ok(())
    }

    /// `[DONE]`, or a whole body.
    fn done(&mut self, out: &mut Vec<Delta>) -> Result<(), WireError> {
        if !self.stopped {
            let early = !self.content || self.calls.is_open();
            settle(
                match early {
                    true => Situation::DoneTooEarly,
                    false => Situation::DoneWithoutReason,
                },
                || "no finish reason".into(),
            )?;
            let reason = StopReason::Unknown(String::new());
            out.push(Delta::Stop { reason });
        }
        self.stopped = true;
        self.done = true;
        Ok(())
    }

    fn usage(&mut self, chunk: &Value, out: &mut Vec<Delta>) {
        let Some(told) = get(chunk, "usage").filter(|usage| usage.is_object()) else {
            return;
        };
        let cached = get(told, "prompt_tokens_details")
            .and_then(|details| count(details, "cached_tokens"))
            .or_else(|| count(told, "prompt_cache_hit_tokens"))
            .or_else(|| count(told, "cached_tokens"));
        let usage = Usage {
            input_tokens: count(told, "prompt_tokens").unwrap_or(0),
            output_tokens: count(told, "completion_tokens").unwrap_or(0),
            cached_input_tokens: cached.unwrap_or(0),
            cost_nano_usd: 0,
        };
        if usage != self.usage {
            self.usage = usage;
            out.push(Delta::Usage { usage });
        }
    }
}

/// One part of a content list, as Mistral sends them.
fn content_part(part: &Value, out: &mut Vec<Delta>) -> Result<(), WireError> {
    match get(part, "type").and_then(Value::as_str) {
        Some("text") => push(
            shape::text(part, "text")?.unwrap_or_default().into(),
            false,
            out,
        ),
        Some("thinking") => {
            for piece in shape::list(part, "thinking")? {
                push(
                    shape::text(piece, "text")?.unwrap_or_default().into(),
                    true,
                    out,
                );
            }
        }
        _ => {
            settle(Situation::UnknownDelta, || "an unknown content part".into())?;
        }
    }
    Ok(())
}

fn push(text: String, thinking: bool, out: &mut Vec<Delta>) {
    if !text.is_empty() {
        out.push(match thinking {
            true => Delta::Thinking { text },
            false => Delta::Text { text },
        });
    }
}
