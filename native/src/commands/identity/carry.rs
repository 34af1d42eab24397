//! What goes to other homes: logs, and the agent itself.

use serde_json::{Value, json};
use std::path::PathBuf;
use tau_kamn::kel::{KeyLog, LOG_LIMIT_BYTES};
use tau_platform::peers::{self, Learned};

use super::{own, parse, read, standing, stranger, tell};
use crate::{
    credentials::{Keeper, ask},
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, of_kel, of_log},
    ui::{self, Ui},
};

/// What is exported.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The agent itself, sealed with a passphrase: whoever has both is the agent.
    #[arg(long, requires = "passphrase_file")]
    secret: bool,
    /// The file with the passphrase.
    #[arg(long, value_name = "FILE", requires = "secret")]
    passphrase_file: Option<PathBuf>,
}

/// What is imported.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// What `export` wrote; `-` is stdin.
    file: PathBuf,
    /// The file with the passphrase of an exported agent [default: TAU_PASSPHRASE, or asked for].
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Put the exported agent in the place of the one that is here, which is kept aside.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    keeper: Keeper,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints the log, or the sealed agent.
pub(super) fn export(args: Export, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let identity = Identity::need(home)?;
    let Some(file) = args.passphrase_file.filter(|_| args.secret) else {
        ui.line(identity.log().to_value().to_canonical());
        return Ok(Exit::Ok);
    };
    let packed = identity.pack(&ask::in_file(&file)?, ui)?;
    ui.bytes(&packed);
    ui.warn("let it live in one home at a time: two that change its keys make it a fork");
    Ok(Exit::Ok)
}

/// Takes a log, or the sealed agent.
pub(super) async fn import(args: Import, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let bytes = read(Some(&args.file), LOG_LIMIT_BYTES + (64 << 10))?;
    let value: Option<Value> = serde_json::from_slice(&bytes).ok();
    if let Some(value) = value.filter(Identity::is_packed) {
        let passphrase = args.passphrase_file.as_deref();
        let wanted = args.keeper.wanted();
        let identity = Identity::unpack(home, value, passphrase, args.replace, wanted, ui).await?;
        tell(&identity, args.json, ui);
        return Ok(Exit::Ok);
    }
    let log = KeyLog::read(bytes.trim_ascii()).map_err(|error| Error {
        exit: Exit::Usage,
        ..of_kel(&error)
    })?;
    learn(&log, args.json, home, ui).await
}

async fn learn(log: &KeyLog, json: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let did = log.unchecked_state().did().clone();
    let storage = home.store()?;
    let (known, learned) = peers::learn(&storage, log).await.map_err(of_log)?;
    if let Some(identity) = Identity::load(home)?
        && *identity.did() == did
    {
        // What others say of this agent itself: a fork is told before it signs again.
        own(home).await?;
    }
    let (name, words) = match learned {
        Learned::First => ("first", "is known from now on".to_owned()),
        Learned::News { events } => ("news", format!("{events} new events")),
        Learned::Known => ("known", "nothing new".to_owned()),
        Learned::Fork { seq } => ("fork", format!("two stories at event {seq}")),
    };
    if json {
        ui.json(&json!({
            "did": did.as_kamn(), "learned": name, "events": known.events().len(),
            "standing": standing(&known),
        }));
    } else {
        ui.line(format!("{did}: {words}"));
    }
    if let Learned::Fork { .. } = learned {
        let error = Error::new(Exit::Flagged, format!("{did} is compromised"))
            .cause("its log contradicts the one that was known")
            .hint("no key of it is believed any more; ask its owner in another way");
        ui.error(&error);
        return Ok(Exit::Flagged);
    }
    Ok(Exit::Ok)
}

/// Lists the agents that are known.
pub(super) async fn peers(json: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let all = peers::list(&home.store()?).await.map_err(of_log)?;
    if json {
        let peers = all.iter().map(|(did, log)| match log {
            Ok(log) => {
                json!({ "did": did, "events": log.events().len(), "standing": standing(log) })
            }
            Err(error) => json!({ "did": did, "standing": format!("damaged: {error}") }),
        });
        ui.json(&json!({ "peers": peers.collect::<Vec<_>>() }));
    } else if all.is_empty() {
        ui.note("none is known; `tau identity import FILE` takes the log that another exports");
    } else {
        for (did, log) in &all {
            let about = match log {
                Ok(log) => format!("{} events, {}", log.events().len(), standing(log)),
                Err(error) => format!("damaged: {error}"),
            };
            ui.line(format!(
                "{}  {}",
                ui::plain(did),
                ui::dim(ui::plain(&about))
            ));
        }
    }
    Ok(Exit::Ok)
}

/// Forgets an agent.
pub(super) async fn forget(did: &str, json: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let did = parse(did)?;
    if !peers::forget(&home.store()?, &did).await.map_err(of_log)? {
        return Err(stranger(&did));
    }
    match json {
        true => ui.json(&json!({ "forgotten": did.as_kamn() })),
        false => ui.note(format!("forgotten: {did}")),
    }
    Ok(Exit::Ok)
}
