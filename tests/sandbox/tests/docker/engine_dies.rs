//! An engine that goes away while a program runs.

use std::time::{Duration, Instant};

use tau_sandbox_tests::Engine;
use tau_target_docker::Docker;
use tau_target_process::{Running, Sandbox, StartError};

use crate::{Place, configuration, private};

#[tokio::test]
async fn it_is_an_error_and_not_a_wait_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let (private, image) = private(folder.path()).await;
    let engine = Engine {
        socket: private.socket(),
        image,
    };
    let place = Place::at(&engine).await;
    let mut running = place.start("sleep 300").await;
    let name = running.name().to_owned();

    let killed = Instant::now();
    private.kill().unwrap();
    let error = running.wait().await.unwrap_err();
    assert!(killed.elapsed() < Duration::from_secs(10), "{error}");
    let ended = running.end().await;
    assert!(ended.left[0].contains(&name), "{ended:?}");

    let (job, _) = place.job(":");
    let error = place.docker.start(job).await.unwrap_err();
    assert!(matches!(error, StartError::Io(_)), "{error}");
    let error = Docker::connect(configuration(&engine)).await.unwrap_err();
    assert!(
        error.to_string().contains("no Docker engine listens"),
        "{error}"
    );

    // The engine that comes after it ends the container, and the next process removes it.
    let (_private, image) = crate::private(folder.path()).await;
    assert_eq!(image, engine.image);
    let Place { docker, .. } = place;
    drop(docker);
    let place = Place::at(&engine).await;
    assert!(!place.exists(&name).await);
    assert_eq!(place.run("exit 5").await.code, 5);
}
