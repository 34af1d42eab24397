//! What every [`Http`] client does, shown against a small server.
//!
//! The server is the adapter's test's, because only a home can listen. It answers by path, closes
//! the connection after each answer and, for a page, allows every origin:
//!
//! | path | answer |
//! |---|---|
//! | `/hello` | 200, `content-type: text/plain`, `x-twice: a` and `x-twice: b`, body `hello` |
//! | `/echo` | 200, body: `METHOD\n`, a line `name: value` for each request header (names in lower case), an empty line, the request's body |
//! | `/status/N` | status N, body `N` |
//! | `/redirect` | 302, `location: /hello` |
//! | `/cookie` | 200, `set-cookie: k=v` |
//! | `/empty` | 204 |
//! | `/chunks` | 200, chunked: `one`, `two`, `three`, 300 ms apart |
//! | `/large` | 200, `content-length: 1000000`, as many bytes: byte `i` is `i % 251` |
//! | `/hang` | nothing, for longer than the suite runs |
//! | `/stall` | 200, chunked: `one`, then nothing for longer than the suite runs |
//! | `/short-length` | 200, `content-length: 100`, 10 bytes, close |
//! | `/short-chunked` | 200, chunked: `one`, close without the last chunk |
//! | `/garbage` | bytes that are not HTTP, close |
//! | `/silent` | close without a byte |

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use tau_core::session::{HeaderValue, HttpError, HttpHead, HttpRequest};

use crate::http::{Body, Http};

/// The longest piece of a body.
const CHUNK_BYTES: usize = 64 * 1024;
/// The idle timeout where the server is to be waited for in vain.
const SHORT_MS: u64 = 1_000;

/// What a platform shows its client of an exchange. Whatever it hides has one right answer too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sees {
    /// A redirect's status and `location`. A page is told only that there was one, which is
    /// [`HttpError::Request`]: the address has to be changed.
    pub redirects: bool,
    /// Why there was no head. Where that is hidden, each reason is [`HttpError::Connect`] with the
    /// server's host: all that is known is that it could not be reached.
    pub causes: bool,
}

impl Sees {
    /// Everything, as where sockets are one's own.
    pub const ALL: Self = Self {
        redirects: true,
        causes: true,
    };
    /// What workerd shows a Worker.
    pub const AS_A_WORKER: Self = Self {
        redirects: true,
        causes: false,
    };
    /// What a browser shows a page.
    pub const AS_A_PAGE: Self = Self {
        redirects: false,
        causes: false,
    };
}

/// Runs the suite; takes about five seconds, most of it waiting.
///
/// `base_url` is the server's, without trailing slash; `refused_url` one where nothing listens.
/// The client must know a secret `CONFORMANCE_KEY` with the value `s3cret`, and none called
/// `CONFORMANCE_MISSING`. `sees` is the platform's, not the client's, to restrict.
pub async fn run<C: Http>(client: &C, base_url: &str, refused_url: &str, sees: Sees) {
    answers_with_head_and_body(client, base_url).await;
    sends_what_it_is_given(client, base_url).await;
    follows_and_remembers_nothing(client, base_url, sees).await;
    splits_and_streams(client, base_url).await;
    waits_no_longer_than_told(client, base_url).await;
    tells_a_cut_body_from_an_ended_one(client, base_url).await;
    tells_what_went_wrong(client, base_url, refused_url, sees).await;
    refuses_what_cannot_be_sent(client, base_url).await;
}

fn request(method: &str, url: String) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        url,
        headers: Vec::new(),
        body: Arc::from(&b""[..]),
        idle_timeout_ms: 10_000,
    }
}

