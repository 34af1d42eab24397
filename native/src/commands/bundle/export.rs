//! `tau bundle export`.

use serde_json::json;
use std::{collections::BTreeSet, path::PathBuf};
use tau_core::{
    bundle::{Kdf, Manifest, PartName},
    memory::Scope,
    safety::Gate,
};
use tau_kamn::{AgentDid, bytes::hex, kel::KeyLog};
use tau_platform::{
    Clock, Entropy, NoEmbedder,
    bundle::{self, ExportError, MakeError, Seal, Wanted},
    memory::Service,
    open, peers,
};
use tau_target_native::{SystemEntropy, TokioClock};

use super::{What, derive, folders, only, progress, refused, short, whole, workspace};
use crate::{
    config,
    credentials::ask,
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, LABEL, of_log},
    replace::replace,
    sessions,
    store::Store,
    ui::Ui,
};

/// What Argon2id is given for a passphrase: as for what this home keeps sealed itself.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Only these sessions, each by the beginning of its name; may be repeated.
    #[arg(long = "session", value_name = "SESSION")]
    sessions: Vec<String>,
    /// Only memories of this scope, such as user or agent:reviewer; may be repeated.
    #[arg(long = "memory", value_name = "SCOPE", value_parser = parse_scope)]
    scopes: Vec<Scope>,
    /// Only this; may be repeated.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// Leave out what this earlier bundle has as it is.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Seal it for this agent, whose key log is known here (`tau identity import`); may be repeated.
    /// `self` is this home's own agent.
    #[arg(long, value_name = "DID", conflicts_with = "passphrase_file")]
    encrypt_to: Vec<String>,
    /// Seal it with the passphrase in this file; with --since, also what opens that one.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The folder whose identity files go along [default: this one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Print one JSON object: `{id, did, parts, unchanged, bytes}`.
    #[arg(long)]
    json: bool,
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    text.parse()
        .map_err(|error: tau_core::memory::BadScope| error.to_string())
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let is_stdout = args.output.as_os_str() == "-";
    if is_stdout && args.json {
        return Err(
            Error::usage("--json and a bundle do not both fit on stdout")
                .hint("name a file with -o"),
        );
    }
    let storage = home.store()?;
    let since = since(&args, home, ui).await?;
    let (mut identity, is_new) = Identity::make(home, LABEL, None, ui)?;
    if is_new {
        ui.note(format!("the agent's identity: {}", identity.did()));
    }
    identity.settle(&storage).await?;
    let seal = seal(&args, &identity, &storage).await?;
    let parts = parts(&args, home, &storage, ui).await?;
    let signer = identity.need_unlocked(ui)?;
    let count = parts.len();
    let made = bundle::make(
        &signer,
        parts,
        since.as_ref(),
        seal,
        &SystemEntropy,
        TokioClock.now(),
    );
    let made = made.await.map_err(not_made)?;
    let draft = made.manifest.draft();
    if is_stdout {
        ui.bytes(&made.bytes);
    } else {
        replace(&args.output, &made.bytes).map_err(|error| {
            Error::usage(format!("{} cannot be written", args.output.display())).cause(error)
        })?;
    }
    if args.json {
        ui.json(&json!({
            "id": hex(made.manifest.id()),
            "did": made.manifest.did(),
            "parts": names(draft.parts.iter().map(|part| &part.name)),
            "unchanged": names(draft.unchanged.iter().map(|part| &part.name)),
            "bytes": made.bytes.len(),
        }));
    } else {
        let left = match draft.unchanged.len() {
            0 => String::new(),
            left => format!(", {left} of {count} are in the earlier one"),
        };
        ui.note(format!(
            "bundle {}: {} parts{left}, {} KiB, signed by {}",
            short(made.manifest.id()),
            draft.parts.len(),
            made.bytes.len().div_ceil(1024),
            made.manifest.did(),
        ));
    }
    Ok(Exit::Ok)
}

fn names<'a>(names: impl Iterator<Item = &'a PartName>) -> Vec<String> {
    names.map(ToString::to_string).collect()
}

/// The manifest of the earlier bundle, which was verified like any other.
async fn since(args: &Args, home: &Home, ui: Ui) -> Result<Option<Manifest>, Error> {
    let Some(file) = &args.since else {
        return Ok(None);
    };
    let passphrase = args.passphrase_file.as_deref();
    let read = whole(file, passphrase, |_| false, home, ui).await?;
    let earlier = read.map_err(|error| refused(file, &error))?;
    Ok(Some(earlier.manifest))
}

