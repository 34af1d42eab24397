//! A web server of a test: what it is asked decides what it says.

use super::super::authority::Authority;
use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};
use tau_core::egress::Origin;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) struct Server {
    origin: Origin,
    authority_pem: String,
    seen: Log,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Without TLS, at 127.0.0.1.
    pub(super) async fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Log::default();
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log)));
            }
        });
        Self {
            origin: Origin::parse(&origin).unwrap(),
            authority_pem: String::new(),
            seen,
            task,
        }
    }

    /// With TLS as `host`, by an authority of its own.
    pub(super) async fn secure(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{host}:{}", listener.local_addr().unwrap().port());
        let authority = Authority::new().unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(authority.server(host).unwrap());
        let seen = Log::default();
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // What a handshake ends with and the answer are not to wait for each other.
                stream.set_nodelay(true).unwrap();
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, log).await;
                    }
                });
            }
        });
        Self {
            origin: Origin::parse(&origin).unwrap(),
            authority_pem: authority.pem(),
            seen,
            task,
        }
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        let origin = self.origin.to_string();
        origin.rsplit('/').next().unwrap().to_owned()
    }

    pub(super) fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, seen: Log) {
    let service = service_fn(|asked: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move { Ok::<_, Infallible>(answer(asked, &seen).await) }
    });
    // A client may go away.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(asked: Request<Incoming>, seen: &Log) -> Answer {
    let (head, body) = asked.into_parts();
    let body = body
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let headers = head.headers.iter();
    let asked = Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: body.to_vec(),
    };
    seen.lock().unwrap().push(asked.clone());
    let number = query.parse::<usize>().unwrap_or_default();
    match path.as_str() {
        "/redirect" => redirect(&query),
        "/mirror" => {
            let sent = asked.header("authorization").unwrap_or_default();
            let mut answer = whole(format!("you sent {sent}!").into_bytes());
            let value = sent.parse().unwrap();
            answer.headers_mut().insert("x-mirror", value);
            answer
        }
        "/gzip" => {
            let sent = asked.header("authorization").unwrap_or_default();
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed
                .write_all(format!("packed {sent}").as_bytes())
                .unwrap();
            let mut answer = whole(packed.finish().unwrap());
            let value = "gzip".parse().unwrap();
            answer.headers_mut().insert("content-encoding", value);
            answer
        }
        "/bytes" => whole(vec![b'x'; number]),
        "/stream" => stream(number, Duration::ZERO),
        "/drip" => stream(number, Duration::from_millis(50)),
        "/switch" => {
            let mut answer = whole(Vec::new());
            *answer.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
            answer
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            whole(b"late".to_vec())
        }
        _ => whole([asked.method.as_bytes(), b" ", &asked.body].concat()),
    }
}

fn redirect(to: &str) -> Answer {
    let mut answer = whole(Vec::new());
    *answer.status_mut() = hyper::StatusCode::FOUND;
    answer.headers_mut().insert("location", to.parse().unwrap());
    answer
}

fn whole(body: Vec<u8>) -> Answer {
    Response::new(Full::new(Bytes::from(body)).boxed_unsync())
}

/// So many KiB, one after the other.
fn stream(count: usize, every: Duration) -> Answer {
    let pieces = unfold(0, move |sent| async move {
        tokio::time::sleep(every).await;
        let piece = Bytes::from(vec![b'x'; 1024]);
        (sent < count).then(|| (Ok(Frame::data(piece)), sent + 1))
    });
    Response::new(StreamBody::new(pieces).boxed_unsync())
}