async fn fetch<C: Http>(
    client: &C,
    request: HttpRequest,
) -> Result<(HttpHead, Vec<Vec<u8>>), HttpError> {
    let (head, mut body) = client.send(request).await?;
    let mut pieces = Vec::new();
    while let Some(piece) = body.chunk().await? {
        assert!(
            piece.len() <= CHUNK_BYTES,
            "a piece has {} bytes",
            piece.len()
        );
        assert!(!piece.is_empty(), "a piece has at least one byte");
        pieces.push(piece);
    }
    Ok((head, pieces))
}

async fn text<C: Http>(client: &C, request: HttpRequest) -> (HttpHead, String) {
    let url = request.url.clone();
    let (head, pieces) = fetch(client, request)
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = String::from_utf8(pieces.concat()).expect("the body is text");
    (head, text)
}

async fn answers_with_head_and_body<C: Http>(client: &C, base: &str) {
    let (head, body) = text(client, request("GET", format!("{base}/hello"))).await;
    assert_eq!((head.status, body.as_str()), (200, "hello"));
    assert_eq!(head.header("content-type"), Some("text/plain"));
    assert!(head.at.0 > 0, "the head carries the time it came");
    for status in [400, 401, 404, 429, 500, 529] {
        let (head, body) = text(client, request("GET", format!("{base}/status/{status}"))).await;
        assert_eq!(
            (head.status, body),
            (status, status.to_string()),
            "a status is no error of the client, and its body is kept"
        );
    }
    let (head, body) = text(client, request("GET", format!("{base}/empty"))).await;
    assert_eq!((head.status, body.as_str()), (204, ""));
}

async fn sends_what_it_is_given<C: Http>(client: &C, base: &str) {
    let mut post = request("POST", format!("{base}/echo"));
    post.body = Arc::from("{\"ü\":1}".as_bytes());
    post.headers = Vec::from([
        (
            "content-type".into(),
            HeaderValue::Plain("application/json".into()),
        ),
        (
            "authorization".into(),
            HeaderValue::Secret {
                name: "CONFORMANCE_KEY".into(),
                prefix: "Bearer ".into(),
            },
        ),
    ]);
    let (_, echo) = text(client, post).await;
    let (head, body) = echo.split_once("\n\n").expect("an empty line");
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.first(), Some(&"POST"));
    assert!(lines.contains(&"content-type: application/json"), "{head}");
    assert!(
        lines.contains(&"authorization: Bearer s3cret"),
        "a secret is put in as the request is sent: {head}"
    );
    assert_eq!(body, "{\"ü\":1}");
}

async fn follows_and_remembers_nothing<C: Http>(client: &C, base: &str, sees: Sees) {
    let redirect = request("GET", format!("{base}/redirect"));
    if sees.redirects {
        let (head, _) = text(client, redirect).await;
        assert_eq!(head.status, 302, "redirects are not followed");
        assert_eq!(head.header("location"), Some("/hello"));
    } else {
        let outcome = fetch(client, redirect).await;
        assert!(
            matches!(outcome, Err(HttpError::Request { .. })),
            "a redirect nobody may follow: {outcome:?}"
        );
    }

    text(client, request("GET", format!("{base}/cookie"))).await;
    let (_, echo) = text(client, request("GET", format!("{base}/echo"))).await;
    assert!(!echo.contains("cookie:"), "cookies are not kept: {echo}");
}

async fn splits_and_streams<C: Http>(client: &C, base: &str) {
    let (_, pieces) = fetch(client, request("GET", format!("{base}/chunks")))
        .await
        .expect("the body is complete");
    assert_eq!(pieces.concat(), b"onetwothree");
    assert!(pieces.len() >= 3, "a body is given as it comes: {pieces:?}");

    let (_, pieces) = fetch(client, request("GET", format!("{base}/large")))
        .await
        .expect("the body is complete");
    let body = pieces.concat();
    assert_eq!(body.len(), 1_000_000);
    assert!(
        body.iter()
            .enumerate()
            .all(|(i, byte)| usize::from(*byte) == i % 251)
    );
}

