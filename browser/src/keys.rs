//! The keys of the visitor's agent, as the browser keeps them: handles that sign and are never shown.
//!
//! Names, logs and verification are `tau-kamn`'s. A browser without such keys keeps a sealed seed
//! ([`Browser::identity`] opens it for this module), from which they derive.

use js_sys::{Reflect, Uint8Array};
use std::rc::Rc;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid, AgreementKey, PublicKey, Signature,
    kel::{Change, Event, KeyLog, SignedEvent},
    keys::KeyTree,
    time::Timestamp,
};
use tau_platform::{Clock, Signer, SignerError, TreeSigner};
use tau_target_web::WebClock;
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use crate::{
    browser::{Browser, words},
    error::Refused,
};

/// What an agent of a page is called in its DID.
const LABEL: &str = "tau";

/// Who signs for the agent of a page.
pub(crate) struct PageSigner {
    keys: Keys,
    /// When the identity was made, as the browser keeps it.
    pub(crate) created_ms: f64,
}

enum Keys {
    Kept { browser: Rc<Browser>, log: KeyLog },
    Derived(TreeSigner),
}

impl PageSigner {
    /// The agent of this browser, made at the first visit. Its log begins when it is first opened.
    pub(crate) async fn open(browser: &Rc<Browser>) -> Result<Self, Refused> {
        let kept = browser.identity().await.map_err(|thrown| failed(&thrown))?;
        let get = |name: &str| Reflect::get(&kept, &name.into()).unwrap_or_default();
        let created_ms = get("created").as_f64().unwrap_or_default();
        let stored = get("log").as_string().unwrap_or_default();
        let seed = Zeroizing::new(bytes(get("seed")));
        let tree = <&[u8; 32]>::try_from(seed.as_slice())
            .ok()
            .map(KeyTree::from_seed);
        let log = match (stored.is_empty(), &tree) {
            (false, _) => KeyLog::read(stored.as_bytes()).map_err(unusable)?,
            (true, Some(tree)) => {
                let log = KeyLog::of_tree(LABEL, tree, moment(WebClock.now())?);
                begun(browser, log.map_err(unusable)?).await?
            }
            (true, None) => {
                let log = inception(browser, &kept).await?;
                begun(browser, log).await?
            }
        };
        let keys = match tree {
            Some(tree) => Keys::Derived(TreeSigner::new(tree, log).map_err(of_signer)?),
            None => Keys::Kept {
                browser: Rc::clone(browser),
                log,
            },
        };
        Ok(Self { keys, created_ms })
    }

    /// Whether a script that has everything the page stored could have the keys.
    pub(crate) fn is_exportable(&self) -> bool {
        matches!(self.keys, Keys::Derived(_))
    }
}

/// Keeps the first log of an agent; another tab may have kept another, which then is the one.
async fn begun(browser: &Browser, log: KeyLog) -> Result<KeyLog, Refused> {
    let text = log.to_value().to_canonical();
    let kept = browser.keep_log("", &text).await;
    let kept = kept.map_err(|thrown| failed(&thrown))?;
    let kept = kept.as_string().unwrap_or_default();
    KeyLog::read(kept.as_bytes()).map_err(unusable)
}

/// The first event of keys that the browser made. To no other identity key is committed: where this
/// one cannot be taken away, one beside it could not either.
async fn inception(browser: &Browser, kept: &JsValue) -> Result<KeyLog, Refused> {
    let get = |name: &str| bytes(Reflect::get(kept, &name.into()).unwrap_or_default());
    let identity = PublicKey::from_bytes(&get("identity")).map_err(refuse)?;
    let event = Event {
        did: AgentDid::new(LABEL, &identity).map_err(refuse)?,
        seq: 0,
        previous: None,
        created: moment(WebClock.now())?,
        change: Change::Inception {
            identity,
            signing: PublicKey::from_bytes(&get("signing")).map_err(refuse)?,
            agreement: AgreementKey::from_bytes(&get("agreement")).map_err(refuse)?,
            next_digest: None,
            recovery: None,
        },
    };
    let signature = sign(browser, "identity", &event.to_bytes()).await;
    let signature = signature.map_err(of_signer)?;
    let signed = event
        .with_signature(&identity, signature)
        .map_err(unusable)?;
    KeyLog::begin(signed).map_err(unusable)
}

