//! What is refused, and what is said about it.

use std::{
    io::{Read, Write},
    os::unix::{net::UnixListener, process::CommandExt},
    path::Path,
    process::Stdio,
    thread,
};

use tau_target_docker::{Configuration, Docker};
use tau_target_process::{Sandbox, StartError};

use crate::{Place, configuration, shared};

/// Why a connection was refused, and what is said to do about it.
async fn refused(configuration: Configuration) -> (String, String) {
    match Docker::connect(configuration).await.unwrap_err() {
        StartError::Unavailable { reason, hint } => (reason, hint),
        StartError::Io(error) => panic!("{error}"),
    }
}

fn at(socket: &Path) -> Configuration {
    Configuration {
        socket: Some(socket.to_str().unwrap().to_owned()),
        image: format!("sha256:{}", "0".repeat(64)),
        milli_cpus: 1_000,
        as_root: false,
    }
}

#[tokio::test]
async fn a_tag_is_refused_before_anything_is_asked() {
    let mut tag = at(Path::new("/nonexistent/docker.sock"));
    tag.image = "alpine:3".into();
    let (reason, hint) = refused(tag).await;
    assert!(reason.contains("alpine:3 is named by a tag"), "{reason}");
    assert!(hint.contains("docker image inspect"), "{hint}");
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named_with_the_command_that_gets_it() {
    let shared = tokio::task::spawn_blocking(shared).await.unwrap();
    let mut configuration = configuration(&shared.engine);
    configuration.image = format!("registry.invalid/tools@sha256:{}", "0".repeat(64));
    let (reason, hint) = refused(configuration.clone()).await;
    assert_eq!(
        reason,
        format!("the engine does not have the image {}", configuration.image)
    );
    assert_eq!(hint, format!("docker pull {}", configuration.image));
}

#[tokio::test]
async fn a_missing_socket_and_one_that_nobody_listens_at_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let (reason, _) = refused(at(&socket)).await;
    assert!(reason.contains("there is no socket"), "{reason}");
    drop(UnixListener::bind(&socket).unwrap());
    let (reason, hint) = refused(at(&socket)).await;
    assert!(reason.contains("no Docker engine listens"), "{reason}");
    assert!(hint.contains("start"), "{hint}");
}

#[tokio::test]
async fn a_user_who_may_not_use_the_engine_is_told_so() {
    let place = Place::new().await;
    let mut command = place.process(":");
    command.uid(65_534).gid(65_534).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("this user may not use the Docker engine"),
        "{said}"
    );
    assert!(!output.status.success());
}

#[tokio::test]
async fn what_listens_and_does_not_answer_is_not_waited_for_forever() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let (reason, _) = refused(at(&socket)).await;
    assert!(reason.ends_with("does not answer within 10 s"), "{reason}");
}

/// Answers every request with `body`.
fn serve(socket: &Path, body: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
        }
    });
}

#[tokio::test]
async fn another_service_and_an_old_engine_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.sock");
    serve(&other, "hello");
    let (reason, _) = refused(at(&other)).await;
    assert!(reason.contains("is no engine"), "{reason}");

    let old = folder.path().join("old.sock");
    serve(&old, r#"{"ApiVersion": "1.24", "Version": "1.12"}"#);
    let (reason, hint) = refused(at(&old)).await;
    assert_eq!(reason, "the engine's API 1.24 is older than 1.41");
    assert!(hint.contains("20.10"), "{hint}");
}

#[tokio::test]
async fn a_workspace_that_holds_the_engines_socket_or_the_system_is_refused() {
    let place = Place::new().await;
    let of_engine = place.engine.socket.parent().unwrap().to_owned();
    for workspace in ["/".into(), "/usr".into(), "/proc/1".into(), of_engine] {
        let (mut job, _) = place.job(":");
        job.confinement.workspace = workspace;
        let error = place.docker.start(job).await.unwrap_err();
        assert!(matches!(error, StartError::Io(_)), "{error}");
    }
}

#[tokio::test]
async fn a_workspace_that_is_gone_is_an_error() {
    let place = Place::new().await;
    let (mut job, _) = place.job(":");
    job.confinement.workspace = place.workspace().join("gone");
    place.docker.start(job).await.unwrap_err();
}
