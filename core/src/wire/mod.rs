//! Providers' wire formats: a [`ModelRequest`] out, [`Delta`]s in. Pure functions of bytes.
//!
//! ```text
//! ModelRequest --encode--> HttpRequest ... bytes --Decoder::push--> Delta, Delta, ...
//!                                   head and body --provider_error--> ProviderError
//! ```
//!
//! What is done with frames that are unknown, corrupt or cut off stands in one table
//! (`table.rs`), which the decoders consult. The end of the bytes without the provider's own end
//! event is truncation, never success. How the bytes were cut into pieces changes nothing.

mod anthropic;
mod calls;
pub mod embeddings;
mod error;
mod ndjson;
mod openai;
mod redact;
mod retry;
mod shape;
mod sse;
mod table;

pub(crate) use retry::after_ms as retry_after_ms;

pub use error::{ProviderError, WireError, provider_error};

use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use serde_json::Value;

use crate::{
    json,
    model::{Api, Delta, ModelRequest},
    session::{HeaderValue, HttpRequest},
};
use table::{Situation, settle};

/// How long a provider may stay silent, before the response and between pieces of it: 120 s.
///
/// Models that reason can be quiet for over a minute; providers send keep-alives well within two.
pub const IDLE_TIMEOUT_MS: u64 = 120_000;

/// What one frame of a stream, or one body that is not a stream, may hold: 16 MiB.
pub const FRAME_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The header that a provider's key goes into.
#[must_use]
pub fn credential_header(api: Api) -> &'static str {
    match api {
        Api::Anthropic => "x-api-key",
        Api::OpenAi | Api::Embedded => "authorization",
    }
}

/// The HTTP request that asks `request.model`; the same request gives the same bytes.
///
/// `None` for [`Api::Embedded`], which is not spoken to over HTTP.
#[must_use]
pub fn encode(request: &ModelRequest) -> Option<HttpRequest> {
    let model = &request.model;
    let (path, prefix, version, body) = match model.api {
        Api::OpenAi => ("/chat/completions", "Bearer ", None, openai::body(request)),
        Api::Anthropic => (
            "/messages",
            "",
            Some(("anthropic-version", anthropic::VERSION)),
            anthropic::body(request),
        ),
        Api::Embedded => return None,
    };
    let plain = |name: &str, value: &str| (name.to_string(), HeaderValue::Plain(value.to_string()));
    let mut headers = vec![
        plain("content-type", "application/json"),
        plain("accept", "text/event-stream"),
    ];
    headers.extend(version.map(|(name, value)| plain(name, value)));
    headers.extend(model.secret.as_ref().map(|secret| {
        let value = HeaderValue::Secret {
            name: secret.clone(),
            prefix: prefix.to_string(),
        };
        (credential_header(model.api).to_string(), value)
    }));
    let mut url = String::from(model.base_url.trim_end_matches('/'));
    url.push_str(path);
    Some(HttpRequest {
        method: "POST".to_string(),
        url,
        headers,
        body: Arc::from(json::to_vec(&body)),
        idle_timeout_ms: IDLE_TIMEOUT_MS,
    })
}

/// Reads the body of one 2xx answer, piece by piece.
///
/// Call [`push`](Self::push) with each piece and [`finish`](Self::finish) after the last. The
/// deltas pushed before an error are what the provider sent; the answer they belong to is not
/// complete. A decoder that failed stays failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    body: Body,
    answer: Answer,
    failed: Option<WireError>,
}

/// How the body is cut into frames.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    /// Nothing but white space has come so far.
    Undecided(Declared),
    Sse(sse::Parser),
    Json(ndjson::Parser),
}

/// What the content type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    Json,
    Html,
    Other,
}

/// What the frames mean.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    OpenAi(openai::Answer),
    Anthropic(anthropic::Answer),
    /// [`Api::Embedded`]: nothing that comes can be right.
    Embedded,
}

/// One event of a stream, or one JSON value of a body that is not one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Frame {
    /// The event's name; empty where the stream gives none.
    name: Vec<u8>,
    data: Vec<u8>,
}

