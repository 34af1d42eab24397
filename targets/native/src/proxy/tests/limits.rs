//! What a request may take, and how one ends that does not end well.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::{io::Write, time::Instant};
use tau_core::tool::http::relay::BODY_BYTES;

/// The error of a client whose answer breaks off.
async fn broken(stage: &Stage, path: &str) -> String {
    let answer = stage
        .client()
        .get(stage.plain.url(path))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_however_it_comes() {
    let stage = Stage::new().await;
    let url = stage.secure.url("/");
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..16 {
        packed.write_all(&vec![0; BODY_BYTES / 8]).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 64 * 1024);
    let client = stage.client();
    for request in [
        client.post(&url).body(vec![b' '; BODY_BYTES + 1]),
        client
            .post(&url)
            .header("content-encoding", "gzip")
            .body(packed),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(
            answer
                .text()
                .await
                .unwrap()
                .contains("longer than 4194304 bytes")
        );
    }
    let pieces = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20)).repeat(5);
    let said = stage
        .raw(&format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n{pieces}0\r\n\r\n",
            stage.plain.url("/"),
            stage.plain.authority(),
        ))
        .await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    assert!(stage.secure.seen().is_empty() && stage.plain.seen().is_empty());

    let whole = vec![b' '; BODY_BYTES];
    let url = stage.secure.url("/bytes?1");
    let answer = client.post(url).body(whole.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(stage.secure.seen()[0].body, whole);
}

#[tokio::test]
async fn an_answer_ends_where_the_policy_ends_it() {
    let stage = Stage::with(|limits| limits.response_bytes = 100 * 1024).await;
    let (status, body) = stage.get(&stage.plain, "/bytes?102401").await;
    assert!(
        status == 502 && body.contains("longer than 102400 bytes"),
        "{body}"
    );
    assert_eq!(
        stage.get(&stage.plain, "/bytes?102400").await.1.len(),
        102_400
    );
    assert_eq!(
        stage.get(&stage.plain, "/stream?100").await.1.len(),
        102_400
    );
    broken(&stage, "/stream?101").await;
    let told = stage.told(5).await;
    assert!(told[0].starts_with("refused GET"), "{}", told[0]);
    let expected = format!(
        "failed GET {}: the answer is longer than 102400 bytes",
        stage.plain.url("/stream?101")
    );
    assert_eq!(told[4], expected);
}

#[tokio::test]
async fn time_runs_out_before_and_within_an_answer() {
    let stage = Stage::with(|limits| limits.timeout_ms = 400).await;
    let begun = Instant::now();
    let (status, body) = stage.get(&stage.secure, "/slow").await;
    assert!(status == 504 && body.contains("timeout"), "{body}");
    broken(&stage, "/drip?1000").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    let told = stage.told(3).await;
    assert!(told[0].starts_with("failed GET"), "{}", told[0]);
    assert!(
        told[2].ends_with("it did not end within 400 ms"),
        "{}",
        told[2]
    );
}

#[tokio::test]
async fn time_runs_out_while_a_body_is_read() {
    let stage = Stage::with(|limits| limits.timeout_ms = 300).await;
    let mut stream = stage.socket().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-length: 10\r\n\r\nabc",
        stage.plain.url("/"),
        stage.plain.authority()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 504");
    assert!(stage.plain.seen().is_empty());
}

#[tokio::test]
async fn a_program_that_does_not_read_is_not_waited_for() {
    let stage = Stage::with(|limits| {
        // Enough for a beginning, also where everything else is busy.
        limits.timeout_ms = 2_000;
        limits.response_bytes = u64::MAX;
    })
    .await;
    let mut stream = stage.socket().await;
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\n\r\n",
        stage.plain.url("/bytes?100000000"),
        stage.plain.authority()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stage.told(1).await;
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    let mut got = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut got));
    let _ = read.await.unwrap();
    assert!(!got.is_empty() && got.len() < 10_000_000, "{}", got.len());
}

#[tokio::test]
async fn a_program_that_goes_away_ends_its_request() {
    let stage = Stage::new().await;
    let sent = stage.client().get(stage.secure.url("/slow")).send();
    assert!(
        tokio::time::timeout(Duration::from_millis(500), sent)
            .await
            .is_err()
    );
    let told = stage.told(1).await;
    assert!(
        told[0].ends_with("the program went away before there was an answer"),
        "{}",
        told[0]
    );
    assert_eq!(stage.secure.seen().len(), 1);
    assert_eq!(stage.get(&stage.secure, "/").await.0, 200);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_leaves_nothing_behind() {
    let mut stage = Stage::new().await;
    let answer = stage
        .client()
        .get(stage.secure.url("/drip?1000"))
        .send()
        .await
        .unwrap();
    let folder = stage.proxy().folder().to_owned();
    assert!(folder.join(SOCKET).exists());
    let begun = Instant::now();
    drop(stage.proxy.take());
    assert!(answer.bytes().await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!folder.exists());
    let refused = UnixStream::connect(folder.join(SOCKET)).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_socket_is_for_nobody_else_and_no_key_is_on_the_disk() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let folder = stage.proxy().folder();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700);
    assert_eq!(mode(&folder.join(SOCKET)), 0o600);
    let files = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [AUTHORITY, SOCKET]);
    let pem = std::fs::read_to_string(folder.join(AUTHORITY)).unwrap();
    assert_eq!(pem, stage.proxy().authority_pem());
    assert!(pem.contains("BEGIN CERTIFICATE") && !pem.contains("PRIVATE"));
    assert_ne!(pem, Stage::new().await.proxy().authority_pem());
}

#[tokio::test]
async fn a_folder_that_is_there_already_is_nobodys_to_take() {
    let stage = Stage::new().await;
    let setup = Setup {
        folder: stage.folder.path().to_owned(),
        grant: Grant::default(),
        limits: Policy::default().http.limits(Preset::Balanced),
        egress: Egress::new(Names, Arc::new(|_: &str| None)),
        known: Arc::new(Arc::default),
        told: Arc::new(|_| ()),
    };
    let error = Proxy::start(setup).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(stage.folder.path().exists());
}
