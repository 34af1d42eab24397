//! `tau identity`: who the agent is, what it signs, and who others are.

mod carry;
mod change;
mod proof;

use serde_json::{Value, json};
use std::path::PathBuf;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid,
    did_doc::{self, Form, Metadata},
    kel::{Key, KeyEntry, KeyLog},
};
use tau_platform::peers;

use super::block_on;
use crate::{
    credentials::Keeper,
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, LABEL, date, of_kel, of_log},
    ui::{self, Ui},
};

const EXAMPLES: &str = "\
Examples:
  tau identity sign challenge.txt              prints the signature: z…
  tau identity verify challenge.txt --by DID --signature z…
  tau identity export > me.json                for others, who `tau identity import me.json`
  tau identity export --secret --passphrase-file FILE > moving.json   the agent itself

The seed is sealed in identity.json in Tau's folder, as credentials are: by a passphrase
(TAU_PASSPHRASE_FILE, TAU_PASSPHRASE), the system's keyring, or, where neither is there, by the
permissions of a file alone, which `show` says.";

/// Show and change who the agent is, sign and verify, and know other agents.
///
/// Its name is bound to its first key; its keys change without a change of the name, and the log of
/// these changes proves which count.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an identity; the first turn does so as well.
    New {
        /// What the agent is called in its name [default: tau].
        #[arg(long, default_value = LABEL, hide_default_value = true)]
        label: String,
        #[command(flatten)]
        keeper: Keeper,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show an agent's name, its keys, and what protects them.
    Show {
        /// Another agent that is known [default: this one].
        did: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the DID document that the log of its keys yields.
    Document {
        /// Under its name as KAMN has it, kamn:did:agent:… [default: as the W3C has it].
        #[arg(long, conflicts_with = "w3c")]
        kamn: bool,
        /// Under its name as the W3C has it, did:kamn:agent:…
        #[arg(long)]
        w3c: bool,
        /// Of another agent that is known.
        #[arg(long, value_name = "DID")]
        of: Option<String>,
    },
    /// Replace keys by new ones; the name stays.
    Rotate(change::Rotate),
    /// Say that a key was lost; a new one takes its place where it was the present one.
    Revoke(change::Revoke),
    /// End the agent: none of its keys count any more, for good.
    Deactivate(change::Deactivate),
    /// Seal the seed anew, held by a passphrase or the keyring.
    Rekey(change::Rekey),
    /// Sign a text with the key that messages are signed with.
    Sign(proof::Sign),
    /// Verify a signature by an agent, a did:key or a DID document.
    Verify(proof::Verify),
    /// Print the log of the keys, for others; or the agent itself, sealed, to move it.
    Export(carry::Export),
    /// Remember another agent by its log, or let an exported agent live here.
    Import(carry::Import),
    /// List the agents that are known.
    Peers {
        /// Print one JSON object: `{"peers": […]}`.
        #[arg(long)]
        json: bool,
    },
    /// Forget an agent; what it shows next is first contact again.
    Forget {
        /// The agent.
        did: String,
        /// Print one JSON object: `{"forgotten"}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::New {
                label,
                keeper,
                json,
            } => new(home, &label, keeper, json, ui).await,
            Command::Show { did, json } => show(home, did.as_deref(), json, ui).await,
            Command::Document { kamn, w3c: _, of } => document(home, kamn, of.as_deref(), ui).await,
            Command::Rotate(args) => change::rotate(args, home, ui).await,
            Command::Revoke(args) => change::revoke(args, home, ui).await,
            Command::Deactivate(args) => change::deactivate(args, home, ui).await,
            Command::Rekey(args) => change::rekey(args, home, ui),
            Command::Sign(args) => proof::sign(args, home, ui).await,
            Command::Verify(args) => proof::verify(args, home, ui).await,
            Command::Export(args) => carry::export(args, home, ui),
            Command::Import(args) => carry::import(args, home, ui).await,
            Command::Peers { json } => carry::peers(json, home, ui).await,
            Command::Forget { did, json } => carry::forget(&did, json, home, ui).await,
        }
    })?
}

async fn new(home: &Home, label: &str, keeper: Keeper, json: bool, ui: Ui) -> Result<Exit, Error> {
    let (mut identity, is_new) = Identity::make(home, label, keeper.wanted(), ui)?;
    if !is_new {
        return Err(
            Error::usage(format!("this home is {} already", identity.did()))
                .hint("`tau identity show` tells more; another TAU_HOME is another agent"),
        );
    }
    identity.settle(&home.store()?).await?;
    tell(&identity, json, ui);
    Ok(Exit::Ok)
}

async fn show(home: &Home, did: Option<&str>, json: bool, ui: Ui) -> Result<Exit, Error> {
    if let Some(did) = did {
        let log = log_of(home, did).await?;
        match json {
            true => ui.json(&of_agent(&log)),
            false => print(&log, ui),
        }
        return Ok(Exit::Ok);
    }
    let mut identity = Identity::need(home)?;
    identity.settle(&home.store()?).await?;
    tell(&identity, json, ui);
    Ok(Exit::Ok)
}

/// Shows the agent of this home.
fn tell(identity: &Identity, json: bool, ui: Ui) {
    let protection = identity.protection();
    if json {
        let mut value = of_agent(identity.log());
        value["key_held_by"] = json!(protection);
        value["protection"] = protection.words().into();
        return ui.json(&value);
    }
    print(identity.log(), ui);
    ui.line(format!("seed       {}", protection.words()));
    if let Some(hint) = protection.hint() {
        ui.line(format!("           {}", ui::dim(hint)));
    }
}

