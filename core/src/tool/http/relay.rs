//! Requests of confined programs, which a home's proxy takes and sends on.
//!
//! ```text
//!  head ─> Relay::new ── body ─> Relay::with_body ─> Exchange ─ next_request ─> Outgoing
//!  CONNECT ─> open_tunnel ─> the requests within are read like any other
//! ```
//!
//! Invariant: a program may send what the tool `http` may, to hosts that were granted besides; where
//! a request goes is said once, and what says it again says the same. No redirect is followed: it is
//! the program's next request.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Exchange, Method,
    request::{OWN, Request, is_token, wrong},
};
use crate::{
    credential::{self, Redactor},
    egress::{self, Grant, Origin, Rules, Target},
    policy::{Refusal, http::HttpLimits},
    safety::has_mark,
    session::{HeaderValue, HttpHead},
};

pub use super::request::BODY_BYTES;

/// A request's head as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method, in whatever case.
    pub method: &'a str,
    /// The request target (RFC 9112, section 3.2): a whole address, or a path within a tunnel.
    pub target: &'a str,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    /// The tunnel it came through.
    pub tunnel: Option<Tunnel<'a>>,
}

/// A tunnel that was opened by `CONNECT` and ends at the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel<'a> {
    /// What [`open_tunnel`] gave.
    pub origin: &'a Origin,
    /// The name that the TLS handshake asked for.
    pub server_name: Option<&'a str>,
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
}

/// A request whose head was decided about.
#[derive(Clone, Debug)]
pub struct Relay {
    request: Request,
    limits: HttpLimits,
    encoding: Option<Encoding>,
}

/// Headers of one connection (RFC 9110, section 7.6.1), and what the sender sets.
const OF_THE_CONNECTION: [&str; 6] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Decides about `CONNECT authority`; what comes out is the only origin reached through the tunnel.
pub fn open_tunnel(authority: &str, grant: &Grant, rules: &Rules) -> Result<Origin, Refusal> {
    // A colon within brackets belongs to the address.
    let after = authority.rfind(']').map_or(0, |at| at + 1);
    if !authority[after..].contains(':') {
        return Err(wrong(
            format!("CONNECT {} names no port", shown(authority)),
            "CONNECT takes a host and a port, such as example.com:443",
        ));
    }
    let origin = Origin::parse(&format!("https://{authority}"))?;
    clear(&egress::parse(&origin.to_string())?, grant, rules)?;
    Ok(origin)
}

impl Relay {
    /// Decides about a request's head. `known` are values that may not leave.
    pub fn new(
        asked: Asked<'_>,
        grant: &Grant,
        limits: &HttpLimits,
        known: &Redactor,
    ) -> Result<Self, Refusal> {
        let url = url(&asked)?;
        credential::refuse_in("the address", &url)?;
        let target = egress::parse(&url)?;
        one_host(&asked, &target)?;
        clear(&target, grant, &limits.rules)?;
        let method = Method::parse(asked.method).ok_or_else(|| {
            let known = Method::ALL.map(Method::name).join(", ");
            wrong(
                format!("{} is not a method that is sent on", shown(asked.method)),
                &known,
            )
        })?;
        let encoding = encoding(asked.headers)?;
        let headers = headers(asked.headers)?;
        unmarked("the address", &url, known)?;
        for (name, value) in &headers {
            let (HeaderValue::Plain(text) | HeaderValue::Secret { prefix: text, .. }) = value;
            // Names are up to the program, too.
            let line = format!("{name}: {text}");
            unmarked(&format!("the header {name}"), &line, known)?;
        }
        let request = Request {
            method,
            target,
            headers,
            body: [].into(),
        };
        request.refuse_secrets(&url)?;
        Ok(Self {
            request,
            limits: limits.clone(),
            encoding,
        })
    }

    /// What is asked.
    #[must_use]
    pub fn method(&self) -> Method {
        self.request.method
    }

    /// Where it goes.
    #[must_use]
    pub fn url(&self) -> String {
        self.request.target.href()
    }

    /// How the body has to be unpacked to be read.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Decides about the body. `plain` is what it holds when it is packed; without it, a packed one
    /// is refused.
    pub fn with_body(
        mut self,
        body: Arc<[u8]>,
        plain: Option<&[u8]>,
        known: &Redactor,
    ) -> Result<Exchange, Refusal> {
        if body.len() > BODY_BYTES || plain.is_some_and(|plain| plain.len() > BODY_BYTES) {
            return Err(too_long());
        }
        if self.method().is_safe() && !body.is_empty() {
            return Err(wrong(
                format!("{} takes no body", self.method().name()),
                "use POST, PUT or PATCH",
            ));
        }
        if self.encoding.is_some() && plain.is_none() && !body.is_empty() {
            return Err(wrong(
                "the body is not packed as its content-encoding says".into(),
                "send it as it is",
            ));
        }
        // What is packed is looked at as well: its frame has room for text.
        for bytes in plain.into_iter().chain([&*body]) {
            let text = String::from_utf8_lossy(bytes);
            credential::refuse_in("the body", &text)?;
            unmarked("the body", &text, known)?;
            Request::refuse_secrets_of_body(bytes)?;
        }
        self.request.body = body;
        Ok(Exchange::of(self.request, self.limits))
    }
}

/// The refusal of a body longer than [`BODY_BYTES`].
#[must_use]
pub fn too_long() -> Refusal {
    wrong(
        format!("the body is longer than {BODY_BYTES} bytes"),
        "send less at a time",
    )
}

