//! `tau memory`: what the agent keeps across sessions, in the same store and by the same functions
//! as its own tools.

use serde_json::json;
use std::io::Read;
use tau_core::{
    memory::{self, Memory, MemoryError},
    safety::Gate,
    session::Batch,
};
use tau_platform::{Clock, Storage};
use tau_target_native::TokioClock;

use super::block_on;
use crate::{
    config,
    exit::{Error, Exit},
    home::Home,
    sessions::{self, NAMESPACE},
    store::Store,
    ui::{self, Ui},
};

/// Add, search and remove what the agent remembers.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep a text; prints its name.
    Add {
        /// The text; `-` reads it from stdin.
        text: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List all entries, the newest first.
    List {
        /// Print one JSON object: `{"memories": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object an entry.
        #[arg(long)]
        jsonl: bool,
    },
    /// Search by words, the best first.
    Search {
        /// Words to look for.
        query: String,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 8)]
        limit: usize,
        /// Print one JSON object: `{"memories": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object an entry.
        #[arg(long)]
        jsonl: bool,
    },
    /// Show one entry.
    Show {
        /// Its name, or the beginning of it.
        id: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Forget entries.
    Rm {
        /// Their names, or the beginnings of them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        let storage = home.store()?;
        match args.command {
            Command::Add { text, json } => {
                let gate = Gate::new(&config::load(&home.config_file())?.policy);
                add(&storage, ui, &text, json, &gate).await?;
            }
            Command::List { json, jsonl } => {
                let rows = storage.scan(memory::range(NAMESPACE)).await?;
                let mut all: Vec<Memory> = memory::entries(&rows).collect();
                all.sort_by(|a, b| b.at.cmp(&a.at).then(a.id.cmp(&b.id)));
                print(ui, &all, json, jsonl);
            }
            Command::Search {
                query,
                limit,
                json,
                jsonl,
            } => {
                let rows = storage.scan(memory::range(NAMESPACE)).await?;
                print(ui, &memory::search(&rows, &query, limit), json, jsonl);
            }
            Command::Show { id, json } => {
                let entry = find(&storage, &id).await?;
                if json {
                    ui.json(&entry);
                } else {
                    ui.line(ui::plain(&entry.text));
                }
            }
            Command::Rm { ids } => remove(&storage, ui, &ids).await?,
        }
        Ok(Exit::Ok)
    })?
}

async fn add(storage: &Store, ui: Ui, text: &str, json: bool, gate: &Gate) -> Result<(), Error> {
    let mut piped = String::new();
    if text == "-" {
        let mut stdin = std::io::stdin().lock();
        stdin
            .read_to_string(&mut piped)
            .map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
    }
    let text = if text == "-" { &piped } else { text };
    let seed = sessions::seed()?;
    let id: String = seed
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let entry =
        Memory::by_person(&id, text, TokioClock.now(), gate).map_err(|error| match error {
            MemoryError::Withheld { .. } => Error::new(Exit::Denied, error.to_string()),
            error => Error::usage(error.to_string()),
        })?;
    if entry.text != text.trim() {
        ui.warn("secrets in the text are not kept: they are replaced");
    }
    let key = memory::key(NAMESPACE, &id);
    let batch = Batch {
        require_absent: vec![key.clone()],
        put: vec![(key, entry.to_bytes())],
        ..Batch::default()
    };
    storage.commit(batch).await?;
    if json {
        ui.json(&entry);
    } else {
        ui.line(id);
    }
    Ok(())
}

async fn remove(storage: &Store, ui: Ui, ids: &[String]) -> Result<(), Error> {
    let mut batch = Batch::default();
    for id in ids {
        let entry = find(storage, id).await?;
        batch.delete.push(memory::key(NAMESPACE, &entry.id));
    }
    let count = batch.delete.len();
    storage.commit(batch).await?;
    ui.note(format!("{count} forgotten"));
    Ok(())
}

/// The entry whose name begins with `id`.
async fn find(storage: &Store, id: &str) -> Result<Memory, Error> {
    let rows = storage.scan(memory::range(NAMESPACE)).await?;
    let mut found: Vec<Memory> = memory::entries(&rows).collect();
    found.retain(|entry| !id.is_empty() && entry.id.starts_with(id));
    match (found.pop(), found.len()) {
        (Some(entry), 0) => Ok(entry),
        (Some(_), more) => Err(
            Error::usage(format!("{} entries begin with {id:?}", more + 1))
                .hint("write more of the name"),
        ),
        (None, _) => Err(Error::usage(format!("nothing is remembered as {id:?}"))
            .hint("`tau memory list` names what is")),
    }
}

fn print(ui: Ui, entries: &[Memory], json: bool, jsonl: bool) {
    if json {
        ui.json(&json!({ "memories": entries }));
    } else if jsonl {
        entries.iter().for_each(|entry| ui.json(entry));
    } else if entries.is_empty() {
        ui.note("nothing is remembered about that");
    } else {
        for entry in entries {
            ui.line(format!(
                "{}  {}",
                ui::dim(&entry.id),
                ui::one_line(&entry.text, 100)
            ));
        }
    }
}
