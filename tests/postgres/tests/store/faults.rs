//! A server that goes away: nothing acknowledged is lost, nothing is done twice, and nothing is
//! told failed that was done.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::Storage;
use tau_target_postgres::{Options, Password, PostgresStorage};
use tau_test_postgres::{Cluster, PASSWORD, Proxy, cluster};
use zeroize::Zeroizing;

use crate::{claim, put};

/// A store behind `proxy`, which waits for `patience` when it is gone.
fn through(proxy: &Proxy, patience: Duration) -> PostgresStorage {
    let address = cluster().address_through(proxy.port());
    let address = format!("{address}&schema={}", cluster().new_schema());
    let mut options: Options = address.parse().expect("an address");
    options.patience = patience;
    let password = Password::new(|| Ok(Some(Zeroizing::new(PASSWORD.to_owned()))));
    PostgresStorage::new(options, password)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_done_and_not_done_again() {
    let proxy = Proxy::start(cluster().port());
    let store = through(&proxy, Duration::from_secs(10));
    store.commit(put("first", b"1")).await.expect("a commit");
    for n in 0..20 {
        proxy.swallow(1 + n % 3);
        let key = format!("claimed/{n}");
        // Done again it would be a conflict with itself.
        assert_eq!(store.commit(claim(&key, b"1")).await, Ok(()), "round {n}");
        assert!(store.commit(claim(&key, b"2")).await.is_err());
        assert_eq!(store.get(key).await, Ok(Some(b"1".to_vec())));
        proxy.swallow(0);
    }
    assert!(
        proxy.swallowed() >= 20,
        "{} answers were lost",
        proxy.swallowed()
    );
}

#[tokio::test]
async fn reads_are_asked_again_when_every_connection_was_cut() {
    let proxy = Proxy::start(cluster().port());
    let store = through(&proxy, Duration::from_secs(10));
    store.commit(put("a", b"1")).await.expect("a commit");
    for _ in 0..5 {
        proxy.cut(true);
        assert_eq!(store.get("a".into()).await, Ok(Some(b"1".to_vec())));
        proxy.swallow(1);
        let rows = store.scan(Range::prefix("a", 9)).await;
        assert_eq!(rows.map(|rows| rows.len()), Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_waits_for_a_server_that_comes_back() {
    let proxy = Proxy::start(cluster().port());
    let store = through(&proxy, Duration::from_secs(20));
    store.commit(put("a", b"1")).await.expect("a commit");
    proxy.cut(false);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.commit(claim("b", b"1")).await }
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    proxy.open();
    assert_eq!(waiting.await.expect("no panic"), Ok(()));
    assert_eq!(store.get("b".into()).await, Ok(Some(b"1".to_vec())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_cannot_be_found_out_is_told_as_that() {
    let proxy = Proxy::start(cluster().port());
    let store = through(&proxy, Duration::from_millis(800));
    store.commit(put("a", b"1")).await.expect("a commit");
    let cutting = AtomicBool::new(true);
    proxy.swallow(1);
    let cut = async {
        while proxy.swallowed() == 0 && cutting.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxy.cut(false);
    };
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(store.commit(claim("b", b"1")), cut);
    match outcome {
        // It was quicker than the cut.
        Ok(()) => {}
        Err(error) => {
            let words = error.to_string();
            assert!(
                words.contains("whether it was stored is not known"),
                "{words}"
            );
            assert!(!words.contains(PASSWORD), "{words}");
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{:?}",
                begun.elapsed()
            );
        }
    }
    let words = store
        .get("a".into())
        .await
        .expect_err("no server")
        .to_string();
    assert!(words.contains("cannot be reached"), "{words}");
    proxy.open();
    assert_eq!(store.get("a".into()).await, Ok(Some(b"1".to_vec())));
}

/// Commits numbers one after another until told to stop; what was acknowledged is counted.
async fn commit_on(
    store: PostgresStorage,
    who: u32,
    acknowledged: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
) {
    for n in 0.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let batch = Batch {
            put: vec![
                (format!("left/{who}/{n:06}"), vec![1; 500]),
                (format!("right/{who}/{n:06}"), vec![1; 500]),
            ],
            require_absent: vec![format!("left/{who}/{n:06}")],
            ..Batch::default()
        };
        let outcome = store.commit(batch).await;
        assert_eq!(outcome, Ok(()), "writer {who}, commit {n}");
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs four writers while `disturb` does what it does, and counts what is there afterwards.
async fn disturbed(store: &PostgresStorage, disturb: impl AsyncFnOnce()) {
    store.commit(Batch::default()).await.expect("a commit");
    let over = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicU32::new(0));
    let writers = (0..4).map(|who| {
        let counter = Arc::clone(&acknowledged);
        tokio::spawn(commit_on(store.clone(), who, counter, Arc::clone(&over)))
    });
    let writers: Vec<_> = writers.collect();
    disturb().await;
    over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("every commit was acknowledged");
    }
    let count = async |prefix: &str| {
        let rows = store.scan(Range::prefix(prefix, u32::MAX)).await;
        u32::try_from(rows.expect("a scan").len()).expect("a number")
    };
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    assert_eq!(
        (count("left/").await, count("right/").await),
        (acknowledged, acknowledged)
    );
    assert!(acknowledged > 50, "{acknowledged} commits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_the_server_ends_in_mid_commit_lose_nothing() {
    let address = format!("{}&application_name=ended", cluster().new_address());
    let store = cluster().store(&address);
    disturbed(&store, async || {
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            cluster().sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'ended'",
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_commit_loses_nothing() {
    let cluster = Cluster::start();
    let address = format!("{}&schema=tau", cluster.address());
    let mut options: Options = address.parse().expect("an address");
    options.patience = Duration::from_secs(60);
    let password = Password::new(|| Ok(Some(Zeroizing::new(PASSWORD.to_owned()))));
    let store = PostgresStorage::new(options, password);
    disturbed(&store, async || {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            tokio::task::block_in_place(|| {
                cluster.crash();
                cluster.restart();
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_at_its_very_end_is_told_failed() {
    let schema = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={schema}", cluster().address()));
    store.commit(put("a", b"1")).await.expect("a commit");
    // Checked when everything was answered and only the commit itself is left.
    cluster().sql(&format!(
        "CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not at the end'; END $$; \
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {schema}.kv \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.key = 'b') \
         EXECUTE FUNCTION {schema}.refuse()"
    ));
    let told = store
        .commit(put("b", b"1"))
        .await
        .expect_err("no commit")
        .to_string();
    assert!(told.contains("not at the end"), "{told}");
    assert_eq!(store.get("b".into()).await, Ok(None));
    store
        .commit(put("c", b"1"))
        .await
        .expect("the next one is not affected");
}

#[tokio::test]
async fn a_writer_that_does_not_end_is_told() {
    let schema = cluster().new_schema();
    let address = format!("{}&schema={schema}", cluster().address());
    let store = cluster().store(&address);
    store.commit(put("a", b"1")).await.expect("a commit");
    // Cut down to what a test can wait for.
    cluster().sql(&format!(
        "DO $$ DECLARE source text; BEGIN \
         SELECT replace(pg_get_functiondef('{schema}.apply'::regproc), '''10s''', '''50ms''') INTO source; \
         EXECUTE source; END $$"
    ));
    let holding = format!("BEGIN; LOCK TABLE {schema}.kv; SELECT pg_sleep(60)");
    // Ended below, which is an error to it.
    let holder = std::thread::spawn(move || cluster().try_sql(&holding));
    let holders = format!(
        "SELECT pid FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' \
         AND relation = '{schema}.kv'::regclass"
    );
    while cluster().sql(&holders).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = store.commit(put("a", b"2")).await.expect_err("no commit");
    assert!(matches!(told, StoreError::Locked { .. }), "{told}");
    cluster().sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM ({holders}) AS h"
    ));
    assert!(holder.join().expect("no panic").is_err(), "it was ended");
    assert_eq!(store.get("a".into()).await, Ok(Some(b"1".to_vec())));
    store.commit(put("a", b"2")).await.expect("a commit");
}

#[tokio::test]
async fn a_server_whose_disk_is_full_is_told_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("small");
    std::fs::create_dir(&place).expect("a folder");
    let _disk = Disk::mount(&place, cluster().owner());
    open_to_all(folder.path());
    let schema = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={schema}", cluster().address()));
    store.commit(put("a", b"1")).await.expect("a commit");
    cluster().sql(&format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        place.display()
    ));
    cluster().sql(&format!("ALTER TABLE {schema}.kv SET TABLESPACE small"));
    cluster().sql(&format!(
        "ALTER TABLE {schema}.kv ALTER COLUMN value SET STORAGE EXTERNAL"
    ));
    let told = store.commit(put("b", &vec![7; 8 << 20])).await;
    assert_eq!(told, Err(StoreError::Full));
    assert_eq!(store.get("a".into()).await, Ok(Some(b"1".to_vec())));
    assert_eq!(store.get("b".into()).await, Ok(None));
    store
        .commit(put("b", b"2"))
        .await
        .expect("there is room for a little");
    cluster().sql(&format!("DROP SCHEMA {schema} CASCADE"));
    cluster().sql("DROP TABLESPACE small");
}

/// A file system of its own, which ends with its value.
struct Disk<'p>(&'p std::path::Path);

impl<'p> Disk<'p> {
    fn mount(place: &'p std::path::Path, owner: (u32, u32)) -> Self {
        let options = format!("size=4m,uid={},gid={},mode=700", owner.0, owner.1);
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(place);
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(
            mounted,
            "this test needs a small file system: run it as root"
        );
        Self(place)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // A file system that stays mounted goes with the machine.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let rights = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, rights).expect("its rights");
}
