use alloc::{rc::Rc, string::ToString, vec};
use core::cell::RefCell;
use futures_util::FutureExt;
use tau_core::session::{Batch, StoreError};
use tau_kamn::{
    kel::{self, Change},
    keys::KeyTree,
    signers::Signers,
    time::Timestamp,
};

use super::*;
use crate::{MemoryStorage, Signer, TreeSigner};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

/// What a future of this module gives: a store in memory never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

fn tree(seed: u8) -> KeyTree {
    KeyTree::from_seed(&[seed; 32])
}

fn log(seed: u8) -> KeyLog {
    KeyLog::of_tree("alice", &tree(seed), at(1_000)).unwrap()
}

/// `log` with one more event, which brings the signing key of that number.
fn rotated(seed: u8, log: &KeyLog, number: u32, ms: u64) -> KeyLog {
    let signer = TreeSigner::new(tree(seed), log.clone()).unwrap();
    let change = Change::Rotate {
        signing: Some(tree(seed).signing(number).public_key()),
        agreement: None,
    };
    let event = now(signer.sign_event(log.next(at(ms), change))).unwrap();
    let mut log = log.clone();
    log.append(event).unwrap();
    log
}

fn did(log: &KeyLog) -> AgentDid {
    log.unchecked_state().did().clone()
}

#[test]
fn what_an_agent_shows_is_remembered_and_only_grows() {
    let store = MemoryStorage::new();
    let old = log(1);
    let new = rotated(1, &old, 2, 2_000);
    assert_eq!(now(learn(&store, &old)).unwrap().1, Learned::First);
    assert_eq!(
        now(learn(&store, &new)).unwrap().1,
        Learned::News { events: 1 }
    );
    let (kept, learned) = now(learn(&store, &old)).unwrap();
    assert_eq!((&kept, learned), (&new, Learned::Known));
    assert_eq!(now(get(&store, &did(&old))).unwrap(), Some(new.clone()));

    let names: Vec<_> = now(list(&store)).unwrap();
    assert_eq!(names, [(did(&old).to_string(), Ok(new))]);
    assert!(now(forget(&store, &did(&old))).unwrap());
    assert!(!now(forget(&store, &did(&old))).unwrap());
    assert_eq!(store.rows(), []);
}

#[test]
fn a_contradiction_is_kept_and_no_key_is_believed_after_it() {
    let store = MemoryStorage::new();
    let (one, other) = (rotated(1, &log(1), 2, 2_000), rotated(1, &log(1), 3, 2_500));
    now(learn(&store, &one)).unwrap();
    let fork = Learned::Fork { seq: 1 };
    assert_eq!(now(learn(&store, &other)).unwrap().1, fork);
    // Whatever is shown next, also to one who shows what was first.
    assert_eq!(now(learn(&store, &one)).unwrap().1, fork);
    let kept = now(get(&store, &did(&one))).unwrap().unwrap();
    assert!(kept.fork().is_some());
    let known = now(everyone(&store)).unwrap();
    assert_eq!(known.signing_key(did(&one).as_did(), 2_100, 2_100), None);
}

#[test]
fn a_key_that_was_replaced_signs_nothing_new() {
    let store = MemoryStorage::new();
    let log = rotated(1, &log(1), 2, 2_000);
    now(learn(&store, &log)).unwrap();
    let known = now(known(&store, [&did(&log)])).unwrap();
    let of = |created, seen| known.signing_key(did(&log).as_did(), created, seen);
    assert_eq!(of(1_500, 1_600), Some(tree(1).signing(1).public_key()));
    assert_eq!(
        of(1_500, 3_000),
        None,
        "it says of its own age whatever it likes"
    );
    assert_eq!(of(2_500, 3_000), Some(tree(1).signing(2).public_key()));
}

