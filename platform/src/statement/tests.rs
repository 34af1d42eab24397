use futures_util::FutureExt;
use tau_kamn::{kel::Change, keys::KeyTree, time::Timestamp};

use super::*;
use crate::{Signer, TreeSigner};

fn signer() -> TreeSigner {
    let tree = KeyTree::from_seed(&[7; 32]);
    let made = Timestamp::from_unix_ms(1_000).unwrap();
    let log = KeyLog::of_tree("alice", &tree, made).unwrap();
    TreeSigner::new(tree, log).unwrap()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

fn sign(signer: &TreeSigner, text: &[u8]) -> Signature {
    now(signer.sign(&to_bytes(text).unwrap())).unwrap()
}

fn changed(signer: TreeSigner, change: Change, at_ms: u64) -> TreeSigner {
    now(signer.changed(change, UnixMillis(at_ms))).unwrap()
}

fn code(result: Result<String, StatementError>) -> &'static str {
    result.err().map_or("ok", |error| error.reason_code())
}

#[test]
fn what_was_signed_is_known_again_and_nothing_else_is() {
    let signer = signer();
    let signature = sign(&signer, b"words");
    let check = |text: &[u8], signature: &Signature| {
        check(signer.log(), text, signature, UnixMillis(2_000), None)
    };
    assert!(check(b"words", &signature).unwrap().ends_with("#keys-1"));
    assert_eq!(code(check(b"word", &signature)), "signature_invalid");
    // The bare text, without what says what it was signed for.
    let bare = now(signer.sign(b"words")).unwrap();
    assert_eq!(code(check(b"words", &bare)), "signature_invalid");
    // A key with another purpose is no key to sign with.
    let identity = signer.tree().identity(0).sign(&to_bytes(b"words").unwrap());
    assert_eq!(code(check(b"words", &identity)), "signature_invalid");
}

#[test]
fn a_text_that_could_pass_for_something_else_is_not_signed() {
    let event = b"kamn:key-event:v1\0{}";
    assert_eq!(to_bytes(event), Err(StatementError::Zero));
    let found = LIMIT_BYTES + 1;
    let long = alloc::vec![b'a'; found];
    assert_eq!(to_bytes(&long), Err(StatementError::TooLong { found }));
}

#[test]
fn a_replaced_key_counts_for_what_was_seen_before_alone() {
    let signer = signer();
    let signature = sign(&signer, b"words");
    let change = signer.rotation(true, false);
    let signer = changed(signer, change, 5_000);
    let check = |seen: Option<u64>| {
        let seen = seen.map(UnixMillis);
        check(signer.log(), b"words", &signature, UnixMillis(9_000), seen)
    };
    assert_eq!(code(check(None)), "kel_key_not_active");
    assert!(check(Some(4_000)).is_ok());
    assert_eq!(code(check(Some(6_000))), "kel_key_not_active");
    assert_eq!(code(check(Some(500))), "kel_key_not_active");
}

#[test]
fn a_revoked_key_counts_for_what_was_seen_before_it_was_lost_alone() {
    let signer = signer();
    let signature = sign(&signer, b"words");
    let did = signer.log().state().unwrap().did().as_kamn();
    let change = Change::RevokeKey {
        key_id: format!("{did}#keys-1"),
        reason: "stolen".into(),
        compromised_since_ms: 3_000_u32.into(),
    };
    let signer = changed(signer, change, 5_000);
    let check = |seen: Option<u64>| {
        let seen = seen.map(UnixMillis);
        check(signer.log(), b"words", &signature, UnixMillis(9_000), seen)
    };
    assert_eq!(code(check(None)), "kel_key_revoked");
    assert_eq!(code(check(Some(4_000))), "kel_key_revoked");
    assert!(check(Some(2_000)).is_ok());
}

#[test]
fn signatures_are_read_in_both_spellings_and_no_other() {
    let signature = sign(&signer(), b"words");
    let base64 = STANDARD.encode(signature.to_bytes());
    for text in [
        signature.to_multibase(),
        base64.clone(),
        format!(" {base64}\n"),
    ] {
        assert_eq!(read_signature(&text), Ok(signature));
    }
    for text in ["", "z", "==", "AAAA==", "u123", &base64[1..], "zzz=="] {
        assert_eq!(read_signature(text), Err(StatementError::Shape), "{text:?}");
    }
}
