//! Notices of a refused message, theirs and forged ones.

use alloc::{format, vec};
use core::cell::RefCell;

use super::*;
use crate::{
    envelope::{Arrival, Envelope, MessageType, receive},
    guard::{Guard, Limits, Order},
    kel::KeyLog,
    keys::KeyTree,
};

const NOW_MS: u64 = 1_770_495_330_123;

fn tree(byte: u8) -> KeyTree {
    KeyTree::from_seed(&[byte; 32])
}

fn log(label: &str, byte: u8) -> KeyLog {
    let created = Timestamp::from_unix_ms(NOW_MS).unwrap();
    KeyLog::of_tree(label, &tree(byte), created).unwrap()
}

/// What alice sent to bob, with its signature checked.
fn verified() -> Verified {
    let (alice, bob) = (log("alice", 0x11), log("bob", 0x22));
    let (from, to) = (alice.state().unwrap().did(), bob.state().unwrap().did());
    let created = Timestamp::from_unix_ms(NOW_MS).unwrap();
    let envelope = Envelope {
        id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        from: from.clone(),
        to: vec![to.as_did().clone()],
        created,
        expires: Timestamp::from_unix_ms(NOW_MS + 60_000).unwrap(),
        thread_id: None,
        parent_id: None,
        nonce: 2.into(),
        message_type: MessageType::Heartbeat,
        priority: "Normal".into(),
        content_type: "text/plain".into(),
        recipient_keys: vec![format!("{to}#key-agreement-1")],
        body: BTreeMap::from([("text".into(), "here".into())]),
        attachments: vec![],
    };
    let signed = envelope
        .sign("keys-1", &tree(0x11).signing(1), created)
        .unwrap();
    // The guard refuses it, after its signature was checked: nonce 2 is not the first.
    let seen = RefCell::new(None);
    let refused = receive(
        signed.to_canonical().as_bytes(),
        Arrival {
            recipient: to.as_did(),
            channel: None,
            now_ms: NOW_MS,
            anchor_ms: None,
        },
        &BTreeMap::from([(from.clone(), alice.clone())]),
        &|verified| {
            *seen.borrow_mut() = Some(verified.clone());
            Ok(())
        },
        &mut Guard::new(Order::Strict, Limits::default()),
    );
    assert_eq!(refused.unwrap_err().reason_code(), "nonce_out_of_sequence");
    seen.take().unwrap()
}

fn notice() -> Notice {
    let bob = log("bob", 0x22);
    let at = Timestamp::from_unix_ms(NOW_MS + 5).unwrap();
    let did = bob.state().unwrap().did();
    Notice::new(&verified(), "nonce_out_of_sequence", did, at).unwrap()
}

#[test]
fn notice_is_signed_by_who_refused_the_message() {
    let bob = log("bob", 0x22);
    let sent = notice().sign(&tree(0x22).signing(1)).to_canonical();
    let expected = concat!(
        r#"{"code":"nonce_out_of_sequence","message_id":"urn:uuid:00000000-0000-4000-8000-000000000001","nonce":2,"#,
        r#""received_at":"2026-02-07T20:15:30.128Z","recipient":"kamn:did:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e","#,
        r#""sender":"kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9","sig":"z"#
    );
    assert!(sent.starts_with(expected), "{sent}");
    assert!(sent.ends_with(r#","type":"kamn:delivery-failure:v1","v":1}"#));
    let state = bob.state().unwrap();
    let read = |text: &str| {
        let notice = Notice::read(text.as_bytes(), state, NOW_MS + 10);
        notice.map_err(|error| error.reason_code())
    };
    assert_eq!(read(&sent), Ok(notice()));
    let forged = notice().sign(&tree(0x11).signing(1)).to_canonical();
    assert_eq!(read(&forged), Err("signature_invalid"));
    let cases = [
        ("nonce_out_of_sequence", "expired", "signature_invalid"),
        ("nonce_out_of_sequence", "No code", "notice_code_invalid"),
        ("nonce_out_of_sequence", "", "notice_code_invalid"),
        (r#""nonce":2"#, r#""nonce":3"#, "signature_invalid"),
        ("30.128Z", "30.129Z", "signature_invalid"),
        ("30.128Z", "29.128Z", "kel_key_not_active"),
        (r#""v":1"#, r#""v":2"#, "notice_unknown"),
        ("delivery-failure", "delivery", "notice_unknown"),
        (r#""v":1"#, r#""v":1,"w":1"#, "json_field_unknown"),
    ];
    for (from, to, code) in cases {
        assert!(sent.contains(from), "{from}");
        assert_eq!(read(&sent.replace(from, to)), Err(code), "{from} -> {to}");
    }
    let alice = log("alice", 0x11);
    let error = Notice::read(sent.as_bytes(), alice.state().unwrap(), NOW_MS).unwrap_err();
    assert_eq!(error.reason_code(), "notice_recipient_mismatch");
}

#[test]
fn only_a_recipient_gives_notice() {
    let carol = log("carol", 0x33);
    let at = Timestamp::from_unix_ms(NOW_MS).unwrap();
    let did = carol.state().unwrap().did();
    let error = Notice::new(&verified(), "expired", did, at).unwrap_err();
    assert_eq!(error.reason_code(), "recipient_mismatch");
}

#[test]
fn notices_are_counted_by_sender() {
    let mut limit = NoticeLimit::new(2, 1000, 1);
    let count = |limit: &mut NoticeLimit, notice: &Notice, now_ms| {
        let counted = limit.count(notice, now_ms);
        counted.map_err(|error| error.reason_code())
    };
    let first = notice();
    assert_eq!(count(&mut limit, &first, 0), Ok(()));
    assert_eq!(count(&mut limit, &first, 999), Ok(()));
    assert_eq!(count(&mut limit, &first, 999), Err("notice_rate_exceeded"));
    let mut other = notice();
    other.sender = "kamn:did:agent:carol".parse().unwrap();
    assert_eq!(count(&mut limit, &other, 999), Err("notice_rate_exceeded"));
    assert_eq!(count(&mut limit, &other, 1000), Ok(()));
    assert_eq!(count(&mut limit, &first, 1000), Err("notice_rate_exceeded"));
}

#[test]
fn key_that_is_elsewhere_signs_the_same_notice() {
    let bob = log("bob", 0x22);
    let at = Timestamp::from_unix_ms(NOW_MS + 1000).unwrap();
    let notice = Notice::new(&verified(), "expired", bob.state().unwrap().did(), at).unwrap();
    let key = tree(0x22).signing(1);
    let signature = key.sign(&notice.to_bytes());
    let signed = notice.signed_with(signature, &key.public_key());
    assert_eq!(signed, Ok(notice.sign(&key)));
    let other = tree(0x11).signing(1).public_key();
    assert!(notice.signed_with(signature, &other).is_err());
}