impl Decoder {
    /// A decoder for one answer in the format of `api`; `content_type` as in the response's head.
    #[must_use]
    pub fn new(api: Api, content_type: Option<&str>) -> Self {
        let kind = content_type
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase())
            .unwrap_or_default();
        let declared = match kind.as_str() {
            "text/html" | "application/xhtml+xml" => Declared::Html,
            kind if kind.contains("json") => Declared::Json,
            _ => Declared::Other,
        };
        Self {
            body: Body::Undecided(declared),
            answer: match api {
                Api::OpenAi => Answer::OpenAi(openai::Answer::default()),
                Api::Anthropic => Answer::Anthropic(anthropic::Answer::default()),
                Api::Embedded => Answer::Embedded,
            },
            failed: None,
        }
    }

    /// Takes the next bytes, cut anywhere, and appends what they say to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), WireError> {
        self.unless_failed(|decoder| decoder.feed(bytes, out))
    }

    /// Says that the body ended cleanly. Fails with [`WireError::Truncated`] if the provider's own
    /// end event is missing.
    pub fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), WireError> {
        self.unless_failed(|decoder| decoder.end(out))
    }

    /// Whether the provider's own last event came, so that nothing more need be read.
    ///
    /// A finish reason alone is not it: OpenAI tells the usage after it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.answer {
            Answer::OpenAi(answer) => answer.is_done(),
            Answer::Anthropic(answer) => answer.is_done(),
            Answer::Embedded => false,
        }
    }

    fn unless_failed(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = step(self);
        self.failed = result.as_ref().err().cloned();
        result
    }

    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), WireError> {
        if let Body::Undecided(declared) = self.body {
            let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf);
            // The three bytes of a byte order mark count as blank: before the first frame they
            // can be nothing else.
            let start = bytes.iter().position(|b| !blank(b)).unwrap_or(bytes.len());
            bytes = bytes.get(start..).unwrap_or_default();
            let Some(first) = bytes.first() else {
                return Ok(());
            };
            self.body = Body::of(declared, *first)?;
        }
        while let Some(frame) = self.body.next(&mut bytes)? {
            self.answer.take(&frame, out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), WireError> {
        if let Some(frame) = self.body.last() {
            match self.answer.take(&frame, out) {
                // Half a frame is not corrupt: the rest of it never came.
                Err(WireError::Corrupt { detail }) => {
                    settle(Situation::CutFrame, || detail)?;
                }
                other => other?,
            }
        }
        match &mut self.answer {
            Answer::OpenAi(answer) => answer.end(),
            Answer::Anthropic(answer) => answer.end(),
            Answer::Embedded => embedded(),
        }
    }
}

impl Body {
    /// The first byte is believed more than the content type: servers answer errors as JSON under
    /// `text/event-stream` and streams under `application/json`.
    fn of(declared: Declared, first: u8) -> Result<Self, WireError> {
        match (declared, first) {
            (_, b'{' | b'[') => Ok(Self::Json(ndjson::Parser::default())),
            (Declared::Html, _) | (_, b'<') => {
                settle(Situation::ForeignBody, || "a page, not an answer".into())?;
                Ok(Self::Sse(sse::Parser::default()))
            }
            // A comment, or one of the fields `data`, `event`, `error`, `id`, `retry`.
            (Declared::Json, first) if !matches!(first, b':' | b'd' | b'e' | b'i' | b'r') => {
                Ok(Self::Json(ndjson::Parser::default()))
            }
            _ => Ok(Self::Sse(sse::Parser::default())),
        }
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, WireError> {
        match self {
            Self::Undecided(_) => Ok(None),
            Self::Sse(parser) => parser.next(bytes),
            Self::Json(parser) => parser.next(bytes),
        }
    }

    /// What the end of the bytes left without its end.
    fn last(&mut self) -> Option<Frame> {
        match self {
            Self::Undecided(_) => None,
            Self::Sse(parser) => parser.last(),
            Self::Json(parser) => parser.last(),
        }
    }
}

impl Answer {
    fn take(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), WireError> {
        match self {
            Self::OpenAi(answer) => answer.take(frame, out),
            Self::Anthropic(answer) => answer.take(frame, out),
            Self::Embedded => embedded(),
        }
    }
}

fn embedded() -> Result<(), WireError> {
    Err(WireError::Corrupt {
        detail: "an embedded model has no wire format".into(),
    })
}

/// A frame's JSON object; `None` if the table says to skip it.
fn object(frame: &Frame) -> Result<Option<Value>, WireError> {
    let Ok(text) = core::str::from_utf8(&frame.data) else {
        settle(Situation::InvalidUtf8, || "invalid UTF-8 in a frame".into())?;
        return Ok(None);
    };
    if text.trim().is_empty() {
        settle(Situation::EmptyData, || "a frame without data".into())?;
        return Ok(None);
    }
    // From bytes, as everywhere: a reader of text beside it would be the same code twice.
    match json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => {
            settle(Situation::WrongShape, || {
                alloc::format!("a frame that is no object: {}", redact::one_line(text, 80))
            })?;
            Ok(None)
        }
        Err(error) => {
            settle(Situation::InvalidJson, || {
                alloc::format!("{error} in the frame {}", redact::one_line(text, 80))
            })?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
