//! The HTTP client against a server that behaves badly on purpose.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

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
    net::{TcpListener, TcpStream},
};

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(600);

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
        while let Ok((stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            // An error is a client that went away.
            tokio::spawn(async move { answer(stream, &count).await.ok() });
        }
    });
    Server { url, closed }
}

/// Method, path, header lines and body of the request.
async fn read_request(
    stream: &mut TcpStream,
) -> std::io::Result<(String, String, Vec<String>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |n| n.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        stream.read_buf(&mut body).await?;
    }
    let mut words = first.split(' ').map(str::to_owned);
    let method = words.next().unwrap_or_default();
    Ok((method, words.next().unwrap_or_default(), headers, body))
}

async fn answer(mut stream: TcpStream, closed: &AtomicU32) -> std::io::Result<()> {
    let (method, path, headers, body) = read_request(&mut stream).await?;
    let whole = |head: &str, body: &[u8]| {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let chunked = b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    match path.as_str() {
        "/hello" => {
            let head = "200 OK\r\ncontent-type: text/plain\r\nx-twice: a\r\nx-twice: b";
            stream.write_all(&whole(head, b"hello")).await
        }
        "/echo" => {
            let mut text = format!("{method}\n{}\n\n", headers.join("\n")).into_bytes();
            text.extend(body);
            stream.write_all(&whole("200 OK", &text)).await
        }
        "/redirect" => {
            let head = "302 Found\r\nlocation: /hello";
            stream.write_all(&whole(head, b"")).await
        }
        "/cookie" => {
            let head = "200 OK\r\nset-cookie: k=v";
            stream.write_all(&whole(head, b"")).await
        }
        "/empty" => {
            let head = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.write_all(head).await
        }
        "/chunks" => {
            stream.write_all(chunked).await?;
            for piece in [
                "3\r\none\r\n",
                "3\r\ntwo\r\n",
                "5\r\nthree\r\n",
                "0\r\n\r\n",
            ] {
                stream.write_all(piece.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            Ok(())
        }
        "/large" => {
            let body: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
            stream.write_all(&whole("200 OK", &body)).await
        }
        "/hang" => until_closed(&mut stream, closed).await,
        "/stall" => {
            stream.write_all(chunked).await?;
            stream.write_all(b"3\r\none\r\n").await?;
            until_closed(&mut stream, closed).await
        }
        "/short-length" => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789";
            stream.write_all(head).await
        }
        "/short-chunked" => {
            stream.write_all(chunked).await?;
            stream.write_all(b"3\r\none\r\n").await
        }
        "/garbage" => {
            stream
                .write_all(b"\x16\x03\x01 220 smtp ready\r\n\r\n")
                .await
        }
        "/silent" => Ok(()),
        path => {
            let status = path.strip_prefix("/status/").unwrap_or("404");
            let head = format!("{status} Said");
            stream.write_all(&whole(&head, status.as_bytes())).await
        }
    }
}

async fn until_closed(stream: &mut TcpStream, closed: &AtomicU32) -> std::io::Result<()> {
    let read = tokio::time::timeout(FOREVER, stream.read_u8()).await;
    if read.is_ok() {
        closed.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

fn client() -> ReqwestHttp {
    ReqwestHttp::new(|name| (name == "CONFORMANCE_KEY").then(|| "s3cret\n".to_owned()))
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
