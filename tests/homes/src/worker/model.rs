//! A provider on loopback that does what a test says and remembers what it was asked.

use anyhow::Result;
use serde_json::Value;
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tau_core::model::Api;
use tau_tests::wire::{self, Frame, Piece, Tokens};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::server::suite::{read, until_closed, whole};

/// What is done with one request.
#[derive(Clone, Debug)]
pub enum Do {
    /// A streamed answer of these parts.
    Stream(Vec<Piece>),
    /// A status, headers as lines `name: value`, and a body.
    Status(u16, Vec<&'static str>, String),
    /// Nothing, for as long as the client stays.
    Hang,
}

impl Do {
    /// An answer of one text.
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::Stream(vec![Piece::Text(text.into())])
    }

    /// One call of a tool, as `c1`.
    #[must_use]
    pub fn call(name: &str, arguments: &Value) -> Self {
        Self::Stream(vec![Piece::Call {
            id: "c1".into(),
            name: name.into(),
            arguments: arguments.to_string(),
        }])
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Such as `POST`.
    pub method: String,
    /// From the first `/`.
    pub path: String,
    /// Lines `name: value`, names in lower case.
    pub headers: Vec<String>,
    /// The body, where it is JSON.
    pub body: Value,
}

impl Asked {
    /// The text of the last message.
    #[must_use]
    pub fn last(&self) -> String {
        let messages = self.body["messages"].as_array();
        let last = messages.and_then(|all| all.last()).map(|m| &m["content"]);
        match last {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// Who said the last message.
    #[must_use]
    pub fn last_role(&self) -> &str {
        let messages = self.body["messages"].as_array();
        let last = messages.and_then(|all| all.last());
        last.and_then(|message| message["role"].as_str())
            .unwrap_or_default()
    }
}

type Script = dyn Fn(&Asked, usize) -> Do + Send + Sync;

/// The provider. It ends with its value.
pub struct Model {
    /// Without a path.
    pub origin: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    /// Connections that the client closed while they were kept open.
    closed: AtomicU32,
    /// Times the page `/page` was read.
    page: AtomicU32,
}

impl Model {
    /// Asks `script` what to do with each request and its number, from 0. `GET /page` is a page of
    /// text for the tool `fetch`, and not among the requests.
    pub async fn start(
        script: impl Fn(&Asked, usize) -> Do + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            closed: AtomicU32::new(0),
            page: AtomicU32::new(0),
        });
        let state = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                // A client that goes away in the middle is what some tests are about.
                tokio::spawn(async move { drop(state.serve(stream).await) });
            }
        });
        Ok(Self {
            origin,
            shared,
            serving,
        })
    }

    /// Answers with `script` in order; a further request gets status 500.
    pub async fn scripted(script: impl IntoIterator<Item = Do>) -> Result<Self> {
        let script: Vec<Do> = script.into_iter().collect();
        Self::start(move |_, number| {
            let unexpected = || Do::Status(500, vec![], "nobody expected this request".into());
            script.get(number).cloned().unwrap_or_else(unexpected)
        })
        .await
    }

    /// Every request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.requests().clone()
    }

    /// Connections that the client closed while they were kept open.
    #[must_use]
    pub fn closed(&self) -> u32 {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Times `/page` was read.
    #[must_use]
    pub fn page(&self) -> u32 {
        self.shared.page.load(Ordering::SeqCst)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let request = read(&mut stream).await?;
        if request.method == "GET" && request.path == "/page" {
            self.page.fetch_add(1, Ordering::SeqCst);
            let page = whole("200 OK\r\ncontent-type: text/plain", b"the page says 42");
            return stream.write_all(&page).await;
        }
        let asked = Asked {
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: serde_json::from_slice(&request.body).unwrap_or_default(),
        };
        let number = {
            let mut all = self.requests();
            all.push(asked.clone());
            all.len() - 1
        };
        match (self.script)(&asked, number) {
            Do::Stream(pieces) => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                            transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                let frames = wire::stream(Api::OpenAi, &pieces, Tokens::default());
                self.stream(&mut stream, &frames).await
            }
            Do::Status(status, headers, body) => {
                let mut head = format!("{status} Said\r\ncontent-type: application/json");
                for line in headers {
                    head = format!("{head}\r\n{line}");
                }
                stream.write_all(&whole(&head, body.as_bytes())).await
            }
            Do::Hang => until_closed(&mut stream, &self.closed).await,
        }
    }

    async fn stream(&self, stream: &mut TcpStream, frames: &[Frame]) -> io::Result<()> {
        for frame in frames {
            match frame {
                Frame::Bytes(bytes) => {
                    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                    chunk.extend_from_slice(bytes);
                    chunk.extend_from_slice(b"\r\n");
                    stream.write_all(&chunk).await?;
                }
                Frame::Wait(millis) => tokio::time::sleep(Duration::from_millis(*millis)).await,
                Frame::Hang => return until_closed(stream, &self.closed).await,
                Frame::Reset => return Ok(()),
            }
        }
        stream.write_all(b"0\r\n\r\n").await
    }
}
