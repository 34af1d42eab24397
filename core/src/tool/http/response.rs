//! A response as the model reads it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Exchange, Hop, Method, cut, failure, html,
    media::{Media, label},
};
use crate::{
    json::{self, object_of},
    session::HttpHead,
    tool::ToolOutput,
};

/// Longer JSON is written without white space: every word of it costs.
const COMPACT_FROM_BYTES: usize = 4 * 1024;

/// An answer that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The address that gave it.
    pub url: String,
    /// Its status.
    pub status: u16,
    /// What the server says it is; may be empty.
    pub content_type: String,
    /// The redirects before it.
    pub hops: Vec<Hop>,
    /// What was read.
    pub content: Content,
    /// Bytes of the body that were read, after decompression.
    pub bytes: u64,
    /// Whether there was more.
    pub truncated: bool,
    /// Whether asking again makes sense, for an error.
    retry: Option<failure::Retry>,
    method: Method,
    /// In order.
    headers: Vec<(String, String)>,
}

/// What a body was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text; HTML reduced to what is written.
    Text(String),
    /// Anything else, by the hexadecimal SHA-256 of what was read.
    Binary(String),
}

impl Response {
    /// What `exchange` ended with: a head, and the body's bytes up to the limit. `decode` makes text
    /// of bytes in the encoding of a name.
    #[must_use]
    pub fn new(
        exchange: &Exchange,
        head: &HttpHead,
        body: &[u8],
        truncated: bool,
        decode: impl FnOnce(&[u8], &str) -> String,
    ) -> Self {
        let content_type = head.header("content-type").unwrap_or_default();
        let media = Media::of(content_type, body);
        let content = if body.is_empty() {
            Content::Text(String::new())
        } else if media == Media::Binary {
            Content::Binary(hash(body))
        } else {
            let text = decode(body, &label(content_type, body));
            Content::Text(match media {
                Media::Html => html::readable(&text),
                Media::Json => compact(text),
                _ => text,
            })
        };
        Self {
            url: exchange.url(),
            status: head.status,
            content_type: content_type.into(),
            hops: exchange.hops().to_vec(),
            content,
            bytes: body.len() as u64,
            truncated,
            retry: failure::of_status(head, exchange.method()),
            method: exchange.method(),
            headers: head.headers.clone(),
        }
    }

    /// Whether the server says that it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.status >= 400
    }

    /// The tool's result in at most `limit` bytes. A failure is an object that says whether asking
    /// again makes sense.
    #[must_use]
    pub fn to_output(&self, limit: usize) -> ToolOutput {
        let told = self.told();
        let Some(retry) = self.retry.as_ref().filter(|_| self.failed()) else {
            return ToolOutput::ok(cut(told, limit));
        };
        // What surrounds it takes a few hundred bytes, and a quoted letter up to two of most texts.
        let told = cut(told, limit.saturating_sub(600) / 2);
        let mut object = object_of([
            ("error", "http".into()),
            ("status", self.status.into()),
            ("url", self.url.as_str().into()),
            ("body", told.into()),
        ]);
        retry.put_into(&mut object);
        ToolOutput::error(json::to_string(&object))
    }

    /// As one JSON object, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let hops = self.hops.iter();
        let hops: Vec<Value> = hops
            .map(|hop| {
                object_of([
                    ("url", hop.url.as_str().into()),
                    ("status", hop.status.into()),
                ])
            })
            .collect();
        let mut object = object_of([
            ("status", self.status.into()),
            ("url", self.url.as_str().into()),
            ("hops", hops.into()),
            ("content_type", self.content_type.clone().into()),
            ("bytes", self.bytes.into()),
            ("truncated", self.truncated.into()),
        ]);
        match &self.content {
            Content::Text(text) => object["body"] = text.as_str().into(),
            Content::Binary(sha256) => {
                object["body"] = Value::Null;
                object["sha256"] = sha256.as_str().into();
            }
        }
        if let Some(retry) = &self.retry {
            retry.put_into(&mut object);
        }
        object
    }

    fn told(&self) -> String {
        let kind = match self.content_type.as_str() {
            "" => "of no stated type",
            kind => kind,
        };
        let mut said = format!("{} (status {}, {kind})\n", self.url, self.status);
        if let Some(first) = self.hops.first() {
            said += &format!("[redirected from {}]\n", first.url);
        }
        if self.truncated {
            said += &format!("[… only the first {} bytes were read …]\n", self.bytes);
        }
        said += "\n";
        match &self.content {
            Content::Text(text) if text.is_empty() => said += &self.headers(),
            Content::Text(text) => said += text.trim(),
            Content::Binary(sha256) => {
                said += &format!("not text: {} bytes, sha-256 {sha256}", self.bytes);
            }
        }
        said
    }

    /// What stands in for a body that is not there.
    fn headers(&self) -> String {
        if self.method != Method::Head {
            return "no body".to_string();
        }
        let lines = self.headers.iter();
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        lines.join("\n")
    }
}

fn hash(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        hex += &format!("{byte:02x}");
    }
    hex
}

/// Long JSON without the white space between its parts; what is not JSON stays.
fn compact(text: String) -> String {
    if text.len() < COMPACT_FROM_BYTES || json::from_str::<Value>(&text).is_err() {
        return text;
    }
    let mut short = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted || !matches!(c, ' ' | '\t' | '\n' | '\r') {
            short.push(c);
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    short
}
