//! Requests that are not what they seem, byte for byte.

use super::*;

impl Stage {
    /// A request to the plain server with these lines after the first.
    async fn asked(&self, method: &str, lines: &str) -> String {
        let url = self.plain.url("/first");
        let head = format!("{method} {url} HTTP/1.1\r\nconnection: close\r\n");
        self.raw(&(head + lines)).await
    }

    fn host(&self) -> String {
        format!("host: {}\r\n", self.plain.authority())
    }
}

#[tokio::test]
async fn two_lengths_make_one_request_and_end_the_connection() {
    let stage = Stage::new().await;
    let hidden = format!(
        "GET {} HTTP/1.1\r\n{}\r\n",
        stage.plain.url("/hidden"),
        stage.host()
    );
    let lengths = ["content-length: 4\r\n", "transfer-encoding: chunked\r\n"];
    for order in [[0, 1], [1, 0]] {
        let lines = order.map(|at| lengths[at]).concat();
        let body = format!("0\r\n\r\n{hidden}");
        let (url, host) = (stage.plain.url("/first"), stage.host());
        let head = format!("POST {url} HTTP/1.1\r\n{host}{lines}\r\n");
        let said = stage.raw(&format!("{head}{body}")).await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        assert!(said.contains("connection: close"), "{said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    }
    let seen = stage.plain.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!((seen.path.as_str(), &*seen.body), ("/first", &b""[..]));
        assert_eq!(seen.header("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_not_sent() {
    let stage = Stage::new().await;
    let host = stage.host();
    for (method, lines, status) in [
        (
            "POST",
            format!("{host}content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            400,
        ),
        ("POST", format!("{host}content-length: +1\r\n\r\na"), 400),
        ("POST", format!("{host}content-length: 1, 2\r\n\r\nab"), 400),
        (
            "POST",
            format!("{host}transfer-encoding: gzip\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            "POST",
            format!("{host}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            "POST",
            format!("{host}transfer-encoding : chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        ("GET", format!("{host}x: a\r\n b\r\n\r\n"), 400),
        ("GET", format!("{host}x: a\0b\r\n\r\n"), 400),
        ("GET", format!("{host}x y: a\r\n\r\n"), 400),
        (
            "GET",
            format!("{host}x: {}\r\n\r\n", "a".repeat(70_000)),
            431,
        ),
        ("GET", "\r\n".into(), 403),
        ("GET", format!("{host}{host}\r\n"), 403),
        ("GET", "host: example.com\r\n\r\n".into(), 403),
        ("GET", "host: 127.0.0.1:1\r\n\r\n".into(), 403),
        (
            "GET",
            format!("{host}connection: upgrade\r\nupgrade: websocket\r\n\r\n"),
            403,
        ),
        ("GET", format!("{host}content-length: 1\r\n\r\na"), 403),
        ("TRACE", format!("{host}\r\n"), 403),
    ] {
        let said = stage.asked(method, &lines).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(said.starts_with(&expected), "{lines:.99?} {said:.999?}");
    }
    for request in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        "GET http://a b/ HTTP/1.1\r\n\r\n",
    ] {
        let said = stage.raw(request).await;
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400 "),
            "{said:?}"
        );
    }
    assert!(stage.plain.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_is_not_a_website() {
    let stage = Stage::new().await;
    let said = stage
        .raw("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        said.starts_with("HTTP/1.1 403 Tau: this is a proxy"),
        "{said}"
    );
    let said = stage
        .raw("GET ftp://a.org/ HTTP/1.1\r\nhost: a.org\r\nconnection: close\r\n\r\n")
        .await;
    assert!(said.contains("egress: scheme"), "{said}");
}

#[tokio::test]
async fn requests_on_one_connection_are_decided_about_one_by_one() {
    let stage = Stage::new().await;
    let (url, host) = (stage.plain.url("/a"), stage.host());
    let said = stage
        .raw(&format!(
            "GET {url} HTTP/1.1\r\n{host}\r\n\
             GET http://169.254.169.254/ HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n\
             GET {url} HTTP/1.1\r\n{host}connection: close\r\n\r\n"
        ))
        .await;
    let statuses: Vec<&str> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "403", "200"], "{said}");
    assert_eq!(stage.plain.seen().len(), 2);
}
