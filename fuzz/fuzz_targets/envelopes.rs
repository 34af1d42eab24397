//! Envelopes: an edited one is refused, or says what the true one says; whatever reads prints back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::{collections::BTreeMap, sync::LazyLock};
use tau_kamn::{
    AgentDid,
    envelope::{Attachment, Envelope, MessageType, SignedEnvelope},
    kel::{Change, Event, KeyLog},
    keys::KeyTree,
    proof::Proven,
    time::Timestamp,
};

const NOW_MS: u64 = 1_770_495_330_123;

/// The sender's log, what it sent, and its text.
static SENT: LazyLock<(KeyLog, SignedEnvelope, String)> = LazyLock::new(|| {
    let tree = KeyTree::from_seed(&[0x11; 32]);
    let identity = tree.identity(0).public_key();
    let created = Timestamp::from_unix_ms(NOW_MS).expect("it is a moment");
    let inception = Event {
        did: AgentDid::new("alice", &identity).expect("it is a label"),
        seq: 0,
        previous: None,
        created,
        change: Change::Inception {
            identity,
            signing: tree.signing(1).public_key(),
            agreement: tree.agreement(1).public_key(),
            next_digest: None,
            recovery: None,
        },
    };
    let from = inception.did.clone();
    let log = KeyLog::begin(inception.signed_by(&tree.identity(0))).expect("it begins");
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

/// The text with edits: of each, two bytes of place, one of length, and what comes there.
fn edited(text: &str, mut edits: &[u8]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    while let [high, low, removed, rest @ ..] = edits {
        let place = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
        let end = (place + usize::from(removed >> 4)).min(bytes.len());
        let (new, others) = rest.split_at(usize::from(removed & 15).min(rest.len()));
        bytes.splice(place..end, new.iter().copied());
        edits = others;
    }
    bytes
}

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
