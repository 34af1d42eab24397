use alloc::{boxed::Box, format, string::ToString};
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_util::FutureExt;
use tau_core::{
    ids::{EntryId, TurnId, UnixMillis},
    journal::ImportedEntry,
    message::{Message, Role},
    session::{Command, Import, Session},
};

use super::*;
use crate::{MemoryStorage, open};

const NOW: UnixMillis = UnixMillis(7);

fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("a store in memory never waits")
}

fn id(text: &str) -> SessionId {
    SessionId(text.into())
}

fn large(letter: char) -> String {
    core::iter::repeat_n(letter, 9_000).collect()
}

/// What storing a session in which `texts` were said takes.
fn said(name: &str, texts: &[&str]) -> Session {
    let mut session = Session::taken_over(id(name), [1; 32], NOW);
    let mut parent = None;
    let entries = texts.iter().enumerate().map(|(place, text)| {
        let entry = EntryId(format!("{:016x}", place + 1));
        ImportedEntry {
            parent: parent.replace(entry.clone()),
            entry,
            turn: TurnId(1),
            at: NOW,
            message: Message::text(Role::User, *text),
        }
    });
    let entries: Vec<_> = entries.collect();
    let import = Import {
        from: "test".into(),
        own: true,
        head: entries.last().map(|entry| entry.entry.clone()),
        entries,
    };
    session.import(import, NOW).unwrap();
    session
}

fn store(sessions: &[(&str, &[&str])]) -> MemoryStorage {
    let store = MemoryStorage::new();
    for (name, texts) in sessions {
        now(open::store(&store, &mut said(name, texts))).unwrap();
    }
    store
}

fn keys(store: &MemoryStorage, prefix: &str) -> Vec<String> {
    let rows = store.rows().into_iter().map(|(key, _)| key);
    rows.filter(|key| key.starts_with(prefix)).collect()
}

/// The contents that records refer to and that are gone.
fn missing(store: &MemoryStorage) -> Vec<String> {
    let rows = store.rows();
    let hashes = rows.iter().flat_map(|(_, row)| blob::referred(row));
    let keys = hashes.map(|hash| blob::key(&hash));
    keys.filter(|key| !rows.iter().any(|(there, _)| there == key))
        .collect()
}

#[test]
fn a_removed_session_goes_with_what_only_it_had() {
    let (shared, alone) = (large('s'), large('a'));
    let store = store(&[("aa", &[&shared, &alone, "short"]), ("ab", &[&shared])]);
    let more = Batch {
        put: [
            "routine/aa/daily",
            "run/aa/daily/0000000000007",
            "routine/ab/daily",
            "grant/x",
            "memory/user/1",
        ]
        .map(|key| (key.to_string(), b"{}".to_vec()))
        .into(),
        ..Batch::default()
    };
    now(store.commit(more)).unwrap();
    let before = now(open::open(&store, &id("ab"))).unwrap().view();
    let done = now(remove(&store, &[id("aa")])).unwrap();
    assert_eq!((done.sessions, done.contents, done.bytes), (1, 1, 9_000));
    assert!(done.records > 1);
    let aa = keys(&store, "").into_iter();
    let left: Vec<String> = aa.filter(|key| key.contains("aa")).collect();
    assert_eq!(left, Vec::<String>::new());
    for key in ["routine/ab/daily", "grant/x", "memory/user/1"] {
        assert_eq!(keys(&store, key), [key]);
    }
    assert_eq!(keys(&store, "blob/").len(), 1);
    assert_eq!(now(open::open(&store, &id("ab"))).unwrap().view(), before);
    let again = now(remove(&store, &[id("aa")]));
    assert_eq!(again, Err(RemovalError::Missing(id("aa"))));
}

#[test]
fn what_another_session_continues_stays_unless_both_go() {
    let store = store(&[("aa", &["one"]), ("ab", &["two"])]);
    let session = now(open::open(&store, &id("aa"))).unwrap();
    let mut fork = session.fork([7; 32], NOW).unwrap();
    let (from, to) = (None, "a fork".into());
    fork.submit(Command::Rename { from, to }, NOW).unwrap();
    now(open::store(&store, &mut fork)).unwrap();
    let before = store.rows();
    let refused = now(remove(&store, &[id("ab"), id("aa")]));
    let (session, by) = (id("aa"), fork.id().clone());
    assert_eq!(refused, Err(RemovalError::Continued { session, by }));
    assert_eq!(store.rows(), before, "the other one stays as well");
    let both = [fork.id().clone(), id("aa")];
    assert_eq!(now(remove(&store, &both)).unwrap().sessions, 2);
    assert_eq!(keys(&store, "sessions/"), ["sessions/ab"]);
}

