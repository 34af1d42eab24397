//! Vectors from a server that speaks like OpenAI's `POST /embeddings`: texts out, vectors in.
//!
//! ```text
//! texts --batches--> ranges --encode--> HttpRequest ... body --decode--> vectors of length 1
//!                                                head and body --failure--> EmbeddingsError
//! ```
//!
//! Invariant: what [`EmbeddingEndpoint::decode`] gives is one vector a text, in the order of the texts, each with
//! the numbers that were agreed on, all finite, of length 1. Anything else is an error that says what came.
//! Source: OpenAI's API reference, "Create embeddings"; the same is spoken by Ollama, llama.cpp, vLLM and others.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use core::ops::Range;
use serde_json::Value;
use thiserror::Error;

use super::{
    WireError,
    error::{ProviderError, in_stream, is_error, provider_error},
    redact,
    shape::get,
};
use crate::{
    json::{self, object_of},
    memory::{EmbedError, EmbeddingModel},
    model::{Api, ModelConfig, Pricing},
    session::{FailureKind, HeaderValue, HttpHead, HttpRequest},
};

/// Texts of one request. Servers take 32 (the smallest seen) to 2,048.
pub const BATCH_TEXTS: usize = 32;
/// Bytes of the texts of one request: servers limit the tokens of all texts together.
pub const BATCH_BYTES: usize = 128 * 1024;
/// Bytes of a text that are sent; the rest of it is not. No token is shorter than a byte, so that this is below the
/// 8,191 tokens that the larger models take of one text.
pub const TEXT_BYTES: usize = 8_000;
/// How long a server may stay silent: it says nothing until all vectors are made.
pub const IDLE_TIMEOUT_MS: u64 = 30_000;
/// The longest body of an answer: 16 MiB.
pub const BODY_BYTES: usize = super::FRAME_LIMIT_BYTES;

/// A model behind a server, and where it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingEndpoint {
    /// Up to and including the version, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// As the server calls it.
    pub model: String,
    /// The name of the secret with the key; none where no key is wanted.
    pub secret: Option<String>,
    /// Numbers of a vector.
    pub dimensions: u32,
    /// Whether the server is asked for so many, of a model that makes more.
    pub is_shortened: bool,
}

/// The space of the vectors of `model` at `base_url`: two servers may call different models the
/// same. Without an address, as behind a binding, it is the model's name alone.
#[must_use]
pub fn space_of(base_url: &str, model: &str, dimensions: u32) -> EmbeddingModel {
    let origin = base_url.split_once("://").map(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        // Who asks is no part of where.
        let host = host.rsplit('@').next().unwrap_or(host);
        format!("{scheme}://{host}").to_ascii_lowercase()
    });
    let name = match origin {
        Some(origin) => format!("{model} at {origin}"),
        None => model.into(),
    };
    EmbeddingModel { name, dimensions }
}

/// Why an answer holds no vectors that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmbeddingsError {
    /// The provider said no.
    #[error("{}{}", .0.message, hint(.0))]
    Provider(ProviderError),
    /// The body is not what it claims to be.
    #[error("the server sent something that is no list of vectors: {detail}")]
    Unreadable {
        /// What and where, in one line.
        detail: String,
    },
    /// Not one vector a text.
    #[error("the server sent {found} vectors for {expected} texts")]
    Count {
        /// Vectors that came.
        found: usize,
        /// Texts that were sent.
        expected: usize,
    },
    /// Vectors of another space.
    #[error(
        "{model} sent vectors of {found} numbers, not {expected}: another model answers under its name, or \
         memory.embeddings.dimensions is wrong"
    )]
    Dimensions {
        /// As the server calls it.
        model: String,
        /// Numbers that came.
        found: usize,
        /// Numbers that were agreed on.
        expected: u32,
    },
    /// A vector without a direction.
    #[error("vector {index} of the answer {why}")]
    NoDirection {
        /// Counted from 0.
        index: usize,
        /// Such as `is zero`.
        why: &'static str,
    },
}

impl EmbeddingsError {
    /// Whether the same request may work when it is sent again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Provider(error) => error.retryable,
            // A proxy's page in the place of an answer, or one that was cut.
            Self::Unreadable { .. } => true,
            Self::Count { .. } | Self::Dimensions { .. } | Self::NoDirection { .. } => false,
        }
    }

    /// How long the provider asks to wait, counted from the response's head.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Provider(error) => error.retry_after_ms,
            _ => None,
        }
    }
}

