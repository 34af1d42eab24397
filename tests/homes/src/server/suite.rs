//! The server that `tau_platform::conformance::http` is run against: its routes are listed there.
//!
//! It needs nothing but tokio, because tests of single adapters include it as a file. Names of
//! headers are in lower case, every origin is allowed and may see every header, and each connection
//! carries one request.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(600);

/// What stands in every head: one request a connection, and every origin is welcome.
pub const ALWAYS: &str =
    "connection: close\r\naccess-control-allow-origin: *\r\naccess-control-expose-headers: *";

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// From the first `/`.
    pub path: String,
    /// Lines `name: value`.
    pub headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Reads a request.
pub async fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let headers: Vec<String> = lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => format!("{}: {}", name.to_lowercase(), value.trim()),
            None => line.to_owned(),
        })
        .collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Ok(0), str::parse)
        .map_err(io::Error::other)?;
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Asked {
        method: words.next().unwrap_or_default().to_owned(),
        path: words.next().unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

/// A response: `head` is its status and headers, without what stands in every head.
#[must_use]
pub fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\n{ALWAYS}\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The answer to what a page asks before it sends anything unusual.
#[must_use]
pub fn preflight() -> Vec<u8> {
    // The star does not stand for `authorization`.
    format!(
        "HTTP/1.1 204 No Content\r\n{ALWAYS}\r\naccess-control-allow-methods: *\r\n\
         access-control-allow-headers: *, authorization\r\naccess-control-max-age: 600\r\n\r\n"
    )
    .into_bytes()
}

/// Answers a request to `path`, one of the suite's. `closed` counts the connections that the client
/// closed while they were kept open.
pub async fn answer(
    stream: &mut TcpStream,
    asked: &Asked,
    path: &str,
    closed: &AtomicU32,
) -> io::Result<()> {
    if asked.method == "OPTIONS" {
        return stream.write_all(&preflight()).await;
    }
    let chunked = format!("HTTP/1.1 200 OK\r\n{ALWAYS}\r\ntransfer-encoding: chunked\r\n\r\n");
    match path {
        "/hello" => {
            let head = "200 OK\r\ncontent-type: text/plain\r\nx-twice: a\r\nx-twice: b";
            stream.write_all(&whole(head, b"hello")).await
        }
        "/echo" => {
            let head = format!("{}\n{}\n\n", asked.method, asked.headers.join("\n"));
            let text = [head.as_bytes(), &asked.body].concat();
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
            let head = format!("HTTP/1.1 204 No Content\r\n{ALWAYS}\r\n\r\n");
            stream.write_all(head.as_bytes()).await
        }
        "/chunks" => {
            stream.write_all(chunked.as_bytes()).await?;
            for piece in [
                "3\r\none\r\n",
                "3\r\ntwo\r\n",
                "5\r\nthree\r\n",
                "0\r\n\r\n",
            ] {
                stream.write_all(piece.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Ok(())
        }
        "/large" => {
            let body: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
            stream.write_all(&whole("200 OK", &body)).await
        }
        "/hang" => until_closed(stream, closed).await,
        "/stall" => {
            stream.write_all(chunked.as_bytes()).await?;
            stream.write_all(b"3\r\none\r\n").await?;
            until_closed(stream, closed).await
        }
        "/short-length" => {
            let head = format!("HTTP/1.1 200 OK\r\n{ALWAYS}\r\ncontent-length: 100\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(b"0123456789").await
        }
        "/short-chunked" => {
            stream.write_all(chunked.as_bytes()).await?;
            stream.write_all(b"3\r\none\r\n").await
        }
        "/garbage" => {
            let hello = b"\x16\x03\x01 220 smtp ready\r\n\r\n";
            stream.write_all(hello).await
        }
        "/silent" => Ok(()),
        path => {
            let status = path.strip_prefix("/status/").unwrap_or("404");
            let head = format!("{status} Said");
            stream.write_all(&whole(&head, status.as_bytes())).await
        }
    }
}

/// Keeps the connection open for as long as the client does.
pub async fn until_closed(stream: &mut TcpStream, closed: &AtomicU32) -> io::Result<()> {
    let read = tokio::time::timeout(FOREVER, stream.read_u8()).await;
    if read.is_ok() {
        closed.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}
