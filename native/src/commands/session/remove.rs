//! `tau session rm`: sessions go for good.

use serde_json::json;
use std::io;
use tau_core::{
    ids::SessionId,
    journal::{self, Summary},
};
use tau_platform::{
    Clock, Storage,
    removal::{self, RemovalError, Removed},
};
use tau_target_native::TokioClock;

use crate::{
    exit::{Error, Exit},
    home::Home,
    sessions,
    store::Store,
    ui::{self, Ui},
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Sessions, or the beginnings of their names.
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object: `{removed, records, contents, bytes}`.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(storage: &Store, home: &Home, ui: Ui, args: Args) -> Result<(), Error> {
    let mut ids: Vec<SessionId> = Vec::new();
    for name in &args.sessions {
        ids.push(sessions::find(storage, name).await?);
    }
    // In one order, so that two who remove the same ones do not each hold what the other waits for.
    ids.sort();
    ids.dedup();
    let now = TokioClock.now();
    let mut held = Vec::new();
    for id in &ids {
        held.push(storage.hold(home, id, "tau session rm", now).await?);
    }
    if !args.yes {
        agree(storage, ui, &ids).await?;
    }
    let done = removal::remove(storage, &ids).await.map_err(explained)?;
    if args.json {
        let Removed {
            records,
            contents,
            bytes,
            ..
        } = done;
        ui.json(&json!({
            "removed": ids, "records": records, "contents": contents, "bytes": bytes,
        }));
    } else {
        ids.iter().for_each(|id| ui.line(id));
        ui.note(said(&done));
    }
    Ok(())
}

/// What was removed, in words.
fn said(done: &Removed) -> String {
    let kib = done.bytes.div_ceil(1024);
    format!(
        "{} records and {} large contents ({kib} KiB) are gone; what was remembered and what is \
         allowed stays",
        done.records, done.contents
    )
}

/// Waits for a yes.
async fn agree(storage: &Store, ui: Ui, ids: &[SessionId]) -> Result<(), Error> {
    let refused = || {
        Error::new(Exit::Denied, "nobody said that they are to go")
            .hint("say so with --yes, if that is meant")
    };
    if !ui::can_ask() {
        return Err(refused());
    }
    for id in ids {
        let line = storage.get(journal::summary_key(id)).await?;
        let line = line.and_then(|line| Summary::read(&line));
        let about = line.map_or(String::new(), |line| {
            let title = ui::one_line(&line.title, 60);
            format!("  {title} ({} turns)", line.turns)
        });
        ui.tell(format!("{id}{about}"));
    }
    ui.ask("Remove them with all their branches? There is no way back. [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

fn explained(error: RemovalError) -> Error {
    match error {
        RemovalError::Store(error) => error.into(),
        RemovalError::Missing(_) => Error::usage(error.to_string()),
        RemovalError::Continued { ref by, .. } => Error::usage(error.to_string())
            .hint(format!("remove both at once: add {by}; or keep this one")),
    }
}
