//! Claude Code: one JSON object a line, `uuid` and `parentUuid` make the tree, `message` is as its
//! provider's API has it. An answer is written a content block a line, with one `message.id`.

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
    json::Value,
    message::{Image, Part, ToolCall, ToolStatus},
};

pub(super) fn line(builder: &mut Builder, number: usize, line: &Value) -> Result<(), String> {
    let kind = line["type"].as_str().ok_or("it has no type")?;
    if kind == "summary" {
        builder.title = line["summary"].as_str().map(Into::into);
        return Ok(());
    }
    // Lines without a name are notes of the program, which nothing follows.
    let Some(id) = line["uuid"].as_str().map(String::from) else {
        return Ok(());
    };
    if let Some(session) = line["sessionId"].as_str() {
        builder.name = session.into();
    }
    let parent = line["parentUuid"].as_str().map(Into::into);
    let at = line["timestamp"].as_str().and_then(millis);
    let flag = |name: &str| line[name].as_bool() == Some(true);
    let content = &line["message"]["content"];
    let piece = match kind {
        "user" | "assistant" if flag("isSidechain") => {
            builder.leave("messages of sub-agents");
            Piece::Nothing
        }
        "user" if flag("isMeta") => {
            builder.leave("notes of the program");
            Piece::Nothing
        }
        "user" => {
            let results = results(content);
            let parts = parts(builder, content, false);
            if !results.is_empty() && !parts.is_empty() {
                let first = format!("{id}/results");
                builder.line(number, first.clone(), parent, at, Piece::Results(results));
                builder.line(number, id, Some(first), at, Piece::Person(parts));
                return Ok(());
            }
            match results.is_empty() {
                true => Piece::Person(parts),
                false => Piece::Results(results),
            }
        }
        "assistant" => {
            let name = line["message"]["id"].as_str().unwrap_or(&id).to_string();
            Piece::Answer(name, parts(builder, content, true))
        }
        _ => Piece::Nothing,
    };
    builder.line(number, id, parent, at, piece);
    Ok(())
}

fn parts(builder: &mut Builder, content: &Value, is_answer: bool) -> Vec<Part> {
    let Some(blocks) = content.as_array() else {
        return words(text(content));
    };
    let mut parts = Vec::new();
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => parts.extend(words(text(&block["text"]))),
            Some("image") if !is_answer => parts.extend(image(block).map(Part::Image)),
            Some("tool_use") if is_answer => parts.push(Part::ToolCall(ToolCall {
                id: CallId(text(&block["id"])),
                name: text(&block["name"]),
                arguments: block["input"].clone(),
            })),
            Some("thinking" | "redacted_thinking") => builder.leave("pieces of reasoning"),
            Some("tool_result") => {}
            _ => builder.leave("pieces of an unknown kind"),
        }
    }
    parts
}

fn results(content: &Value) -> Vec<(String, ToolStatus, String, Vec<Image>)> {
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let results = blocks
        .iter()
        .filter(|block| block["type"].as_str() == Some("tool_result"));
    let read = results.map(|block| {
        let status = match block["is_error"].as_bool() {
            Some(true) => ToolStatus::Error,
            _ => ToolStatus::Ok,
        };
        let content = &block["content"];
        let inner = content.as_array().map(Vec::as_slice).unwrap_or_default();
        let images = inner.iter().filter_map(image).collect();
        (text(&block["tool_use_id"]), status, text(content), images)
    });
    read.collect()
}

fn image(block: &Value) -> Option<Image> {
    let source = &block["source"];
    Some(Image {
        mime: source["media_type"].as_str()?.into(),
        data: source["data"].as_str()?.into(),
    })
}
