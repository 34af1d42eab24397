//! `tau session list` and `show`: what is stored.

use serde_json::json;
use tau_core::{
    message::{Part, Role},
    session::{Entry, Origin, Session},
};
use tau_platform::{Clock, open};
use tau_target_native::TokioClock;

use super::named;
use crate::{
    exit::Error,
    printer::{result_lines, usage_line},
    store::Store,
    ui::{self, Ui},
};

pub(super) async fn list(
    storage: &Store,
    ui: Ui,
    limit: Option<usize>,
    json: bool,
    jsonl: bool,
) -> Result<(), Error> {
    let mut all = open::list(storage).await?;
    all.truncate(limit.unwrap_or(usize::MAX));
    if json {
        ui.json(&json!({ "sessions": all }));
    } else if jsonl {
        all.iter().for_each(|session| ui.json(session));
    } else if all.is_empty() {
        ui.note("there is no session yet");
    } else {
        let now = TokioClock.now();
        for session in &all {
            let state = if session.running {
                ui::caution("unfinished")
            } else {
                String::new()
            };
            ui.line(format!(
                "{}  {:>10}  {:>9}  {} {state}",
                session.session,
                ui::ago(session.updated, now),
                turns(session.turns),
                ui::one_line(&session.title, 60),
            ));
        }
    }
    Ok(())
}

pub(super) async fn show(
    storage: &Store,
    ui: Ui,
    name: Option<String>,
    json: bool,
) -> Result<(), Error> {
    let id = named(storage, name).await?;
    let session = open::open(storage, &id).await?;
    if json {
        ui.json(&to_json(&session));
        return Ok(());
    }
    let summary = session.summary();
    ui.note(format!(
        "{id}: {}, {}",
        turns(summary.turns),
        usage_line(session.usage())
    ));
    for entry in session.entries().path() {
        show_entry(ui, entry);
    }
    if session.is_running() {
        ui.note(format!(
            "the last turn is unfinished: tau run --session {id} goes on with it"
        ));
    }
    Ok(())
}

fn turns(count: u32) -> String {
    if count == 1 {
        "1 turn".into()
    } else {
        format!("{count} turns")
    }
}

fn show_entry(ui: Ui, entry: &Entry) {
    let who = match entry.message.role {
        _ if entry.covers.is_some() => "summary",
        _ if matches!(entry.origin, Some(Origin::Squashed { .. })) => "merged",
        Role::User => "you",
        Role::Assistant => "tau",
        Role::Tool => "tools",
    };
    if entry.message.role != Role::Tool {
        ui.line(ui::bold(format_args!("{who}:")));
    }
    for part in &entry.message.parts {
        match part {
            Part::Text { text } => ui.line(ui::plain(text)),
            Part::Image(image) => ui.line(ui::dim(format_args!("[{}]", ui::plain(&image.mime)))),
            Part::Thinking { .. } => {}
            Part::ToolCall(call) => {
                let arguments = ui::one_line(&call.arguments.to_string(), 200);
                ui.line(format!(
                    "▸ {} {}",
                    ui::plain(&call.name),
                    ui::dim(arguments)
                ));
            }
            Part::ToolResult(result) => result_lines(result).iter().for_each(|line| ui.line(line)),
        }
    }
    if entry.message.role != Role::Tool {
        ui.line("");
    }
}

fn to_json(session: &Session) -> serde_json::Value {
    let entries = session.entries().path().into_iter().map(|entry| {
        json!({
            "id": entry.id,
            "turn": entry.turn,
            "at": entry.at,
            "message": *entry.message,
            "usage": entry.usage,
            "summary": entry.covers.is_some(),
            "parent": entry.parent.and_then(|parent| session.entries().get(parent)).map(|e| &e.id),
        })
    });
    let mut value = json!(session.summary());
    value["entries"] = entries.collect();
    value["usage"] = json!(session.usage());
    value["hash"] = json!(session.chain().hash);
    value["waiting"] = session
        .waiting()
        .into_iter()
        .map(|waiting| json!({ "call": waiting.call, "reason": waiting.reason }))
        .collect();
    value
}
