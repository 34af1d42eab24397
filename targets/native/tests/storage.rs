//! The SQLite store: the suite of every store, what a file may be when it is opened, and what is
//! left when a process is killed.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{
    cell::RefCell,
    fs::{self, File, OpenOptions},
    future::Future,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    task::{Context, Waker},
    time::Duration,
};
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::{Storage, conformance};
use tau_target_native::{SqliteStorage, sqlite::repair};

fn put(key: impl Into<String>, value: &[u8]) -> Batch {
    Batch {
        put: vec![(key.into(), value.to_vec())],
        ..Batch::default()
    }
}

fn record(n: usize) -> (String, Vec<u8>) {
    let record = format!(
        r#"{{"v":1,"seq":{n},"at":1767225600000,"type":"prompt","message":{{"role":"user","parts":[{{"type":"text","text":"say {n}"}}]}}}}"#
    );
    (
        format!("session/00c0ffee00c0ffee/journal/{n:010}"),
        record.into_bytes(),
    )
}

/// A store of `rows` records, closed.
async fn filled(path: &Path, rows: usize) {
    let store = SqliteStorage::open(path).unwrap();
    let put = (0..rows).map(record).collect();
    store
        .commit(Batch {
            put,
            ..Batch::default()
        })
        .await
        .unwrap();
}

async fn keys(store: &SqliteStorage) -> Vec<String> {
    let rows = store.scan(Range::prefix("session/", u32::MAX)).await;
    rows.unwrap().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_file_is_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let count = RefCell::new(0);
    let path = || dir.path().join(format!("{}.db", count.borrow()));
    conformance::storage::run(
        async || {
            *count.borrow_mut() += 1;
            SqliteStorage::open(&path()).unwrap()
        },
        async |store| {
            drop(store);
            SqliteStorage::open(&path()).unwrap()
        },
    )
    .await;
}

#[tokio::test]
async fn memory_is_a_store() {
    conformance::storage::run(
        async || SqliteStorage::in_memory().unwrap(),
        async |store| store,
    )
    .await;
}

#[tokio::test]
async fn missing_folders_and_empty_files_become_stores() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("a/b/tau.db");
    filled(&new, 1).await;
    let empty = dir.path().join("empty.db");
    File::create(&empty).unwrap();
    filled(&empty, 1).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&new), 0o600, "conversations are their owner's alone");
        assert_eq!(mode(new.parent().unwrap()), 0o700);
    }
}

