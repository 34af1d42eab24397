//! The identity of this visitor's agent: an Ed25519 key the browser keeps, and its DIDs.
//!
//! The browser signs and shows nobody the key ([`Browser::sign`](crate::Browser)); names and
//! verification are `tau-kamn`'s. Only texts without U+0000 are signed: everything KAMN signs begins
//! with a purpose that ends in that character, so no text a page hands over can pass for one of them.

use base64::{Engine, engine::general_purpose::STANDARD};
use js_sys::{Reflect, Uint8Array};
use serde_json::{Value, json};
use tau_kamn::{AgentDid, DidKey, PublicKey, Signature};
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    State,
    browser::{Browser, words},
    error::Refused,
};

/// What an agent of a page is called in its DID.
const LABEL: &str = "tau";

struct Identity {
    key: PublicKey,
    did: AgentDid,
    created: f64,
}

/// Who the agent is.
pub(crate) async fn show(state: &State) -> Result<Value, Refused> {
    let identity = identity(&state.browser).await?;
    Ok(json!({
        "did": identity.did.as_kamn(),
        "w3c": identity.did.as_w3c(),
        "did_key": DidKey::Ed25519(identity.key).to_string(),
        "created": identity.created as u64,
        "algorithm": "Ed25519",
        "exportable": false,
    }))
}

/// Signs the UTF-8 bytes of `text`.
pub(crate) async fn sign(state: &State, text: &str) -> Result<Value, Refused> {
    if text.contains('\0') {
        return Err(Refused::bad_request(
            "a text to sign must not hold the character U+0000",
        ));
    }
    let identity = identity(&state.browser).await?;
    let signed = state.browser.sign(text.as_bytes()).await;
    let signature = signed.map_err(|thrown| failed(&thrown))?;
    let signature = Signature::from_bytes(&bytes(signature)).map_err(refuse)?;
    identity
        .key
        .verify(text.as_bytes(), &signature)
        .map_err(refuse)?;
    Ok(json!({
        "signature": STANDARD.encode(signature.to_bytes()),
        "did": identity.did.as_kamn(),
    }))
}

/// Whether `signature`, in base64, is over exactly `text` and by `did`; by this agent without one.
pub(crate) async fn verify(
    state: &State,
    text: &str,
    signature: &str,
    did: Option<&str>,
) -> Result<Value, Refused> {
    let signature = STANDARD
        .decode(signature.trim())
        .map_err(|error| Refused::bad_request(format!("the signature is not base64: {error}")))?;
    let signature = Signature::from_bytes(&signature).map_err(refuse)?;
    let key = match did.map(str::trim).filter(|did| !did.is_empty()) {
        Some(did) => key_of(state, did).await?,
        None => identity(&state.browser).await?.key,
    };
    Ok(json!({ "valid": key.verify(text.as_bytes(), &signature).is_ok() }))
}

/// The key behind a DID: it is in a `did:key` itself; a KAMN DID only names one, and only this
/// agent's own is known here.
async fn key_of(state: &State, did: &str) -> Result<PublicKey, Refused> {
    if did.starts_with("did:key:") {
        return match did.parse().map_err(refuse)? {
            DidKey::Ed25519(key) => Ok(key),
            DidKey::X25519(_) => Err(Refused::bad_request("an X25519 key signs nothing")),
        };
    }
    let did = AgentDid::parse_any(did).map_err(refuse)?;
    let own = identity(&state.browser).await?;
    if did == own.did && did.is_bound_to(&own.key) {
        return Ok(own.key);
    }
    Err(
        Refused::new("unknown_key", format!("the key of {did} is not known here"))
            .hint("give the did:key of who signed"),
    )
}

async fn identity(browser: &Browser) -> Result<Identity, Refused> {
    let kept = browser.identity().await.map_err(|thrown| failed(&thrown))?;
    let get = |name: &str| Reflect::get(&kept, &name.into()).unwrap_or_default();
    let key = PublicKey::from_bytes(&bytes(get("public"))).map_err(refuse)?;
    Ok(Identity {
        did: AgentDid::new(LABEL, &key).map_err(refuse)?,
        created: get("created").as_f64().unwrap_or_default(),
        key,
    })
}

fn bytes(value: JsValue) -> Vec<u8> {
    value
        .dyn_into::<Uint8Array>()
        .map_or_else(|_| Vec::new(), |bytes| bytes.to_vec())
}

fn failed(thrown: &JsValue) -> Refused {
    Refused::new("identity", words(thrown))
        .hint("there is no weaker identity to fall back to; another browser may have what it takes")
}

fn refuse(error: tau_kamn::Error) -> Refused {
    Refused::new(error.reason_code(), error.to_string())
}
