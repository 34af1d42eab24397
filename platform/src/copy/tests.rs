use super::*;
use crate::{MemoryStorage, Signer, TreeSigner};
use alloc::vec;
use core::cell::Cell;
use futures_util::FutureExt;
use tau_kamn::{
    kel::{Change, KeyLog},
    keys::KeyTree,
    time::Timestamp,
};

fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("a store in memory never waits")
}

fn store(rows: &[(&str, &str)]) -> MemoryStorage {
    let store = MemoryStorage::new();
    put(&store, rows);
    store
}

fn put(store: &impl Storage, rows: &[(&str, &str)]) {
    let put = rows
        .iter()
        .map(|(key, value)| (key.to_string(), value.as_bytes().to_vec()));
    let batch = Batch {
        put: put.collect(),
        ..Batch::default()
    };
    now(store.commit(batch)).expect("a commit");
}

fn many() -> MemoryStorage {
    let store = store(&[("audit-head", "h"), ("sessions/a", "line")]);
    for n in 0..1_000 {
        put(&store, &[(&format!("session/a/journal/{n:010}"), "record")]);
    }
    store
}

/// A store that fails after so many commits, as a process that is killed.
struct Mortal<'s>(&'s MemoryStorage, Cell<u32>);

impl Storage for Mortal<'_> {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.0.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        match self.1.get().checked_sub(1) {
            Some(left) => self.1.set(left),
            None => return Err(StoreError::Full),
        }
        self.0.commit(batch).await
    }
}

fn copied(from: &impl Storage, to: &impl Storage) -> Result<Copied, CopyError> {
    now(copy(from, to, "the old one", UnixMillis(7), |_| {}))
}

#[test]
fn a_copy_is_the_same_row_for_row_and_without_a_mark() {
    let (from, to) = (many(), MemoryStorage::new());
    let done = copied(&from, &to).expect("a copy");
    assert_eq!(to.rows(), from.rows());
    assert_eq!((done.rows, done.written), (1_002, 1_002));
    assert_eq!(
        copied(&MemoryStorage::new(), &store(&[])),
        Ok(Copied::default())
    );
}

#[test]
fn a_copy_that_ends_anywhere_is_marked_and_goes_on_where_it_was() {
    let from = many();
    let commits = 10;
    for killed_at in 0..commits {
        let to = MemoryStorage::new();
        let ended = copied(&from, &Mortal(&to, Cell::new(killed_at)));
        assert_eq!(ended, Err(CopyError::To(StoreError::Full)));
        let rows = to.rows();
        if !rows.is_empty() {
            let mark = rows.iter().find(|(key, _)| key == UNFINISHED);
            let mark = mark.expect("something without a mark passes for whole");
            assert_eq!(source_of(&mark.1), "the old one");
            let other = now(copy(&from, &to, "another", UnixMillis(7), |_| {}));
            let from = "the old one".to_string();
            assert_eq!(other, Err(CopyError::OfAnother { from }));
        }
        let there = (rows.len() as u64).saturating_sub(1);
        let done = copied(&from, &to).expect("a copy");
        assert_eq!(
            done.written,
            1_002 - there,
            "what is there is not written again"
        );
        assert_eq!(to.rows(), from.rows());
    }
    assert!(copied(&from, &Mortal(&MemoryStorage::new(), Cell::new(commits))).is_ok());
}

#[test]
fn a_source_that_changed_while_a_copy_was_down_is_copied_as_it_is_now() {
    let (from, to) = (many(), MemoryStorage::new());
    let _ = copied(&from, &Mortal(&to, Cell::new(5)));
    let gone = "session/a/journal/0000000003".to_string();
    let batch = Batch {
        delete: vec![gone],
        ..Batch::default()
    };
    now(from.commit(batch)).expect("a commit");
    put(&from, &[("session/a/journal/0000000004", "other")]);
    copied(&from, &to).expect("a copy");
    assert_eq!(to.rows(), from.rows());
}

/// A store to which somebody writes behind the copy's back.
struct Written<'s>(&'s MemoryStorage, Cell<bool>);

impl Storage for Written<'_> {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        if !range.start.is_empty() && self.1.replace(false) {
            put(self.0, &[("audit-head", "later")]);
        }
        self.0.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.commit(batch).await
    }
}

#[test]
fn a_source_that_is_written_to_meanwhile_is_told_and_leaves_the_mark() {
    let (from, to) = (many(), MemoryStorage::new());
    let done = copied(&Written(&from, Cell::new(true)), &to);
    let key = "audit-head".to_string();
    assert_eq!(done, Err(CopyError::Changed { key }));
    assert!(to.rows().iter().any(|(key, _)| key == UNFINISHED));
    copied(&from, &to).expect("a copy");
    assert_eq!(to.rows(), from.rows());
}

