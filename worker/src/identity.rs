//! Who the Worker's agent is: one identity, whatever the principal.
//!
//! Its seed is the secret `TAU_IDENTITY_SEED`, or, without it, random bytes in an object of its own.
//! Invariants: the seed goes from that object to the objects of sessions, and is in no answer to the
//! outside; no principal's request can name that object, since no principal's name has a slash.

use futures_util::{FutureExt, future::LocalBoxFuture};
use tau_core::{
    ids::UnixMillis,
    json::{self, FromJson, ToJson},
    session::{Batch, StoreError},
};
use tau_kamn::{AgentDid, kel::KeyLog, keys::KeyTree, time::Timestamp};
use tau_platform::{
    Clock, Entropy, Storage, TreeSigner, own_log,
    peers::{self, LogError},
};
use tau_target_durable::DurableStorage;
use tau_target_web::{WebClock, WebEntropy};
use worker::Response;

use crate::{
    config::Settings,
    errors::ApiError,
    wire::{call, object, told},
};

/// What the agent is called in its name.
const LABEL: &str = "tau";
/// The secret with the seed.
const SEED: &str = "TAU_IDENTITY_SEED";
/// The object that keeps the identity; a directory, by a name that no principal has.
const OBJECT: &str = "/identity";
/// Where it keeps a seed that nobody gave.
const SEED_KEY: &str = "identity/seed";
/// The path at which a session asks for the keys.
pub(crate) const KEYS: &str = "/identity/keys";
/// The path at which the log alone is asked for.
pub(crate) const LOG: &str = "/identity/log";

/// A seed, as it is stored.
#[derive(FromJson, ToJson)]
struct Kept {
    v: u32,
    seed: [u8; 32],
}

/// What the object tells: the log, and the seed to sessions alone.
#[derive(FromJson, ToJson)]
struct Told {
    log: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<[u8; 32]>,
}

/// Answers in the object that keeps the identity, which is made when it is first asked for.
pub(crate) async fn answer(
    store: &DurableStorage,
    settings: &Settings,
    path: &str,
) -> Result<Response, ApiError> {
    let seed = match settings.text(SEED) {
        Some(text) => read_seed(&text)?,
        None => stored_seed(store).await?,
    };
    let log = log(store, &KeyTree::from_seed(&seed), WebClock.now()).await?;
    let told_log = log.to_value().to_canonical();
    Ok(told(&Told {
        log: told_log,
        seed: (path == KEYS).then_some(seed),
    })?)
}

/// Who signs in a session. Apart from what every request asks for: the runtime compiles a function
/// when it is first called.
pub(crate) fn signer(settings: &Settings) -> LocalBoxFuture<'_, Result<TreeSigner, ApiError>> {
    async {
        let (log, seed) = ask(settings, KEYS).await?;
        let seed = seed.ok_or_else(|| unusable("it has no seed"))?;
        TreeSigner::new(KeyTree::from_seed(&seed), log)
            .map_err(|error| unusable(&error.to_string()))
    }
    .boxed_local()
}

/// The log, for everybody.
pub(crate) async fn public_log(settings: &Settings) -> Result<KeyLog, ApiError> {
    Ok(ask(settings, LOG).await?.0)
}

async fn ask(settings: &Settings, path: &str) -> Result<(KeyLog, Option<[u8; 32]>), ApiError> {
    let keeper = object(&settings.directories()?, OBJECT)?;
    let mut response = call(&keeper, path, b"").await?;
    let status = response.status_code();
    let body = response.bytes().await?;
    if status != 200 {
        // As the object says it, such as a secret that makes no sense.
        let said = ApiError::message_in(&body);
        return Err(unusable(said.as_deref().unwrap_or("its object failed")));
    }
    let told: Told = json::from_slice(&body)?;
    let log = KeyLog::read(told.log.as_bytes()).map_err(|error| unusable(&error.to_string()))?;
    Ok((log, told.seed))
}

/// The seed that the object has, made at random if it has none.
async fn stored_seed(store: &DurableStorage) -> Result<[u8; 32], ApiError> {
    let key = || SEED_KEY.to_owned();
    let read = |bytes: &[u8]| -> Result<[u8; 32], ApiError> {
        let kept: Kept = json::from_slice(bytes)?;
        match kept.v {
            1 => Ok(kept.seed),
            v => Err(unusable(&format!(
                "its seed has format {v}, and this Tau reads 1"
            ))),
        }
    };
    if let Some(bytes) = store.get(key()).await? {
        return read(&bytes);
    }
    let mut seed = [0; 32];
    WebEntropy
        .fill(&mut seed)
        .map_err(|error| ApiError::new(500, "runtime_failed", error.to_string()))?;
    let batch = Batch {
        require_absent: vec![key()],
        put: vec![(key(), json::to_vec(&Kept { v: 1, seed }))],
        ..Batch::default()
    };
    match store.commit(batch).await {
        Ok(()) => Ok(seed),
        // Another request was first.
        Err(StoreError::Conflict { .. }) => {
            let bytes = store.get(key()).await?;
            read(&bytes.ok_or_else(|| unusable("its seed is gone"))?)
        }
        Err(error) => Err(error.into()),
    }
}

/// The log of the agent with these keys. One that was begun before goes on: beginning it again would
/// be another story about the same name.
async fn log(store: &DurableStorage, tree: &KeyTree, now: UnixMillis) -> Result<KeyLog, ApiError> {
    let damaged = |error: LogError| match error {
        LogError::Store(error) => error.into(),
        error => unusable(&error.to_string()),
    };
    let identity = tree.identity(0).public_key();
    let wrong = |error: tau_kamn::Error| unusable(&error.to_string());
    let did = AgentDid::new(LABEL, &identity).map_err(wrong)?;
    let kept = own_log::load(store).await.map_err(damaged)?;
    if let Some(kept) = &kept {
        if *kept.unchecked_state().did() == did {
            return Ok(kept.clone());
        }
        // The secret was changed: what the agent before signed stays checkable.
        own_log::remove(store).await.map_err(damaged)?;
        peers::learn(store, kept).await.map_err(damaged)?;
    }
    let log = match peers::get(store, &did).await.map_err(damaged)? {
        Some(before) => before,
        None => {
            let made = Timestamp::from_unix_ms(now.0).map_err(wrong)?;
            KeyLog::of_tree(LABEL, tree, made).map_err(|error| unusable(&error.to_string()))?
        }
    };
    Ok(own_log::keep(store, &log).await.map_err(damaged)?.0)
}

/// 32 bytes in base64. What is wrong with them is told without them.
fn read_seed(text: &str) -> Result<[u8; 32], ApiError> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = STANDARD.decode(text).ok();
    let seed = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    seed.ok_or_else(|| {
        ApiError::misconfigured(format!("the secret {SEED} is not 32 bytes in base64")).hint(
            "make one: head -c 32 /dev/urandom | base64 | wrangler secret put TAU_IDENTITY_SEED",
        )
    })
}

fn unusable(why: &str) -> ApiError {
    ApiError::misconfigured(format!("the agent's identity cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_32_bytes_in_base64_and_an_error_does_not_repeat_it() {
        let good = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        assert_eq!(read_seed(good).unwrap(), [7; 32]);
        for wrong in [
            "",
            "BwcH",
            "not base64 at all",
            &good[1..],
            &format!("{good}AAAA"),
        ] {
            let error = format!("{:?}", read_seed(wrong).unwrap_err());
            assert!(error.contains("misconfigured"), "{error}");
            assert!(wrong.len() < 8 || !error.contains(wrong), "{error}");
        }
    }
}
