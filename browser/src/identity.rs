//! The identity of this visitor's agent, as a page asks about it.
//!
//! What a page has signed is a statement ([`tau_platform::statement`]): it begins with what it is, so
//! that no text a page hands over can pass for anything else that is signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tau_kamn::{
    AgentDid, DidKey, Signature,
    kel::{KeyLog, LOG_LIMIT_BYTES},
};
use tau_platform::{
    Host, Signer, own_log,
    peers::{self, Learned, LogError},
    statement::{self, StatementError},
};

use crate::{
    State,
    error::Refused,
    keys::{PageSigner, of_signer, refuse},
};

/// Who the agent is.
pub(crate) async fn show(state: &State) -> Result<Value, Refused> {
    let signer = signer(state)?;
    let log = signer.log();
    let own = log.unchecked_state();
    let current = own.current_signing();
    Ok(json!({
        "did": own.did().as_kamn(),
        "w3c": own.did().as_w3c(),
        "did_key": current.map(|(_, key)| DidKey::Ed25519(*key).to_string()),
        "identity_key": own.identity().to_multikey(),
        "created": signer.created_ms as u64,
        "algorithm": "Ed25519",
        "exportable": signer.is_exportable(),
        "events": log.events().len(),
        "standing": standing(log),
    }))
}

/// The log of the agent's keys, for others.
pub(crate) fn log(state: &State) -> Result<Value, Refused> {
    Ok(signer(state)?.log().to_value().to_canonical().into())
}

/// Remembers another agent by the log it showed.
pub(crate) async fn learn(state: &State, text: &str) -> Result<Value, Refused> {
    if text.len() > LOG_LIMIT_BYTES {
        return Err(Refused::bad_request("a log has at most a megabyte"));
    }
    let log = KeyLog::read(text.trim().as_bytes())
        .map_err(|error| Refused::new(error.reason_code(), error.to_string()))?;
    let (known, learned) = peers::learn(state.storage(), &log).await.map_err(of_log)?;
    Ok(json!({
        "did": known.unchecked_state().did().as_kamn(),
        "learned": match learned {
            Learned::First => "first",
            Learned::News { .. } => "news",
            Learned::Known => "known",
            Learned::Fork { .. } => "fork",
        },
        "standing": standing(&known),
    }))
}

/// Signs `text` as a statement.
pub(crate) async fn sign(state: &State, text: &str) -> Result<Value, Refused> {
    let bytes = statement::to_bytes(text.as_bytes()).map_err(of_statement)?;
    let signer = signer(state)?;
    let signature = signer.sign(&bytes).await.map_err(of_signer)?;
    Ok(json!({
        "signature": STANDARD.encode(signature.to_bytes()),
        "did": signer.log().unchecked_state().did().as_kamn(),
    }))
}

/// Whether `signature` is over exactly `text` and by `did`; by this agent without one.
pub(crate) async fn verify(
    state: &State,
    text: &str,
    signature: &str,
    did: Option<&str>,
) -> Result<Value, Refused> {
    let signature = statement::read_signature(signature).map_err(of_statement)?;
    let did = did.map(str::trim).filter(|did| !did.is_empty());
    if let Some(did) = did.filter(|did| did.starts_with("did:key:")) {
        return of_key(did, text, &signature);
    }
    let log = match did {
        None => signer(state)?.log().clone(),
        Some(did) => log_of(state, &AgentDid::parse_any(did).map_err(refuse)?).await?,
    };
    let checked = statement::check(&log, text.as_bytes(), &signature, state.now(), None);
    Ok(match checked {
        Ok(key_id) => json!({ "valid": true, "key_id": key_id }),
        Err(error @ (StatementError::Zero | StatementError::TooLong { .. })) => {
            return Err(of_statement(error));
        }
        Err(error) => json!({ "valid": false, "why": error.to_string() }),
    })
}

fn of_key(did: &str, text: &str, signature: &Signature) -> Result<Value, Refused> {
    let key = match did.parse().map_err(refuse)? {
        DidKey::Ed25519(key) => key,
        DidKey::X25519(_) => return Err(Refused::bad_request("an X25519 key signs nothing")),
    };
    let bytes = statement::to_bytes(text.as_bytes()).map_err(of_statement)?;
    Ok(json!({ "valid": key.verify(&bytes, signature).is_ok() }))
}

async fn log_of(state: &State, did: &AgentDid) -> Result<KeyLog, Refused> {
    if let Ok(own) = signer(state)
        && own.log().unchecked_state().did() == did
    {
        return Ok(own.log().clone());
    }
    let known = peers::get(state.storage(), did).await.map_err(of_log)?;
    known.ok_or_else(|| {
        Refused::new("unknown_key", format!("nothing is known of {did} here"))
            .hint("let it show the log of its keys, or give the did:key of who signed")
    })
}

/// Has the store know whose it is, so that what the agent signed can be checked with the store alone.
pub(crate) async fn settle(state: &State) -> Result<(), Refused> {
    let log = signer(state)?.log();
    let kept = own_log::load(state.storage()).await.map_err(of_log)?;
    let did = log.unchecked_state().did();
    match kept.is_some_and(|kept| kept.unchecked_state().did() != did) {
        // Its keys are gone, and what it signed stays checkable: the store was its.
        true => peers::learn(state.storage(), log).await,
        false => own_log::keep(state.storage(), log).await,
    }
    .map_err(of_log)?;
    Ok(())
}

/// Who signs for the agent.
pub(crate) fn signer(state: &State) -> Result<&PageSigner, Refused> {
    state.host.signer().ok_or_else(|| state.no_identity())
}

fn standing(log: &KeyLog) -> &'static str {
    match log.state() {
        Err(_) => "forked: no key of it is believed",
        Ok(state) if state.is_deactivated() => "deactivated",
        Ok(_) => "valid",
    }
}

fn of_log(error: LogError) -> Refused {
    match error {
        LogError::Store(error) => error.into(),
        error => Refused::new(error.reason_code(), error.to_string()),
    }
}

fn of_statement(error: StatementError) -> Refused {
    Refused::bad_request(error.to_string())
}
