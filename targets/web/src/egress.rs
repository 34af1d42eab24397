//! Requests of the tool `http`, by fetch.
//!
//! Invariants: nothing of the person goes with one: no cookies, no credentials, no referrer; no
//! redirect is followed by itself.
//!
//! Names are resolved by the runtime, which shows nobody what they lead to: browsers and workerd
//! keep public names from leading to private addresses by themselves. A page is not shown where a
//! redirect leads either, so there one ends a call.

use tau_core::{
    session::{HttpError, HttpHead},
    tool::http::Outgoing,
};
use tau_platform::{Http, Outbound, OutboundError};

use crate::{
    global::{decode, requests_have},
    http::{FetchBody, FetchHttp},
};

/// Sends what was decided about. It knows no secrets.
#[derive(Clone, Debug)]
pub struct FetchEgress {
    http: FetchHttp,
}

impl Default for FetchEgress {
    fn default() -> Self {
        Self {
            http: FetchHttp::new(|_| None),
        }
    }
}

impl Outbound for FetchEgress {
    type Body = FetchBody;

    async fn send(&self, request: Outgoing) -> Result<(HttpHead, FetchBody), OutboundError> {
        let (_, request) = request.into_parts();
        Ok(self.http.send(request).await?)
    }

    fn decode(&self, bytes: &[u8], label: &str) -> String {
        decode(bytes, label)
    }

    fn hint(&self, error: &HttpError) -> Option<&'static str> {
        // Only a browser keeps servers from being read that do not ask to be.
        (matches!(error, HttpError::Connect { .. }) && requests_have("credentials"))
            .then_some("a page can read only servers that allow it (CORS); try another source")
    }
}
