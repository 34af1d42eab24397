//! From a call's arguments to a request, with everything in them that must not be sent refused.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use serde_json::Value;

use crate::{
    credential,
    egress::{self, Target},
    json,
    policy::Refusal,
    safety::{Severity, secrets},
    session::HeaderValue,
};

/// What is asked of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The content.
    #[default]
    Get,
    /// Only what is said of the content.
    Head,
    /// Something is done.
    Post,
    /// Something is stored.
    Put,
    /// Something is changed.
    Patch,
    /// Something is removed.
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
    ];

    /// As it is sent.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it changes nothing (RFC 9110, section 9.2.1).
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Whether twice is as good as once (RFC 9110, section 9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }

    /// By its name, in whatever case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

/// What is sent to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: Vec<(String, HeaderValue)>,
    pub(super) body: Arc<[u8]>,
}

/// Headers that only the side that sends can get right, or that change who is spoken to.
pub(super) const OWN: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
];
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 * 1024;
/// The longest body that is sent.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;

impl Request {
    pub(super) fn from_arguments(arguments: &Value) -> Result<Self, Refusal> {
        let url = arguments["url"].as_str().unwrap_or_default();
        credential::refuse_in("the address", url)?;
        let target = egress::parse(url)?;
        let method = match arguments["method"].as_str() {
            None => Method::default(),
            Some(name) => Method::parse(name).ok_or_else(|| {
                let known = Method::ALL.map(Method::name).join(", ");
                wrong(format!("{name:?} is not a method this tool sends"), &known)
            })?,
        };
        let mut headers = headers(&arguments["headers"])?;
        let (body, kind) = body(arguments)?;
        if !body.is_empty() {
            if method.is_safe() {
                return Err(wrong(
                    format!("{} takes no body", method.name()),
                    "use POST, PUT or PATCH",
                ));
            }
            default_header(&mut headers, "content-type", kind);
        }
        default_header(
            &mut headers,
            "accept",
            "text/html, application/json, text/*;q=0.9, */*;q=0.1",
        );
        let request = Self {
            method,
            target,
            headers,
            body,
        };
        request.refuse_secrets(url)?;
        Ok(request)
    }

    pub(super) fn of_message(url: &str, body: Option<&[u8]>) -> Result<Self, Refusal> {
        credential::refuse_in("the address", url)?;
        refuse_secret("the address", url)?;
        let json = || HeaderValue::Plain("application/json".into());
        let mut headers = Vec::from([("accept".into(), json())]);
        if body.is_some() {
            headers.push(("content-type".into(), json()));
        }
        Ok(Self {
            method: match body {
                Some(_) => Method::Post,
                None => Method::Get,
            },
            target: egress::parse(url)?,
            headers,
            body: body.unwrap_or_default().into(),
        })
    }

    /// Nothing that gives access to something leaves, unless it is put in for its own host where it
    /// is sent.
    pub(super) fn refuse_secrets(&self, url: &str) -> Result<(), Refusal> {
        refuse_secret("the address", url)?;
        for (name, value) in &self.headers {
            // What stands before a handle goes out as it is.
            let (HeaderValue::Plain(text) | HeaderValue::Secret { prefix: text, .. }) = value;
            refuse_secret(&format!("the header {name}"), &format!("{name}: {text}"))?;
        }
        Self::refuse_secrets_of_body(&self.body)
    }

    pub(super) fn refuse_secrets_of_body(body: &[u8]) -> Result<(), Refusal> {
        refuse_secret("the body", &String::from_utf8_lossy(body))?;
        // Within JSON a line end is two characters, and a key has many.
        match json::from_slice::<Value>(body) {
            Ok(value) => refuse_secret_in(&value),
            Err(_) => Ok(()),
        }
    }
}

fn refuse_secret_in(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::String(text) => refuse_secret("the body", text),
        Value::Array(items) => items.iter().try_for_each(refuse_secret_in),
        Value::Object(fields) => fields.values().try_for_each(refuse_secret_in),
        _ => Ok(()),
    }
}