#[test]
fn a_name_that_is_bound_to_no_key_never_gets_here() {
    let mut value = log(1).to_value().to_canonical();
    value = value.replace(&did(&log(1)).as_kamn(), "kamn:did:agent:alice");
    let refused = KeyLog::read(value.as_bytes()).unwrap_err();
    assert!(
        matches!(
            refused,
            kel::Error::Unbound { .. } | kel::Error::Unsigned { .. }
        ),
        "{refused}"
    );
}

#[test]
fn the_agents_own_log_is_not_another_agents() {
    let store = MemoryStorage::new();
    let own = log(1);
    now(own_log::keep(&store, &own)).unwrap();
    let news = rotated(1, &own, 2, 2_000);
    assert_eq!(
        now(learn(&store, &news)).unwrap().1,
        Learned::News { events: 1 }
    );
    assert_eq!(now(own_log::load(&store)).unwrap(), Some(news.clone()));
    assert_eq!(now(list(&store)).unwrap(), []);
    assert_eq!(now(get(&store, &did(&own))).unwrap(), Some(news));
    let refused = now(own_log::keep(&store, &log(2))).unwrap_err();
    assert_eq!(refused.reason_code(), "kel_subject_mismatch");
    assert!(now(own_log::remove(&store)).unwrap());
    assert_eq!(store.rows(), []);
}

#[test]
fn a_damaged_log_says_so_and_hides_no_other() {
    let store = MemoryStorage::new();
    now(learn(&store, &log(1))).unwrap();
    now(learn(&store, &log(2))).unwrap();
    let (broken, whole) = (did(&log(1)), did(&log(2)));
    let put = Batch {
        put: vec![(key(&broken), br#"{"v":2,"events":[]}"#.to_vec())],
        ..Batch::default()
    };
    now(store.commit(put)).unwrap();
    let error = now(get(&store, &broken)).unwrap_err();
    assert_eq!(error.reason_code(), "log_damaged");
    assert!(error.to_string().contains("version 2"), "{error}");
    let damaged = now(list(&store)).unwrap().into_iter();
    assert_eq!(damaged.filter(|(_, log)| log.is_err()).count(), 1);
    let known = now(everyone(&store)).unwrap();
    assert_eq!(known.keys().collect::<Vec<_>>(), [&whole]);
}

/// A store in which another process learns something just before the first commit.
struct Raced {
    store: MemoryStorage,
    other: RefCell<Option<KeyLog>>,
    commits: Rc<RefCell<u32>>,
}

impl Storage for Raced {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        *self.commits.borrow_mut() += 1;
        let other = self.other.borrow_mut().take();
        if let Some(other) = other {
            learn(&self.store, &other).await.unwrap();
        }
        self.store.commit(batch).await
    }
}

#[test]
fn of_two_that_learn_at_once_neither_overwrites_the_other() {
    let one = rotated(1, &log(1), 2, 2_000);
    let contradiction = rotated(1, &log(1), 3, 2_500);
    let further = rotated(1, &one, 3, 3_000);
    for (kept, other, shown, expected) in [
        (None, &contradiction, &one, Learned::Fork { seq: 1 }),
        (
            Some(log(1)),
            &contradiction,
            &further,
            Learned::Fork { seq: 1 },
        ),
        (Some(log(1)), &further, &one, Learned::Known),
    ] {
        let store = MemoryStorage::new();
        if let Some(kept) = &kept {
            now(learn(&store, kept)).unwrap();
        }
        let raced = Raced {
            store: store.clone(),
            other: RefCell::new(Some(other.clone())),
            commits: Rc::default(),
        };
        assert_eq!(now(learn(&raced, shown)).unwrap().1, expected);
        assert!(*raced.commits.borrow() >= 1);
        let kept = now(get(&store, &did(&one))).unwrap().unwrap();
        let mut all = other.clone();
        let forked = all.merge(shown).is_err();
        assert_eq!(kept.fork().is_some(), forked);
        assert_eq!(kept.events().len(), all.events().len());
    }
}
