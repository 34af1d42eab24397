//! Each of the nine checks, in their order.

use alloc::{format, vec, vec::Vec};

use super::*;
use crate::{
    envelope::{Envelope, MessageType},
    kel::KeyLog,
    keys::KeyTree,
    time::Timestamp,
};

const NOW_MS: u64 = 1_770_495_330_123;
const HOUR_MS: u64 = 3_600_000;
const PAYLOAD: &[u8] = b"pay the invoice";

fn logs() -> BTreeMap<AgentDid, KeyLog> {
    let created = Timestamp::from_unix_ms(NOW_MS).unwrap();
    let log = KeyLog::of_tree("alice", &KeyTree::from_seed(&[0x11; 32]), created).unwrap();
    let did = log.state().unwrap().did().clone();
    BTreeMap::from([(did, log)])
}

fn alice() -> AgentDid {
    logs().into_keys().next().unwrap()
}

fn instruction(id: &str, seed: u8) -> SignedEnvelope {
    let created = Timestamp::from_unix_ms(NOW_MS).unwrap();
    let envelope = Envelope {
        id: id.into(),
        from: alice(),
        to: vec!["kamn:did:agent:bob".parse().unwrap()],
        created,
        expires: Timestamp::from_unix_ms(NOW_MS + HOUR_MS).unwrap(),
        thread_id: None,
        parent_id: None,
        nonce: 1.into(),
        message_type: MessageType::Request,
        priority: "Normal".into(),
        content_type: "text/plain".into(),
        recipient_keys: vec!["kamn:did:agent:bob#key-agreement-1".into()],
        body: BTreeMap::from([(PAYLOAD_HASH.into(), hex(&sha256(PAYLOAD)))]),
        attachments: vec![],
    };
    let key = KeyTree::from_seed(&[seed; 32]).signing(1);
    envelope.sign("keys-1", &key, created).unwrap()
}

#[test]
fn instruction_passes_nine_checks_once() {
    let (logs, alice) = (logs(), alice());
    let authorized = [alice.clone()];
    let signed = instruction("one", 0x11);
    let leaf = leaf_hash(signed.to_canonical().as_bytes());
    let whole = Inclusion {
        index: 0,
        size: 1,
        path: Vec::new(),
    };
    let expected = Expected {
        sender: &alice,
        payload: PAYLOAD,
        authorized: &authorized,
        validity_limit_ms: HOUR_MS,
        now_ms: NOW_MS + 1,
        inclusion: Some((&leaf, &whole)),
    };
    let mut used = Used::new(1);
    let mut check = |instruction: Option<&SignedEnvelope>, expected: &Expected<'_>| {
        let before = used.clone();
        let said = used.check(instruction, expected, &logs);
        assert!(said.is_ok() || used == before);
        said.map(|_| ()).map_err(|error| error.reason_code())
    };
    assert_eq!(check(None, &expected), Err("instruction_missing"));
    let bob: AgentDid = "kamn:did:agent:bob".parse().unwrap();
    let with = |expected: Expected<'_>| check(Some(&signed), &expected);
    let mut with = with;
    assert_eq!(
        with(Expected {
            sender: &bob,
            payload: b"",
            ..expected
        }),
        Err("instruction_sender_mismatch")
    );
    assert_eq!(
        with(Expected {
            payload: b"pay twice",
            authorized: &[],
            ..expected
        }),
        Err("instruction_payload_mismatch")
    );
    assert_eq!(
        with(Expected {
            authorized: &[],
            validity_limit_ms: 0,
            ..expected
        }),
        Err("instruction_sender_unauthorized")
    );
    let late = Expected {
        now_ms: NOW_MS + HOUR_MS + 1,
        validity_limit_ms: 0,
        ..expected
    };
    assert_eq!(with(late), Err("instruction_expired"));
    let other_root = [7; 32];
    let lost = Expected {
        inclusion: Some((&other_root, &whole)),
        ..expected
    };
    assert_eq!(
        with(Expected {
            validity_limit_ms: HOUR_MS - 1,
            ..lost
        }),
        Err("instruction_validity_unbounded")
    );
    assert_eq!(with(lost), Err("instruction_not_included"));
    assert_eq!(with(expected), Ok(()));
    assert_eq!(with(lost), Err("instruction_used"));
    let unrecorded = Expected {
        inclusion: None,
        ..expected
    };
    assert_eq!(with(unrecorded), Err("instruction_used"));

    let forged = instruction("two", 0x22);
    assert_eq!(
        check(Some(&forged), &unrecorded),
        Err("instruction_signature_invalid")
    );
    let second = instruction("two", 0x11);
    assert_eq!(
        check(Some(&second), &unrecorded),
        Err("instruction_memory_full")
    );
}

#[test]
fn instruction_does_not_become_valid_again_when_the_clock_goes_back() {
    let (logs, alice) = (logs(), alice());
    let authorized = [alice.clone()];
    let at = |now_ms| Expected {
        sender: &alice,
        payload: PAYLOAD,
        authorized: &authorized,
        validity_limit_ms: HOUR_MS,
        now_ms,
        inclusion: None,
    };
    let mut used = Used::new(1);
    let first = instruction("one", 0x11);
    assert!(
        used.check(Some(&first), &at(NOW_MS + HOUR_MS), &logs)
            .is_ok()
    );
    used.latest_ms = NOW_MS + HOUR_MS + 1;
    used.until_ms.clear();
    let error = used.check(Some(&first), &at(NOW_MS), &logs).unwrap_err();
    assert_eq!(format!("{error}"), "the instruction is for another time");
}