/// The headers of a response to `method` that the program gets: none of the connection's own, and a
/// length only where no body follows, since what follows may be changed.
#[must_use]
pub fn passed_back(head: &HttpHead, method: Method) -> Vec<(String, String)> {
    let named = named_by_connection(&head.headers);
    let stays = |name: &str| match name {
        "content-length" => method == Method::Head,
        // Of a protocol that the proxy does not speak.
        "alt-svc" => false,
        name => {
            !OF_THE_CONNECTION.contains(&name)
                && !name.starts_with("proxy-")
                && !named.iter().any(|named| named == name)
        }
    };
    let headers = head.headers.iter();
    headers.filter(|(name, _)| stays(name)).cloned().collect()
}

/// By the profile, and by what was granted.
fn clear(target: &Target, grant: &Grant, rules: &Rules) -> Result<(), Refusal> {
    egress::decide(target, rules)?;
    grant.check(target.origin(), rules)
}

fn url(asked: &Asked<'_>) -> Result<String, Refusal> {
    match (asked.tunnel, asked.target) {
        (Some(tunnel), path) if path.starts_with('/') => Ok(format!("{}{path}", tunnel.origin)),
        (None, path) if path.starts_with('/') => Err(wrong(
            "this is a proxy, and the request names a path alone".into(),
            "send the whole address, or CONNECT first",
        )),
        (_, whole) => Ok(whole.to_string()),
    }
}

/// Refuses a request that names one server to whoever decides and another to whoever answers.
fn one_host(asked: &Asked<'_>, target: &Target) -> Result<(), Refusal> {
    let origin = target.origin();
    let other = |what: &str, named: &str| {
        wrong(
            format!(
                "{what} names {}, and the request goes to {origin}",
                shown(named)
            ),
            "name the same host everywhere",
        )
    };
    if let Some(tunnel) = asked.tunnel {
        if tunnel.origin != origin {
            return Err(wrong(
                format!(
                    "the tunnel leads to {}, and the request to {origin}",
                    tunnel.origin
                ),
                "open a tunnel for each host",
            ));
        }
        if let Some(name) = tunnel.server_name {
            let named = Origin::parse(&format!("https://{name}"));
            if !named
                .is_ok_and(|named| named.host().to_plain_name() == origin.host().to_plain_name())
            {
                return Err(other("the TLS handshake", name));
            }
        }
    }
    let mut hosts = asked.headers.iter().filter(|(name, _)| name == "host");
    let (Some((_, host)), None) = (hosts.next(), hosts.next()) else {
        return Err(wrong(
            "the request does not name its host once".into(),
            "send one header host",
        ));
    };
    let scheme = if origin.is_secure() { "https" } else { "http" };
    match Origin::parse(&format!("{scheme}://{host}")) {
        Ok(named) if named == *origin => Ok(()),
        _ => Err(other("the header host", host)),
    }
}

fn encoding(headers: &[(String, String)]) -> Result<Option<Encoding>, Refusal> {
    let mut found = None;
    for (_, value) in headers
        .iter()
        .filter(|(name, _)| name == "content-encoding")
    {
        found = match (found, value.trim().to_ascii_lowercase().as_str()) {
            (found, "identity") => found,
            (None, "gzip" | "x-gzip") => Some(Encoding::Gzip),
            (None, "deflate") => Some(Encoding::Deflate),
            _ => {
                return Err(wrong(
                    format!("a body packed as {} cannot be looked at", shown(value)),
                    "send it as it is, or packed once by gzip",
                ));
            }
        };
    }
    Ok(found)
}

/// Those that go on, in order.
fn headers(given: &[(String, String)]) -> Result<Vec<(String, HeaderValue)>, Refusal> {
    let mut headers = Vec::with_capacity(given.len());
    let named = named_by_connection(given);
    super::request::within_limits(
        given.len(),
        given
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum(),
    )?;
    for (name, value) in given {
        if name == "upgrade" {
            return Err(wrong(
                format!("the connection cannot be upgraded to {}", shown(value)),
                "use http or https alone; no WebSocket goes through",
            ));
        }
        if !is_token(name) {
            return Err(wrong(
                format!("{} is not the name of a header", shown(name)),
                "use letters, digits and hyphens",
            ));
        }
        let is_dropped = OWN.contains(&name.as_str())
            || name.starts_with("proxy-")
            || named.iter().any(|named| named == name);
        if !is_dropped {
            let value = basic(name, value).unwrap_or_else(|| value.trim().to_string());
            headers.push((name.clone(), credential::header_value(&value)?));
        }
    }
    Ok(headers)
}

/// A handle where a program that logs in by name and password put it: as the password (RFC 7617).
/// The home puts the credential in and encodes both.
fn basic(name: &str, value: &str) -> Option<String> {
    let (scheme, encoded) = value.trim().split_once(' ')?;
    if name != "authorization" || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let login = String::from_utf8(decoded).ok()?;
    credential::mentions(&login).then(|| format!("Basic {login}"))
}

/// What a header `connection` makes headers of the connection.
fn named_by_connection(headers: &[(String, String)]) -> Vec<String> {
    let values = headers.iter().filter(|(name, _)| name == "connection");
    let names = values.flat_map(|(_, value)| value.split(','));
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Refuses what was taken out somewhere before, and a value that is known by heart.
fn unmarked(place: &str, text: &str, known: &Redactor) -> Result<(), Refusal> {
    if has_mark(text) {
        return Err(Refusal {
            rule: "redacted".into(),
            reason: format!("{place} holds something that was taken out, such as a secret"),
            hint: Some(
                "name a stored credential as {{secret:NAME}} in a header, or leave it out".into(),
            ),
        });
    }
    if known.redact(text).is_some() {
        return Err(Refusal {
            rule: "egress: secret".into(),
            reason: format!("{place} holds the value of a stored credential"),
            hint: Some("write it as {{secret:NAME}} in a header".into()),
        });
    }
    Ok(())
}

/// A short form of what a program wrote, for messages.
fn shown(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
