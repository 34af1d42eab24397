//! `tau session`: what is stored.

use serde_json::json;
use std::{fs, path::PathBuf};
use tau_core::{
    ids::SessionId,
    message::{Part, Role},
    session::{Entry, Session},
};
use tau_platform::{Clock, open};
use tau_target_native::{TokioClock, sqlite};

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    printer::{result_lines, usage_line},
    sessions,
    store::{Place, Store},
    ui::{self, Ui},
};

/// List, show and export sessions; repair the store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List sessions, the last written first.
    List {
        /// At most so many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Print one JSON object: `{"sessions": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object a session.
        #[arg(long)]
        jsonl: bool,
    },
    /// Show a conversation and its tool calls.
    Show {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print a session's records as they are stored, for `tau replay` and for keeping.
    ///
    /// One JSON object a line; of a fork, the sessions it continues come first. The last line
    /// holds the number of records and the transcript's hash.
    Export {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// Write to a file instead of stdout.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Save what can still be read of a damaged store.
    ///
    /// The damaged file is kept beside the new one. No other Tau may run meanwhile.
    Repair {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    if let Command::Repair { json } = args.command {
        return repair(home, ui, json);
    }
    block_on(async {
        let storage = home.store()?;
        match args.command {
            Command::List { limit, json, jsonl } => {
                list(&storage, ui, limit, json, jsonl).await?;
            }
            Command::Show { session, json } => show(&storage, ui, session, json).await?,
            Command::Export { session, output } => export(&storage, ui, session, output).await?,
            Command::Repair { .. } => {}
        }
        Ok(Exit::Ok)
    })?
}

async fn list(
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

async fn named(storage: &Store, name: Option<String>) -> Result<SessionId, Error> {
    match name {
        Some(name) => sessions::find(storage, &name).await,
        None => sessions::latest(storage).await,
    }
}

async fn show(storage: &Store, ui: Ui, name: Option<String>, json: bool) -> Result<(), Error> {
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

async fn export(
    storage: &Store,
    ui: Ui,
    name: Option<String>,
    output: Option<PathBuf>,
) -> Result<(), Error> {
    let id = named(storage, name).await?;
    let stored = open::load(storage, &id).await?;
    let text = stored.export();
    match output {
        Some(file) => {
            fs::write(&file, text).map_err(|error| {
                Error::usage(format!("{} cannot be written", file.display())).cause(error)
            })?;
            ui.note(format!(
                "{} records of {id} are in {}",
                stored.journal.len(),
                file.display()
            ));
        }
        None => ui.bytes(&text),
    }
    Ok(())
}

fn repair(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let file = match home.place()? {
        Place::File(file) => file,
        Place::Server(options) => {
            return Err(Error::usage(format!(
                "{options} is not a file: `repair` is for SQLite alone"
            ))
            .hint(
                "PostgreSQL mends itself after a crash; pg_amcheck looks for damage, and a \
                     backup brings back what is lost",
            ));
        }
    };
    if !file.exists() {
        return Err(Error::usage(format!(
            "there is no store at {}",
            file.display()
        )));
    }
    let report = sqlite::repair(&file)?;
    let gaps: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| json!({ "after": gap.after, "before": gap.before }))
        .collect();
    if json {
        ui.json(&json!({
            "store": file,
            "damaged": report.damaged,
            "rows": report.rows,
            "gaps": gaps,
        }));
        return Ok(Exit::Ok);
    }
    match &report.damaged {
        None => ui.line(format!(
            "the store is sound: {} keys, nothing was changed",
            report.rows
        )),
        Some(damaged) => {
            ui.line(format!("{} keys were saved", report.rows));
            ui.line(format!("the damaged file is kept as {}", damaged.display()));
            for gap in &report.gaps {
                let after = gap.after.as_deref().unwrap_or("the beginning");
                let before = gap.before.as_deref().unwrap_or("the end");
                ui.line(format!("lost: what was between {after} and {before}"));
            }
        }
    }
    Ok(Exit::Ok)
}
