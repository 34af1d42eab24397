//! A container ends with whoever made it.

use std::{
    collections::HashMap, fs, future::Future, path::Path, pin::pin, task::Context, time::Duration,
};

use bollard::{
    models::{ContainerCreateBody, MountPoint},
    query_parameters::{CreateContainerOptionsBuilder, ListContainersOptionsBuilder},
};
use tau_target_docker::Docker;
use tau_target_process::{Running, Sandbox};
use tokio::time::{sleep, timeout};

use crate::{Place, configuration};

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
    let place = Place::new().await;
    let mut running = place
        .start("trap '' TERM; setsid sh -c 'sleep 2; echo late > late.txt' & sleep 60")
        .await;
    timeout(Duration::from_millis(500), running.wait())
        .await
        .unwrap_err();
    let name = running.name().to_owned();
    assert!(running.end().await.left.is_empty());
    assert!(!place.exists(&name).await);
    sleep(Duration::from_secs(3)).await;
    assert!(!place.workspace().join("late.txt").exists());
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let place = Place::new().await;
    let said = place
        .run("setsid sh -c 'sleep 2; echo late > late.txt' > /dev/null 2>&1 & sleep 0.2")
        .await;
    assert_eq!(said.code, 0);
    sleep(Duration::from_secs(3)).await;
    assert!(!place.workspace().join("late.txt").exists());
}

#[tokio::test]
async fn a_container_that_is_dropped_is_removed() {
    let place = Place::new().await;
    let running = place.start("sleep 60").await;
    let name = running.name().to_owned();
    assert!(place.exists(&name).await);
    drop(running);
    assert!(!place.exists(&name).await);
}

#[tokio::test]
async fn a_container_is_removed_when_its_thread_panics() {
    let place = Place::new().await;
    let running = place.start("sleep 60").await;
    let name = running.name().to_owned();
    let panicked = tokio::spawn(async move {
        let _running = running;
        panic!("as asked");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(!place.exists(&name).await);
}

#[test]
fn a_container_is_removed_when_its_runtime_ends() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (place, running) = runtime().block_on(async {
        let place = Place::new().await;
        let running = place.start("sleep 60").await;
        (place, running)
    });
    let name = running.name().to_owned();
    drop(running);
    assert!(!runtime().block_on(place.exists(&name)));
}

#[tokio::test]
async fn a_container_is_removed_once_its_program_has_ended() {
    let place = Place::new().await;
    let mut running = place.start(":").await;
    let name = running.name().to_owned();
    running.wait().await.unwrap();
    // Nobody calls `end`.
    let removed = async {
        while place.exists(&name).await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), removed).await.unwrap();
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let place = Place::new().await;
    // Given up at once, and at moments in between.
    for wait in [0, 5, 20, 50, 100, 200] {
        let (job, _) = place.job("sleep 60");
        let mut start = pin!(place.docker.start(job));
        let waker = std::task::Waker::noop();
        let _ = start.as_mut().poll(&mut Context::from_waker(waker));
        let _ = timeout(Duration::from_millis(wait), start).await;
    }
    // An engine that was asked to start finishes that first.
    sleep(Duration::from_secs(5)).await;
    assert_eq!(containers_of(&place, &place.workspace()).await, 0);
}

/// How many containers have this workspace.
async fn containers_of(place: &Place, workspace: &Path) -> usize {
    let options = ListContainersOptionsBuilder::new().all(true).build();
    let all = place.client().list_containers(Some(options)).await.unwrap();
    let is_it = |mount: &MountPoint| mount.source.as_deref() == workspace.to_str();
    all.iter()
        .filter(|container| container.mounts.iter().flatten().any(is_it))
        .count()
}

#[tokio::test]
async fn waiting_may_be_given_up_and_begun_again() {
    let place = Place::new().await;
    let mut running = place.start("sleep 1; exit 7").await;
    timeout(Duration::from_millis(100), running.wait())
        .await
        .unwrap_err();
    assert_eq!(running.wait().await.unwrap().code(), 7);
    assert_eq!(running.wait().await.unwrap().code(), 7);
    running.end().await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_by_the_next() {
    let place = Place::new().await;
    let started = place.workspace().join("started");
    let mut child = place.process(": > started; sleep 300").spawn().unwrap();
    let start = async {
        while !started.exists() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), start).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let workspace = place.workspace();
    let left = async || containers_of(&place, &workspace).await;
    assert_eq!(left().await, 1);
    Docker::connect(configuration(&place.engine)).await.unwrap();
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn only_what_nobody_owns_any_more_is_removed() {
    let place = Place::new().await;
    let client = place.client();
    let folder = tempfile::Builder::new()
        .prefix("tau-docker-")
        .tempdir()
        .unwrap();
    // Its lock is free: its owner is gone.
    let file = folder.path().join("owner");
    fs::write(&file, "").unwrap();
    let make = async |name: &str, label: Option<&str>| {
        let name = format!("{name}-{}", std::process::id());
        let body = ContainerCreateBody {
            image: Some(place.engine.image.clone()),
            labels: label.map(|label| HashMap::from([("tau.owner".into(), label.into())])),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        client.create_container(Some(options), body).await.unwrap();
        name
    };
    let abandoned = make("tau-test-abandoned", file.to_str()).await;
    let foreign = make("tau-test-foreign", None).await;
    let strange = make("tau-test-strange", Some("/etc/passwd")).await;
    let living = place.start("sleep 60").await;

    Docker::connect(configuration(&place.engine)).await.unwrap();
    assert!(!place.exists(&abandoned).await);
    assert!(!folder.path().exists());
    assert!(place.exists(living.name()).await);
    for name in [foreign, strange] {
        assert!(place.exists(&name).await);
        client.remove_container(&name, None).await.unwrap();
    }
}
