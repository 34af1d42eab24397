//! Messages as Anthropic documents them.
//!
//! Sources: Anthropic API documentation, "Messages" (create), "Streaming messages", "Extended
//! thinking", "Prompt caching", "Handling stop reasons". The answer is stopped by `message_stop`
//! and by nothing else.

use alloc::{
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
    message::{Image, Message, Part, Role, ToolResult, ToolStatus},
    model::{Delta, ModelRequest, StopReason, ToolChoice, Usage},
};

/// The version header every request names.
pub(super) const VERSION: &str = "2023-06-01";

/// Reasoning that the provider encrypted is kept as a signature with this before it; the colon is
/// in no base64.
const REDACTED: &str = "redacted_thinking:";

/// The request's body.
///
/// Cache breakpoints stand after the system prompt, the tools and the conversation. The closing
/// instruction comes after the last of them: the next request does not have it.
pub(super) fn body(request: &ModelRequest) -> Value {
    let model = &request.model;
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in request.messages.iter() {
        let role = match message.role {
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        add(&mut turns, role, blocks(message, model.images));
    }
    for (_, content) in &mut turns {
        // Results must come before text in the message after the calls.
        let (results, rest): (Vec<_>, Vec<_>) = core::mem::take(content)
            .into_iter()
            .partition(|block| block["type"] == "tool_result");
        *content = results;
        content.extend(rest);
    }
    if let Some(block) = turns
        .last_mut()
        .and_then(|(_, content)| content.iter_mut().rfind(|block| !is_thinking(block)))
    {
        cache(block);
    }
    if let Some(closing) = &request.closing {
        add(
            &mut turns,
            "user",
            text_block(closing).into_iter().collect(),
        );
    }
    let messages: Vec<Value> = turns
        .into_iter()
        .map(|(role, content)| object_of([("role", role.into()), ("content", content.into())]))
        .collect();
    let mut body = object_of([
        ("model", model.name.as_str().into()),
        ("max_tokens", request.max_output_tokens.into()),
        ("messages", messages.into()),
        ("stream", true.into()),
    ]);
    if let Some(mut system) = text_block(&request.system) {
        cache(&mut system);
        body["system"] = Value::Array(alloc::vec![system]);
    }
    if let Some(milli) = model.temperature_milli {
        // Anthropic's scale ends at 1.
        body["temperature"] = (f64::from(milli.min(1000)) / 1000.0).into();
    }
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            object_of([
                ("name", tool.name.as_str().into()),
                ("description", tool.description.as_str().into()),
                ("input_schema", tool.parameters.clone()),
            ])
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        cache(last);
        body["tools"] = tools.into();
        if request.tool_choice == ToolChoice::None {
            body["tool_choice"] = of_type("none");
        }
    }
    body
}

/// Roles alternate: what follows in the same role joins the message before.
fn add<'a>(turns: &mut Vec<(&'a str, Vec<Value>)>, role: &'a str, content: Vec<Value>) {
    match turns.last_mut() {
        _ if content.is_empty() => {}
        Some((last, blocks)) if *last == role => blocks.extend(content),
        _ => turns.push((role, content)),
    }
}

fn cache(block: &mut Value) {
    block["cache_control"] = of_type("ephemeral");
}

fn of_type(name: &str) -> Value {
    object_of([("type", name.into())])
}

fn is_thinking(block: &Value) -> bool {
    block["type"] == "thinking" || block["type"] == "redacted_thinking"
}

/// `None` for an empty text, which the API refuses.
fn text_block(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| shape::text_part(text))
}

fn blocks(message: &Message, images: bool) -> Vec<Value> {
    let block = |part: &Part| match part {
        Part::Text { text } => text_block(text),
        Part::Image(image) => Some(picture(image, images)),
        Part::Thinking { text, signature } => {
            let signature = signature.as_ref()?;
            Some(match signature.strip_prefix(REDACTED) {
                Some(data) => {
                    object_of([("type", "redacted_thinking".into()), ("data", data.into())])
                }
                None => object_of([
                    ("type", "thinking".into()),
                    ("thinking", text.as_str().into()),
                    ("signature", signature.as_str().into()),
                ]),
            })
        }
        Part::ToolCall(call) => Some(object_of([
            ("type", "tool_use".into()),
            ("id", shape::identifier(&call.id.0).into()),
            ("name", shape::tool_name(&call.name).into()),
            (
                "input",
                match &call.arguments {
                    arguments @ Value::Object(_) => arguments.clone(),
                    _ => object_of([]),
                },
            ),
        ])),
        Part::ToolResult(result) => Some(tool_result(result, images)),
    };
    message.parts.iter().filter_map(block).collect()
}

