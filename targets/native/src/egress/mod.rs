//! Requests of tools, from a name to the addresses that were decided about.
//!
//! Invariants: a name is looked up once, all its answers are decided about, and the connection goes
//! to one of them; nothing else is asked for an address. No proxy of the environment, no redirect,
//! no cookie. A credential's value is put in here, after the decision, for its own host.

mod resolve;

use reqwest::{
    Client, Method, Request, Url,
    dns::{Addrs, Name, Resolving},
    header::{CONTENT_LENGTH, HeaderName, HeaderValue as RawValue},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tau_core::{
    egress::{Cleared, Host, Pinned},
    session::{HeaderValue, HttpError, HttpHead, HttpRequest},
    tool::http::Outgoing,
};
use tau_platform::http_tool::{Outbound, OutboundError};

use crate::{
    http::{ReqwestBody, authority, builder, error, head, refuse, within},
    secrets::{self, Secrets},
};
pub use resolve::{Resolve, SystemResolver};

/// Sends what tools ask for, to addresses that were decided about. Needs a tokio runtime.
#[derive(Clone)]
pub struct Egress<R = SystemResolver> {
    resolver: R,
    secrets: Arc<dyn Secrets>,
    /// Trusted in place of what the system trusts.
    #[cfg(test)]
    tls: Option<rustls::ClientConfig>,
}

impl<R> std::fmt::Debug for Egress<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

impl<R: Resolve> Egress<R> {
    /// Looks names up with `resolver`, and puts `secrets` into the headers that name one.
    pub fn new(resolver: R, secrets: Arc<dyn Secrets>) -> Self {
        Self {
            resolver,
            secrets,
            #[cfg(test)]
            tls: None,
        }
    }

    /// Trusts what `tls` trusts: servers of tests are known to nobody else.
    #[cfg(test)]
    pub(crate) fn trusting(mut self, tls: rustls::ClientConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// A client that connects to the pinned addresses and no other. One for each request, so that
    /// no connection to another address is there to be taken up.
    fn client(&self, pinned: &Pinned) -> Result<Client, HttpError> {
        let addresses = Only(pinned.addresses().into());
        let builder = builder()?;
        #[cfg(test)]
        let builder = match &self.tls {
            Some(tls) => builder.tls_backend_preconfigured(tls.clone()),
            None => builder,
        };
        builder
            .no_proxy()
            .gzip(true)
            .deflate(true)
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(addresses))
            .build()
            .map_err(|error| refuse(error::deepest(&error)))
    }

    async fn pin(&self, cleared: Cleared) -> Result<Pinned, OutboundError> {
        let answers = match cleared.target().origin().host() {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = self.resolver.resolve(name).await;
                found.map_err(|error| HttpError::Connect {
                    host: name.clone(),
                    detail: error.to_string(),
                })?
            }
        };
        Ok(cleared.pin(answers)?)
    }

    fn prepare(&self, request: HttpRequest, pinned: &Pinned) -> Result<Request, OutboundError> {
        let url = Url::parse(&request.url)
            .map_err(|error| refuse(format!("{:?} is not a URL: {error}", request.url)))?;
        if url.as_str() != pinned.target().href() {
            // Two parsers, two meanings: which would be connected to is anybody's guess.
            return Err(refuse(format!("{:?} is read in two ways", request.url)).into());
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| refuse(format!("{:?} is not a method", request.method)))?;
        let mut prepared = Request::new(method, url);
        for (name, value) in &request.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refuse(format!("{name:?} is not a header's name")))?;
            let value = match value {
                HeaderValue::Plain(text) => RawValue::from_str(text).map_err(|_| {
                    refuse(format!("the value of header {name} has control characters"))
                })?,
                HeaderValue::Secret {
                    name: secret,
                    prefix,
                } => {
                    let origin = pinned.target().origin();
                    secrets::header(&*self.secrets, secret, prefix, name, origin)?
                }
            };
            prepared.headers_mut().append(header, value);
        }
        if !request.body.is_empty() {
            *prepared.body_mut() = Some(request.body.to_vec().into());
        } else if matches!(
            *prepared.method(),
            Method::POST | Method::PUT | Method::PATCH
        ) {
            // Some servers ask for the length of what is not there (RFC 9110, section 8.6).
            let none = RawValue::from_static("0");
            prepared.headers_mut().insert(CONTENT_LENGTH, none);
        }
        Ok(prepared)
    }
}

impl<R: Resolve> Outbound for Egress<R> {
    type Body = ReqwestBody;

    async fn send(&self, outgoing: Outgoing) -> Result<(HttpHead, ReqwestBody), OutboundError> {
        let (cleared, request) = outgoing.into_parts();
        let idle_timeout_ms = request.idle_timeout_ms;
        let pinned = within(idle_timeout_ms, async { Ok(self.pin(cleared).await) }).await??;
        let prepared = self.prepare(request, &pinned)?;
        let authority = authority(prepared.url());
        let client = self.client(&pinned)?;
        let response = within(idle_timeout_ms, async {
            client
                .execute(prepared)
                .await
                .map_err(|error| error::of_request(error, &authority))
        })
        .await?;
        if let Some(encoding) = response.headers().get("content-encoding") {
            // What was asked for is decoded, and then it does not say so any more.
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            if !encoding.eq_ignore_ascii_case("identity") {
                let detail = format!("it answers in {encoding:?}, which was not asked for");
                return Err(HttpError::Protocol { detail }.into());
            }
        }
        Ok((head(&response), ReqwestBody::new(response, idle_timeout_ms)))
    }

    fn decode(&self, bytes: &[u8], label: &str) -> String {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
        let encoding = encoding.unwrap_or(encoding_rs::UTF_8);
        encoding.decode(bytes).0.into_owned()
    }
}

/// Answers every look-up with the addresses that were decided about.
struct Only(Arc<[IpAddr]>);

impl reqwest::dns::Resolve for Only {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses = Arc::clone(&self.0);
        // The port is the URL's.
        let addresses = (0..addresses.len()).map(move |at| SocketAddr::new(addresses[at], 0));
        let addresses: Addrs = Box::new(addresses);
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
