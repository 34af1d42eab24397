//! What the world and a person put in, told from what was recorded of it.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use serde_json::Value;

use super::super::{Body, MovedBy};
use crate::{
    json,
    message::{Message, Part},
    model::Delta,
    session::{Command, MarkKind, MergeHow, Received},
};

/// The command that moved, named or merged. A branch that also names the line it leaves is as good as
/// two commands.
pub(super) fn movement(body: Body) -> Option<Command> {
    Some(match body {
        Body::Moved {
            by: MovedBy::Switch,
            branch: Some(name),
            ..
        } => Command::SwitchTo { name },
        Body::Moved {
            by: MovedBy::Switch,
            to,
            ..
        } => Command::Switch { to: to? },
        Body::Moved {
            by: MovedBy::Redo, ..
        } => Command::Redo,
        Body::Moved {
            by: MovedBy::Undo, ..
        } => Command::Undo,
        Body::Named {
            name,
            kind: MarkKind::Branch,
            entry: at,
        } => Command::Branch { name, at },
        Body::Named {
            name,
            kind: MarkKind::Bookmark,
            entry: at,
        } => Command::Bookmark { name, at },
        Body::Unnamed { name } => Command::Forget { name },
        Body::Renamed { from, to } => Command::Rename { from, to },
        Body::Appended { from, .. } => Command::Merge {
            from,
            how: MergeHow::Append,
        },
        Body::Squashed { from, .. } => Command::Merge {
            from,
            how: MergeHow::Squash,
        },
        _ => return None,
    })
}

/// The command that began a turn with `message`.
pub(super) fn prompt(message: Message, received: Option<Received>) -> Command {
    let text = message.joined_text();
    if let Some(received) = received {
        return Command::Relay { received, text };
    }
    let images = message.parts.into_iter().filter_map(|part| match part {
        Part::Image(image) => Some(image),
        _ => None,
    });
    Command::Prompt {
        text,
        images: images.collect(),
    }
}

pub(super) fn deltas(message: &Message) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for (index, part) in (0..).zip(&message.parts) {
        match part {
            Part::Text { text } => deltas.push(Delta::Text { text: text.clone() }),
            Part::Thinking { text, signature } => {
                deltas.push(Delta::Thinking { text: text.clone() });
                deltas.extend(
                    signature
                        .clone()
                        .map(|signature| Delta::ThinkingSignature { signature }),
                );
            }
            Part::ToolCall(call) => {
                let (id, name) = (call.id.0.clone(), call.name.clone());
                deltas.push(Delta::ToolCallStart { index, id, name });
                let fragment = match &call.arguments {
                    Value::String(words) => words.clone(),
                    arguments => json::to_string(arguments),
                };
                deltas.push(Delta::ToolCallArguments { index, fragment });
            }
            Part::Image(_) | Part::ToolResult(_) => {}
        }
    }
    deltas
}

/// The words a person gave with a refusal, from the text the model was told.
pub(super) fn reason(told: &str) -> Option<String> {
    let told: Value = json::from_str(told).ok()?;
    let said = told.get("reason")?.as_str()?;
    let words = said
        .strip_prefix("the person said no: ")
        .or_else(|| said.strip_prefix("it needs a yes, and "))?;
    Some(words.into())
}

/// The fields in which two records differ.
pub(super) fn differing(recorded: &[u8], written: &[u8]) -> String {
    let read =
        |bytes: &[u8]| json::from_slice::<BTreeMap<String, Value>>(bytes).unwrap_or_default();
    let (recorded, written) = (read(recorded), read(written));
    let shown = |value: Option<&Value>| match value {
        Some(value) => json::to_string(value).chars().take(80).collect(),
        None => String::from("nothing"),
    };
    let fields: Vec<String> = recorded
        .keys()
        .chain(written.keys().filter(|key| !recorded.contains_key(*key)))
        .filter(|key| recorded.get(*key) != written.get(*key))
        .map(|key| {
            format!(
                "{key} was {}, is {}",
                shown(recorded.get(key)),
                shown(written.get(key))
            )
        })
        .collect();
    fields.join("; ")
}
