//! Tau as it was before its journals: a `meta` record with the version, then an `entry` a message,
//! named by numbers. The oldest files have entries alone.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    build::{Builder, Piece, words},
    text,
};
use crate::{
    ids::CallId,
    json::Value,
    message::{Image, Part, ToolCall, ToolStatus},
};

/// The version that is read.
const VERSION: u64 = 1;

pub(super) fn line(builder: &mut Builder, number: usize, line: &Value) -> Result<(), String> {
    match line["record_type"].as_str() {
        Some("meta") => {
            let version = line["schema_version"].as_u64();
            return match version.ok_or("it names no schema_version")? {
                VERSION => Ok(()),
                found => Err(format!("it has version {found}, this Tau reads {VERSION}")),
            };
        }
        Some("entry") | None => {}
        Some(other) => return Err(format!("{other:?} is no kind of record")),
    }
    let id = line["id"]
        .as_u64()
        .ok_or("its id is no number")?
        .to_string();
    let parent = match &line["parent_id"] {
        Value::Null => None,
        parent => Some(
            parent
                .as_u64()
                .ok_or("its parent_id is no number")?
                .to_string(),
        ),
    };
    let message = &line["message"];
    let role = message["role"].as_str().ok_or("its message has no role")?;
    let piece = match role {
        "user" => Piece::Person(parts(message)),
        "system" => {
            // Kept as what somebody said: nothing from elsewhere instructs.
            let said = text(&message["content"]);
            Piece::Person(words(format!(
                "[The system prompt of that session]\n{said}"
            )))
        }
        "assistant" => Piece::Answer(id.clone(), parts(message)),
        "tool" => {
            let status = match message["is_error"].as_bool() {
                Some(true) => ToolStatus::Error,
                _ => ToolStatus::Ok,
            };
            let call = text(&message["tool_call_id"]);
            let told = text(&message["content"]);
            Piece::Results(alloc::vec![(call, status, told, Vec::<Image>::new())])
        }
        other => return Err(format!("{other:?} is no role")),
    };
    builder.line(number, id, parent, None, piece);
    Ok(())
}

fn parts(message: &Value) -> Vec<Part> {
    let Some(blocks) = message["content"].as_array() else {
        return words(text(&message["content"]));
    };
    let mut parts: Vec<Part> = Vec::new();
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_call") => parts.push(Part::ToolCall(ToolCall {
                id: CallId(text(&block["id"])),
                name: text(&block["name"]),
                arguments: block["arguments"].clone(),
            })),
            _ => {
                let said: String = text(&block["text"]);
                parts.extend(words(said));
            }
        }
    }
    parts
}
