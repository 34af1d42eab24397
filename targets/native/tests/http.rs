//! The HTTP client against a server that behaves badly on purpose.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

#[path = "../../../tests/homes/src/server/suite.rs"]
pub mod suite;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tau_core::session::{HttpError, HttpRequest};
use tau_platform::{
    Body, Http,
    conformance::{self, http::Sees},
};
use tau_target_native::ReqwestHttp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Server {
    url: String,
    /// Connections that the client closed while `/hang` or `/stall` kept them open.
    closed: Arc<AtomicU32>,
}

/// The routes that [`conformance::http`] lists.
async fn serve() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&closed);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                // An error is a client that went away.
                let asked = suite::read(&mut stream).await.ok()?;
                let answered = suite::answer(&mut stream, &asked, &asked.path, &count);
                answered.await.ok()
            });
        }
    });
    Server { url, closed }
}

fn client() -> ReqwestHttp {
    ReqwestHttp::new(|name: &str| (name == "CONFORMANCE_KEY").then(|| "s3cret\n".to_owned()))
}

/// An address where nobody listens: it was free a moment ago.
async fn refused_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn get(url: String) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url,
        headers: Vec::new(),
        body: Arc::from(&b""[..]),
        idle_timeout_ms: 5_000,
    }
}

#[tokio::test]
async fn conforms() {
    let server = serve().await;
    let refused = refused_url().await;
    conformance::http::run(&client(), &server.url, &refused, Sees::ALL).await;
}

#[tokio::test]
async fn dropping_closes_the_connection() {
    let server = serve().await;
    let client = client();

    let hang = client.send(get(format!("{}/hang", server.url)));
    let waited = tokio::time::timeout(Duration::from_millis(500), hang).await;
    assert!(waited.is_err());
    let (_, mut body) = client
        .send(get(format!("{}/stall", server.url)))
        .await
        .unwrap();
    assert_eq!(body.chunk().await, Ok(Some(b"one".to_vec())));
    drop(body);

    for _ in 0..300 {
        if server.closed.load(Ordering::SeqCst) == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of 2 closed", server.closed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let server = serve().await;
    let (_, mut body) = client()
        .send(get(format!("{}/chunks", server.url)))
        .await
        .unwrap();
    let mut whole = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(1), body.chunk()).await {
            Ok(Ok(Some(piece))) => whole.extend(piece),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => {}
        }
    }
    assert_eq!(whole, b"onetwothree");
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_a_protocol_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let outcome = client().send(get(url)).await;
    match outcome {
        Err(HttpError::Protocol { .. }) => {}
        other => panic!("{:?}", other.map(|(head, _)| head)),
    }
}

#[tokio::test]
async fn a_name_nobody_has_is_named() {
    let outcome = client().send(get("http://tau.invalid/".into())).await;
    match outcome {
        Err(HttpError::Connect { host, .. }) => assert_eq!(host, "tau.invalid:80"),
        other => panic!("{:?}", other.map(|(head, _)| head)),
    }
}
