//! What every [`Storage`] does.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use futures_util::future::join_all;
use tau_core::{
    ids::SessionId,
    session::{Batch, Range, StoreError},
};

use crate::storage::Storage;

/// Runs the suite.
///
/// `make` gives a new, empty store. `reopen` closes a store and opens the same one again; a store
/// that cannot be closed gives it back.
pub async fn run<S: Storage>(make: impl AsyncFn() -> S, reopen: impl AsyncFn(S) -> S) {
    reads_what_was_written(make().await).await;
    scans_in_order(make().await).await;
    conflict_changes_nothing(make().await).await;
    deletes_then_puts(make().await).await;
    one_of_many_writers_wins(make().await).await;
    keeps_what_it_committed(make().await, &reopen).await;
    keeps_many_keys(make().await, &reopen).await;
}

fn put(rows: &[(&str, &[u8])]) -> Batch {
    Batch {
        put: rows
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_vec()))
            .collect(),
        ..Batch::default()
    }
}

fn range(start: &str, end: &str, limit: u32) -> Range {
    Range {
        start: start.into(),
        end: end.into(),
        limit,
    }
}

async fn commit<S: Storage>(store: &S, batch: Batch) {
    store.commit(batch).await.expect("the commit succeeds");
}

async fn get<S: Storage>(store: &S, key: &str) -> Option<Vec<u8>> {
    store.get(key.into()).await.expect("the read succeeds")
}

async fn keys<S: Storage>(store: &S, range: Range) -> Vec<String> {
    let rows = store.scan(range).await.expect("the scan succeeds");
    rows.into_iter().map(|(key, _)| key).collect()
}

async fn reads_what_was_written<S: Storage>(store: S) {
    assert_eq!(get(&store, "a").await, None, "a new store is empty");
    commit(&store, Batch::default()).await;

    let every_byte: Vec<u8> = (0..=255).collect();
    let large = vec![0xa5; 1 << 20];
    commit(
        &store,
        put(&[("a", &every_byte), ("a/empty", b""), ("large", &large)]),
    )
    .await;
    assert_eq!(get(&store, "a").await, Some(every_byte), "values are bytes");
    assert_eq!(get(&store, "a/empty").await, Some(Vec::new()));
    assert_eq!(get(&store, "large").await, Some(large), "1 MiB is no limit");
    assert_eq!(get(&store, "A").await, None, "keys are case-sensitive");
    assert_eq!(get(&store, "a/").await, None, "keys match whole");

    commit(&store, put(&[("a", b"new")])).await;
    assert_eq!(
        get(&store, "a").await,
        Some(b"new".to_vec()),
        "a put replaces"
    );
}

async fn scans_in_order<S: Storage>(store: S) {
    // Byte order: '/' < '0' < 'A' < '_' < 'a'.
    let sorted = ["k/", "k/0", "k/00", "k/A", "k/_", "k/a", "k/a/b", "k0"];
    let mut shuffled: Vec<(&str, &[u8])> =
        sorted.iter().map(|key| (*key, key.as_bytes())).collect();
    shuffled.rotate_left(3);
    shuffled.swap(0, 4);
    commit(&store, put(&shuffled)).await;

    assert_eq!(keys(&store, range("k", "l", 100)).await, sorted);
    assert_eq!(
        keys(&store, range("k/0", "k/a", 100)).await,
        ["k/0", "k/00", "k/A", "k/_"],
        "the start belongs to a range, the end does not"
    );
    assert_eq!(
        keys(&store, range("k/0\0", "k/_\0", 100)).await,
        ["k/00", "k/A", "k/_"],
        "what comes behind a key is asked for by a character no key has"
    );
    assert_eq!(
        keys(&store, range("k", "l", 2)).await,
        ["k/", "k/0"],
        "a limit keeps the first rows"
    );
    assert_eq!(
        keys(&store, Range::prefix("k/a", 100)).await,
        ["k/a", "k/a/b"]
    );
    let none: [&str; 0] = [];
    for empty in [
        range("k", "l", 0),
        range("k/0", "k/0", 9),
        range("l", "k", 9),
        range("x", "y", 9),
    ] {
        assert_eq!(
            keys(&store, empty.clone()).await,
            none,
            "{empty:?} is empty"
        );
    }
    let rows = store
        .scan(range("k/A", "k/B", 9))
        .await
        .expect("the scan succeeds");
    assert_eq!(rows, [("k/A".to_string(), b"k/A".to_vec())]);
}

