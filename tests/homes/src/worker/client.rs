//! A client of the Worker: requests, and streams of events.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};
use tau_core::session::{HeaderValue, HttpHead, HttpRequest};
use tau_platform::{Body, Http};
use tau_target_native::ReqwestHttp;

/// Longer than anything takes, also where everything else is busy.
const PATIENCE_MS: u64 = 60_000;

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Client {
    http: ReqwestHttp,
    /// The Worker's address, without trailing slash.
    pub url: String,
    token: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    head: HttpHead,
    /// Its body.
    pub text: String,
}

impl Reply {
    /// The first header of that name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The code of an error.
    #[must_use]
    pub fn code(&self) -> String {
        let code = &self.json()["error"]["code"];
        code.as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    /// Somebody with a token, or with none.
    #[must_use]
    pub fn new(url: &str, token: Option<&str>) -> Self {
        Self {
            http: ReqwestHttp::new(|_: &str| None),
            url: url.into(),
            token: token.map(Into::into),
        }
    }

    /// Sends one request and reads all of the answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Reply> {
        let request = self.request(method, path, headers, body);
        let (head, mut stream) = self.http.send(request).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.chunk().await? {
            bytes.extend(piece);
        }
        Ok(Reply {
            status: head.status,
            head,
            text: String::from_utf8(bytes)?,
        })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HttpRequest {
        let plain = |(name, value): &(&str, &str)| {
            let value = HeaderValue::Plain((*value).to_owned());
            ((*name).to_owned(), value)
        };
        let mut headers: Vec<_> = headers.iter().map(plain).collect();
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}");
            headers.push(("authorization".into(), HeaderValue::Plain(value)));
        }
        HttpRequest {
            method: method.into(),
            url: format!("{}{path}", self.url),
            headers,
            body: Arc::from(body.as_bytes()),
            idle_timeout_ms: PATIENCE_MS,
        }
    }

    /// `GET`, which must be answered with 200.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let reply = self.send("GET", path, &[], "").await?;
        if reply.status != 200 {
            bail!("GET {path}: {} {}", reply.status, reply.text);
        }
        Ok(reply.json())
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.send("POST", path, &[], &body.to_string()).await
    }

    /// Begins a session; its path.
    pub async fn begin(&self, body: &Value) -> Result<String> {
        let reply = self.post("/v1/sessions", body).await?;
        if reply.status != 201 {
            bail!("no session: {} {}", reply.status, reply.text);
        }
        let json = reply.json();
        let id = json["session"].as_str().context("no name")?;
        Ok(format!("/v1/sessions/{id}"))
    }

    /// Sends a prompt to the session at `path`, and shows its turn.
    pub async fn prompt(&self, path: &str, text: &str) -> Result<Events> {
        let body = serde_json::json!({ "text": text }).to_string();
        let accept = [("accept", "text/event-stream")];
        self.events("POST", &format!("{path}/prompt"), &accept, &body)
            .await
    }

    /// What happens in the session at `path` after `mark`.
    pub async fn watch(&self, path: &str, mark: Option<&str>) -> Result<Events> {
        let headers: Vec<_> = mark.iter().map(|mark| ("last-event-id", *mark)).collect();
        self.events("GET", &format!("{path}/events"), &headers, "")
            .await
    }

    async fn events(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Events> {
        let request = self.request(method, path, headers, body);
        let (head, mut stream) = self.http.send(request).await?;
        if head.header("content-type") == Some("text/event-stream") {
            return Ok(Events {
                body: stream,
                text: String::new(),
                ready: VecDeque::new(),
            });
        }
        let mut bytes = Vec::new();
        while let Some(piece) = stream.chunk().await? {
            bytes.extend(piece);
        }
        bail!(
            "{path}: {} {}",
            head.status,
            String::from_utf8_lossy(&bytes)
        )
    }
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its mark.
    pub id: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it says.
    pub data: Value,
}

/// A stream of them.
#[derive(Debug)]
pub struct Events {
    body: <ReqwestHttp as Http>::Body,
    text: String,
    ready: VecDeque<Event>,
}

impl Events {
    /// The next one; `None` when the stream has ended.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(piece) = self.body.chunk().await? else {
                return Ok(None);
            };
            // Pieces end with events: the Worker writes whole ones.
            self.text.push_str(core::str::from_utf8(&piece)?);
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                self.ready.extend(parse(frame));
                self.text = rest.to_owned();
            }
        }
    }

    /// Reads until an event of type `kind` and returns all.
    pub async fn until(&mut self, kind: &str) -> Result<Vec<Event>> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await? {
            let is_last = event.kind == kind;
            seen.push(event);
            if is_last {
                return Ok(seen);
            }
        }
        bail!("the stream ended before {kind}: {seen:?}")
    }

    /// Reads to the end of the stream.
    pub async fn rest(&mut self) -> Result<Vec<Event>> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await? {
            seen.push(event);
        }
        Ok(seen)
    }
}

/// A frame; none for a comment.
fn parse(frame: &str) -> Option<Event> {
    let field = |name: &str| {
        let mut lines = frame.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    Some(Event {
        id: field("id: "),
        kind: field("event: ")?,
        data: serde_json::from_str(&field("data: ")?).ok()?,
    })
}

/// The text that was streamed.
#[must_use]
pub fn streamed(events: &[Event]) -> String {
    let deltas = events.iter().filter(|event| event.kind == "text_delta");
    deltas
        .filter_map(|event| event.data["text"].as_str())
        .collect()
}