async fn seal(args: &Args, identity: &Identity, storage: &Store) -> Result<Seal, Error> {
    if let Some(file) = &args.passphrase_file {
        let passphrase = ask::in_file(file)?;
        ask::long_enough(&passphrase)?;
        let mut salt = [0; 16];
        SystemEntropy
            .fill(&mut salt)
            .map_err(|error| Error::internal(error.to_string()))?;
        let kdf = Kdf {
            salt,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: 1,
        };
        let derived = derive(&kdf, &passphrase).map_err(Error::internal)?;
        return Ok(Seal::Passphrase { kdf, derived });
    }
    let mut logs: Vec<KeyLog> = Vec::new();
    for did in &args.encrypt_to {
        if did == "self" {
            logs.push(identity.log().clone());
            continue;
        }
        let known = AgentDid::parse_any(did)
            .map_err(|error| Error::usage(format!("{did:?} is no agent's DID")).cause(error))?;
        match peers::get(storage, &known).await.map_err(of_log)? {
            Some(log) => logs.push(log),
            None => {
                return Err(
                    Error::usage(format!("the keys of {did} are not known here"))
                        .hint("have it show its log: `tau identity export` there, `import` here"),
                );
            }
        }
    }
    Ok(match logs.is_empty() {
        true => Seal::Open,
        false => Seal::Agents(logs),
    })
}

async fn parts(
    args: &Args,
    home: &Home,
    storage: &Store,
    ui: Ui,
) -> Result<Vec<(PartName, Vec<u8>)>, Error> {
    // Who names sessions or scopes means those.
    let named: Vec<What> = [
        (!args.sessions.is_empty(), What::Sessions),
        (!args.scopes.is_empty(), What::Memory),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect();
    let default = match named.is_empty() {
        true => &What::ALL[..],
        false => &named[..],
    };
    let wants: BTreeSet<What> = only(&args.only, default);
    let mut wanted = Wanted::default();
    if wants.contains(&What::Sessions) {
        for name in &args.sessions {
            wanted.sessions.push(sessions::find(storage, name).await?);
        }
        if args.sessions.is_empty() {
            let all = open::list(storage).await?;
            wanted.sessions = all.into_iter().map(|summary| summary.session).collect();
        }
    }
    if wants.contains(&What::Memory) {
        // Entries of the time before scopes become the person's.
        let memory = Service::new(storage.clone(), NoEmbedder, TokioClock);
        let counted = memory.count(&Scope::User).await;
        counted.map_err(|failure| Error::new(Exit::Store, failure.to_string()))?;
        wanted.scopes = match args.scopes.is_empty() {
            true => bundle::scopes(storage).await?,
            false => args.scopes.clone(),
        };
    }
    let bar = progress();
    let told = |part: &PartName, bytes: usize| {
        bar.set_message(format!("{part}, {} KiB", bytes.div_ceil(1024)));
    };
    let parts = bundle::parts(storage, &wanted, told).await;
    bar.finish_and_clear();
    let mut parts = parts.map_err(not_exported)?;
    let profile = config::load(&home.config_file())?;
    if wants.contains(&What::Policy) {
        let policy = bundle::policy_part(&profile.policy);
        parts.push(policy.map_err(|error| not_exported(error.into()))?);
    }
    if wants.contains(&What::Tools) {
        parts.extend(folders::tools(&home.tools(), ui)?);
    }
    if wants.contains(&What::Files) {
        let gate = Gate::new(&profile.policy);
        parts.extend(folders::files(
            &workspace(args.workspace.clone()),
            &gate,
            ui,
        )?);
    }
    Ok(parts)
}

fn not_exported(error: ExportError) -> Error {
    match error {
        ExportError::Open(error) => error.into(),
        ExportError::Store(error) => error.into(),
        ExportError::Bundle(_) | ExportError::Sessions(_) | ExportError::Log(_) => {
            Error::internal(error.to_string())
        }
    }
}

fn not_made(error: MakeError) -> Error {
    match error {
        MakeError::Signer(error) => crate::identity::of_signer(error),
        MakeError::Recipient { .. } | MakeError::Sealed(_) => {
            Error::usage("it cannot be sealed").cause(error)
        }
        MakeError::Bundle(_) | MakeError::Clock(_) | MakeError::Entropy(_) => {
            Error::internal("the bundle cannot be made").cause(error)
        }
    }
}