#[test]
fn what_is_not_empty_or_not_whole_is_left_alone() {
    let (from, to) = (many(), store(&[("a", "1")]));
    assert_eq!(copied(&from, &to), Err(CopyError::NotEmpty));
    assert_eq!(to.rows().len(), 1);
    let half = store(&[(UNFINISHED, r#"{"v":1,"from":"x"}"#)]);
    let from = "x".to_string();
    let unfinished = Err(CopyError::Unfinished { from });
    assert_eq!(copied(&half, &MemoryStorage::new()), unfinished);
    assert_eq!(now(merge(&to, &half, |_| {})), unfinished);
}

#[test]
fn a_merge_takes_whole_sessions_and_entries_and_keeps_what_is_otherwise() {
    let from = store(&[
        ("audit-head", "2"),
        ("audit/1", "ours"),
        ("index/user/log/1", "derived"),
        ("memory/user/both", "same"),
        ("memory/user/ours", "ours"),
        ("memory/user/other", "ours"),
        ("session/ahead/journal/0", "x"),
        ("session/behind/journal/0", "x"),
        ("session/behind/journal/1", "y"),
        ("session/new/journal/0", "x"),
        ("session/split/journal/0", "x"),
        ("session/split/journal/1", "ours"),
        ("sessions/ahead", "1"),
        ("sessions/behind", "2"),
        ("sessions/new", "1"),
        ("sessions/split", "2"),
    ]);
    let to = store(&[
        ("audit-head", "1"),
        ("audit/1", "theirs"),
        ("index/user/log/1", "theirs"),
        ("memory/user/both", "same"),
        ("memory/user/other", "theirs"),
        ("session/ahead/journal/0", "x"),
        ("session/ahead/journal/1", "z"),
        ("session/behind/journal/0", "x"),
        ("session/split/journal/0", "x"),
        ("session/split/journal/1", "theirs"),
        ("sessions/ahead", "2"),
        ("sessions/behind", "1"),
        ("sessions/split", "2"),
    ]);
    let done = now(merge(&from, &to, |_| {})).expect("a merge");
    assert_eq!(
        done.kept_names,
        ["audit", "memory/user/other", "session/split"]
    );
    assert_eq!((done.kept, done.rows), (3, 16));
    let rows = to.rows();
    let rows: Vec<(&str, &str)> = rows
        .iter()
        .map(|(key, value)| (&**key, core::str::from_utf8(value).expect("text")))
        .collect();
    assert_eq!(
        rows,
        [
            ("audit-head", "1"),
            ("audit/1", "theirs"),
            ("memory/user/both", "same"),
            ("memory/user/other", "theirs"),
            ("memory/user/ours", "ours"),
            ("session/ahead/journal/0", "x"),
            ("session/ahead/journal/1", "z"),
            ("session/behind/journal/0", "x"),
            ("session/behind/journal/1", "y"),
            ("session/new/journal/0", "x"),
            ("session/split/journal/0", "x"),
            ("session/split/journal/1", "theirs"),
            ("sessions/ahead", "2"),
            ("sessions/behind", "2"),
            ("sessions/new", "1"),
            ("sessions/split", "2"),
        ]
    );
    let again = now(merge(&from, &to, |_| {})).expect("a merge");
    assert_eq!((again.written, again.kept), (0, 3));
}

/// The log of an agent of that seed, with so many rotations of its signing key.
fn log(seed: u8, rotations: u32) -> KeyLog {
    let tree = || KeyTree::from_seed(&[seed; 32]);
    let at = |ms| Timestamp::from_unix_ms(ms).expect("a time");
    let mut log = KeyLog::of_tree("alice", &tree(), at(1_000)).expect("a log");
    for number in 0..rotations {
        let signer = TreeSigner::new(tree(), log.clone()).expect("a signer");
        let change = Change::Rotate {
            signing: Some(tree().signing(number + 2).public_key()),
            agreement: None,
        };
        let next = log.next(at(2_000 + u64::from(number)), change);
        let event = now(signer.sign_event(next)).expect("an event");
        log.append(event).expect("the next one");
    }
    log
}

#[test]
fn a_merge_adds_what_is_known_of_agents_and_leaves_no_signature_without_its_log() {
    let (alice, bob, carol) = (log(1, 1), log(2, 0), log(3, 2));
    let (from, to) = (MemoryStorage::new(), MemoryStorage::new());
    now(own_log::keep(&from, &alice)).expect("kept");
    now(own_log::keep(&to, &bob)).expect("kept");
    now(peers::learn(&from, &carol)).expect("learned");
    now(peers::learn(&to, &log(3, 1))).expect("learned");
    let done = now(merge(&from, &to, |_| {})).expect("a merge");
    assert_eq!((done.written, done.kept), (2, 0));
    assert_eq!(now(own_log::load(&to)), Ok(Some(bob.clone())));
    for known in [&alice, &bob, &carol] {
        let did = known.unchecked_state().did().clone();
        assert_eq!(now(peers::get(&to, &did)), Ok(Some(known.clone())));
    }
    let again = now(merge(&from, &to, |_| {})).expect("a merge");
    assert_eq!((again.written, again.kept), (0, 0));
}

#[test]
fn a_store_of_no_agent_becomes_the_agents_by_a_merge_and_forgets_no_fork_of_it() {
    let (from, to) = (MemoryStorage::new(), MemoryStorage::new());
    now(own_log::keep(&from, &log(1, 1))).expect("kept");
    now(peers::learn(&to, &log(1, 2))).expect("learned");
    now(merge(&from, &to, |_| {})).expect("a merge");
    assert_eq!(now(own_log::load(&to)), Ok(Some(log(1, 2))));
}
