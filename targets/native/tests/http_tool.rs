//! The HTTP tool over real sockets: what reaches a server, what does not, and what comes back.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use serde_json::{Value, json};
use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tau_core::{
    egress::Origin,
    ids::CallId,
    message::{ToolCall, ToolStatus},
    policy::{Policy, Preset, http::HttpLimits},
    tool::{
        ToolOutput, ToolRun,
        http::{self, Content, Failure, Response},
    },
};
use tau_platform::HttpTool;
use tau_target_native::{
    TokioClock,
    egress::{Egress, Resolve, SystemResolver},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Whole requests as they came: head and body.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server on loopback that answers every request by `answer`.
struct Server {
    origin: String,
    seen: Seen,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Seen::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&log)));
            }
        });
        Self { origin, seen }
    }

    fn port(&self) -> &str {
        self.origin.rsplit(':').next().unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

enum Answer {
    /// Written as it is, then the connection is closed.
    Raw(Vec<u8>),
    /// The head, and then a byte every 50 ms.
    Drip(Vec<u8>),
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&str) -> Answer>,
    seen: Seen,
) -> io::Result<()> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await?;
        request.extend(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= announced {
                break;
            }
        }
        if length == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    seen.lock().unwrap().push(text.clone());
    match answer(&text) {
        Answer::Raw(bytes) => stream.write_all(&bytes).await?,
        Answer::Drip(head) => {
            stream.write_all(&head).await?;
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.write_all(b".").await?;
            }
        }
    }
    stream.shutdown().await
}

fn reply(status: u16, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Answer::Raw([head.as_bytes(), body].concat())
}

fn redirect(to: &str) -> Answer {
    reply(302, &format!("location: {to}\r\n"), b"")
}

/// Names of the test's own: what the n-th look-up of any name finds.
#[derive(Clone)]
struct Names {
    answers: Arc<dyn Fn(usize) -> Vec<IpAddr> + Send + Sync>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn new(answers: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            answers: Arc::new(answers),
            asked: Arc::default(),
        }
    }
}

impl Resolve for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok((self.answers)(number))
    }
}

/// What a preset allows, with `origins` reached beside.
fn limits(origins: &[&str]) -> HttpLimits {
    let mut limits = Policy::default().http.limits(Preset::Balanced);
    let origins: Vec<Origin> = origins.iter().map(|o| Origin::parse(o).unwrap()).collect();
    limits.rules = limits.rules.with_origins(&origins);
    limits
}

fn tool<R: Resolve>(resolver: R) -> HttpTool<Egress<R>, TokioClock> {
    let secrets = |name: &str| (name == "secret:mine").then(|| "v4lue-of-mine\n".to_owned());
    HttpTool::new(
        Egress::new(resolver, Arc::new(secrets)),
        TokioClock,
        Vec::new(),
    )
}

async fn fetch(arguments: Value, limits: HttpLimits) -> Result<Response, Failure> {
    tool(SystemResolver).fetch(&arguments, limits).await
}

async fn get(server: &Server, path: &str) -> Result<Response, Failure> {
    let url = format!("{}{path}", server.origin);
    fetch(json!({ "url": url }), limits(&[&server.origin])).await
}

fn text(response: &Response) -> &str {
    match &response.content {
        Content::Text(text) => text,
        Content::Binary(hash) => panic!("binary {hash}"),
    }
}

