//! `tau session export`: records as they are stored.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};
use tau_core::session::StoreError;
use tau_platform::{open, transfer};

use super::named;
use crate::{
    exit::{Error, Exit},
    store::Store,
    ui::Ui,
};

/// What is exported.
pub(super) enum Which {
    /// One session, by name.
    One(Option<String>),
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
        Which::One(name) => {
            let id = named(storage, name).await?;
            let stored = open::load(storage, &id).await?;
            write(&stored.export())?;
            Ok(format!("{} records of {id}", stored.journal.len()))
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
