//! Envelopes: an edited one is refused, or says what the true one says; whatever reads prints back.

#![no_main]

#[path = "../edits.rs"]
mod edits;

use edits::edited;
use libfuzzer_sys::fuzz_target;
use std::{collections::BTreeMap, sync::LazyLock};
use tau_kamn::{
    envelope::{Attachment, Envelope, MessageType, SignedEnvelope},
    kel::KeyLog,
    keys::KeyTree,
    proof::Proven,
    time::Timestamp,
};

const NOW_MS: u64 = 1_770_495_330_123;

/// The sender's log, what it sent, and its text.
static SENT: LazyLock<(KeyLog, SignedEnvelope, String)> = LazyLock::new(|| {
    let tree = KeyTree::from_seed(&[0x11; 32]);
    let created = Timestamp::from_unix_ms(NOW_MS).expect("it is a moment");
    let log = KeyLog::of_tree("alice", &tree, created).expect("it begins");
    let from = log.state().expect("no fork").did().clone();
    let envelope = Envelope {
        id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        from,
        to: vec!["kamn:did:agent:bob".parse().expect("it is a DID")],
        created,
        expires: Timestamp::from_unix_ms(NOW_MS + 60_000).expect("it is a moment"),
        thread_id: Some("thread".into()),
        parent_id: None,
        nonce: 1.into(),
        message_type: MessageType::Request,
        priority: "Normal".into(),
        content_type: "application/json".into(),
        recipient_keys: vec!["kamn:did:agent:bob#key-agreement-1".into()],
        body: BTreeMap::from([("task.type".into(), "research".into())]),
        attachments: vec![Attachment {
            id: "a".into(),
            media_type: "text/plain".into(),
            uri: "https://files.example/1".into(),
        }],
    };
    let signed = envelope
        .sign("keys-1", &tree.signing(1), created)
        .expect("it is whole");
    let text = signed.to_canonical();
    (log, signed, text)
});

fuzz_target!(|data: &[u8]| {
    let (log, sent, text) = &*SENT;
    for bytes in [data, &edited(text, data)] {
        let Ok(read) = SignedEnvelope::read(bytes) else {
            continue;
        };
        let printed = read.to_canonical();
        let again = SignedEnvelope::read(printed.as_bytes()).expect("what is printed is read");
        assert_eq!(again, read);
        let state = log.state().expect("it does not fork");
        if let Ok(verified) = read.verify(state, NOW_MS, None) {
            assert_eq!(verified.signed(), sent);
        }
    }
    if let Ok(value) = tau_kamn::jcs::parse(data, 4096)
        && let Some(object) = value.as_object()
        && let Ok(proven) = Proven::read(object.clone())
    {
        assert_eq!(Proven::read(proven.to_object()), Ok(proven));
    }
});