fn refusal(outcome: Result<Response, Failure>) -> String {
    match outcome {
        Err(Failure::Refused(refusal)) => format!("{}: {}", refusal.rule, refusal.reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn method_headers_and_json_reach_the_server() {
    let server = Server::start(|_| reply(201, "", b"done")).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let arguments = json!({
            "url": format!("{}/things?x=1", server.origin), "method": method,
            "headers": {"X-Trace": "7"}, "json": {"a": 1},
        });
        let response = fetch(arguments, limits(&[&server.origin])).await.unwrap();
        assert_eq!((response.status, text(&response)), (201, "done"));
        let request = server.seen().pop().unwrap();
        assert!(
            request.starts_with(&format!("{method} /things?x=1 HTTP/1.1\r\n")),
            "{request}"
        );
        assert!(request.contains("\r\nx-trace: 7\r\n"), "{request}");
        assert!(
            request.contains("\r\ncontent-type: application/json\r\n"),
            "{request}"
        );
        assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
    }
    let response = get(&server, "/").await.unwrap();
    assert_eq!(text(&response), "done");
    assert!(
        server
            .seen()
            .pop()
            .unwrap()
            .starts_with("GET / HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn a_redirect_into_a_private_network_is_refused_before_it_is_sent() {
    let private = Server::start(|_| reply(200, "", b"inside")).await;
    let (ip, own) = (
        private.origin.clone(),
        format!("http://localhost:{}/", private.port()),
    );
    let to = Arc::new(Mutex::new(String::new()));
    let next = Arc::clone(&to);
    let server = Server::start(move |_| redirect(&next.lock().unwrap())).await;
    let mapped = format!("http://[::ffff:127.0.0.1]:{}/", private.port());
    for target in [
        ip,
        own,
        mapped,
        "http://169.254.169.254/latest/meta-data/".into(),
    ] {
        to.lock().unwrap().clone_from(&target);
        let mut limits = limits(&[&server.origin]);
        limits.rules.allow_http = true;
        let refused = refusal(fetch(json!({ "url": server.origin }), limits).await);
        assert!(
            refused.starts_with("egress: host: ") && refused.contains("redirects it"),
            "{refused}"
        );
    }
    assert_eq!(server.seen().len(), 4);
    assert!(private.seen().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_never_connected_to() {
    let server = Server::start(|_| reply(200, "", b"inside")).await;
    let public: IpAddr = "192.0.2.1".parse().unwrap();
    let public_dns: IpAddr = "93.184.216.34".parse().unwrap();
    let own: IpAddr = "127.0.0.1".parse().unwrap();
    let url = format!("http://rebind.example.com:{}/", server.port());
    let mut open = limits(&[]);
    open.rules.allow_http = true;
    open.timeout_ms = 1_500;

    // Public when it is decided about, private for whoever asks again: nobody does.
    let names = Names::new(move |number| {
        if number == 0 {
            vec![public_dns]
        } else {
            vec![own]
        }
    });
    let outcome = tool(names.clone())
        .fetch(&json!({ "url": url }), open.clone())
        .await;
    assert!(
        !matches!(outcome, Err(Failure::Refused(_)) | Ok(_)),
        "{outcome:?}"
    );
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "looked up once");
    // The next request is decided about anew.
    let refused = refusal(
        tool(names.clone())
            .fetch(&json!({ "url": url }), open.clone())
            .await,
    );
    assert!(
        refused.contains("rebind.example.com leads to 127.0.0.1"),
        "{refused}"
    );
    // One private answer among public ones is enough.
    for answers in [
        vec![public_dns, own],
        vec![own, public_dns],
        vec![public],
        vec![],
    ] {
        let names = Names::new(move |_| answers.clone());
        refusal(
            tool(names)
                .fetch(&json!({ "url": url }), open.clone())
                .await,
        );
    }
    assert!(server.seen().is_empty());

    // With private networks allowed the same name is connected to, at the address it was given.
    open.rules.allow_private = true;
    let names = Names::new(move |_| vec![own]);
    let response = tool(names.clone())
        .fetch(&json!({ "url": url }), open)
        .await
        .unwrap();
    assert_eq!(text(&response), "inside");
    let host = format!("host: rebind.example.com:{}", server.port());
    assert!(server.seen()[0].contains(&host));
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn credentials_and_bodies_stay_with_their_origin() {
    let other = Server::start(|_| reply(200, "", b"second")).await;
    let to = format!("{}/second", other.origin);
    let first = Server::start(move |request| match request.split(' ').nth(1) {
        Some("/same") => redirect("/stay"),
        Some("/keep") => reply(307, &format!("location: {to}\r\n"), b""),
        Some("/stay") => reply(200, "", b"first"),
        _ => redirect(&to),
    })
    .await;
    let limits = limits(&[&first.origin, &other.origin]);
    let asked = |path: &str, method: &str| {
        let mut arguments = json!({
            "url": format!("{}{path}", first.origin), "method": method,
            "headers": {
                "Authorization": "Bearer {{secret:mine}}", "Cookie": "a=b", "X-Api-Key": "k",
            },
        });
        if method == "POST" {
            arguments["json"] = json!({"mine": true});
        }
        arguments
    };
    let response = fetch(asked("/", "GET"), limits.clone()).await.unwrap();
    assert_eq!((text(&response), response.hops.len()), ("second", 1));
    assert!(first.seen()[0].contains("authorization: Bearer v4lue-of-mine\r\n"));
    let second = &other.seen()[0].to_lowercase();
    for word in ["authorization", "cookie", "x-api-key", "v4lue", "referer"] {
        assert!(!second.contains(word), "{second}");
    }
    let response = fetch(asked("/", "POST"), limits.clone()).await.unwrap();
    assert_eq!(text(&response), "second");
    assert!(other.seen()[1].starts_with("GET /second") && !other.seen()[1].contains("mine"));
    let refused = refusal(fetch(asked("/keep", "POST"), limits.clone()).await);
    assert!(refused.starts_with("http: redirect"), "{refused}");
    assert_eq!(other.seen().len(), 2);
    let response = fetch(asked("/same", "GET"), limits).await.unwrap();
    assert_eq!(text(&response), "first");
    assert!(first.seen().pop().unwrap().contains("Bearer v4lue-of-mine"));
}

#[tokio::test]
async fn circles_and_long_chains_of_redirects_end() {
    let server = Server::start(|request| match request.split(' ').nth(1) {
        Some("/a") => redirect("/b"),
        Some("/b") => redirect("/a"),
        Some(path) => redirect(&format!("{path}x")),
        None => reply(500, "", b""),
    })
    .await;
    let refused = refusal(get(&server, "/a").await);
    assert!(refused.contains("in a circle"), "{refused}");
    let refused = refusal(get(&server, "/x").await);
    assert!(refused.contains("more than 5 times"), "{refused}");
    assert_eq!(server.seen().len(), 2 + 6);
}

fn gzip(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    pieces.for_each(|piece| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_gigabyte_of_zeros_is_not_unpacked() {
    let bomb = gzip((0..1024).map(|_| vec![0; 1 << 20]));
    assert!(bomb.len() < 32 << 20, "{} bytes", bomb.len());
    let server = Server::start(move |_| {
        reply(
            200,
            "content-encoding: gzip\r\ncontent-type: text/plain\r\n",
            &bomb,
        )
    })
    .await;
    let began = Instant::now();
    let response = get(&server, "/").await.unwrap();
    assert!(response.truncated);
    assert_eq!(response.bytes, 4 << 20);
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn odd_bodies_come_back_as_what_they_say() {
    let packed = gzip(std::iter::once(b"packed".to_vec()));
    let server = Server::start(move |request| {
        let text = "content-type: text/plain\r\n";
        match request.split(' ').nth(1) {
            Some("/gzip") => reply(200, &format!("{text}content-encoding: gzip\r\n"), &packed),
            Some("/broken") => reply(200, &format!("{text}content-encoding: gzip\r\n"), b"no gzip"),
            Some("/br") => reply(200, &format!("{text}content-encoding: br\r\n"), b"??"),
            Some("/chunked") => Answer::Raw(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\
                  \r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n"
                    .to_vec(),
            ),
            Some("/latin1") => reply(200, "content-type: text/plain; charset=iso-8859-1\r\n", b"\xfcber"),
            Some("/unsaid") => reply(200, text, b"\xfcber"),
            Some("/sjis") => reply(200, "content-type: text/html\r\n", b"<meta charset=shift_jis><p>\x83e\x83X\x83g"),
            Some("/binary") => reply(200, "content-type: image/png\r\n", b"abc"),
            Some("/empty") => reply(204, "", b""),
            Some("/short") => Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
            Some("/garbage") => Answer::Raw(b"\x00\x01\x02\x03 this is no HTTP\r\n\r\n".to_vec()),
            Some("/header") => {
                let long = "x".repeat(1 << 20);
                reply(200, &format!("x-long: {long}\r\n"), b"body")
            }
            _ => reply(404, "", b"nothing here"),
        }
    })
    .await;
    for (path, expected) in [
        ("/gzip", "packed"),
        ("/chunked", "{\"a\":1}"),
        ("/latin1", "über"),
        ("/unsaid", "über"),
        ("/sjis", "テスト"),
        ("/empty", ""),
    ] {
        let response = get(&server, path)
            .await
            .unwrap_or_else(|e| panic!("{path}: {e:?}"));
        assert_eq!(text(&response), expected, "{path}");
    }
    let binary = get(&server, "/binary").await.unwrap();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(binary.content, Content::Binary(hash.into()));
    assert!(
        binary
            .to_output(1_000)
            .text
            .contains("3 bytes, sha-256 ba7816bf")
    );
    for (path, kind) in [
        ("/broken", "reset"),
        ("/br", "protocol"),
        ("/short", "reset"),
        ("/garbage", "protocol"),
        ("/header", "protocol"),
    ] {
        let failure = get(&server, path)
            .await
            .err()
            .unwrap_or_else(|| panic!("{path}"));
        assert_eq!(failure.to_json()["error"], kind, "{path}: {failure:?}");
    }
    let missing = get(&server, "/missing").await.unwrap().to_output(1_000);
    assert_eq!(missing.status, ToolStatus::Error);
    let missing: Value = serde_json::from_str(&missing.text).unwrap();
    assert_eq!(
        (&missing["status"], &missing["retry"]),
        (&json!(404), &json!(false))
    );
}

#[tokio::test]
async fn slow_and_endless_answers_are_cut_at_the_limits_in_force() {
    let server = Server::start(|_| {
        Answer::Drip(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_vec())
    })
    .await;
    let limits = HttpLimits {
        timeout_ms: 60_000,
        response_bytes: 10,
        ..limits(&[&server.origin])
    };
    let asked = json!({"url": server.origin, "max_bytes": 1_000_000});
    let response = fetch(asked, limits.clone()).await.unwrap();
    assert!(
        response.truncated,
        "the call cannot raise the policy's limit"
    );
    assert_eq!(text(&response), "..........");
    let limits = HttpLimits {
        timeout_ms: 300,
        response_bytes: 1 << 20,
        ..limits
    };
    let began = Instant::now();
    let asked = json!({"url": server.origin, "timeout_ms": 60_000});
    let failure = fetch(asked, limits).await.unwrap_err();
    assert!(
        matches!(failure, Failure::TimedOut { after_ms: 300, .. }),
        "{failure:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_call_of_the_tool_keeps_to_the_policy_and_to_the_size_of_a_result() {
    let server = Server::start(|_| reply(429, "retry-after: 7\r\n", &b"x".repeat(100_000))).await;
    let mut policy = Policy {
        tool_output_bytes: Some(2_000),
        ..Policy::default()
    };
    let run = |policy: &Policy| {
        let call = ToolCall {
            id: CallId("c".into()),
            name: http::NAME.into(),
            arguments: json!({ "url": server.origin }),
        };
        ToolRun::new(&call, &http::spec(), policy)
    };
    let outcome = tool(SystemResolver).run(run(&policy)).await;
    assert_eq!(outcome.status, ToolStatus::Denied, "{outcome:?}");
    policy.http.allow.push(server.origin.parse().unwrap());
    let outcome: ToolOutput = tool(SystemResolver).run(run(&policy)).await;
    assert_eq!(outcome.status, ToolStatus::Error);
    assert!(outcome.text.len() <= 2_000, "{}", outcome.text);
    let told: Value = serde_json::from_str(&outcome.text).unwrap();
    assert_eq!(
        (&told["status"], &told["retry_after_ms"]),
        (&json!(429), &json!(7_000))
    );
}
