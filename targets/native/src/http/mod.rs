//! HTTP by reqwest.
//!
//! Invariants: a request goes out once, to the address it names: no redirects, no retries, no
//! cookies. A secret's value exists here alone, and is marked so that no library logs it.

pub(crate) mod error;

use bytes::Bytes;
use reqwest::{
    Client, ClientBuilder, Method, Request, Response, Url,
    header::{HeaderName, HeaderValue as RawValue},
    redirect, retry,
};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tau_core::{
    egress::Origin,
    session::{HeaderValue, HttpError, HttpHead, HttpRequest},
};
use tau_platform::{Body, Clock, Http};

use crate::{
    clock::TokioClock,
    secrets::{self, Secrets},
};

/// The longest piece of a body.
const CHUNK_BYTES: usize = 64 * 1024;
const USER_AGENT: &str = concat!("tau/", env!("CARGO_PKG_VERSION"));

/// An HTTP/1.1 and HTTP/2 client. Clones share connections.
///
/// TLS trusts what the system trusts. Proxies are taken from the environment (`HTTPS_PROXY`,
/// `NO_PROXY` and so on), but never for an address of this machine. Requests need a tokio runtime
/// with IO and timer.
#[derive(Clone)]
pub struct ReqwestHttp {
    inner: Arc<Inner>,
}

struct Inner {
    secrets: Box<dyn Secrets>,
    /// Made at the first use.
    proxied: OnceLock<Result<Client, HttpError>>,
    direct: OnceLock<Result<Client, HttpError>>,
}

impl std::fmt::Debug for ReqwestHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReqwestHttp").finish_non_exhaustive()
    }
}

impl ReqwestHttp {
    /// A client that asks `secrets` for the value of a named secret each time one is sent. White
    /// space around a value is dropped: key files end in a newline.
    #[must_use]
    pub fn new(secrets: impl Secrets + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                secrets: Box::new(secrets),
                proxied: OnceLock::new(),
                direct: OnceLock::new(),
            }),
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let (cell, direct) = if is_this_machine(url) {
            (&self.inner.direct, true)
        } else {
            (&self.inner.proxied, false)
        };
        cell.get_or_init(|| build(direct))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn prepare(&self, request: &HttpRequest) -> Result<Request, HttpError> {
        let url = Url::parse(&request.url)
            .map_err(|error| refuse(format!("{:?} is not a URL: {error}", request.url)))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refuse(format!("{url} is not an http or https URL")));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| refuse(format!("{:?} is not a method", request.method)))?;

        let mut prepared = Request::new(method, url);
        for (name, value) in &request.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refuse(format!("{name:?} is not a header's name")))?;
            let value = self.value(name, value, prepared.url())?;
            prepared.headers_mut().append(header, value);
        }
        if !request.body.is_empty() {
            *prepared.body_mut() = Some(Bytes::from_owner(request.body.clone()).into());
        }
        Ok(prepared)
    }

    fn value(&self, header: &str, value: &HeaderValue, url: &Url) -> Result<RawValue, HttpError> {
        match value {
            HeaderValue::Plain(text) => RawValue::from_bytes(text.as_bytes()).map_err(|_| {
                refuse(format!(
                    "the value of header {header} has control characters"
                ))
            }),
            HeaderValue::Secret { name, prefix } => {
                let origin = Origin::parse(&url.origin().ascii_serialization())
                    .map_err(|refusal| refuse(refusal.reason))?;
                secrets::header(&*self.inner.secrets, name, prefix, header, &origin)
                    .map_err(|refusal| refuse(refusal.reason))
            }
        }
    }
}

impl Http for ReqwestHttp {
    type Body = ReqwestBody;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, ReqwestBody), HttpError> {
        let prepared = self.prepare(&request)?;
        let authority = authority(prepared.url());
        let client = self.client(prepared.url())?;
        let response = within(request.idle_timeout_ms, async {
            client
                .execute(prepared)
                .await
                .map_err(|error| error::of_request(error, &authority))
        })
        .await?;

        let idle_timeout_ms = request.idle_timeout_ms;
        Ok((head(&response), ReqwestBody::new(response, idle_timeout_ms)))
    }
}

pub(crate) fn head(response: &Response) -> HttpHead {
    let headers = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    HttpHead {
        status: response.status().as_u16(),
        headers: headers.collect(),
        at: TokioClock.now(),
    }
}

/// The body of a response of [`ReqwestHttp`].
#[derive(Debug)]
pub struct ReqwestBody {
    response: Response,
    /// Received and not yet given out.
    rest: Bytes,
    idle_timeout_ms: u64,
}

impl ReqwestBody {
    pub(crate) fn new(response: Response, idle_timeout_ms: u64) -> Self {
        Self {
            response,
            rest: Bytes::new(),
            idle_timeout_ms,
        }
    }
}

impl Body for ReqwestBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        while self.rest.is_empty() {
            let next = within(self.idle_timeout_ms, async {
                self.response.chunk().await.map_err(error::of_body)
            });
            match next.await? {
                Some(piece) => self.rest = piece,
                None => return Ok(None),
            }
        }
        let length = self.rest.len().min(CHUNK_BYTES);
        Ok(Some(self.rest.split_to(length).into()))
    }
}

pub(crate) async fn within<T>(
    after_ms: u64,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    tokio::time::timeout(Duration::from_millis(after_ms), work)
        .await
        .unwrap_or(Err(HttpError::Timeout { after_ms }))
}

fn build(direct: bool) -> Result<Client, HttpError> {
    let builder = builder()?;
    let builder = if direct { builder.no_proxy() } else { builder };
    builder
        .build()
        .map_err(|error| not_set_up(error::deepest(&error)))
}

/// A client that goes nowhere by itself. What it gets is not decompressed.
pub(crate) fn builder() -> Result<ClientBuilder, HttpError> {
    static TLS: OnceLock<Result<rustls::ClientConfig, HttpError>> = OnceLock::new();
    let tls = TLS.get_or_init(tls).clone()?;
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .gzip(false)
        .deflate(false))
}

/// Trusts what the system trusts. Reading its certificates takes longer than most starts.
fn tls() -> Result<rustls::ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| not_set_up(error.to_string()))?
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn not_set_up(detail: String) -> HttpError {
    refuse(format!("the HTTP client cannot be set up: {detail}"))
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address
        .parse::<std::net::IpAddr>()
        .map_or(host == "localhost" || host.ends_with(".localhost"), |ip| {
            ip.to_canonical().is_loopback()
        })
}

pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

pub(crate) fn refuse(detail: String) -> HttpError {
    HttpError::Request { detail }
}
