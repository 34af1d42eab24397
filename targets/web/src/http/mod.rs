//! HTTP by fetch.
//!
//! Invariants: a request goes out once, to the address it names: no redirects, no cookies, no
//! cache, no referrer. A secret's value exists here alone, until its response is over: a response
//! that echoes it is given out without it.
//!
//! What a page cannot see, it is not told: see [`FetchHttp`].

mod body;
mod prepare;

use js_sys::{Array, JsString, futures::JsFuture};
use std::rc::Rc;
use tau_core::{
    credential::Redactor,
    session::{HeaderValue, HttpError, HttpHead, HttpRequest},
};
use tau_platform::{Clock, Http};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, Response, Url};

use crate::{
    clock::WebClock,
    global::{fetch, is_offline, words},
    timeout::within,
};
pub use body::FetchBody;

type Secrets = dyn Fn(&str) -> Option<String>;

/// The runtime's HTTP client. Clones share what they know.
///
/// Fetch tells less than sockets do. Of an exchange without a head it tells only that there was
/// none: a refused connection, a name nobody has, TLS, bytes that are not HTTP and, in a page, a
/// server that does not admit its origin are all [`HttpError::Connect`].
///
/// A page is also not shown what a server's CORS headers do not open:
/// - Of a redirect it sees only that there was one. That is [`HttpError::Request`], because the
///   address has to be changed; in workerd its head is given like any other.
/// - Of the response's headers it sees the safe ones and those in `access-control-expose-headers`:
///   `retry-after` is rarely among them.
#[derive(Clone)]
pub struct FetchHttp {
    secrets: Rc<Secrets>,
}

impl std::fmt::Debug for FetchHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchHttp").finish_non_exhaustive()
    }
}

impl FetchHttp {
    /// A client that asks `secrets` for the value of a named secret each time one is sent. White
    /// space around a value is dropped: pasted keys end in a newline.
    #[must_use]
    pub fn new(secrets: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            secrets: Rc::new(secrets),
        }
    }
}

impl FetchHttp {
    /// What takes the secrets of `request` out of its response.
    fn redactor(&self, request: &HttpRequest) -> Redactor {
        let mut redactor = Redactor::default();
        for (_, value) in &request.headers {
            if let HeaderValue::Secret { name, .. } = value
                && let Some(secret) = (self.secrets)(name)
            {
                redactor.add(name, &secret);
            }
        }
        redactor
    }
}

impl Http for FetchHttp {
    type Body = FetchBody;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, FetchBody), HttpError> {
        let url = prepare::url(&request.url)?;
        let abort = Abort::new()?;
        let prepared = prepare::request(&request, &abort.0.signal(), &*self.secrets)?;
        let sent = fetch(&prepared).map_err(|thrown| refuse(words(&thrown)))?;
        let response = within(request.idle_timeout_ms, JsFuture::from(sent))
            .await
            .ok_or(HttpError::Timeout {
                after_ms: request.idle_timeout_ms,
            })?
            .map_err(|thrown| no_head(&url, &thrown))?
            .unchecked_into::<Response>();

        if response.status() == 0 {
            return Err(refuse(format!(
                "{} redirects it, and a page is not told where to; give the final address",
                authority(&url)
            )));
        }
        let redactor = self.redactor(&request);
        let head = HttpHead {
            status: response.status(),
            headers: headers(&response, &redactor)?,
            at: WebClock.now(),
        };
        let body = FetchBody::new(response.body(), abort, request.idle_timeout_ms, redactor);
        Ok((head, body))
    }
}

/// Ends the exchange when it is dropped; that an exchange has ended by itself does not matter.
#[derive(Debug)]
struct Abort(AbortController);

impl Abort {
    fn new() -> Result<Self, HttpError> {
        AbortController::new()
            .map(Self)
            .map_err(|thrown| refuse(words(&thrown)))
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn headers(response: &Response, redactor: &Redactor) -> Result<Vec<(String, String)>, HttpError> {
    let failed = |thrown: JsValue| HttpError::Protocol {
        detail: words(&thrown),
    };
    let mut headers = Vec::new();
    let entries = js_sys::try_iter(&response.headers()).map_err(failed)?;
    for entry in entries.into_iter().flatten() {
        let entry: Array = entry.map_err(failed)?.unchecked_into();
        let text = |at: u32| String::from(entry.get(at).unchecked_into::<JsString>());
        let value = text(1);
        headers.push((text(0), redactor.redact(&value).unwrap_or(value)));
    }
    Ok(headers)
}

/// The exchange ended before there was a head.
fn no_head(url: &Url, thrown: &JsValue) -> HttpError {
    let words = words(thrown);
    HttpError::Connect {
        host: authority(url),
        detail: if is_offline() {
            format!("this device is offline ({words})")
        } else {
            words
        },
    }
}

fn authority(url: &Url) -> String {
    let port = match (url.port().as_str(), url.protocol().as_str()) {
        ("", "https:") => "443".to_owned(),
        ("", _) => "80".to_owned(),
        (port, _) => port.to_owned(),
    };
    format!("{}:{port}", url.hostname())
}

fn refuse(detail: String) -> HttpError {
    HttpError::Request { detail }
}