#[tokio::test]
async fn what_is_no_store_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| SqliteStorage::open(path).map(drop).unwrap_err().to_string();

    let garbage = dir.path().join("garbage.db");
    fs::write(
        &garbage,
        "this is not a store, but longer than a header".repeat(9),
    )
    .unwrap();
    let told = open(&garbage);
    assert!(
        told.contains("damaged") && told.contains("tau session repair"),
        "{told}"
    );
    let short = dir.path().join("short.db");
    fs::write(&short, "SQLite").unwrap();
    assert!(open(&short).contains("is not a store"));

    let cut = dir.path().join("cut.db");
    filled(&cut, 2_000).await;
    let length = fs::metadata(&cut).unwrap().len();
    OpenOptions::new()
        .write(true)
        .open(&cut)
        .unwrap()
        .set_len(length / 2 + 17)
        .unwrap();
    let told = open(&cut);
    assert!(
        told.contains("was cut") && told.contains("tau session repair"),
        "{told}"
    );

    assert!(open(dir.path()).contains("is a folder"));
    let below_file = garbage.join("tau.db");
    assert!(open(&below_file).starts_with("the store failed"));

    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t(x)")
        .unwrap();
    assert!(open(&foreign).contains("another program"));

    let newer = dir.path().join("newer.db");
    filled(&newer, 1).await;
    rusqlite::Connection::open(&newer)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    assert!(open(&newer).contains("newer version of Tau (format 99"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_store_is_told_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    filled(&path, 1).await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if OpenOptions::new().write(true).open(&path).is_ok() {
        return; // Root may write everything.
    }
    let told = SqliteStorage::open(&path)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(told.contains("cannot be written"), "{told}");
}

#[tokio::test]
async fn people_can_read_the_views() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    filled(&path, 3).await;
    let store = SqliteStorage::open(&path).unwrap();
    let memory = br#"{"v":1,"text":"likes tea","at":1767225600000}"#;
    store.commit(put("memory/home/7", memory)).await.unwrap();
    store
        .commit(put("memory/home/8", b"\xff no json"))
        .await
        .unwrap();
    store
        .commit(put("session/00c0ffee00c0ffee/journal/0000000003", b"{"))
        .await
        .unwrap();

    let hash = "ab".repeat(32);
    let large =
        format!(r#"{{"type":"prompt","message":{{"parts":[{{"text":"blob:sha256:{hash}"}}]}}}}"#);
    store
        .commit(put("session/aa/journal/0000000000", large.as_bytes()))
        .await
        .unwrap();
    store
        .commit(put(format!("blob/{hash}"), b"a large text"))
        .await
        .unwrap();

    let summary = br#"{"v":1,"title":"tea","created":1767225600000,"turns":2,"running":false}"#;
    store
        .commit(put("sessions/00c0ffee00c0ffee", summary))
        .await
        .unwrap();

    let reader = rusqlite::Connection::open(&path).unwrap();
    let line = |sql: &str| -> String { reader.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        line(
            "SELECT group_concat(concat_ws(' ', session, seq, at, type, text), '; ') FROM entries WHERE seq > 1"
        ),
        "00c0ffee00c0ffee 2 2026-01-01 00:00:00 prompt say 2; 00c0ffee00c0ffee 3"
    );
    assert_eq!(
        line("SELECT text FROM entries WHERE session = 'aa'"),
        "a large text"
    );
    assert_eq!(
        line("SELECT concat_ws(' ', session, title, created, turns, running) FROM sessions"),
        "00c0ffee00c0ffee tea 2026-01-01 00:00:00 2 0"
    );
    assert_eq!(
        line("SELECT group_concat(concat_ws(' ', scope, id, text, at), '; ') FROM memories"),
        "home 7 likes tea 2026-01-01 00:00:00; home 8"
    );
}

#[tokio::test]
async fn a_dropped_commit_leaves_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStorage::open(&dir.path().join("tau.db")).unwrap();
    for n in 0..50 {
        let batch = Batch {
            put: vec![(format!("{n}/a"), vec![1]), (format!("{n}/b"), vec![1])],
            ..Batch::default()
        };
        let mut commit = Box::pin(store.commit(batch));
        let _ = commit
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(commit);
        let rows = store.scan(Range::prefix(&format!("{n}/"), 9)).await;
        assert_ne!(rows.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let (a, b) = tokio::join!(writer(&path, 0), writer(&path, 1));
    assert_eq!(a + b, 60, "each key was taken exactly once");
}

/// Tries to be the first to write each of 60 keys; returns how often it was.
async fn writer(path: &Path, who: u8) -> u32 {
    let path = path.to_owned();
    let open = tokio::task::spawn_blocking(move || SqliteStorage::open(&path));
    let store = open.await.unwrap().unwrap();
    let mut won = 0;
    for n in 0..60 {
        let key = format!("session/s/journal/{n:010}");
        let batch = Batch {
            require_absent: vec![key.clone()],
            ..put(key, &[who])
        };
        match store.commit(batch).await {
            Ok(()) => won += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    won
}

#[test]
fn whoever_comes_while_a_store_is_made_waits_for_it() {
    for _ in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tau.db");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| SqliteStorage::open(&path).unwrap());
            }
        });
    }
}

const STORE: &str = "TAU_TEST_STORE";

