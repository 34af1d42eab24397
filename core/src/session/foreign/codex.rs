//! Codex: a rollout is a list of `{timestamp, type, payload}`, one after another. The first line says
//! the session's name; `response_item` holds messages, calls and their outputs. Older rollouts have
//! the payloads themselves as lines.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    build::{Builder, Piece, words},
    millis, text,
};
use crate::{
    ids::CallId,
    json::{self, Value},
    message::{Image, Part, ToolCall, ToolStatus},
};

/// What the lines so far mean for the next.
#[derive(Debug, Default)]
pub(super) struct State {
    last: Option<String>,
    /// The answer that is being told, by the number of its first line.
    answer: Option<usize>,
}

pub(super) fn line(
    builder: &mut Builder,
    state: &mut State,
    number: usize,
    line: &Value,
) -> Result<(), String> {
    let at = line["timestamp"].as_str().and_then(millis);
    let payload = &line["payload"];
    let item = match line["type"].as_str() {
        Some("session_meta") => {
            builder.name = text(&payload["id"]);
            return Ok(());
        }
        None if line["id"].is_string() => {
            builder.name = text(&line["id"]);
            return Ok(());
        }
        // Lines about state, without a type.
        None => return Ok(()),
        Some("response_item") => payload,
        Some("event_msg" | "turn_context") => return Ok(()),
        Some("compacted") => {
            builder.leave("summaries");
            return Ok(());
        }
        Some(_) => line,
    };
    let piece = piece(builder, item)?;
    let piece = match piece {
        Some(Said::Answer(parts)) => {
            let answer = *state.answer.get_or_insert(number);
            Piece::Answer(format!("{answer}"), parts)
        }
        Some(Said::Other(piece)) => {
            state.answer = None;
            piece
        }
        None => return Ok(()),
    };
    let id = number.to_string();
    let parent = state.last.replace(id.clone());
    builder.line(number, id, parent, at, piece);
    Ok(())
}

enum Said {
    Answer(Vec<Part>),
    Other(Piece),
}

fn piece(builder: &mut Builder, item: &Value) -> Result<Option<Said>, String> {
    let call = |arguments: Value| {
        Said::Answer(alloc::vec![Part::ToolCall(ToolCall {
            id: CallId(text(&item["call_id"])),
            name: item["name"].as_str().unwrap_or("shell").into(),
            arguments,
        })])
    };
    Ok(Some(
        match item["type"].as_str().ok_or("it has no type")? {
            "message" => match item["role"].as_str() {
                Some("user") => {
                    let parts = parts(&item["content"]);
                    if is_context(&parts) {
                        builder.leave("instructions");
                        return Ok(None);
                    }
                    Said::Other(Piece::Person(parts))
                }
                Some("assistant") => Said::Answer(parts(&item["content"])),
                _ => {
                    builder.leave("instructions");
                    return Ok(None);
                }
            },
            "function_call" => {
                let arguments = text(&item["arguments"]);
                call(json::from_str(&arguments).unwrap_or(Value::String(arguments)))
            }
            "custom_tool_call" => {
                let input = ("input", text(&item["input"]).into());
                call(json::object_of([input]))
            }
            "local_shell_call" => call(item["action"].clone()),
            "function_call_output" | "custom_tool_call_output" => {
                let (status, told) = output(&item["output"]);
                let result = (text(&item["call_id"]), status, told, Vec::new());
                Said::Other(Piece::Results(alloc::vec![result]))
            }
            "reasoning" => {
                builder.leave("pieces of reasoning");
                return Ok(None);
            }
            _ => {
                builder.leave("lines of an unknown kind");
                return Ok(None);
            }
        },
    ))
}

/// What the program puts before a person's words.
fn is_context(parts: &[Part]) -> bool {
    let own = [
        "<environment_context>",
        "<user_instructions>",
        "<permissions instructions>",
        "# AGENTS.md instructions",
    ];
    let begins = |part: &Part| match part {
        Part::Text { text } => own.iter().any(|own| text.trim_start().starts_with(own)),
        _ => false,
    };
    parts.first().is_some_and(begins)
}

fn parts(content: &Value) -> Vec<Part> {
    let Some(blocks) = content.as_array() else {
        return words(text(content));
    };
    let read = blocks
        .iter()
        .flat_map(|block| match block["type"].as_str() {
            Some("input_image") => image(&block["image_url"]).into_iter().collect(),
            _ => words(text(&block["text"])),
        });
    read.collect()
}

fn image(url: &Value) -> Option<Part> {
    let (mime, data) = url
        .as_str()?
        .strip_prefix("data:")?
        .split_once(";base64,")?;
    let (mime, data) = (mime.into(), data.into());
    Some(Part::Image(Image { mime, data }))
}

/// An output is a text, a text of JSON with the output and the exit code in it, or an object.
fn output(output: &Value) -> (ToolStatus, String) {
    let inner = output.as_str().and_then(|text| json::from_str(text).ok());
    let object: &Value = inner.as_ref().unwrap_or(output);
    let code = object["metadata"]["exit_code"].as_i64().unwrap_or(0);
    let failed = code != 0 || object["success"].as_bool() == Some(false);
    let told = ["output", "content"]
        .iter()
        .find_map(|name| object.get(*name));
    let told = match told {
        Some(told) if object.is_object() => text(told),
        _ => text(output),
    };
    let status = match failed {
        true => ToolStatus::Error,
        false => ToolStatus::Ok,
    };
    (status, told)
}
