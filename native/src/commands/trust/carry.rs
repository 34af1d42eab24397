//! What others said, in and out of files.

use serde_json::{Value, json};
use std::path::PathBuf;
use tau_platform::trade::{File, Imported, Taken, TradeError, Uncounted, height_at};

use super::trade::{Market, failed, now, read_file, write_file};
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file; `-` reads stdin.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) async fn run(self, home: &Home, ui: Ui) -> Result<Exit, Error> {
        let file = read_file(&self.file)?;
        let mut market = Market::open(home, ui).await?;
        let storage = &market.storage;
        let taken = match file {
            File::Trust(trust) => market.trade.import_trust(&trust, storage, now()).await,
            File::Attestation(signed) => {
                let id = signed.id().map_err(|error| failed(error.into()))?;
                match market.trade.admit(signed, storage, now()).await {
                    Ok(true) => Ok(Taken {
                        admitted: vec![id],
                        ..Taken::default()
                    }),
                    Ok(false) => Ok(Taken {
                        known: 1,
                        ..Taken::default()
                    }),
                    Err(TradeError::Attest(error)) => Ok(Taken {
                        refused: vec![Uncounted {
                            id,
                            reason_code: error.reason_code(),
                            why: error.to_string(),
                        }],
                        ..Taken::default()
                    }),
                    Err(error) => Err(error),
                }
            }
            File::Ledger { .. } | File::Command(_) => {
                return Err(Error::usage("that is for the ledger")
                    .hint("`tau escrow import FILE` takes it"));
            }
        };
        let taken = taken.map_err(failed)?;
        match self.json {
            true => ui.json(&taken_json(&taken)),
            false => tell(&taken, ui),
        }
        let is_refused = taken.admitted.is_empty() && taken.known == 0;
        match is_refused && !(taken.refused.is_empty() && taken.refused_ledgers.is_empty()) {
            true => Ok(Exit::Flagged),
            false => Ok(Exit::Ok),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Write it to this file [default: stdout].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, home: &Home, ui: Ui) -> Result<Exit, Error> {
        let market = Market::open(home, ui).await?;
        let height = height_at(now());
        let file = market.trade.export_trust(height, &market.storage).await;
        write_file(&file.map_err(failed)?, self.out.as_ref(), ui)?;
        Ok(Exit::Ok)
    }
}

fn tell(taken: &Taken, ui: Ui) {
    for did in &taken.learned {
        ui.note(format!("learned the key log of {did}"));
    }
    for did in &taken.forked {
        ui.warn(format!(
            "the key log of {did} forks: nothing it signs is believed"
        ));
    }
    for Imported {
        ledger,
        new,
        events,
    } in &taken.ledgers
    {
        ui.note(format!("ledger {ledger}: {new} new of {events} events"));
    }
    for Uncounted { id, why, .. } in &taken.refused_ledgers {
        ui.warn(ui::plain(&format!("ledger {id} is refused: {why}")));
    }
    for Uncounted { id, why, .. } in &taken.refused {
        ui.warn(ui::plain(&format!("attestation {id} is refused: {why}")));
    }
    ui.line(format!(
        "{} admitted, {} known before, {} refused",
        taken.admitted.len(),
        taken.known,
        taken.refused.len()
    ));
}

fn taken_json(taken: &Taken) -> Value {
    let refused = |all: &[Uncounted]| -> Vec<Value> {
        let all = all.iter();
        all.map(|one| json!({ "id": one.id, "reason_code": one.reason_code, "why": one.why }))
            .collect()
    };
    let names = |dids: &[tau_kamn::AgentDid]| -> Vec<String> {
        dids.iter().map(tau_kamn::AgentDid::as_kamn).collect()
    };
    let ledgers = taken
        .ledgers
        .iter()
        .map(|one| json!({ "ledger": one.ledger, "new": one.new, "events": one.events }));
    json!({
        "learned": names(&taken.learned),
        "forked": names(&taken.forked),
        "ledgers": ledgers.collect::<Vec<_>>(),
        "refused_ledgers": refused(&taken.refused_ledgers),
        "admitted": taken.admitted,
        "known": taken.known,
        "refused": refused(&taken.refused),
    })
}