/// Not a test of its own: the process that is killed. Commits pairs of keys and says so.
#[tokio::test]
async fn committing_process() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let store = SqliteStorage::open(Path::new(&path)).unwrap();
    let next = store.scan(Range::prefix("left/", u32::MAX)).await.unwrap();
    let mut out = std::io::stdout();
    for n in next.len().. {
        let batch = Batch {
            require_absent: vec![format!("left/{n:010}")],
            put: vec![
                (format!("left/{n:010}"), vec![0x5a; 3_000]),
                (format!("right/{n:010}"), vec![0xa5; 3_000]),
            ],
            delete: Vec::new(),
        };
        store.commit(batch).await.unwrap();
        writeln!(out, "\ncommitted {n}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let mut acknowledged = 0;
    for round in 0..50_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "committing_process", "--nocapture"])
            .env(STORE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            // From within the opening to some commits in.
            std::thread::sleep(Duration::from_millis(5 + round * 3));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in out.lines() {
            if let Some(n) = line.unwrap().strip_prefix("committed ") {
                acknowledged = n.parse::<usize>().unwrap() + 1;
            }
        }
        killer.join().unwrap();

        let store = SqliteStorage::open(&path).unwrap();
        let left = store.scan(Range::prefix("left/", u32::MAX)).await.unwrap();
        let right = store.scan(Range::prefix("right/", u32::MAX)).await.unwrap();
        assert_eq!(left.len(), right.len(), "round {round}: half a commit");
        assert!(
            left.len() >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {} are there",
            left.len()
        );
        if round % 10 == 9 {
            assert_eq!(store.integrity_check().await, Ok(Vec::new()));
        }
    }
    assert!(acknowledged > 0, "no process lived long enough to commit");
}

#[tokio::test]
async fn a_sound_store_is_left_alone_by_repair() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    filled(&path, 20).await;
    let report = repair(&path).unwrap();
    assert_eq!((report.damaged, report.rows), (None, 20));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Damages a store of `rows` records and repairs it.
async fn damaged_and_repaired(rows: usize, damage: impl Fn(&mut File, u64)) -> (Vec<String>, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("tau.db");
    filled(&path, rows).await;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let length = file.metadata().unwrap().len();
    damage(&mut file, length);
    drop(file);
    let before = fs::read(&path).unwrap();

    let report = repair(&path).unwrap();
    let aside = report.damaged.unwrap();
    assert_eq!(aside, dir.path().join("tau.db.damaged-1"));
    assert_eq!(
        fs::read(&aside).unwrap(),
        before,
        "the damaged file is kept as it was"
    );
    assert!(!report.gaps.is_empty(), "what is lost is told");

    let store = SqliteStorage::open(&path).unwrap();
    assert_eq!(store.integrity_check().await, Ok(Vec::new()));
    let keys = keys(&store).await;
    assert_eq!(keys.len() as u64, report.rows);
    for key in &keys {
        let n: usize = key[key.len() - 10..].parse().unwrap();
        assert_eq!(store.get(key.clone()).await.unwrap().unwrap(), record(n).1);
    }
    (keys, length)
}

#[tokio::test]
async fn repair_saves_what_was_not_cut() {
    let (keys, _) = damaged_and_repaired(4_000, |file, length| {
        file.set_len(length / 4096 / 2 * 4096).unwrap();
    })
    .await;
    assert!(keys.len() > 1_500, "{} of 4000 rows saved", keys.len());
}

/// The first byte of a leaf page: <https://sqlite.org/fileformat2.html#b_tree_pages>.
const LEAF: u8 = 0x0a;

#[tokio::test]
async fn repair_steps_over_damaged_pages() {
    let (keys, length) = damaged_and_repaired(4_000, |file, length| {
        for part in 1..5 {
            // The next leaf: an inner page would take the leaves below it along.
            let mut page = length / 4096 * part / 5;
            let mut kind = [0];
            while kind != [LEAF] {
                page += 1;
                file.seek(SeekFrom::Start(page * 4096)).unwrap();
                file.read_exact(&mut kind).unwrap();
            }
            file.seek(SeekFrom::Start(page * 4096)).unwrap();
            file.write_all(&[0xff; 4096]).unwrap();
        }
    })
    .await;
    let rows_a_page = 4_000 / (length / 4096);
    assert!(
        keys.len() as u64 > 4_000 - 5 * rows_a_page - 5,
        "{} of 4000 rows saved, about {rows_a_page} a page",
        keys.len()
    );
}