impl From<EmbeddingsError> for EmbedError {
    fn from(error: EmbeddingsError) -> Self {
        Self::Failed {
            retry: error.is_retryable(),
            detail: error.to_string(),
        }
    }
}

/// What to check, where that is in the configuration. The other hints are about conversations.
fn hint(error: &ProviderError) -> String {
    match (error.kind, &error.hint) {
        (FailureKind::Unauthorized | FailureKind::NotFound, Some(hint)) => format!(" ({hint})"),
        _ => String::new(),
    }
}

/// The beginning of `text` that a request carries; whether it is all of it.
#[must_use]
pub fn cut(text: &str) -> (&str, bool) {
    let end = text.floor_char_boundary(TEXT_BYTES);
    (text.get(..end).unwrap_or(text), end == text.len())
}

/// The texts of each request, in order: at most [`BATCH_TEXTS`] and [`BATCH_BYTES`].
#[must_use]
pub fn batches(texts: &[String]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, text) in texts.iter().enumerate() {
        let length = cut(text).0.len();
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_TEXTS && bytes + length <= BATCH_BYTES => {
                last.end = at + 1;
                bytes += length;
            }
            _ => {
                batches.push(at..at + 1);
                bytes = length;
            }
        }
    }
    batches
}

impl EmbeddingEndpoint {
    /// The space of its vectors. The server's address is no part of it: the same model may move.
    #[must_use]
    pub fn space(&self) -> EmbeddingModel {
        space_of(&self.base_url, &self.model, self.dimensions)
    }

    /// The request for the vectors of one of the [`batches`]; the same texts give the same bytes.
    #[must_use]
    pub fn encode(&self, texts: &[String]) -> HttpRequest {
        let input = texts.iter().map(|text| match cut(text).0 {
            // Some servers refuse a text without a character.
            "" => Value::from(" "),
            text => Value::from(text),
        });
        let mut body = object_of([
            ("model", self.model.as_str().into()),
            ("input", input.collect::<Vec<_>>().into()),
        ]);
        if self.is_shortened {
            body["dimensions"] = self.dimensions.into();
        }
        let plain = |name: &str, value: &str| (name.to_owned(), HeaderValue::Plain(value.into()));
        let mut headers = vec![
            plain("content-type", "application/json"),
            plain("accept", "application/json"),
        ];
        headers.extend(self.secret.as_ref().map(|name| {
            let value = HeaderValue::Secret {
                name: name.clone(),
                prefix: "Bearer ".into(),
            };
            ("authorization".into(), value)
        }));
        HttpRequest {
            method: "POST".into(),
            url: format!("{}/embeddings", self.base_url.trim_end_matches('/')),
            headers,
            body: Arc::from(json::to_vec(&body)),
            idle_timeout_ms: IDLE_TIMEOUT_MS,
        }
    }

    /// Reads the body of a 2xx answer to `count` texts.
    pub fn decode(&self, count: usize, body: &[u8]) -> Result<Vec<Vec<f32>>, EmbeddingsError> {
        let answer = json_of(body)?;
        if is_error(b"", &answer) {
            return Err(match in_stream(&answer) {
                Err(WireError::Provider(error)) => {
                    EmbeddingsError::Provider(error.about(&self.as_chat()))
                }
                _ => unreadable("an error that says nothing"),
            });
        }
        let Some(Value::Array(items)) = get(&answer, "data") else {
            return Err(unreadable("no list `data`"));
        };
        counted(items.len(), count)?;
        let mut vectors = vec![Vec::new(); count];
        for (at, item) in items.iter().enumerate() {
            let index = match get(item, "index") {
                Some(index) => index.as_u64().and_then(|index| usize::try_from(index).ok()),
                None => Some(at),
            };
            // An index twice leaves another text without its vector.
            let place = index.and_then(|index| vectors.get_mut(index));
            let place = place.filter(|place| place.is_empty()).ok_or_else(|| {
                unreadable(&format!(
                    "item {at} has an index that is not one of the texts left"
                ))
            })?;
            let numbers = get(item, "embedding").map(numbers);
            let Some(Some(numbers)) = numbers else {
                return Err(unreadable(&format!("item {at} has no `embedding`")));
            };
            *place = self.direction(at, numbers)?;
        }
        Ok(vectors)
    }