fn print(log: &KeyLog, ui: Ui) {
    let state = log.unchecked_state();
    ui.line(ui::bold(state.did()));
    ui.line(format!("as W3C     {}", state.did().as_w3c()));
    ui.line(format!("identity   {}", state.identity().to_multikey()));
    for entry in state.keys() {
        let (key, _) = multikey(entry);
        let ended = match (&entry.revocation, entry.until_ms) {
            (Some(revocation), _) => {
                let since = date(UnixMillis(revocation.compromised_since_ms));
                format!(", revoked, lost since {since}: {}", revocation.reason)
            }
            (None, Some(until_ms)) => format!(" until {}", date(UnixMillis(until_ms))),
            (None, None) => String::new(),
        };
        let times = format!("from {}{ended}", date(UnixMillis(entry.from_ms)));
        let times = ui::dim(ui::plain(&times));
        ui.line(format!("#{}  {key}  {times}", entry.fragment));
    }
    let events = log.events().len();
    ui.line(format!("log        {events} events, {}", standing(log)));
}

/// What is known of an agent, as JSON.
fn of_agent(log: &KeyLog) -> Value {
    let state = log.unchecked_state();
    let did = state.did().as_kamn();
    let keys = state.keys().iter().map(|entry| {
        let (key, kind) = multikey(entry);
        let revocation = entry.revocation.as_ref();
        json!({
            "id": format!("{did}#{}", entry.fragment),
            "kind": kind,
            "public_key": key,
            "from_ms": entry.from_ms,
            "until_ms": entry.until_ms,
            "revoked": revocation.map(|revocation| json!({
                "reason": revocation.reason,
                "compromised_since_ms": revocation.compromised_since_ms,
            })),
        })
    });
    json!({
        "did": did,
        "w3c": state.did().as_w3c(),
        "label": state.did().label(),
        "identity_key": state.identity().to_multikey(),
        "keys": keys.collect::<Vec<_>>(),
        "events": log.events().len(),
        "head": tau_kamn::bytes::hex(state.head()),
        "standing": standing(log),
    })
}

fn multikey(entry: &KeyEntry) -> (String, &'static str) {
    match &entry.key {
        Key::Signing(key) => (key.to_multikey(), "signing"),
        Key::Agreement(key) => (key.to_multikey(), "agreement"),
    }
}

/// What a log amounts to, in a word.
fn standing(log: &KeyLog) -> &'static str {
    match log.state() {
        Err(_) => "forked: no key of it is believed",
        Ok(state) if state.is_deactivated() => "deactivated",
        Ok(state) if state.current_signing().is_none() => "without a key to sign with",
        Ok(_) => "valid",
    }
}

async fn document(home: &Home, kamn: bool, of: Option<&str>, ui: Ui) -> Result<Exit, Error> {
    let log = match of {
        Some(did) => log_of(home, did).await?,
        None => Identity::need(home)?.log().clone(),
    };
    let state = log.state().map_err(|error| of_kel(&error))?;
    let form = match kamn {
        true => Form::Native,
        false => Form::W3c,
    };
    let document = did_doc::of_state(state, form, &about(), &[]);
    let document = document.map_err(|error| {
        Error::new(Exit::Auth, "there is no document to make of this log").cause(error)
    })?;
    ui.line(document.value().to_canonical());
    Ok(Exit::Ok)
}

/// What a document says beside the log.
fn about() -> Metadata {
    Metadata {
        agent_type: "assistant".into(),
        model_family: "configurable".into(),
        capabilities: vec!["conversation".into(), "tools".into()],
        operator: None,
        // Put in from the log.
        key_event_seq: 0,
        key_event_hash: String::new(),
    }
}

/// The log of an agent that is known: this one or another.
async fn log_of(home: &Home, did: &str) -> Result<KeyLog, Error> {
    let did = parse(did)?;
    if let Some(own) = Identity::load(home)?
        && *own.did() == did
    {
        return Ok(own.log().clone());
    }
    let known = peers::get(&home.store()?, &did).await.map_err(of_log)?;
    known.ok_or_else(|| stranger(&did))
}

fn stranger(did: &AgentDid) -> Error {
    Error::usage(format!("nothing is known of {did}"))
        .hint("`tau identity import FILE` takes the log that it exports")
}

/// Reads an agent's name in either form.
pub(super) fn parse(did: &str) -> Result<AgentDid, Error> {
    AgentDid::parse_any(did.trim()).map_err(|error| {
        Error::usage(format!("{did:?} names no agent"))
            .cause(error)
            .hint("such as kamn:did:agent:tau--keyh-…, as `tau identity show` prints it")
    })
}

/// What `file` holds, at most `most_bytes` of it; stdin without a file or for `-`.
pub(super) fn read(file: Option<&PathBuf>, most_bytes: usize) -> Result<Vec<u8>, Error> {
    use std::{fs::File, io::Read};
    let limit = most_bytes as u64 + 1;
    let mut bytes = Vec::new();
    let (name, read) = match file.filter(|file| file.as_os_str() != "-") {
        None => {
            let stdin = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
            ("stdin".into(), stdin)
        }
        Some(file) => {
            let read = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
            (file.display().to_string(), read)
        }
    };
    read.map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;
    if bytes.len() > most_bytes {
        return Err(Error::usage(format!(
            "{name} has more than {most_bytes} bytes"
        )));
    }
    Ok(bytes)
}

/// The agent of this home, in step with its store.
async fn own(home: &Home) -> Result<Identity, Error> {
    let mut identity = Identity::need(home)?;
    identity.settle(&home.store()?).await?;
    Ok(identity)
}