#[tokio::test]
async fn repair_of_rubbish_gives_an_empty_store() {
    let (keys, _) = damaged_and_repaired(100, |file, length| {
        file.write_all(&vec![0x20; usize::try_from(length).unwrap()])
            .unwrap();
    })
    .await;
    assert!(keys.is_empty());
}

/// A store as it was before `kv` became a view.
fn older(path: &Path, format: u32, rows: &[(&str, &[u8])]) {
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch(
        "PRAGMA application_id = 0x54617521;
         CREATE TABLE kv (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
         CREATE VIEW entries AS SELECT key AS session FROM kv;
         CREATE VIEW sessions AS SELECT key AS session FROM kv;
         CREATE VIEW memories AS SELECT key AS namespace FROM kv;",
    )
    .unwrap();
    raw.pragma_update(None, "user_version", format).unwrap();
    for row in rows {
        raw.execute("INSERT INTO kv VALUES (?1, ?2)", *row).unwrap();
    }
}

#[tokio::test]
async fn a_store_of_an_older_format_keeps_all_and_shows_what_is_new() {
    let large = vec![7; 100_000];
    let memory = br#"{"v":2,"id":"0a","text":"tea","kind":"fact","at":7}"#;
    for format in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tau.db");
        older(
            &path,
            format,
            &[("blob/a", &large), ("memory/user/0a", memory)],
        );
        for _ in 0..2 {
            let store = SqliteStorage::open(&path).unwrap();
            assert_eq!(
                store.get("blob/a".into()).await.unwrap(),
                Some(large.clone())
            );
            assert!(store.integrity_check().await.unwrap().is_empty());
        }
        let raw = rusqlite::Connection::open(&path).unwrap();
        let read = |query: &str| raw.query_row(query, [], |row| row.get::<_, String>(0));
        assert_eq!(
            read("SELECT scope || ' ' || kind || ' ' || text FROM memories").unwrap(),
            "user fact tea"
        );
        assert_eq!(
            read("SELECT group_concat(key, ' ') FROM kv").unwrap(),
            "blob/a memory/user/0a"
        );
    }
}

#[tokio::test]
async fn a_value_is_replaced_whatever_its_length_and_removed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let store = SqliteStorage::open(&path).unwrap();
    for length in [5, 100_000, 901, 0, 900, 2_000_000, 899] {
        let value = vec![7; length];
        store.commit(put("a", &value)).await.unwrap();
        assert_eq!(store.get("a".into()).await.unwrap(), Some(value));
    }
    store.commit(put("b", &[1; 5_000])).await.unwrap();
    let batch = Batch {
        delete: vec!["a".into(), "b".into(), "c".into()],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
    assert_eq!(store.get("b".into()).await.unwrap(), None);
    let raw = rusqlite::Connection::open(&path).unwrap();
    let left = "SELECT (SELECT count(*) FROM short) + (SELECT count(*) FROM long)";
    let left: i64 = raw.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_key_that_lost_its_value_is_told_and_left_out_by_repair() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let store = SqliteStorage::open(&path).unwrap();
    store.commit(put("a", &[1; 5_000])).await.unwrap();
    store.commit(put("b", &[1; 5])).await.unwrap();
    drop(store);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("DELETE FROM long").unwrap();
    drop(raw);
    let store = SqliteStorage::open(&path).unwrap();
    let told = store.get("a".into()).await.unwrap_err();
    assert!(matches!(told, StoreError::Corrupt { .. }), "{told}");
    drop(store);
    repair(&path).unwrap();
    let store = SqliteStorage::open(&path).unwrap();
    assert_eq!(store.get("a".into()).await.unwrap(), None);
    assert_eq!(store.get("b".into()).await.unwrap(), Some(vec![1; 5]));
}
