//! Tau in a web page: the agent, its host, and the page.
//!
//! ```text
//!  page                      │ Web Worker of the agent                            │ Web Worker of the model
//!  tau.js: Agent.call() ─────┼─> agent.js ─> Agent::receive ─> calls ─> sessions ─┼─> www/model.js
//!         <── CustomEvents ──┼── post() <─────────────────────────────  (driven)  │   (when asked for)
//!                            │            IndexedDB, fetch, Web Locks, WebCrypto  │
//! ```
//!
//! `cargo xtask wasm browser` puts what is in `www/` and what wasm-bindgen makes of this crate
//! (`--target web --out-name tau_agent`) side by side into `build/browser/`; and into `build/browser/agents/`
//! the module with the feature `agents`, for pages that ask for it.
//!
//! Invariants: the page's thread does no work of the agent and never waits for it; a session is
//! written by the one tab that holds its Web Lock; the provider's key exists in this worker's memory
//! and in requests, nowhere else; the identity's private keys are handles the browser does not export.

mod browser;
mod bundle;
mod calls;
mod error;
mod grants;
mod host;
mod identity;
mod keys;
mod memory;
#[cfg(feature = "agents")]
mod messages;
mod model;
mod sessions;
mod settings;
mod signal;
mod tools;
#[cfg(feature = "agents")]
mod trade;
#[expect(unreachable_pub, reason = "what JavaScript calls")]
mod verify;

use futures_util::future::join;
use std::{cell::RefCell, rc::Rc};
use tau_platform::{Clock, Storage};
use tau_target_indexeddb::IdbStorage;
use tau_target_web::WebClock;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

pub use browser::Browser;
use error::Refused;
use host::PageHost;
use keys::PageSigner;
use model::EmbeddedModel;
use sessions::Sessions;
use settings::{Key, Settings};

/// The agent of one page. `agent.js` opens it and hands it the page's calls.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Agent {
    state: Rc<State>,
}

/// Everything the calls work on.
#[derive(Debug)]
struct State {
    browser: Rc<Browser>,
    host: PageHost,
    /// Why there is nobody who signs.
    no_identity: Option<Refused>,
    sessions: Sessions,
    settings: RefCell<Settings>,
    /// The provider's key.
    key: Rc<RefCell<Key>>,
    offers_page: bool,
    /// The rules of what a person allowed for good, as last read.
    grants: RefCell<Vec<String>>,
    /// Which agents wrote how much lately.
    #[cfg(feature = "agents")]
    desk: tau_platform::messages::Desk,
}

#[wasm_bindgen]
impl Agent {
    /// Opens the store called `store`. `offers_page` says whether the page lets itself be read.
    ///
    /// Fails with JSON text `{code, message, hint?}`.
    pub async fn open(
        browser: Browser,
        store: String,
        offers_page: bool,
    ) -> Result<Agent, JsValue> {
        let browser = Rc::new(browser);
        tell_of_panics(&browser);
        let told = |refused: Refused| JsValue::from_str(&refused.to_json());
        // Made at the first visit. An agent without an identity talks all the same; who asks is told
        // why it has none.
        let opened = join(IdbStorage::open(&store), PageSigner::open(&browser));
        let (storage, signer) = opened.await;
        let (signer, no_identity) = match signer {
            Ok(signer) => (Some(signer), None),
            Err(refused) => (None, Some(refused)),
        };
        let storage = storage.map_err(|error| told(error.into()))?;
        let settings = Settings::load(&storage).await.map_err(told)?;
        let key = Rc::new(RefCell::new(Key::default()));
        let state = Rc::new(State {
            host: PageHost::new(&browser, storage, &key, offers_page, signer),
            no_identity,
            sessions: Sessions::default(),
            settings: RefCell::new(settings),
            browser,
            key,
            offers_page,
            grants: RefCell::default(),
            #[cfg(feature = "agents")]
            desk: Default::default(),
        });
        let first = Rc::clone(&state);
        spawn_local(async move {
            if first.no_identity.is_none()
                && let Err(refused) = identity::settle(&first).await
            {
                first.browser.tell_error(&refused, None);
            }
        });
        Ok(Self { state })
    }

    /// Takes a call of the page; its answer is posted as `{id, ok}` or `{id, error}`.
    pub fn receive(&self, id: f64, call: String, arguments: String) {
        let state = Rc::clone(&self.state);
        spawn_local(async move {
            let answer = calls::answer(&state, &call, &arguments).await;
            state.browser.answer(id, answer);
        });
    }

    /// Reads the settings again: another tab changed them.
    #[wasm_bindgen(js_name = settingsChanged)]
    pub fn settings_changed(&self) {
        let state = Rc::clone(&self.state);
        spawn_local(async move {
            if let Err(refused) = state.settings_changed_elsewhere().await {
                state.browser.tell_error(&refused, None);
            }
        });
    }
}

impl State {
    fn storage(&self) -> &IdbStorage {
        use tau_platform::Host;
        self.host.storage()
    }

    /// What whoever asks for a signature is told.
    fn no_identity(&self) -> Refused {
        let none = || Refused::new("identity", "this page has no identity");
        self.no_identity.clone().unwrap_or_else(none)
    }

    fn model(&self) -> &EmbeddedModel {
        use tau_platform::Host;
        self.host.model()
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Refused> {
        use tau_platform::Entropy;
        let filled = tau_target_web::WebEntropy.fill(bytes);
        filled.map_err(|error| Refused::new("entropy", error.to_string()))
    }

    /// Changes the store in one commit.
    async fn commit(&self, batch: tau_core::session::Batch) -> Result<(), Refused> {
        Ok(self.storage().commit(batch).await?)
    }

    fn now(&self) -> tau_core::ids::UnixMillis {
        WebClock.now()
    }
}

/// A panic leaves the module in no state to go on: the page is told, and ends this worker.
fn tell_of_panics(browser: &Rc<Browser>) {
    thread_local! {
        static TOLD: RefCell<Option<Rc<Browser>>> = const { RefCell::new(None) };
    }
    TOLD.set(Some(Rc::clone(browser)));
    std::panic::set_hook(Box::new(|info| {
        let refused = Refused::new("crashed", info.to_string())
            .hint("reload the page; what was stored is kept");
        TOLD.with_borrow(|browser| {
            if let Some(browser) = browser {
                browser.tell("crashed", &refused.to_value());
            }
        });
    }));
}
