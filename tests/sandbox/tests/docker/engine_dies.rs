//! An engine that goes away while a program runs.

use std::time::{Duration, Instant};

use tau_sandbox_tests::{Engine, is_alive};
use tau_target_docker::Docker;
use tau_target_process::{Ended, Running, Sandbox, StartError};
use tokio::time::sleep;

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
    let dropped = place.start("sleep 300").await;
    let name = running.name().to_owned();
    let processes = [
        processes(&place, &name).await,
        processes(&place, dropped.name()).await,
    ]
    .concat();
    assert!(processes.len() >= 4, "{processes:?}");

    let killed = Instant::now();
    private.kill().unwrap();
    let error = running.wait().await.unwrap_err();
    assert!(killed.elapsed() < Duration::from_secs(10), "{error}");
    // Nobody but us can end the programs now.
    assert_eq!(running.end().await, Ended::default());
    drop(dropped);
    sleep(Duration::from_millis(500)).await;
    let alive: Vec<_> = processes.iter().filter(|id| is_alive(id)).collect();
    assert!(alive.is_empty(), "{alive:?}");

    let (job, _) = place.job(":");
    let error = place.docker.start(job).await.unwrap_err();
    assert!(matches!(error, StartError::Io(_)), "{error}");
    let error = Docker::connect(configuration(&engine)).await.unwrap_err();
    assert!(
        error.to_string().contains("no Docker engine listens"),
        "{error}"
    );

    // The container is still in the engine's books: the next process removes it.
    let (_private, image) = crate::private(folder.path()).await;
    assert_eq!(image, engine.image);
    let Place { docker, .. } = place;
    drop(docker);
    let place = Place::at(&engine).await;
    assert!(!place.exists(&name).await);
    assert_eq!(place.run("exit 5").await.code, 5);
}

/// The processes of a container, by their numbers on this machine.
async fn processes(place: &Place, name: &str) -> Vec<String> {
    let top = place.client().top_processes(name, None).await.unwrap();
    let lines = top.processes.unwrap();
    lines.into_iter().map(|line| line[1].clone()).collect()
}
