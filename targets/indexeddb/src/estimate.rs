//! How much room the browser gives, by `navigator.storage`.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// The browser's estimate for everything the page's origin keeps; deliberately inexact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// What is taken.
    pub used_bytes: u64,
    /// What may be taken at most.
    pub quota_bytes: u64,
}

/// Asks the browser; `None` where it does not say. Works in a Web Worker too.
pub async fn estimate() -> Option<Estimate> {
    let storage = get(&get(&js_sys::global(), "navigator")?, "storage")?;
    let ask: Function = get(&storage, "estimate")?.dyn_into().ok()?;
    let asked: Promise = ask.call0(&storage).ok()?.dyn_into().ok()?;
    let answer = js_sys::futures::JsFuture::from(asked).await.ok()?;
    let bytes = |name| Some(get(&answer, name)?.as_f64()? as u64);
    Some(Estimate {
        used_bytes: bytes("usage")?,
        quota_bytes: bytes("quota")?,
    })
}

fn get(of: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(of, &name.into()).ok()?;
    (!value.is_undefined()).then_some(value)
}
