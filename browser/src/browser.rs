//! What `agent.js` does for the module, and the messages to the page.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::error::Refused;

#[wasm_bindgen]
extern "C" {
    /// The browser as `agent.js` shows it: an object with these methods.
    #[derive(Debug)]
    pub type Browser;

    /// Sends the page a message, given as JSON text.
    #[wasm_bindgen(method)]
    fn post(this: &Browser, message: &str);

    /// The page's text, from the page itself.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn page(this: &Browser) -> Result<JsValue, JsValue>;

    /// The date and time in a zone; in the person's when it is empty.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn time(this: &Browser, zone: &str) -> Result<String, JsValue>;

    /// What is public of the agent's keys, which are made if there are none.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn identity(this: &Browser) -> Result<JsValue, JsValue>;

    /// A signature by the key `identity` or `signing`.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn sign(this: &Browser, which: &str, bytes: &[u8])
    -> Result<JsValue, JsValue>;

    /// What the agreement key and another's have in common.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn agree(this: &Browser, other: &[u8]) -> Result<JsValue, JsValue>;

    /// Keeps a log of the keys in the place of `before`; gives the one that is kept.
    #[wasm_bindgen(method, catch, js_name = keepLog)]
    pub(crate) async fn keep_log(
        this: &Browser,
        before: &str,
        log: &str,
    ) -> Result<JsValue, JsValue>;

    /// Gets in line for a session.
    #[wasm_bindgen(method)]
    pub(crate) fn lock(this: &Browser, session: &str) -> LockRequest;

    /// Who has a session, as JSON text, if somebody says so within half a second.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn holder(this: &Browser, session: &str) -> Result<JsValue, JsValue>;

    /// Whether the browser promised to keep what is stored.
    #[wasm_bindgen(method, catch)]
    pub(crate) async fn persisted(this: &Browser) -> Result<JsValue, JsValue>;

    /// Whether the device has a network, as far as the browser knows.
    #[wasm_bindgen(method)]
    pub(crate) fn online(this: &Browser) -> bool;

    /// Starts the embedded model's Web Worker, which tells `hear` its messages as JSON text.
    #[wasm_bindgen(method, catch, js_name = startModel)]
    pub(crate) fn start_model(
        this: &Browser,
        hear: &Closure<dyn FnMut(String)>,
    ) -> Result<ModelWorker, JsValue>;

    /// Tells the other tabs that the stored settings changed.
    #[wasm_bindgen(method, js_name = settingsChanged)]
    pub(crate) fn settings_changed(this: &Browser);

    /// A place in the line for a session.
    #[derive(Debug)]
    pub(crate) type LockRequest;

    /// Kept when it is this tab's turn; broken when the place was given up.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn taken(this: &LockRequest) -> js_sys::Promise;

    /// Gives the session on, or leaves the line.
    #[wasm_bindgen(method)]
    pub(crate) fn release(this: &LockRequest);

    /// The embedded model's Web Worker.
    #[derive(Debug)]
    pub(crate) type ModelWorker;

    /// Sends it a message, given as JSON text.
    #[wasm_bindgen(method, js_name = post)]
    pub(crate) fn send(this: &ModelWorker, message: &str);

    /// Ends it.
    #[wasm_bindgen(method)]
    pub(crate) fn stop(this: &ModelWorker);
}

impl Browser {
    /// Answers a call.
    pub(crate) fn answer(&self, id: f64, answer: Result<Value, Refused>) {
        let message = match answer {
            Ok(value) => json!({ "id": id, "ok": value }),
            Err(refused) => json!({ "id": id, "error": refused.to_value() }),
        };
        self.post(&message.to_string());
    }

    /// Tells the page that something happened.
    pub(crate) fn tell(&self, event: &str, detail: &Value) {
        self.post(&json!({ "event": event, "detail": detail }).to_string());
    }

    /// Tells the page that something went wrong that concerns no call.
    pub(crate) fn tell_error(&self, refused: &Refused, session: Option<&str>) {
        let mut detail = refused.to_value();
        if let Some(session) = session {
            detail["session"] = session.into();
        }
        self.tell("error", &detail);
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = URL)]
    type Url;

    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    fn new(address: &str) -> Result<Url, JsValue>;
}

/// Whether the browser can read a whole address.
pub(crate) fn is_address(address: &str) -> bool {
    Url::new(address).is_ok()
}

/// A session that is this tab's until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(pub(crate) LockRequest);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// The message of an exception.
pub(crate) fn words(thrown: &JsValue) -> String {
    js_sys::Reflect::get(thrown, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .filter(|message| !message.is_empty())
        .or_else(|| thrown.as_string())
        .unwrap_or_else(|| "no reason was given".to_owned())
}