fn refuse_secret(place: &str, text: &str) -> Result<(), Refusal> {
    let found = secrets::scan(text);
    let Some(finding) = found.iter().find(|f| f.severity >= Severity::Medium) else {
        return Ok(());
    };
    Err(Refusal {
        rule: "egress: secret".into(),
        reason: format!("{place} holds what looks like a secret ({})", finding.family),
        hint: Some(
            "leave it out; a credential the person stored is written as {{secret:NAME}} in a header"
                .into(),
        ),
    })
}

fn default_header(headers: &mut Vec<(String, HeaderValue)>, name: &str, value: &str) {
    if headers.iter().all(|(given, _)| given != name) {
        headers.push((name.to_string(), HeaderValue::Plain(value.to_string())));
    }
}

fn headers(given: &Value) -> Result<Vec<(String, HeaderValue)>, Refusal> {
    let Some(given) = given.as_object() else {
        return Ok(Vec::new());
    };
    within_limits(given.len(), 0)?;
    let mut headers: Vec<(String, HeaderValue)> = Vec::with_capacity(given.len());
    let mut bytes = 0;
    for (name, value) in given {
        let shown = name.escape_debug().take(60).collect::<String>();
        let lower = name.to_ascii_lowercase();
        if !is_token(&lower) {
            return Err(wrong(
                format!("\"{shown}\" is not the name of a header"),
                "use letters, digits and hyphens",
            ));
        }
        if OWN.contains(&lower.as_str()) || lower.starts_with("proxy-") || lower.starts_with("sec-")
        {
            return Err(wrong(
                format!("the header {shown} is not a call's to set"),
                "leave it out: it is set as the request is sent",
            ));
        }
        let text = match value {
            Value::String(text) => text.trim().to_string(),
            Value::Number(number) => number.to_string(),
            _ => {
                return Err(wrong(
                    format!("the header {shown} is not text"),
                    "write its value as a string",
                ));
            }
        };
        if text
            .bytes()
            .any(|b| b != b'\t' && !(b' '..0x7f).contains(&b))
        {
            return Err(wrong(
                format!("the header {shown} holds a line end or another unprintable character"),
                "one header a name; other letters are percent-encoded",
            ));
        }
        bytes += lower.len() + text.len();
        within_limits(given.len(), bytes)?;
        if headers.iter().any(|(before, _)| *before == lower) {
            return Err(wrong(
                format!("the header {shown} is there twice"),
                "write it once",
            ));
        }
        headers.push((lower, credential::header_value(&text)?));
    }
    Ok(headers)
}

/// Whether so many headers, and so many bytes of them, are sent.
pub(super) fn within_limits(headers: usize, bytes: usize) -> Result<(), Refusal> {
    if headers > HEADERS {
        return Err(wrong(
            format!("{headers} headers are too many"),
            "send what the server needs",
        ));
    }
    if bytes > HEADER_BYTES {
        return Err(wrong(
            format!("the headers are longer than {HEADER_BYTES} bytes"),
            "send large values in the body",
        ));
    }
    Ok(())
}

/// Whether `name` can be a header's (RFC 9110, section 5.6.2).
pub(super) fn is_token(name: &str) -> bool {
    let is_of_it = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_of_it)
}

/// The body, and what it is when the call does not say.
fn body(arguments: &Value) -> Result<(Arc<[u8]>, &'static str), Refusal> {
    let (text, kind) = match (&arguments["json"], arguments["body"].as_str()) {
        (Value::Null, None) => return Ok(([].into(), "")),
        (Value::Null, Some(text)) => (text.to_string(), "text/plain; charset=utf-8"),
        (value, None) => (json::to_string(value), "application/json"),
        (_, Some(_)) => {
            return Err(wrong(
                "there are two bodies, json and body".into(),
                "give one of them",
            ));
        }
    };
    if text.len() > BODY_BYTES {
        return Err(wrong(
            format!("the body is longer than {BODY_BYTES} bytes"),
            "send less at a time",
        ));
    }
    credential::refuse_in("the body", &text)?;
    Ok((text.into_bytes().into(), kind))
}

pub(super) fn wrong(reason: String, hint: &str) -> Refusal {
    Refusal {
        rule: "http: request".into(),
        reason,
        hint: Some(hint.into()),
    }
}
