//! Many writers: tasks, and processes.

use futures_util::future::join_all;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    routine::{self, Routine},
    safety::Gate,
    session::{Batch, Range, StoreError},
};
use tau_platform::Storage;
use tau_target_postgres::PostgresStorage;
use tau_test_postgres::{PASSWORD, cluster};

use crate::{claim, put};

/// Tries to be the first to write each of `keys` keys; returns how often it was.
async fn race(store: PostgresStorage, keys: u32, who: u8) -> u32 {
    let mut won = 0;
    for n in 0..keys {
        match store
            .commit(claim(&format!("session/s/journal/{n:010}"), &[who]))
            .await
        {
            Ok(()) => won += 1,
            Err(StoreError::Conflict { session }) => assert_eq!(session.0, "s"),
            Err(error) => panic!("{error}"),
        }
    }
    won
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_taken_once_by_many_tasks_whatever_the_isolation() {
    for isolation in ["read%20committed", "repeatable%20read", "serializable"] {
        let address = format!(
            "{}&options=-c%20default_transaction_isolation={}",
            cluster().new_address(),
            isolation.replace("%20", "%5C%20")
        );
        let racers = (0..8).map(|who| tokio::spawn(race(cluster().store(&address), 40, who)));
        let won = join_all(racers).await;
        let won: u32 = won.into_iter().map(|won| won.expect("no panic")).sum();
        assert_eq!(won, 40, "{isolation}: each key was taken exactly once");
    }
}

#[test]
fn each_key_is_taken_once_by_two_processes() {
    let address = cluster().new_address();
    let racers: Vec<Child> = (0..2)
        .map(|who| committer(&[&address, "race", "300", &who.to_string()]))
        .collect();
    let mut won = 0;
    for racer in racers {
        let done = racer.wait_with_output().expect("its end");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let line = String::from_utf8_lossy(&done.stdout).into_owned();
        won += line.trim().parse::<u32>().expect("a number");
    }
    assert_eq!(won, 300);
}

#[tokio::test]
async fn each_due_time_of_a_routine_is_taken_once_by_two_processes() {
    const COUNT: u64 = 200;
    let address = cluster().new_address();
    let store = cluster().store(&address);
    let session = SessionId("00c0ffee00c0ffee".into());
    let first = UnixMillis(1_767_225_600_000);
    let gate = Gate::default();
    let routine = Routine::new("r1", &session, "look around", first, Some(1_000), &gate);
    let routine = routine.expect("a routine");
    store.commit(routine.save()).await.expect("a commit");
    let until = first.plus(COUNT * 1_000).0.to_string();
    let takers: Vec<Child> = (0..2)
        .map(|_| committer(&[&address, "routines", &session.0, "r1", &until]))
        .collect();
    let mut taken = 0;
    for taker in takers {
        let done = taker.wait_with_output().expect("its end");
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words}");
        let line = String::from_utf8_lossy(&done.stdout).into_owned();
        let own = line.trim().parse::<u64>().expect("a number");
        assert!(own > 0, "both took some");
        taken += own;
    }
    let runs = store.scan(routine::runs(&session, "r1", u32::MAX)).await;
    assert_eq!(runs.expect("a scan").len() as u64, COUNT);
    assert_eq!(taken, COUNT, "each due time was taken by one of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_commits_that_forbid_each_other_are_never_both_done() {
    let store = cluster().new_store();
    for n in 0..60 {
        let (a, b) = (format!("{n}/a"), format!("{n}/b"));
        let needs = |absent: &str, made: &str| {
            let store = store.clone();
            let batch = Batch {
                require_absent: vec![absent.into()],
                ..put(made, b"1")
            };
            tokio::spawn(async move { store.commit(batch).await })
        };
        let (one, two) = (needs(&a, &b), needs(&b, &a));
        let outcomes = [one.await.expect("no panic"), two.await.expect("no panic")];
        let rows = store
            .scan(Range::prefix(&format!("{n}/"), 9))
            .await
            .expect("a scan");
        assert_eq!(rows.len(), 1, "round {n}: {outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_touch_the_same_rows_in_any_order_all_go_through_whole() {
    let store = cluster().new_store();
    let writers = (0..8_u8).map(|who| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..30_u8 {
                let mut keys: Vec<String> = (0..12).map(|n| format!("row/{n:02}")).collect();
                keys.rotate_left(usize::from(who * 7 + round) % 12);
                let batch = Batch {
                    delete: keys.drain(..3).collect(),
                    put: keys
                        .into_iter()
                        .map(|key| (key, vec![who, round]))
                        .collect(),
                    ..Batch::default()
                };
                store.commit(batch).await.expect("a commit");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    // What is left is what one commit made: nine rows of one writer and round.
    let rows = store.scan(Range::prefix("row/", 99)).await.expect("a scan");
    assert_eq!(rows.len(), 9);
    assert!(
        rows.iter().all(|(_, value)| *value == rows[0].1),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_dropped_commit_leaves_all_or_nothing() {
    let store = cluster().new_store();
    store.commit(Batch::default()).await.expect("a commit");
    for n in 0..50 {
        let batch = Batch {
            put: vec![(format!("{n}/a"), vec![1]), (format!("{n}/b"), vec![1])],
            ..Batch::default()
        };
        let wait = Duration::from_micros(n * 60);
        let _ = tokio::time::timeout(wait, store.commit(batch)).await;
        let rows = store.scan(Range::prefix(&format!("{n}/"), 9)).await;
        assert_ne!(rows.expect("a scan").len(), 1);
    }
}

#[tokio::test]
async fn a_session_is_held_by_one_process_and_others_are_told_by_whom() {
    let address = cluster().new_address();
    let (here, there) = (cluster().store(&address), cluster().store(&address));
    let session = SessionId("00c0ffee00c0ffee".into());
    let since = UnixMillis(1_767_225_600_000);
    let held = here
        .hold(&session, "tau chat", since)
        .await
        .expect("a hold");
    let refused = there
        .hold(&session, "tau run", since)
        .await
        .expect_err("no hold");
    let StoreError::Locked { holder } = &refused else {
        panic!("{refused}");
    };
    let process = format!("tau chat (process {} on ", std::process::id());
    assert!(holder.starts_with(&process), "{holder}");
    assert!(holder.ends_with(") since 2026-01-01T00:00:00Z"), "{holder}");

    let other = SessionId("other".into());
    there
        .hold(&other, "tau run", since)
        .await
        .expect("another session is free");
    let elsewhere = cluster().new_store();
    elsewhere
        .hold(&session, "tau run", since)
        .await
        .expect("another store is another");
    assert!(held.is_alive());
    drop(held);
    there
        .hold(&session, "tau run", since)
        .await
        .expect("a hold");
}

fn committer(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_test-committer"))
        .args(arguments)
        .env("PGPASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// How many commits the committer's words acknowledge.
fn number(line: &str) -> usize {
    let n = line.strip_prefix("committed ").expect("its words");
    n.parse::<usize>().expect("a number") + 1
}

/// Kills where nobody says otherwise; `cargo xtask kills` does.
const KILLS: u64 = 100;

/// How many kills `TAU_TEST_KILLS` asks for.
fn kills() -> u64 {
    std::env::var("TAU_TEST_KILLS").map_or(KILLS, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn clients_killed_in_mid_commit_lose_nothing_that_was_acknowledged() {
    let address = cluster().new_address();
    let store = cluster().store(&address);
    let (mut acknowledged, mut at_login) = (0, 0);
    let kills = kills();
    for round in 0..kills {
        // What is before it was looked at in the rounds before.
        let seen = acknowledged;
        let mut child = committer(&[&address]);
        let mut out = BufReader::new(child.stdout.take().expect("its output")).lines();
        if round % 8 == 0 {
            // Within the start and the login.
            at_login += 1;
            std::thread::sleep(Duration::from_millis(round % 100));
        } else {
            let line = out.next().expect("a first commit");
            acknowledged = number(&line.expect("a line"));
            // It does nothing but commit, so wherever this falls, it falls into one.
            std::thread::sleep(Duration::from_micros(round * 7_919 % 29_000));
        }
        child.kill().expect("a kill");
        child.wait().expect("its end");
        for line in out {
            acknowledged = number(&line.expect("a line"));
        }
        let [left, right] = [
            behind(&store, "left", seen).await,
            behind(&store, "right", seen).await,
        ];
        // Its last commit may still be going on in the server: then it is in the second scan alone.
        assert!(
            left.abs_diff(right) <= 1,
            "round {round}: half a commit, {left} and {right}"
        );
        assert!(
            left >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {left} are there"
        );
    }
    let begun = Instant::now();
    let all = loop {
        let left = behind(&store, "left", 0).await;
        if left == behind(&store, "right", 0).await {
            break left;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "half a commit");
    };
    println!(
        "{:<16} {kills:>5} kills: {at_login:>4} at the start or the login, {all} commits are there, \
         {acknowledged} of them acknowledged",
        "server's clients"
    );
    assert!(all >= acknowledged);
    assert!(
        acknowledged as u64 > kills,
        "only {acknowledged} commits were met by {kills} kills"
    );
}

/// How many commits wrote to `side`, of which the first `seen` are there.
async fn behind(store: &PostgresStorage, side: &str, seen: usize) -> usize {
    let range = Range {
        start: format!("{side}/{seen:010}"),
        ..Range::prefix(&format!("{side}/"), u32::MAX)
    };
    let rows = store.scan(range).await.expect("a scan");
    for (n, (key, _)) in (seen..).zip(&rows) {
        assert_eq!(*key, format!("{side}/{n:010}"), "none is missing");
    }
    seen + rows.len()
}
