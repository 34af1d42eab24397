//! How much of the machine a container may use.

use std::{fs, time::Duration};

use tau_target_process::{Running, Sandbox};
use tokio::time::timeout;

use crate::Place;

/// A file of the container's control group, in version 2 or 1.
fn group(two: &str, one: &str) -> String {
    format!("cat /sys/fs/cgroup/{two} 2>/dev/null || cat /sys/fs/cgroup/{one};")
}

#[tokio::test]
async fn the_limits_are_those_of_the_control_group() {
    let place = Place::new().await;
    let script = [
        group("memory.max", "memory/memory.limit_in_bytes"),
        group("pids.max", "pids/pids.max"),
        // Quota and period, on one line or two.
        "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
         /sys/fs/cgroup/cpu/cpu.cfs_period_us;"
            .to_owned(),
    ]
    .concat();
    let said = place.run(&script).await;
    let numbers: Vec<&str> = said.out.split_whitespace().collect();
    assert_eq!(numbers, ["134217728", "50", "50000", "100000"], "{said:?}");
}

#[tokio::test]
async fn the_limits_of_a_process_are_its_own() {
    let place = Place::new().await;
    let said = place
        .run("ulimit -f; ulimit -t; ulimit -c; ulimit -n; ulimit -l; df -k /tmp | tail -1; df -k /dev/shm | tail -1")
        .await;
    let lines: Vec<&str> = said.out.lines().collect();
    // Shells count files in blocks of 512 bytes.
    assert_eq!(
        lines[..5],
        ["131072", "20", "0", "4096", "8192"],
        "{said:?}"
    );
    for line in &lines[5..] {
        assert_eq!(line.split_whitespace().nth(1), Some("4096"), "{line}");
    }
}

#[tokio::test]
async fn the_engine_says_how_a_container_is_confined() {
    let place = Place::new().await;
    let running = place.start("sleep 60").await;
    let client = place.client();
    let found = client
        .inspect_container(running.name(), None)
        .await
        .unwrap();
    let host = found.host_config.unwrap();
    assert_eq!(host.memory, Some(128 << 20));
    assert_eq!(host.memory_swap, Some(128 << 20));
    assert_eq!(host.pids_limit, Some(50));
    assert_eq!(host.nano_cpus, Some(500_000_000));
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    let options = host.security_opt.unwrap();
    assert_eq!(options[0], "no-new-privileges");
    assert!(options[1].starts_with("seccomp={"));
    assert_ne!(
        found.config.unwrap().user.unwrap().split(':').next(),
        Some("0")
    );
    running.end().await;
}

#[tokio::test]
async fn a_program_that_takes_all_memory_is_ended_and_nobody_else() {
    let place = Place::new().await;
    let said = place
        .run("echo before; python3 -c 'x = bytearray(500 << 20)'; echo \"after $?\"")
        .await;
    assert_eq!(said.out, "before\nafter 137\n", "{said:?}");
}

/// Forks for as long as it can, in every child too.
const BOMB: &str = "\
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
";

#[tokio::test]
async fn a_fork_bomb_stays_in_its_container_and_ends_with_it() {
    let place = Place::new().await;
    let (mut job, _pipes) = place.job("");
    job.program = ["python3", "-c", BOMB].map(Into::into).into();
    let mut running = place.docker.start(job).await.unwrap();
    timeout(Duration::from_secs(3), running.wait())
        .await
        .unwrap_err();
    let client = place.client();
    let top = client.top_processes(running.name(), None).await.unwrap();
    let count = top.processes.unwrap().len();
    assert!((40..=50).contains(&count), "{count} processes");
    assert!(processes_with(BOMB) >= 40);
    let ended = running.end().await;
    assert!(ended.left.is_empty(), "{ended:?}");
    assert_eq!(processes_with(BOMB), 0);
}

/// How many processes of this machine run with `text` on their command line.
fn processes_with(text: &str) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .filter(|entry| {
            let line = entry.as_ref().unwrap().path().join("cmdline");
            fs::read(line).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
        })
        .count()
}

#[tokio::test]
async fn a_full_disk_is_the_programs_error() {
    let place = Place::new().await;
    let said = place.run("head -c 10000000 /dev/zero > /tmp/full").await;
    assert_eq!(said.code, 1);
    assert!(said.err.contains("No space left on device"), "{said:?}");
}

#[tokio::test]
async fn a_hundred_at_once_all_end_well() {
    let place = Place::new().await;
    let all = (0..100).map(|number| {
        let (mut job, pipes) = place.job(&format!("echo {number}"));
        job.confinement.limits.memory_bytes = 16 << 20;
        let docker = place.docker.clone();
        async move {
            let mut running = docker.start(job).await.unwrap();
            let exit = running.wait().await.unwrap();
            assert!(running.end().await.left.is_empty());
            let [out, _] = pipes;
            assert_eq!(crate::read(out), format!("{number}\n"));
            exit.code()
        }
    });
    let codes = futures_util::future::join_all(all).await;
    assert_eq!(codes, [0; 100]);
}