impl Signer for PageSigner {
    fn log(&self) -> &KeyLog {
        match &self.keys {
            Keys::Kept { log, .. } => log,
            Keys::Derived(signer) => signer.log(),
        }
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignerError> {
        let (browser, log) = match &self.keys {
            Keys::Kept { browser, log } => (browser, log),
            Keys::Derived(signer) => return signer.sign(bytes).await,
        };
        let state = log
            .state()
            .map_err(|error| no_key("signing", &error.to_string()))?;
        let current = state.current_signing();
        let (_, key) = current.ok_or_else(|| no_key("signing", "it was revoked"))?;
        let signature = sign(browser, "signing", bytes).await?;
        // The key at hand must be the log's.
        key.verify(bytes, &signature)
            .map_err(|_| SignerError::OtherKeys {
                did: state.did().as_kamn(),
            })?;
        Ok(signature)
    }

    async fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError> {
        let (browser, log) = match &self.keys {
            Keys::Kept { browser, log } => (browser, log),
            Keys::Derived(signer) => return signer.agree(other).await,
        };
        let state = log
            .state()
            .map_err(|error| no_key("agreement", &error.to_string()))?;
        if state.current_agreement().is_none() {
            return Err(no_key("agreement", "it was revoked"));
        }
        let shared = browser.agree(&other.to_bytes()).await;
        let shared = shared.map_err(|thrown| SignerError::Failed {
            detail: words(&thrown),
        })?;
        let shared = Zeroizing::new(bytes(shared));
        match <[u8; 32]>::try_from(shared.as_slice()) {
            // A key of small order gives the same with every other.
            Ok(shared) if shared != [0; 32] => Ok(Zeroizing::new(shared)),
            _ => Err(SignerError::Failed {
                detail: "the other key is of small order".into(),
            }),
        }
    }

    async fn sign_event(&self, event: Event) -> Result<SignedEvent, SignerError> {
        let (browser, log) = match &self.keys {
            Keys::Kept { browser, log } => (browser, log),
            Keys::Derived(signer) => return signer.sign_event(event).await,
        };
        let identity = *log.unchecked_state().identity();
        let signature = sign(browser, "identity", &event.to_bytes()).await?;
        event
            .with_signature(&identity, signature)
            .map_err(|_| SignerError::OtherKeys {
                did: log.unchecked_state().did().as_kamn(),
            })
    }
}

async fn sign(browser: &Browser, which: &str, bytes: &[u8]) -> Result<Signature, SignerError> {
    let failed = |detail: String| SignerError::Failed { detail };
    let signed = browser.sign(which, bytes).await;
    let signed = signed.map_err(|thrown| failed(words(&thrown)))?;
    Signature::from_bytes(&self::bytes(signed)).map_err(|error| failed(error.to_string()))
}

fn no_key(key: &'static str, detail: &str) -> SignerError {
    let detail = detail.into();
    SignerError::NoKey { key, detail }
}

fn moment(at: UnixMillis) -> Result<Timestamp, Refused> {
    Timestamp::from_unix_ms(at.0).map_err(refuse)
}

fn bytes(value: JsValue) -> Vec<u8> {
    value
        .dyn_into::<Uint8Array>()
        .map_or_else(|_| Vec::new(), |bytes| bytes.to_vec())
}

fn failed(thrown: &JsValue) -> Refused {
    Refused::new("identity", words(thrown))
        .hint("allow this site to store data, and close its other tabs")
}

/// Why a key does not sign, as a page is told.
pub(crate) fn of_signer(error: SignerError) -> Refused {
    Refused::new("identity", error.to_string())
}

fn unusable(error: tau_kamn::kel::Error) -> Refused {
    Refused::new(error.reason_code(), error.to_string())
}

/// What is no key, name or signature.
pub(crate) fn refuse(error: tau_kamn::Error) -> Refused {
    Refused::new(error.reason_code(), error.to_string())
}
