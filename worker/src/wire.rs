//! Requests as handlers read them, and as one part of the Worker sends them to another.

use futures_util::StreamExt;
use js_sys::Uint8Array;
use tau_core::json::{self, ToJson};
use worker::{
    Headers, Method, ObjectNamespace, Request, Response, Stub,
    web_sys::{self, RequestInit},
};

use crate::{auth::Principal, errors::ApiError, fields::Fields, routes::bundle};

/// Bytes of a request's body.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// A request with its body read.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// What stands behind the question mark.
    pub(crate) query: Option<String>,
    accept: Option<String>,
    last_event_id: Option<String>,
    /// Who is asking, on the way from the entry to an object.
    pub(crate) principal: Option<String>,
    body: Vec<u8>,
}

/// The header that names the principal inside of the Worker. What comes from outside never gets
/// past the entry.
const PRINCIPAL: &str = "x-tau-principal";

impl Incoming {
    /// Reads `request`, at most [`BODY_LIMIT_BYTES`] of it; of a bundle as much as one may have.
    pub(crate) async fn read(mut request: Request) -> Result<Self, ApiError> {
        let limit_bytes = match request.path().as_str() {
            bundle::PATH => bundle::LIMIT_BYTES,
            // Text in JSON is longer than it is.
            bundle::INSIDE => 2 * bundle::LIMIT_BYTES,
            _ => BODY_LIMIT_BYTES,
        };
        let headers = request.headers();
        let announced = headers.get("content-length")?;
        let announced: Option<usize> = announced.and_then(|length| length.parse().ok());
        if announced.is_some_and(|bytes| bytes > limit_bytes) {
            return Err(too_large(limit_bytes));
        }
        let accept = headers.get("accept")?;
        let last_event_id = headers.get("last-event-id")?;
        let principal = headers.get(PRINCIPAL)?;
        let mut body = Vec::new();
        if request.inner().body().is_some() {
            let mut stream = request.stream()?;
            while let Some(piece) = stream.next().await {
                let piece = piece?;
                if body.len() + piece.len() > limit_bytes {
                    return Err(too_large(limit_bytes));
                }
                body.extend_from_slice(&piece);
            }
        }
        let url = request.inner().url();
        Ok(Self {
            method: request.method(),
            path: request.path(),
            query: url.split_once('?').map(|(_, query)| query.into()),
            accept,
            last_event_id,
            principal,
            body,
        })
    }

    /// The body's fields; an empty body has none.
    pub(crate) fn fields(&self) -> Result<Fields, ApiError> {
        Fields::read(if self.body.is_empty() {
            b"{}"
        } else {
            &self.body
        })
    }

    /// The body as it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the client wants server-sent events.
    pub(crate) fn accepts_events(&self) -> bool {
        let accept = self.accept.as_deref().unwrap_or_default();
        accept.split(',').any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("text/event-stream")
        })
    }

    /// The mark a watcher was at. The header is what a browser sends when it connects again, so it
    /// is newer than the address.
    pub(crate) fn after(&self) -> Option<&str> {
        let asked = self.query.as_deref().unwrap_or_default();
        self.last_event_id.as_deref().or_else(|| {
            asked
                .split('&')
                .find_map(|pair| pair.strip_prefix("after="))
        })
    }

    /// Hands it on to an object, with nothing but what handlers read.
    pub(crate) async fn forward(
        &self,
        to: &Stub,
        principal: &Principal,
    ) -> Result<Response, ApiError> {
        let headers = Headers::new();
        headers.set(PRINCIPAL, principal.name())?;
        if let Some(accept) = &self.accept {
            headers.set("accept", accept)?;
        }
        if let Some(mark) = &self.last_event_id {
            headers.set("last-event-id", mark)?;
        }
        let mut target = self.path.clone();
        if let Some(query) = &self.query {
            target.push('?');
            target.push_str(query);
        }
        send(to, self.method.clone(), &target, headers, &self.body).await
    }
}

/// Calls an object of the Worker with a JSON body.
pub(crate) async fn call(to: &Stub, path: &str, body: &[u8]) -> Result<Response, ApiError> {
    send(to, Method::Post, path, Headers::new(), body).await
}

/// An answer of JSON.
pub(crate) fn told(value: &dyn ToJson) -> worker::Result<Response> {
    let answer = Response::builder().with_header("content-type", "application/json")?;
    Ok(answer.fixed(json::to_vec(value)))
}

/// The object called `name`.
pub(crate) fn object(namespace: &ObjectNamespace, name: &str) -> Result<Stub, ApiError> {
    Ok(namespace.get_by_name(name)?)
}

async fn send(
    to: &Stub,
    method: Method,
    target: &str,
    headers: Headers,
    body: &[u8],
) -> Result<Response, ApiError> {
    // The runtime's own, which knows nothing of caches and pictures.
    let init = RequestInit::new();
    init.set_method(method.as_ref());
    init.set_headers(&headers.0);
    if !body.is_empty() {
        init.set_body(&Uint8Array::from(body));
    }
    // Objects are addressed by their stub; a request needs a host all the same.
    let url = format!("https://object{target}");
    let request = web_sys::Request::new_with_str_and_init(&url, &init);
    let request = request.map_err(worker::Error::from)?;
    Ok(to.fetch_with_request(request.into()).await?)
}

fn too_large(limit_bytes: usize) -> ApiError {
    ApiError::new(
        413,
        "too_large",
        format!("the body has more than {limit_bytes} bytes"),
    )
}