async fn conflict_changes_nothing<S: Storage>(store: S) {
    let taken = "session/00c0ffee00c0ffee/journal/0000000001";
    commit(&store, put(&[(taken, b"first"), ("kept", b"old")])).await;

    let outcome = store
        .commit(Batch {
            require_absent: vec!["free".into(), taken.into()],
            put: vec![("kept".into(), b"new".to_vec()), ("more".into(), vec![1])],
            delete: vec![taken.into()],
        })
        .await;
    assert_eq!(
        outcome,
        Err(StoreError::Conflict {
            session: SessionId("00c0ffee00c0ffee".into())
        }),
        "a required-absent key that exists is a conflict of its session"
    );
    assert_eq!(get(&store, taken).await, Some(b"first".to_vec()));
    assert_eq!(get(&store, "kept").await, Some(b"old".to_vec()));
    assert_eq!(get(&store, "more").await, None);

    // Absence is judged by what was there before the batch, not by what the batch puts.
    commit(
        &store,
        Batch {
            require_absent: vec!["free".into()],
            ..put(&[("free", b"mine")])
        },
    )
    .await;
    assert_eq!(get(&store, "free").await, Some(b"mine".to_vec()));
}

async fn deletes_then_puts<S: Storage>(store: S) {
    commit(&store, put(&[("a", b"1"), ("b", b"2")])).await;
    commit(
        &store,
        Batch {
            delete: vec!["a".into(), "b".into(), "never there".into()],
            ..put(&[("b", b"3"), ("c", b"4"), ("c", b"5")])
        },
    )
    .await;
    assert_eq!(get(&store, "a").await, None);
    assert_eq!(get(&store, "b").await, Some(b"3".to_vec()), "puts win");
    assert_eq!(
        get(&store, "c").await,
        Some(b"5".to_vec()),
        "of two puts the later wins"
    );
}

async fn one_of_many_writers_wins<S: Storage>(store: S) {
    let writers = (0..16_u8).map(|n| {
        store.commit(Batch {
            require_absent: vec!["session/s/journal/0000000000".into()],
            put: vec![
                ("session/s/journal/0000000000".into(), vec![n]),
                (format!("writer/{n}"), vec![n]),
            ],
            delete: Vec::new(),
        })
    });
    let outcomes = join_all(writers).await;
    let won: Vec<usize> = (0..outcomes.len())
        .filter(|n| outcomes[*n].is_ok())
        .collect();
    assert_eq!(won.len(), 1, "exactly one writer wins: {outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, Ok(()) | Err(StoreError::Conflict { .. }))),
        "the others are told of the conflict: {outcomes:?}"
    );
    assert_eq!(
        keys(&store, Range::prefix("writer/", 99)).await,
        [format!("writer/{}", won[0])],
        "the losers left nothing"
    );
}

async fn keeps_what_it_committed<S: Storage>(store: S, reopen: &impl AsyncFn(S) -> S) {
    commit(&store, put(&[("a", b"1"), ("b", b"2")])).await;
    commit(
        &store,
        Batch {
            delete: vec!["b".into()],
            ..Batch::default()
        },
    )
    .await;
    let store = reopen(store).await;
    assert_eq!(get(&store, "a").await, Some(b"1".to_vec()));
    assert_eq!(get(&store, "b").await, None);
    commit(&store, put(&[("c", b"3")])).await;
    let store = reopen(store).await;
    assert_eq!(keys(&store, range("a", "z", 9)).await, ["a", "c"]);
}

async fn keeps_many_keys<S: Storage>(store: S, reopen: &impl AsyncFn(S) -> S) {
    let key = |n: usize| format!("session/s/journal/{n:010}");
    for from in (0..10_000).step_by(500) {
        let rows = (from..from + 500).map(|n| (key(n), n.to_string().into_bytes()));
        commit(
            &store,
            Batch {
                put: rows.collect(),
                ..Batch::default()
            },
        )
        .await;
    }
    let store = reopen(store).await;
    let rows = store
        .scan(Range::prefix("session/s/journal/", u32::MAX))
        .await
        .expect("the scan succeeds");
    assert_eq!(rows.len(), 10_000);
    for (n, (k, value)) in rows.iter().enumerate() {
        assert_eq!((k, value), (&key(n), &n.to_string().into_bytes()));
    }
    assert_eq!(
        keys(&store, range(&key(7_000), &key(9_000), 3)).await,
        [key(7_000), key(7_001), key(7_002)]
    );
}