fn tool_result(result: &ToolResult, images: bool) -> Value {
    let mut block = object_of([
        ("type", "tool_result".into()),
        ("tool_use_id", shape::identifier(&result.call_id.0).into()),
    ]);
    let pictures = result.images.iter().map(|image| picture(image, images));
    let content: Vec<Value> = text_block(&result.text)
        .into_iter()
        .chain(pictures)
        .collect();
    if !content.is_empty() {
        block["content"] = content.into();
    }
    if result.status != ToolStatus::Ok {
        block["is_error"] = true.into();
    }
    block
}

fn picture(image: &Image, allowed: bool) -> Value {
    if !allowed {
        return shape::text_part(shape::NO_PICTURES);
    }
    let source = object_of([
        ("type", "base64".into()),
        ("media_type", image.mime.as_str().into()),
        ("data", image.data.as_str().into()),
    ]);
    object_of([("type", "image".into()), ("source", source)])
}

/// What has come of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    calls: Calls,
    usage: Usage,
    /// Blocks of unknown type, whose deltas are skipped with them.
    unknown: Vec<u64>,
    content: bool,
    reason: Option<String>,
    stopped: bool,
}

impl Answer {
    pub(super) fn take(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), WireError> {
        if self.stopped {
            return settle(Situation::AfterEnd, || "bytes after message_stop".into()).map(|_| ());
        }
        let Some(event) = object(frame)? else {
            return Ok(());
        };
        if error::is_error(&frame.name, &event) {
            return error::in_stream(&event);
        }
        let name = core::str::from_utf8(&frame.name).unwrap_or_default();
        let before = out.len();
        match shape::text(&event, "type")?.unwrap_or(name) {
            "message_start" => {
                if let Some(message) = shape::object(&event, "message")? {
                    self.usage(message, out);
                }
            }
            "content_block_start" => {
                let number = count(&event, "index");
                if let Some(block) = shape::object(&event, "content_block")? {
                    self.block(block, number, out)?;
                }
            }
            "content_block_delta" => {
                let number = count(&event, "index");
                let unknown = number.is_some_and(|number| self.unknown.contains(&number));
                match shape::object(&event, "delta")? {
                    Some(delta) if !unknown => self.delta(delta, number, out)?,
                    _ => {}
                }
            }
            "content_block_stop" => {}
            "message_delta" => {
                if let Some(delta) = shape::object(&event, "delta")? {
                    self.reason(delta)?;
                }
                self.usage(&event, out);
            }
            "message_stop" => self.stop(out)?,
            "message" => {
                for (number, block) in (0..).zip(shape::list(&event, "content")?) {
                    self.block(block, Some(number), out)?;
                }
                self.content |= out.len() > before;
                self.usage(&event, out);
                self.reason(&event)?;
                self.stop(out)?;
            }
            "ping" => {
                settle(Situation::KeepAlive, || "a ping".into())?;
            }
            other => {
                settle(Situation::UnknownEvent, || format!("event {other}"))?;
            }
        }
        let content = |delta: &Delta| !matches!(delta, Delta::Usage { .. } | Delta::Stop { .. });
        self.content |= out.iter().skip(before).any(content);
        Ok(())
    }

    /// Whether `message_stop`, or a whole message, came.
    pub(super) fn is_done(&self) -> bool {
        self.stopped
    }

    /// At the end of the bytes.
    pub(super) fn end(&mut self) -> Result<(), WireError> {
        if !self.stopped {
            settle(Situation::EndWithoutEnd, || "no message_stop".into())?;
        }
        Ok(())
    }