async fn waits_no_longer_than_told<C: Http>(client: &C, base: &str) {
    let mut hang = request("GET", format!("{base}/hang"));
    hang.idle_timeout_ms = SHORT_MS;
    assert_eq!(
        fetch(client, hang).await.err(),
        Some(HttpError::Timeout { after_ms: SHORT_MS })
    );

    let mut stall = request("GET", format!("{base}/stall"));
    stall.idle_timeout_ms = SHORT_MS;
    let (_, mut body) = client.send(stall).await.expect("the head comes");
    assert_eq!(body.chunk().await, Ok(Some(b"one".to_vec())));
    assert_eq!(
        body.chunk().await,
        Err(HttpError::Timeout { after_ms: SHORT_MS })
    );

    // Three pieces, 300 ms apart: the timeout is between pieces, not for all of them.
    let mut slow = request("GET", format!("{base}/chunks"));
    slow.idle_timeout_ms = 800;
    assert!(fetch(client, slow).await.is_ok(), "the wait starts anew");
}

async fn tells_a_cut_body_from_an_ended_one<C: Http>(client: &C, base: &str) {
    for path in ["short-length", "short-chunked"] {
        let outcome = fetch(client, request("GET", format!("{base}/{path}"))).await;
        assert!(
            matches!(outcome, Err(HttpError::Reset { .. })),
            "{path} is cut: {outcome:?}"
        );
    }
}

async fn tells_what_went_wrong<C: Http>(client: &C, base: &str, refused_url: &str, sees: Sees) {
    cannot_connect(client, refused_url).await;
    let (garbage, silent) = (format!("{base}/garbage"), format!("{base}/silent"));
    if !sees.causes {
        cannot_connect(client, &garbage).await;
        cannot_connect(client, &silent).await;
        return;
    }
    let outcome = fetch(client, request("GET", garbage)).await;
    assert!(
        matches!(outcome, Err(HttpError::Protocol { .. })),
        "not HTTP: {outcome:?}"
    );
    let outcome = fetch(client, request("GET", silent)).await;
    assert!(
        matches!(outcome, Err(HttpError::Reset { .. })),
        "closed without a byte: {outcome:?}"
    );
}

async fn cannot_connect<C: Http>(client: &C, url: &str) {
    let authority = url.trim_start_matches("http://").split('/').next();
    match fetch(client, request("GET", url.into())).await {
        Err(HttpError::Connect { host, .. }) => assert_eq!(Some(host.as_str()), authority),
        other => panic!("{url} cannot be reached, yet: {other:?}"),
    }
}

async fn refuses_what_cannot_be_sent<C: Http>(client: &C, base: &str) {
    let hello = || request("GET", format!("{base}/hello"));
    let with_header = |name: &str, value: HeaderValue| {
        let mut request = hello();
        request.headers.push((name.into(), value));
        request
    };
    let secret = |name: &str, prefix: &str| HeaderValue::Secret {
        name: name.into(),
        prefix: prefix.into(),
    };
    let refused = [
        request("GET", "not a url".into()),
        request("GET", "ftp://127.0.0.1/".into()),
        request("G T", format!("{base}/hello")),
        with_header("bad name", HeaderValue::Plain("v".into())),
        with_header("x", HeaderValue::Plain("line\r\nbreak: 1".into())),
        with_header("authorization", secret("CONFORMANCE_KEY", "bad\n")),
        with_header("authorization", secret("CONFORMANCE_MISSING", "Bearer ")),
    ];
    for request in refused {
        let shown = format!("{request:?}");
        match fetch(client, request).await {
            Err(HttpError::Request { detail }) => {
                assert!(!detail.contains("s3cret"), "a secret is told: {detail}");
                if shown.contains("CONFORMANCE_MISSING") {
                    assert!(
                        detail.contains("CONFORMANCE_MISSING"),
                        "the missing secret is named: {detail}"
                    );
                }
            }
            other => panic!("{shown} cannot be sent, yet: {other:?}"),
        }
    }
}
