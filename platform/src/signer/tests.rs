use futures_util::FutureExt;
use tau_kamn::{kel::Change, keys::KeyTree, time::Timestamp};

use super::*;

fn signer(seed: u8) -> TreeSigner {
    let tree = KeyTree::from_seed(&[seed; 32]);
    let log = KeyLog::of_tree("alice", &tree, at(1_000)).unwrap();
    TreeSigner::new(tree, log).unwrap()
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

/// What a future of this module gives: none of them waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

#[test]
fn it_signs_with_the_key_that_counts_after_a_rotation() {
    let signer = signer(7);
    let change = Change::Rotate {
        signing: Some(signer.tree().signing(2).public_key()),
        agreement: None,
    };
    let event = signer.log().next(at(2_000), change);
    let event = now(signer.sign_event(event)).unwrap();
    let before = now(signer.sign(b"words")).unwrap();
    let mut log = signer.log().clone();
    log.append(event).unwrap();
    let signer = signer.with_log(log).unwrap();

    let after = now(signer.sign(b"words")).unwrap();

    let (fragment, key) = signer.log().state().unwrap().current_signing().unwrap();
    assert_eq!(fragment, "keys-2");
    assert!(key.verify(b"words", &after).is_ok());
    assert!(key.verify(b"words", &before).is_err());
}

#[test]
fn two_agree_on_one_secret() {
    let (alice, bob) = (signer(1), signer(2));
    let key = |of: &TreeSigner| *of.log().state().unwrap().current_agreement().unwrap().1;

    let one = now(alice.agree(&key(&bob))).unwrap();
    let other = now(bob.agree(&key(&alice))).unwrap();

    assert_eq!(*one, *other);
}

#[test]
fn keys_of_another_agent_sign_nothing() {
    let log = signer(1).log().clone();
    let refused = TreeSigner::new(KeyTree::from_seed(&[2; 32]), log).err();
    assert!(matches!(refused, Some(SignerError::OtherKeys { .. })));
}

#[test]
fn a_revoked_key_signs_nothing() {
    let signer = signer(7);
    let did = signer.log().state().unwrap().did().as_kamn();
    let change = Change::RevokeKey {
        key_id: alloc::format!("{did}#keys-1"),
        reason: "lost".into(),
        compromised_since_ms: 1_500_u32.into(),
    };
    let event = now(signer.sign_event(signer.log().next(at(2_000), change))).unwrap();
    let mut log = signer.log().clone();
    log.append(event).unwrap();
    let signer = signer.with_log(log).unwrap();

    let refused = now(signer.sign(b"words")).unwrap_err();

    assert!(
        matches!(refused, SignerError::NoKey { key: "signing", .. }),
        "{refused}"
    );
}

#[test]
fn every_kind_of_change_is_signed_by_whom_the_log_wants() {
    let mut signer = signer(7);
    let mut changes = 0;
    let kinds: [fn(&TreeSigner) -> Change; 4] = [
        |signer| signer.rotation(true, true),
        TreeSigner::succession,
        |signer| signer.rotation(false, true),
        |signer| signer.rotation(true, false),
    ];
    // A clock that goes back makes no event that is older than the one before.
    for now_ms in [9_000, 4_000, 1] {
        for kind in kinds {
            let change = kind(&signer);
            signer = now(signer.changed(change, UnixMillis(now_ms))).unwrap();
            changes += 1;
        }
    }
    let read = KeyLog::from_value(signer.log().to_value()).unwrap();
    assert_eq!(&read, signer.log());
    let state = read.state().unwrap();
    assert_eq!((state.seq(), state.identity_number()), (changes, 3));
    let (fragment, key) = state.current_signing().unwrap();
    assert_eq!(fragment, "keys-7");
    let signature = now(signer.sign(b"words")).unwrap();
    assert!(key.verify(b"words", &signature).is_ok());
    assert_eq!(state.current_agreement().unwrap().0, "key-agreement-7");
}

#[test]
fn an_identity_key_that_nobody_was_told_of_needs_the_old_ones_yes() {
    let tree = KeyTree::from_seed(&[3; 32]);
    let identity = tree.identity(0);
    let mut inception = KeyLog::of_tree("alice", &tree, at(1_000)).unwrap().events()[0]
        .event()
        .clone();
    if let Change::Inception { next_digest, .. } = &mut inception.change {
        *next_digest = None;
    }
    let log = KeyLog::begin(inception.signed_by(&identity)).unwrap();
    let signer = TreeSigner::new(tree, log).unwrap();
    let change = signer.succession();
    let signer = now(signer.changed(change, UnixMillis(2_000))).unwrap();
    assert_eq!(signer.log().state().unwrap().identity_number(), 1);
}
