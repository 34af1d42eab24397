//! What is asked of the global object. Free functions, so that no kind of global is assumed.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Crypto, Request};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    pub(crate) fn fetch(request: &Request) -> Result<Promise, JsValue>;

    /// The identifier is a number in a browser and an object elsewhere.
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &Function, after_ms: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(id: &JsValue);

    #[wasm_bindgen(thread_local_v2, js_name = crypto)]
    pub(crate) static CRYPTO: Option<Crypto>;
}

#[wasm_bindgen]
extern "C" {
    type TextDecoder;

    #[wasm_bindgen(constructor, catch)]
    fn new(label: &str) -> Result<TextDecoder, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn decode(this: &TextDecoder, bytes: &[u8]) -> Result<String, JsValue>;
}

/// The text of `bytes` in the encoding that `label` names; in UTF-8 where nobody knows it.
pub(crate) fn decode(bytes: &[u8], label: &str) -> String {
    TextDecoder::new(label)
        .and_then(|decoder| decoder.decode(bytes))
        .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

/// Whether requests of this runtime have `option`: workerd refuses some that a page needs.
pub(crate) fn requests_have(option: &str) -> bool {
    Reflect::get(&js_sys::global(), &"Request".into())
        .and_then(|class| Reflect::get(&class, &"prototype".into()))
        .and_then(|prototype| Reflect::has(&prototype, &option.into()))
        .unwrap_or(false)
}

/// Whether a browser says that this device has no network. Not knowing is no.
pub(crate) fn is_offline() -> bool {
    Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"onLine".into()))
        .is_ok_and(|online| online == JsValue::FALSE)
}

/// The message of what was thrown.
pub(crate) fn words(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .filter(|message| !message.is_empty())
        .or_else(|| thrown.as_string())
        .unwrap_or_else(|| "no reason was given".to_owned())
}
