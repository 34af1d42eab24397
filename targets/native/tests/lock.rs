//! Session locks between two processes.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::StoreError,
};
use tau_target_native::{LockError, SessionLock};

const DIR: &str = "TAU_TEST_LOCK_DIR";

fn take(dir: &Path, program: &str) -> Result<SessionLock, LockError> {
    let session = SessionId("00c0ffee00c0ffee".into());
    SessionLock::acquire(dir, &session, program, UnixMillis(1_767_225_600_000))
}

/// Not a test of its own: what the other process does.
#[test]
fn other_process() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let _lock = take(Path::new(&dir), "tau chat").unwrap();
    println!("held");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

fn other_process_holding(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    assert!(
        out.lines().any(|line| line.unwrap().ends_with("held")),
        "the other process got the lock"
    );
    child
}

#[test]
fn another_process_is_named_and_its_death_frees_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let locks = dir.path().join("made/locks");
    let mut other = other_process_holding(&locks);

    let refused = take(&locks, "tau run").unwrap_err();
    assert_eq!(
        StoreError::from(refused),
        StoreError::Locked {
            holder: format!(
                "tau chat (process {}) since 2026-01-01T00:00:00Z",
                other.id()
            )
        }
    );

    other.kill().unwrap();
    other.wait().unwrap();
    let lock = take(&locks, "tau run").unwrap();
    assert!(lock.path().exists());
    let path = lock.path().to_owned();
    drop(lock);
    assert!(path.exists(), "the file stays: removing it would be a race");
}
