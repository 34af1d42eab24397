//! Failures as a page reads them: an `Error` with a `code`.

use std::sync::{Mutex, PoisonError};

use tau_target_rten::Error;
use wasm_bindgen::JsValue;

static LAST_WORDS: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says: the trap that follows it says nothing.
pub(crate) fn record_panics() {
    std::panic::set_hook(Box::new(|panic| {
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
    }));
}

pub(crate) fn last_words() -> Option<String> {
    LAST_WORDS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// What went wrong.
pub(crate) struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    pub(crate) fn manifest(error: Error) -> Self {
        Self::new("manifest", &error)
    }

    /// Of a file that arrives: whatever is wrong with its bytes, it is not the one that was promised.
    pub(crate) fn file(error: Error) -> Self {
        match error {
            Error::Malformed {
                format: "manifest", ..
            }
            | Error::Checksum { .. } => Self::new("checksum", &error),
            other => other.into(),
        }
    }

    pub(crate) fn request(error: serde_json::Error) -> Self {
        Self::new("request", &error)
    }

    fn new(code: &'static str, error: &impl std::fmt::Display) -> Self {
        Self {
            code,
            message: error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Memory { .. } => "memory",
            _ => "model",
        };
        Self::new(code, &error)
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = js_sys::Error::new(&failure.message);
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&error, &"code".into(), &failure.code.into());
        error.into()
    }
}
