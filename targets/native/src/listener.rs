//! An inbox that other agents reach: a small HTTP server that hands on what comes, one after another.
//!
//! Invariants: nothing is read beyond a size and a time, whoever sends and however slowly; so many
//! connections at a time are served, and more wait to be accepted. What was handed on is answered by
//! whoever took it; what nobody takes is answered with 503. When the [`Inbox`] is dropped, so are its
//! connections.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

/// The path that takes messages.
pub const PATH: &str = "/agents/inbox";
/// From a connection to its last byte.
const CONNECTION: Duration = Duration::from_secs(30);
/// From a connection to the end of a request's head.
const HEAD: Duration = Duration::from_secs(5);
/// Of a head.
const HEAD_BYTES: usize = 16 * 1024;
/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Requests that wait to be taken.
const WAITING: usize = 64;

/// What somebody asks.
#[derive(Debug)]
pub struct Asked {
    /// From where.
    pub from: SocketAddr,
    /// A packet; `None` asks who takes messages here.
    pub packet: Option<Vec<u8>>,
    reply: oneshot::Sender<(u16, Vec<u8>)>,
}

impl Asked {
    /// Answers with a status and JSON. Who asked may be gone.
    pub fn answer(self, status: u16, json: Vec<u8>) {
        let _ = self.reply.send((status, json));
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Inbox {
    address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    server: JoinHandle<()>,
}

impl Inbox {
    /// Listens at `address`; packets have at most `limit_bytes`.
    pub async fn listen(address: SocketAddr, limit_bytes: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sender, asked) = mpsc::channel(WAITING);
        let server = tokio::spawn(accept(listener, sender, limit_bytes));
        Ok(Self {
            address,
            asked,
            server,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, sender: mpsc::Sender<Asked>, limit_bytes: usize) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let sender = sender.clone();
                connections.spawn(async move {
                    // What is wrong with a connection is the other side's to know.
                    let _ = timeout(CONNECTION, serve(stream, from, sender, limit_bytes)).await;
                    drop(permit);
                });
            }
            // Out of descriptors, most likely: others end.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    sender: mpsc::Sender<Asked>,
    limit_bytes: usize,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request: Request<Incoming>| {
        let sender = sender.clone();
        async move {
            let (status, body) = answer(request, from, sender, limit_bytes).await;
            Ok::<_, Infallible>(respond(status, body))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false);
    http.serve_connection(TokioIo::new(stream), service).await
}

async fn answer(
    request: Request<Incoming>,
    from: SocketAddr,
    sender: mpsc::Sender<Asked>,
    limit_bytes: usize,
) -> (u16, Vec<u8>) {
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "there is nothing at this path");
    }
    let packet = match *request.method() {
        Method::GET => None,
        Method::POST => {
            let body = Limited::new(request.into_body(), limit_bytes)
                .collect()
                .await;
            match body {
                Ok(body) => Some(body.to_bytes().to_vec()),
                Err(_) => {
                    let why = "the packet is too large, or did not come in whole";
                    return refused(StatusCode::PAYLOAD_TOO_LARGE, why);
                }
            }
        }
        _ => return refused(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET, POST"),
    };
    let (reply, replied) = oneshot::channel();
    let asked = Asked {
        from,
        packet,
        reply,
    };
    // Whoever waits here holds a connection: too many at once are told to come again.
    if sender.try_send(asked).is_err() {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too much comes at once");
    }
    match replied.await {
        Ok(answer) => answer,
        Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "nobody takes messages now"),
    }
}

fn refused(status: StatusCode, why: &str) -> (u16, Vec<u8>) {
    let json = serde_json::json!({ "error": { "message": why } });
    (status.as_u16(), json.to_string().into_bytes())
}

fn respond(status: u16, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn inbox() -> Inbox {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Inbox::listen(any, 1_000).await.unwrap()
    }

    /// What is answered to these bytes.
    async fn ask(to: SocketAddr, request: String) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    fn post(body: &str) -> String {
        let length = body.len();
        format!("POST {PATH} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn a_packet_is_handed_on_and_its_answer_goes_back() {
        let mut inbox = inbox().await;
        let to = inbox.address();
        let asking = tokio::spawn(ask(to, post("{}")));
        let asked = inbox.next().await.unwrap();
        assert!(asked.from.ip().is_loopback());
        assert_eq!(asked.packet.as_deref(), Some(b"{}".as_slice()));
        asked.answer(409, b"{\"v\":1}".to_vec());
        let answer = asking.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
        assert!(answer.ends_with("{\"v\":1}"), "{answer}");
        let asking = tokio::spawn(ask(to, format!("GET {PATH} HTTP/1.1\r\nhost: a\r\n\r\n")));
        let asked = inbox.next().await.unwrap();
        assert_eq!(asked.packet, None);
        drop(asked);
        assert!(asking.await.unwrap().starts_with("HTTP/1.1 503"));
    }

    #[tokio::test]
    async fn what_is_too_large_or_elsewhere_is_refused_without_anybody_being_asked() {
        let inbox = inbox().await;
        let to = inbox.address();
        let large = ask(to, post(&"x".repeat(1_001))).await;
        assert!(large.starts_with("HTTP/1.1 413"), "{large}");
        let elsewhere = ask(to, "GET / HTTP/1.1\r\nhost: a\r\n\r\n".into()).await;
        assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
        let other = ask(to, format!("PUT {PATH} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert!(other.starts_with("HTTP/1.1 405"), "{other}");
    }

    #[tokio::test]
    async fn a_slow_peer_holds_one_connection_and_not_for_ever() {
        let mut inbox = inbox().await;
        let to = inbox.address();
        let mut slow = TcpStream::connect(to).await.unwrap();
        slow.write_all(b"POST /agents/in").await.unwrap();
        let asking = tokio::spawn(ask(to, post("{}")));
        inbox.next().await.unwrap().answer(200, Vec::new());
        assert!(asking.await.unwrap().starts_with("HTTP/1.1 200"));
        let mut rest = Vec::new();
        let ended = timeout(HEAD * 3, slow.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the slow one is still served");
    }
}