    /// A block as it starts in a stream, or whole in a message.
    fn block(
        &mut self,
        block: &Value,
        number: Option<u64>,
        out: &mut Vec<Delta>,
    ) -> Result<(), WireError> {
        let text = |key| shape::text(block, key).map(Option::unwrap_or_default);
        match text("type")? {
            "text" => push(text("text")?, out, |text| Delta::Text { text }),
            "thinking" => {
                push(text("thinking")?, out, |text| Delta::Thinking { text });
                push(text("signature")?, out, |signature| {
                    Delta::ThinkingSignature { signature }
                });
            }
            "redacted_thinking" => {
                let signature = format!("{REDACTED}{}", text("data")?);
                out.push(Delta::ThinkingSignature { signature });
            }
            "tool_use" => {
                let input = match get(block, "input") {
                    Some(Value::Object(input)) if input.is_empty() => String::new(),
                    Some(input @ Value::Object(_)) => json::to_string(input),
                    None => String::new(),
                    Some(_) => return shape::wrong("input", "object"),
                };
                let fragment = Fragment {
                    number,
                    id: text("id")?,
                    name: text("name")?,
                    arguments: &input,
                };
                self.calls.take(fragment, out)?;
            }
            other => {
                settle(Situation::UnknownBlock, || format!("content block {other}"))?;
                if let Some(number) = number {
                    self.unknown.push(number);
                }
            }
        }
        Ok(())
    }

    fn delta(
        &mut self,
        delta: &Value,
        number: Option<u64>,
        out: &mut Vec<Delta>,
    ) -> Result<(), WireError> {
        let text = |key| shape::text(delta, key).map(Option::unwrap_or_default);
        match text("type")? {
            "text_delta" => push(text("text")?, out, |text| Delta::Text { text }),
            "thinking_delta" => push(text("thinking")?, out, |text| Delta::Thinking { text }),
            "signature_delta" => push(text("signature")?, out, |signature| {
                Delta::ThinkingSignature { signature }
            }),
            "input_json_delta" => {
                let fragment = Fragment {
                    number,
                    id: "",
                    name: "",
                    arguments: text("partial_json")?,
                };
                self.calls.take(fragment, out)?;
            }
            other => {
                settle(Situation::UnknownDelta, || format!("delta {other}"))?;
            }
        }
        Ok(())
    }

    fn reason(&mut self, holder: &Value) -> Result<(), WireError> {
        if let Some(reason) = shape::text(holder, "stop_reason")? {
            self.reason = Some(reason.to_string());
        }
        Ok(())
    }

    fn stop(&mut self, out: &mut Vec<Delta>) -> Result<(), WireError> {
        let reason = match self.reason.as_deref() {
            Some("tool_use") => StopReason::ToolUse,
            Some("end_turn" | "stop_sequence") if !self.calls.is_empty() => StopReason::ToolUse,
            Some("end_turn" | "stop_sequence") => StopReason::EndTurn,
            Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
            Some("refusal") => StopReason::ContentFilter,
            Some(other) => {
                let what = || format!("stop reason {other}");
                match settle(Situation::UnknownFinishReason, what)? {
                    Action::Keep => StopReason::Unknown(other.to_string()),
                    _ => return Ok(()),
                }
            }
            None => {
                let situation = match !self.content || self.calls.is_open() {
                    true => Situation::DoneTooEarly,
                    false => Situation::DoneWithoutReason,
                };
                settle(situation, || "no stop reason".into())?;
                StopReason::Unknown(String::new())
            }
        };
        self.stopped = true;
        out.push(Delta::Stop { reason });
        Ok(())
    }

    /// `message_start` tells the input, `message_delta` the output so far and, in newer versions,
    /// the input again; what is not told again stays.
    fn usage(&mut self, holder: &Value, out: &mut Vec<Delta>) {
        let Some(told) = get(holder, "usage").filter(|usage| usage.is_object()) else {
            return;
        };
        let number = |key| count(told, key).unwrap_or(0);
        let cached = number("cache_read_input_tokens");
        let input = number("input_tokens")
            .saturating_add(number("cache_creation_input_tokens"))
            .saturating_add(cached);
        let mut usage = self.usage;
        if input > 0 {
            usage.input_tokens = input;
            usage.cached_input_tokens = cached;
        }
        if let Some(output) = count(told, "output_tokens") {
            usage.output_tokens = output;
        }
        if usage != self.usage {
            self.usage = usage;
            out.push(Delta::Usage { usage });
        }
    }
}

fn push(text: &str, out: &mut Vec<Delta>, delta: impl FnOnce(String) -> Delta) {
    if !text.is_empty() {
        out.push(delta(text.to_string()));
    }
}
