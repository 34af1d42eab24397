//! What only a home can do, and how it went.
//!
//! Both enums are exhaustive on purpose: a new effect is something every home must answer for.

use alloc::{string::String, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    ids::{EffectId, SessionId, UnixMillis},
    json::{FromJson, ToJson},
    memory,
    model::{Delta, ModelRequest},
    tool::{ToolOutput, ToolRun},
};

/// A wish of the core, to be answered with the [`Answer`] named in each variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make records durable, all or none. Answered by [`Answer::Committed`].
    Commit(Batch),
    /// Search, read or change what is remembered. Answered by [`Answer::Memory`]. The same request
    /// twice, after a restart, leaves what one would.
    Memory(memory::Request),
    /// Send a request and wait for the response's head. Answered by [`Answer::HttpHead`]. The home
    /// keeps the body under this effect's id until it is read to its end, fails or is cancelled.
    HttpSend(HttpRequest),
    /// Pull the next piece of the body of the [`Effect::HttpSend`] with that id.
    /// Answered by [`Answer::HttpChunk`].
    HttpRead {
        /// The request whose body is read.
        of: EffectId,
    },
    /// Start a model inside the home's process. Answered by [`Answer::Generating`].
    Generate(ModelRequest),
    /// Pull the next piece from the [`Effect::Generate`] with that id. Answered by [`Answer::Generated`].
    GenerateNext {
        /// The generation that is read.
        of: EffectId,
    },
    /// Run a tool of the home. Answered by [`Answer::Tool`].
    RunTool(ToolRun),
}

/// How an effect went. An answer to an effect the session no longer waits for changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Effect::Commit`].
    Committed(Result<(), StoreError>),
    /// To [`Effect::Memory`].
    Memory(Result<memory::Reply, memory::Failure>),
    /// To [`Effect::HttpSend`].
    HttpHead(Result<HttpHead, HttpError>),
    /// To [`Effect::HttpRead`]: `None` is a clean end of the body.
    HttpChunk(Result<Option<Vec<u8>>, HttpError>),
    /// To [`Effect::Generate`].
    Generating(Result<(), GenerateError>),
    /// To [`Effect::GenerateNext`]: `None` after the last piece.
    Generated(Result<Option<Delta>, GenerateError>),
    /// To [`Effect::RunTool`].
    Tool(ToolOutput),
}

/// A conditional, atomic change of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys that must not exist; if one does, nothing is changed and the commit is a conflict.
    pub require_absent: Vec<String>,
    /// Keys and their new values.
    pub put: Vec<(String, Vec<u8>)>,
    /// Keys to remove; absent ones are no error.
    pub delete: Vec<String>,
}

/// The half-open range of keys `start..end` in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first key that may be returned.
    pub start: String,
    /// The first key that may not.
    pub end: String,
    /// At most so many rows.
    pub limit: u32,
}

impl Range {
    /// Every key that begins with `prefix`, which must be ASCII and not empty.
    #[must_use]
    pub fn prefix(prefix: &str, limit: u32) -> Self {
        let mut end = String::from(prefix);
        // '\u{7f}' is above every character that keys are made of.
        end.push('\u{7f}');
        Self {
            start: prefix.into(),
            end,
            limit,
        }
    }
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
pub enum StoreError {
    /// A required-absent key exists: another writer was first.
    #[error("another process wrote to session {session} first")]
    Conflict {
        /// The session whose key it was.
        session: SessionId,
    },
    /// Another process holds the session or the store.
    #[error("the store is held by {holder}")]
    Locked {
        /// Who, in words.
        holder: String,
    },
    /// The store's content does not make sense.
    #[error("the store is damaged: {detail}")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// No room.
    #[error("the disk is full")]
    Full,
    /// The agent cannot sign what it does, so nothing is stored and nothing done.
    #[error("what the agent does cannot be signed: {detail}")]
    Unsigned {
        /// Why.
        detail: String,
    },
    /// Anything else, in the adapter's words.
    #[error("the store failed: {detail}")]
    Io {
        /// What was found.
        detail: String,
    },
}

/// A request to one HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`…, in capitals.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// In order; names in lower case.
    pub headers: Vec<(String, HeaderValue)>,
    /// Sent as it is. Shared, because a retry sends it again.
    pub body: Arc<[u8]>,
    /// Until the response's head, and between pieces of its body.
    pub idle_timeout_ms: u64,
}

/// A header's value, which may be one the core must never see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// Sent as it is.
    Plain(String),
    /// `prefix` and the value of the named secret, put together by the home as it sends.
    Secret {
        /// The secret's name, such as the environment variable it is kept in.
        name: String,
        /// What stands before it, such as `Bearer `.
        prefix: String,
    },
}

/// The beginning of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHead {
    /// Such as 200.
    pub status: u16,
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// When it arrived, by the home's clock: `retry-after` dates are read against it.
    pub at: UnixMillis,
}

impl HttpHead {
    /// The first header of that (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there was no (further) response.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
pub enum HttpError {
    /// The server could not be reached.
    #[error("cannot connect to {host}: {detail}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's words.
        detail: String,
    },
    /// The connection died in the middle.
    #[error("the connection was closed early: {detail}")]
    Reset {
        /// The system's words.
        detail: String,
    },
    /// Nothing came for as long as [`HttpRequest::idle_timeout_ms`].
    #[error("no answer within {after_ms} ms")]
    Timeout {
        /// How long was waited.
        after_ms: u64,
    },
    /// TLS, or a server that does not speak HTTP.
    #[error("the server does not speak proper HTTP: {detail}")]
    Protocol {
        /// The library's words.
        detail: String,
    },
    /// The URL, a header or a secret it names is not usable.
    #[error("the request cannot be sent: {detail}")]
    Request {
        /// What is wrong with it.
        detail: String,
    },
}

/// Why the in-process model did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
pub enum GenerateError {
    /// This home has no such model.
    #[error("this home has no embedded model: {detail}")]
    Unavailable {
        /// What is missing and how to get it.
        detail: String,
    },
    /// A provider behind a binding of the home failed.
    #[error("{}", .0.message)]
    Provider(crate::wire::ProviderError),
    /// It was there and failed.
    #[error("the embedded model failed: {detail}")]
    Failed {
        /// The engine's words.
        detail: String,
    },
}
