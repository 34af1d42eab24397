//! Ledgers and commands, in and out of files.

use serde_json::json;
use std::path::PathBuf;
use tau_kamn::escrow::SignedCommand;
use tau_platform::trade::{CommandFile, File, MAIN};

use super::{
    told,
    trade::{Market, failed, own_log, read_file, write_file},
};
use crate::exit::{Error, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The ledger.
    #[arg(default_value = MAIN)]
    name: String,
    /// Write it to this file [default: stdout].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, market: &Market<'_>) -> Result<Exit, Error> {
        let file = market.trade.export_ledger(&self.name, &market.storage);
        write_file(&file.await.map_err(failed)?, self.out.as_ref(), market.ui)?;
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file; `-` reads stdin.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        match read_file(&self.file)? {
            File::Ledger { logs, ledger } => {
                let storage = &market.storage;
                let learned = market.trade.learn(&logs, storage).await.map_err(failed)?;
                for did in &learned.forked {
                    let told = format!("the key log of {did} forks: nothing it signs is believed");
                    market.ui.warn(told);
                }
                let imported = market.trade.import_ledger(&ledger, storage).await;
                let imported = imported.map_err(failed)?;
                if self.json {
                    market.ui.json(&json!({
                        "ledger": imported.ledger,
                        "keeper": ledger.keeper.as_kamn(),
                        "new": imported.new,
                        "events": imported.events,
                    }));
                } else {
                    market.ui.line(format!(
                        "{}: {} new of {} events",
                        imported.ledger, imported.new, imported.events
                    ));
                }
            }
            File::Command(CommandFile { log, command }) => {
                let learned = market.trade.learn(&[log], &market.storage).await;
                learned.map_err(failed)?;
                let id = command.command.escrow_id.clone();
                let done = market
                    .act(async |trade, desk| trade.take(command, desk).await)
                    .await?;
                told(&done, &id, self.json, market)?;
            }
            File::Trust(_) | File::Attestation(_) => {
                return Err(Error::usage("that is what agents say of each other")
                    .hint("`tau trust import FILE` takes it"));
            }
        }
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Agree {
    /// The decision that the other party signed; `-` reads stdin.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Agree {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let File::Command(CommandFile { log, command }) = read_file(&self.file)? else {
            return Err(Error::usage("that is no command to an escrow"));
        };
        let learned = market.trade.learn(&[log], &market.storage).await;
        learned.map_err(failed)?;
        let id = command.command.escrow_id.clone();
        let done = market
            .act(async |trade, desk| trade.agree(command, desk).await)
            .await?;
        told(&done, &id, self.json, market)?;
        Ok(Exit::Ok)
    }
}

/// A command that another has to record or agree to, as it is handed to him.
pub(super) fn command_file(command: SignedCommand, market: &Market<'_>) -> Result<String, Error> {
    let log = own_log(&market.signer()?);
    let file = File::Command(CommandFile { log, command });
    Ok(file.to_value().map_err(failed)?.to_canonical())
}
