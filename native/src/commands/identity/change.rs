//! Changes of the agent's own keys.

use tau_kamn::{
    jcs::Integer,
    kel::{Change, Key},
};
use tau_platform::{Clock, TreeSigner};
use tau_target_native::TokioClock;

use super::{own, tell};
use crate::{
    credentials::Keeper,
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, ToChange, of_kel},
    ui::{self, Ui},
};

/// Which keys are replaced.
#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// The key that signs messages, and no other unless it is named too [default: it and the next].
    #[arg(long)]
    signing: bool,
    /// The key that agrees on secrets.
    #[arg(long)]
    agreement: bool,
    /// The key that signs these changes, by the one that was committed to.
    #[arg(long)]
    identity: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Which key was lost, and since when.
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The key: keys-1, key-agreement-1, or its whole id.
    key: String,
    /// Why, for people.
    #[arg(long)]
    reason: String,
    /// Since when it may be in other hands: 2026-05-01T12:00:00Z, or 2h ago as `2h` [default: now].
    #[arg(long, value_name = "TIME", value_parser = super::proof::parse_time)]
    since: Option<super::proof::When>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The end of the agent.
#[derive(Debug, clap::Args)]
pub(super) struct Deactivate {
    /// Its name once more, so that nobody does this by mistake.
    did: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Who is to hold the key of the seed.
#[derive(Debug, clap::Args)]
pub(super) struct Rekey {
    #[command(flatten)]
    keeper: Keeper,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Replaces keys.
pub(super) async fn rotate(args: Rotate, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let mut identity = own(home).await?;
    let none = !(args.signing || args.agreement || args.identity);
    let (signing, agreement) = (none || args.signing, none || args.agreement);
    let mut changes: Vec<ToChange> = Vec::new();
    if args.identity {
        changes.push(Box::new(TreeSigner::succession));
    }
    if signing || agreement {
        changes.push(Box::new(move |signer| signer.rotation(signing, agreement)));
    }
    identity.change(changes, ui).await?;
    done(identity, home, args.json, ui).await
}

/// Says that a key was lost.
pub(super) async fn revoke(args: Revoke, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let mut identity = own(home).await?;
    let did = identity.did().as_kamn();
    let fragment = args
        .key
        .rsplit_once('#')
        .map_or(args.key.as_str(), |(_, fragment)| fragment)
        .to_owned();
    let now = TokioClock.now();
    let since = args.since.map_or(now, |since| since.before(now));
    let state = identity.log().state().map_err(|error| of_kel(&error))?;
    let entry = state.keys().iter().find(|entry| entry.fragment == fragment);
    let Some(entry) = entry else {
        let known: Vec<&str> = state.keys().iter().map(|e| e.fragment.as_str()).collect();
        return Err(Error::usage(format!("the agent has no key {fragment:?}"))
            .hint(format!("its keys are {}", known.join(", "))));
    };
    let is_signing = matches!(entry.key, Key::Signing(_));
    let was_present = entry.until_ms.is_none();
    if since > now {
        return Err(Error::usage("--since lies in the future"));
    }
    if entry.revocation.is_some() {
        return Err(Error::usage(format!("#{fragment} was revoked before")));
    }
    let compromised_since_ms = Integer::try_from(since.0)
        .map_err(|error| Error::usage("--since is out of range").cause(error))?;
    let (key_id, reason) = (format!("{did}#{fragment}"), args.reason);
    let revocation = Change::RevokeKey {
        key_id,
        reason,
        compromised_since_ms,
    };
    let mut changes: Vec<ToChange> = vec![Box::new(|_| revocation)];
    if was_present {
        // Without it the agent could not sign, or be written to.
        changes.push(Box::new(move |signer| {
            signer.rotation(is_signing, !is_signing)
        }));
    }
    identity.change(changes, ui).await?;
    done(identity, home, args.json, ui).await
}

/// Ends the agent.
pub(super) async fn deactivate(args: Deactivate, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let mut identity = own(home).await?;
    if super::parse(&args.did)? != *identity.did() {
        let did = identity.did();
        return Err(Error::usage(format!("this agent is {did}"))
            .hint("name it to end it; nothing was changed"));
    }
    identity
        .change(vec![Box::new(|_| Change::Deactivate)], ui)
        .await?;
    done(identity, home, args.json, ui).await
}

/// Seals the seed anew.
pub(super) fn rekey(args: Rekey, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let Some(wanted) = args.keeper.wanted() else {
        return Err(
            Error::usage("who is to hold the key of the seed is missing")
                .hint("--passphrase or --keyring"),
        );
    };
    let mut identity = Identity::need(home)?;
    identity.rekey(wanted, ui)?;
    tell(&identity, args.json, ui);
    Ok(Exit::Ok)
}

async fn done(mut identity: Identity, home: &Home, json: bool, ui: Ui) -> Result<Exit, Error> {
    // The file has it: what fails here is told, and made up for the next time the store is used.
    if let Err(error) = identity.settle(&home.store()?).await {
        ui.warn(format!(
            "the keys are changed, and the store does not know it yet: {}",
            ui::plain(&error.message)
        ));
    }
    tell(&identity, json, ui);
    if !json {
        ui.note("others learn of it by the log: `tau identity export`");
    }
    Ok(Exit::Ok)
}
