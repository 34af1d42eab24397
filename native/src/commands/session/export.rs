//! `tau session export`: records as they are stored.

use std::{fs, path::PathBuf};
use tau_platform::open;
use tau_target_native::SqliteStorage;

use super::named;
use crate::{exit::Error, ui::Ui};

/// Runs the command.
pub(super) async fn run(
    storage: &SqliteStorage,
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
