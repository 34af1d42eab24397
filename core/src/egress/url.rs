//! URLs as browsers read them (WHATWG URL, basic URL parser), for `http` and `https` alone.
//!
//! Invariant: a [`Target`] is sent as [`Target::href`] writes it, in ASCII and with nothing left to
//! read in two ways; so what was decided about is what is sent, whichever parser reads it next.

use alloc::{format, string::String};
use core::fmt;

use super::{Host, refuse};
use crate::policy::Refusal;

/// A scheme, host and port: what is decided about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    /// An origin as it is written in a profile: `https://example.com`, `http://127.0.0.1:8080`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let target = parse(text)?;
        if target.path != "/" || target.has_credentials {
            return Err(refuse(
                "url",
                format!("{} is more than an origin", shown(text)),
                "write scheme, host and port alone, such as https://example.com",
            ));
        }
        Ok(target.origin)
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Where the server is.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, also when it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the port is the scheme's own.
    pub(super) fn has_default_port(&self) -> bool {
        self.port == default_port(self.secure)
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)?;
        if !self.has_default_port() {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// An address somebody wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(super) origin: Origin,
    /// With the query; begins with a slash, in ASCII.
    path: String,
    pub(super) has_credentials: bool,
}

impl Target {
    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether a user or a password stood in it.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.has_credentials
    }

    /// The URL to send a request to, without credentials and fragment.
    #[must_use]
    pub fn href(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// Where `reference` leads from here: a redirect's `location`.
    pub fn join(&self, reference: &str) -> Result<Self, Refusal> {
        Parser::new(reference).target(Some(self))
    }
}

/// Takes an absolute URL apart.
pub fn parse(url: &str) -> Result<Target, Refusal> {
    Parser::new(url).target(None)
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

struct Parser {
    /// Without what every browser leaves out: white space around, line ends and tabs within.
    text: String,
}

impl Parser {
    fn new(url: &str) -> Self {
        let trimmed = url.trim_matches(|c: char| c <= ' ');
        Self {
            text: trimmed.replace(['\t', '\n', '\r'], ""),
        }
    }

    fn target(&self, base: Option<&Target>) -> Result<Target, Refusal> {
        let text = self.text.as_str();
        let Some((scheme, rest)) = scheme(text) else {
            return match base {
                Some(base) => self.relative(base, text),
                None => Err(refuse(
                    "url",
                    format!("{} is not a whole address", shown(text)),
                    "begin with https://",
                )),
            };
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            other => {
                return Err(refuse(
                    "scheme",
                    format!("{} is not an address of the web", shown(other)),
                    "use the https address",
                ));
            }
        };
        match base {
            // As browsers do: `https:path` on a page of https leads on from that page.
            Some(base) if base.origin.secure == secure && !rest.starts_with("//") => {
                self.relative(base, rest)
            }
            _ => self.authority(secure, rest),
        }
    }

    fn relative(&self, base: &Target, rest: &str) -> Result<Target, Refusal> {
        let mut slashes = rest.chars().take_while(|c| is_slash(*c));
        let path = match (slashes.next(), slashes.next()) {
            (Some(_), Some(_)) => return self.authority(base.origin.secure, rest),
            (Some(_), None) => path("/", rest),
            _ => {
                let (base_path, _) = split(&base.path, &['?']);
                match rest.chars().next() {
                    None | Some('#') => base.path.clone(),
                    Some('?') => path(base_path, rest),
                    Some(_) => path(folder(base_path), rest),
                }
            }
        };
        Ok(Target {
            origin: base.origin.clone(),
            path,
            has_credentials: false,
        })
    }

    fn authority(&self, secure: bool, rest: &str) -> Result<Target, Refusal> {
        let wrong = |what: &str| {
            refuse(
                "host",
                format!("the host of {} {what}", shown(&self.text)),
                "use the https address of a website",
            )
        };
        let rest = rest.trim_start_matches(is_slash);
        let (authority, rest) = split(rest, &['/', '\\', '?', '#']);
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (credentials, host),
            None => ("", authority),
        };
        // A colon within brackets belongs to the address.
        let after = host.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match host[after..].find(':') {
            Some(at) => (&host[..after + at], &host[after + at + 1..]),
            None => (host, ""),
        };
        let host = Host::parse(host).map_err(wrong)?;
        let port = match port {
            "" => default_port(secure),
            port if port.bytes().all(|b| b.is_ascii_digit()) => {
                port.parse().map_err(|_| wrong("has a port above 65535"))?
            }
            _ => return Err(wrong("has a port that is not a number")),
        };
        Ok(Target {
            origin: Origin { secure, host, port },
            path: path("/", rest),
            has_credentials: !matches!(credentials, "" | ":"),
        })
    }
}

/// A short form of what somebody wrote, for messages.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_one.then_some((scheme, rest))
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// What comes before the first of `ends`, and the rest from there.
fn split<'t>(text: &'t str, ends: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// The path and query of `rest`, which follows `base`: dots resolved, backslashes as slashes, and
/// encoded what a URL does not hold as it is.
fn path(base: &str, rest: &str) -> String {
    let (segments, rest) = split(rest, &['?', '#']);
    let (query, _) = split(rest, &['#']);
    let mut path = String::with_capacity(base.len() + segments.len() + query.len());
    path.push_str(base);
    if !segments.is_empty() {
        append(segments, &mut path);
    }
    encode(query, |b| br##""#<>'"##.contains(&b), &mut path);
    path
}

/// Up to and with its last slash.
fn folder(path: &str) -> &str {
    &path[..path.rfind('/').map_or(0, |at| at + 1)]
}

/// Appends `segments` to a path that ends in a slash.
fn append(segments: &str, path: &mut String) {
    let segments = segments.strip_prefix(is_slash).unwrap_or(segments);
    let mut left = segments.split(is_slash).peekable();
    while let Some(segment) = left.next() {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        match dots.as_str() {
            "." => {}
            // Never above the first slash.
            ".." => path.truncate(folder(&path[..path.len() - 1]).len().max(1)),
            _ => {
                encode(segment, |b| br##""#<>?`{}"##.contains(&b), path);
                if left.peek().is_some() {
                    path.push('/');
                }
            }
        }
    }
}

/// Appends `text` with what `is_encoded` names, control characters, spaces and all beyond ASCII
/// percent-encoded.
fn encode(text: &str, is_encoded: impl Fn(u8) -> bool, out: &mut String) {
    for byte in text.bytes() {
        if byte <= b' ' || byte >= 0x7f || is_encoded(byte) {
            let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(char::from(byte));
        }
    }
}
