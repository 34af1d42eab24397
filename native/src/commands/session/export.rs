//! `tau session export`: records as they are stored.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};
use tau_core::session::StoreError;
use tau_platform::{open, receipts, transfer};

use super::named;
use crate::{
    exit::{Error, Exit},
    identity::of_log,
    store::Store,
    ui::Ui,
};

/// What is exported.
pub(super) enum Which {
    /// One session, by name, with its receipts or without.
    One(Option<String>, bool),
    /// All sessions and memories.
    All,
}

/// Runs the command.
pub(super) async fn run(
    storage: &Store,
    ui: Ui,
    which: Which,
    output: Option<PathBuf>,
) -> Result<(), Error> {
    let Some(file) = output else {
        write(storage, which, |bytes| {
            ui.bytes(bytes);
            Ok(())
        })
        .await?;
        return Ok(());
    };
    let name = file.display().to_string();
    let unwritable = |error| Error::usage(format!("{name} cannot be written")).cause(error);
    let mut writer = BufWriter::new(File::create(&file).map_err(unwritable)?);
    let told = write(storage, which, |bytes| {
        writer.write_all(bytes).map_err(|error| StoreError::Io {
            detail: format!("{name} cannot be written: {error}"),
        })
    })
    .await?;
    writer.flush().map_err(unwritable)?;
    ui.note(format!("{told} are in {name}"));
    Ok(())
}

/// Writes it, and says what it was.
async fn write(
    storage: &Store,
    which: Which,
    mut write: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<String, Error> {
    match which {
        Which::One(name, signed) => {
            let id = named(storage, name).await?;
            let stored = open::load(storage, &id).await?;
            let records = stored.journal.len();
            if !signed {
                write(&stored.export())?;
                return Ok(format!("{records} records of {id}"));
            }
            let lines = receipts::export(storage, &id, &stored).await;
            let lines = lines.map_err(of_log)?;
            if lines.is_empty() {
                return Err(Error::usage(format!("session {id} has no receipts"))
                    .hint("an agent with an identity leaves them: `tau identity show`"));
            }
            write(&stored.export_signed(&lines))?;
            Ok(format!(
                "{records} records of {id} and what was signed of them"
            ))
        }
        Which::All => {
            let written = transfer::export_all(storage, write).await;
            let (sessions, rows) = written.map_err(|error| {
                Error::new(Exit::Store, "the store cannot be exported").cause(error)
            })?;
            Ok(format!("{sessions} sessions and {rows} memories"))
        }
    }
}