    /// Reads what the binding of Workers AI answers to `count` texts: `{"shape":[…],"data":[[…],…]}`.
    ///
    /// Source: the models' pages in Cloudflare's documentation of Workers AI, "Output".
    pub fn decode_bound(
        &self,
        count: usize,
        body: &[u8],
    ) -> Result<Vec<Vec<f32>>, EmbeddingsError> {
        let answer = json_of(body)?;
        let Some(Value::Array(rows)) = get(&answer, "data") else {
            return Err(unreadable("no list `data`"));
        };
        counted(rows.len(), count)?;
        let rows = rows.iter().enumerate();
        let vectors = rows.map(|(at, row)| {
            let row = numbers(row).ok_or_else(|| unreadable(&format!("row {at} is no vector")));
            self.direction(at, row?)
        });
        vectors.collect()
    }

    /// Reads an answer whose status is not 2xx.
    #[must_use]
    pub fn failure(&self, head: &HttpHead, body: &[u8]) -> EmbeddingsError {
        EmbeddingsError::Provider(provider_error(&self.as_chat(), head, body))
    }

    fn direction(&self, index: usize, vector: Vec<f32>) -> Result<Vec<f32>, EmbeddingsError> {
        if u32::try_from(vector.len()) != Ok(self.dimensions) {
            return Err(EmbeddingsError::Dimensions {
                model: self.model.clone(),
                found: vector.len(),
                expected: self.dimensions,
            });
        }
        normalised(vector).map_err(|why| EmbeddingsError::NoDirection { index, why })
    }

    /// What errors are explained with: the same place, as a model that is talked to.
    fn as_chat(&self) -> ModelConfig {
        ModelConfig {
            name: self.model.clone(),
            api: Api::OpenAi,
            base_url: self.base_url.clone(),
            secret: self.secret.clone(),
            context_tokens: 0,
            max_output_tokens: 0,
            pricing: Pricing::default(),
            images: false,
            temperature_milli: None,
        }
    }
}

fn counted(found: usize, expected: usize) -> Result<(), EmbeddingsError> {
    match found == expected {
        true => Ok(()),
        false => Err(EmbeddingsError::Count { found, expected }),
    }
}

/// `vector` with length 1; why it has no direction where it has none.
pub fn normalised(mut vector: Vec<f32>) -> Result<Vec<f32>, &'static str> {
    if vector.iter().any(|x| !x.is_finite()) {
        return Err("has a number that is none");
    }
    // In 64 bits: a square of a large `f32` is no `f32`.
    let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    if square <= 0.0 {
        return Err("is zero");
    }
    let length = square_root(square);
    for x in &mut vector {
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of 1")]
        let scaled = (f64::from(*x) / length) as f32;
        *x = scaled;
    }
    Ok(vector)
}

/// The square root of a positive number, by Newton: `core` has none before Rust's float functions are in it.
fn square_root(of: f64) -> f64 {
    // Half of the exponent is within a factor of two.
    let mut root = f64::from_bits((of.to_bits() >> 1) + (1023_u64 << 51));
    for _ in 0..6 {
        root = 0.5 * (root + of / root);
    }
    root
}

/// Either of the two forms a vector is sent in: a list of numbers, or the base64 of little-endian `f32`.
fn numbers(embedding: &Value) -> Option<Vec<f32>> {
    match embedding {
        Value::Array(items) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "one too large becomes infinite, and is refused"
            )]
            let number = |item: &Value| item.as_f64().map(|x| x as f32);
            // What is no number, such as null for NaN, is refused with the vector it stands in.
            let items = items.iter().map(|item| number(item).unwrap_or(f32::NAN));
            Some(items.collect())
        }
        Value::String(text) => {
            let bytes = STANDARD.decode(text).ok()?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
            rest.is_empty().then(|| numbers.collect())
        }
        _ => None,
    }
}

fn json_of(body: &[u8]) -> Result<Value, EmbeddingsError> {
    match json::from_slice(body) {
        Ok(answer @ Value::Object(_)) => Ok(answer),
        Ok(_) => Err(unreadable("no object")),
        Err(error) => {
            let start = body.get(..body.len().min(400)).unwrap_or_default();
            let said = redact::page(&String::from_utf8_lossy(start));
            let said = redact::one_line(&said, 80);
            Err(unreadable(&format!("{error} in {said:?}")))
        }
    }
}

fn unreadable(detail: &str) -> EmbeddingsError {
    EmbeddingsError::Unreadable {
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests;
