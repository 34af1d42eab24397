//! Key event logs: an edited log is refused, or says nothing that the true one does not say.

#![no_main]

#[path = "../edits.rs"]
mod edits;

use edits::edited;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tau_kamn::{
    AgentDid,
    did_doc::Document,
    jcs,
    kel::{Approval, Change, Event, KeyLog, LOG_LIMIT_BYTES, Recovery, SignedEvent, next_digest},
    keys::KeyTree,
    time::Timestamp,
};

/// A log of several kinds of events, and its text.
static LOG: LazyLock<(KeyLog, String)> = LazyLock::new(|| {
    let tree = KeyTree::from_seed(&[0x11; 32]);
    let approver = KeyTree::from_seed(&[0x22; 32]).identity(0);
    let identity = tree.identity(0).public_key();
    let at = |ms: u64| Timestamp::from_unix_ms(1_770_495_330_123 + ms).expect("it is a moment");
    let inception = Event {
        did: AgentDid::new("alice", &identity).expect("it is a label"),
        seq: 0,
        previous: None,
        created: at(0),
        change: Change::Inception {
            identity,
            signing: tree.signing(1).public_key(),
            agreement: tree.agreement(1).public_key(),
            next_digest: Some(next_digest(&tree.identity(1).public_key())),
            recovery: Recovery::new(1, vec![approver.public_key()]).ok(),
        },
    };
    let mut log = KeyLog::begin(inception.signed_by(&tree.identity(0))).expect("it begins");
    let rotate = Change::Rotate {
        signing: Some(tree.signing(2).public_key()),
        agreement: Some(tree.agreement(2).public_key()),
    };
    let renew = Change::RotateIdentity {
        identity: tree.identity(1).public_key(),
        next_digest: None,
    };
    let recover = Change::Recover {
        identity: tree.identity(2).public_key(),
        next_digest: None,
        nonce: 1.into(),
    };
    for (change, key) in [(rotate, 0), (renew, 1), (Change::Deactivate, 1)] {
        let event = log.next(at(1), change).signed_by(&tree.identity(key));
        log.append(event).expect("it follows");
    }
    let event = log.next(at(2), recover);
    let approval = Approval::new(&event, &approver);
    let signed = event.signed_by(&tree.identity(2)).with_approval(approval);
    log.append(signed).expect("it follows");
    let text = log.to_value().to_canonical();
    (log, text)
});

fuzz_target!(|data: &[u8]| {
    let _ = Document::read(data, "kamn:did:agent:alice", &[]);
    if let Ok(value) = jcs::parse(data, LOG_LIMIT_BYTES)
        && let Ok(event) = SignedEvent::from_value(value)
    {
        let again = SignedEvent::from_value(event.to_value());
        assert_eq!(again, Ok(event));
    }
    let (log, text) = &*LOG;
    if let Ok(read) = KeyLog::read(&edited(text, data)) {
        let whole: Vec<&Event> = log.events().iter().map(SignedEvent::event).collect();
        let found: Vec<&Event> = read.events().iter().map(SignedEvent::event).collect();
        assert!(whole.starts_with(&found));
        assert!(read.fork().is_none());
    }
});