#[test]
fn contents_that_a_killed_process_left_are_found_later() {
    let (used, left) = (large('u'), large('l'));
    let store = store(&[("aa", &[&used]), ("ab", &[&left])]);
    let rows = now(store.scan(Range::prefix("session", 99))).unwrap();
    let of_ab = rows.into_iter().map(|(key, _)| key);
    let batch = Batch {
        delete: of_ab.filter(|key| key.contains("ab")).collect(),
        ..Batch::default()
    };
    now(store.commit(batch)).unwrap();
    assert_eq!(now(tidy(&store)).unwrap().contents, 1);
    assert_eq!(now(tidy(&store)).unwrap(), Removed::default());
    assert_eq!((keys(&store, "blob/").len(), missing(&store).len()), (1, 0));
}

#[test]
fn what_is_said_while_a_session_is_removed_keeps_it() {
    let store = store(&[("aa", &["one"])]);
    // Between what is read and what is removed, a process that does not ask for the hold.
    let slow = Slow(&store);
    let both = [id("aa")];
    let mut removal = Box::pin(remove(&slow, &both));
    let done = loop {
        if let Some(done) = step(removal.as_mut()) {
            break done;
        }
        let next = keys(&store, "session/aa/journal/").len() as u64;
        let batch = Batch {
            put: vec![(journal::key(&id("aa"), next), b"{}".to_vec())],
            ..Batch::default()
        };
        now(store.commit(batch)).unwrap();
    };
    let conflict = matches!(done, Err(RemovalError::Store(StoreError::Conflict { .. })));
    assert!(conflict, "{done:?}");
    assert_eq!(keys(&store, "sessions/aa").len(), 1);
}

/// A store that lets others go first at each operation.
struct Slow<'s>(&'s MemoryStorage);

async fn others_first() {
    let mut has_waited = false;
    poll_fn(|_| match core::mem::replace(&mut has_waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Storage for Slow<'_> {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        others_first().await;
        self.0.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        others_first().await;
        self.0.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        others_first().await;
        self.0.commit(batch).await
    }
}

fn step<T>(work: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    match work.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// Numbers without pattern, the same every time.
fn random(state: &mut u64) -> usize {
    // Knuth, MMIX.
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn no_content_that_is_referred_to_is_removed_however_writers_and_searches_interleave() {
    let text = large('x');
    let before = store(&[("aa", &[&text]), ("bb", &["small"])]).rows();
    // Says the same again.
    let said_again = said("cc", &[&text]).take_commit().unwrap();
    let (mut seen, mut marked, mut state) = (0, 0, 1);
    for _ in 0..8_000 {
        let store = MemoryStorage::new();
        let batch = Batch {
            put: before.clone(),
            ..Batch::default()
        };
        now(store.commit(batch)).unwrap();
        let slow = Slow(&store);
        let ids = [id("aa")];
        let write = async { slow.commit(said_again.clone()).await.unwrap() };
        let removal = async { assert!(remove(&slow, &ids).await.is_ok()) };
        let search = async { assert!(tidy(&slow).await.is_ok()) };
        let other = async { assert!(tidy(&slow).await.is_ok()) };
        let mut works: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = vec![
            Box::pin(write),
            Box::pin(removal),
            Box::pin(search),
            Box::pin(other),
        ];
        let mut has_written = false;
        while !works.is_empty() {
            // The writer is one step among many: each moment is to be met.
            let next = match random(&mut state) % 40 {
                0 => 0,
                n => n % works.len(),
            };
            let is_writer = !has_written && next == 0;
            if is_writer && !random(&mut state).is_multiple_of(8) {
                continue;
            }
            if step(works[next].as_mut()).is_some() {
                has_written |= is_writer;
                drop(works.remove(next));
            }
        }
        assert_eq!(missing(&store), Vec::<String>::new());
        assert!(!keys(&store, "session/cc/").is_empty());
        // Written before a search took the marks away, or after: both are to be met.
        match keys(&store, "blob-used/").is_empty() {
            true => seen += 1,
            false => marked += 1,
        }
    }
    assert!(seen > 100 && marked > 100, "{seen} and {marked}");
}
