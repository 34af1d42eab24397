//! Figures of KAMN's own check values, every check with an envelope that fails it, and their order.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::cell::Cell;
use proptest::prelude::*;

use super::*;
use crate::{
    bytes::hex,
    guard::{Guard, GuardStore, Limits, Order, Refusal},
    jcs::{self, Object, Value},
    kel::{Change, KeyLog},
    key::{PublicKey, SigningKey},
    keys::KeyTree,
};

const NOW_MS: u64 = 1_770_495_330_123;
const ALICE: &str = "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9";
const BOB: &str = "kamn:did:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e";

fn alice() -> KeyTree {
    KeyTree::from_seed(&[0x11; 32])
}

fn logs() -> BTreeMap<AgentDid, KeyLog> {
    let created = Timestamp::from_unix_ms(NOW_MS).unwrap();
    let log = KeyLog::of_tree("alice", &alice(), created).unwrap();
    BTreeMap::from([(ALICE.parse().unwrap(), log)])
}

fn envelope() -> Envelope {
    Envelope {
        id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        from: ALICE.parse().unwrap(),
        to: vec![BOB.parse().unwrap()],
        created: "2026-02-07T20:15:30.123Z".parse().unwrap(),
        expires: "2026-02-07T20:45:30.123Z".parse().unwrap(),
        thread_id: None,
        parent_id: None,
        nonce: 1.into(),
        message_type: MessageType::Request,
        priority: "Normal".into(),
        content_type: "application/json".into(),
        recipient_keys: vec![format!("{BOB}#key-agreement-1")],
        body: BTreeMap::from([
            ("task.description".into(), "analyze market trends".into()),
            ("task.type".into(), "research".into()),
        ]),
        attachments: vec![],
    }
}

fn signed() -> SignedEnvelope {
    let envelope = envelope();
    let created = envelope.created;
    envelope
        .sign("keys-1", &alice().signing(1), created)
        .unwrap()
}

fn arrival<'a>(recipient: &'a KamnDid) -> Arrival<'a> {
    Arrival {
        recipient,
        channel: None,
        now_ms: NOW_MS + 1000,
        anchor_ms: None,
    }
}

/// What bob says to `text`, with a guard of his own.
fn take(text: &str) -> Result<Received, &'static str> {
    let mut guard = Guard::new(Order::Strict, Limits::default());
    let empty = guard.clone();
    let said = take_by(text, &mut guard);
    assert!(said.is_ok() || guard == empty);
    said
}

fn take_by(text: &str, guard: &mut Guard) -> Result<Received, &'static str> {
    let bob = BOB.parse().unwrap();
    receive(text.as_bytes(), arrival(&bob), &logs(), &|_| Ok(()), guard)
        .map_err(|error| error.reason_code())
}

#[test]
fn envelope_is_that_of_the_check_values() {
    let text = Value::Object(envelope().to_object()).to_canonical();
    let expected = r#"{"attachments":[],"body":{"task.description":"analyze market trends","task.type":"research"},"envelope":{"created":"2026-02-07T20:15:30.123Z","expires":"2026-02-07T20:45:30.123Z","from":"kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9","id":"urn:uuid:00000000-0000-4000-8000-000000000001","nonce":1,"to":["kamn:did:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e"],"type":"kamn:message:v1"},"header":{"content_type":"application/json","encryption":{"algorithm":"X25519-XChaCha20-Poly1305","recipient_keys":["kamn:did:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e#key-agreement-1"]},"message_type":"Request","priority":"Normal"}}"#;
    assert_eq!(text, expected);
    assert_eq!(
        hex(&crate::bytes::sha256(text.as_bytes())),
        "1edafcea589015f66f90d35f020de4b8f699d2f20a86b5f37ed8ca7188b334ec"
    );
    let sent = signed().to_canonical();
    assert!(sent.contains("\"proofValue\":\"z5pdFwfsfZohKTk9AhswsjbxFpXm6WVfziVBcQgM8v5tuwU6GCAT9LjsaWZNG6ywPCgerxK5CgJBAC3GHkZ7ScGRm\""));
    assert_eq!(SignedEnvelope::read(sent.as_bytes()), Ok(signed()));
    let received = take(&sent).unwrap();
    assert_eq!(received.envelope(), &envelope());
    assert_eq!(received.verified().signed().hash(), signed().hash());
}

#[test]
fn key_that_is_elsewhere_signs_the_same_envelope() {
    let key = alice().signing(1);
    let unsigned = envelope().unsigned("keys-1", envelope().created).unwrap();
    let signature = key.sign(&unsigned.to_bytes());
    let by = |public: &PublicKey| unsigned.clone().signed_with(signature, public);
    assert_eq!(by(&key.public_key()), Ok(signed()));
    let refused = by(&alice().signing(2).public_key()).unwrap_err();
    assert_eq!(refused.reason_code(), "signature_invalid");
}

#[test]
fn envelope_is_taken_however_its_json_is_written() {
    let value: serde_json::Value = serde_json::from_str(&signed().to_canonical()).unwrap();
    let spaced = serde_json::to_string_pretty(&value).unwrap();
    let received = take(&spaced).unwrap();
    // What answers name is the canonical text, not the one that came.
    assert_eq!(received.verified().signed().hash(), signed().hash());
}

#[test]
fn envelope_no_reader_would_take_is_not_signed() {
    type Twist = fn(&mut Envelope);
    let cases: [(Twist, &str); 24] = [
        (|e| e.id = " ".into(), "envelope_invalid"),
        (|e| e.id = "x".repeat(257), "envelope_invalid"),
        (|e| e.id = "a\u{7}".into(), "envelope_invalid"),
        (|e| e.thread_id = Some("".into()), "envelope_invalid"),
        (|e| e.parent_id = Some("".into()), "envelope_invalid"),
        (|e| e.nonce = 0.into(), "envelope_invalid"),
        (|e| e.priority = "".into(), "envelope_invalid"),
        (|e| e.content_type = "\n".into(), "envelope_invalid"),
        (|e| e.to = vec![], "envelope_invalid"),
        (|e| e.to.push(BOB.parse().unwrap()), "envelope_invalid"),
        (
            |e| {
                e.to.extend(
                    (0..256).map(|n| format!("kamn:did:agent:a{n}").parse::<KamnDid>().unwrap()),
                )
            },
            "envelope_invalid",
        ),
        (|e| e.recipient_keys = vec![], "envelope_invalid"),
        (
            |e| e.recipient_keys.push(format!("{BOB}#key-agreement-1")),
            "envelope_invalid",
        ),
        (
            |e| e.recipient_keys = vec![format!("{BOB}#keys-1")],
            "envelope_invalid",
        ),
        (
            |e| e.recipient_keys = vec![format!("{BOB}#key-agreement-01")],
            "envelope_invalid",
        ),
        (
            |e| e.recipient_keys = vec![format!("{ALICE}#key-agreement-1")],
            "envelope_invalid",
        ),
        (
            |e| e.recipient_keys = vec!["bob#key-agreement-1".into()],
            "did_invalid",
        ),
        (|e| e.body.clear(), "envelope_invalid"),
        (
            |e| {
                e.body.insert(" ".into(), "x".into());
            },
            "envelope_invalid",
        ),
        (
            |e| {
                e.body.insert("x".into(), "".into());
            },
            "envelope_invalid",
        ),
        (
            |e| e.body.extend((0..255).map(|n| (n.to_string(), "x".into()))),
            "envelope_invalid",
        ),
        (
            |e| {
                e.body.insert("long".into(), "x".repeat(65_536));
            },
            "envelope_too_long",
        ),
        (
            |e| e.expires = "2026-02-08T20:15:30.124Z".parse().unwrap(),
            "invalid_window",
        ),
        (
            |e| e.attachments = vec![attachment("a"), attachment("a")],
            "envelope_invalid",
        ),
    ];
    for (at, (twist, code)) in cases.into_iter().enumerate() {
        let mut twisted = envelope();
        twist(&mut twisted);
        let created = twisted.created;
        let error = twisted
            .sign("keys-1", &alice().signing(1), created)
            .unwrap_err();
        assert_eq!(error.reason_code(), code, "{at}");
    }
    let mut many = envelope();
    many.attachments = (0..17).map(|n| attachment(&n.to_string())).collect();
    assert!(many.check().is_err());
    many.attachments.pop();
    assert!(many.check().is_ok());
}

fn attachment(id: &str) -> Attachment {
    Attachment {
        id: id.into(),
        media_type: "text/plain".into(),
        uri: "https://files.example/1".into(),
    }
}

/// The signed envelope with the object at `path` changed, and not signed again.
fn twisted(path: &[&str], twist: impl Fn(&mut Object)) -> String {
    fn descend(object: &mut Object, path: &[&str], twist: &dyn Fn(&mut Object)) {
        let Some((name, rest)) = path.split_first() else {
            return twist(object);
        };
        let Some(Value::Object(mut inner)) = object.remove(name) else {
            panic!("no object {name}")
        };
        descend(&mut inner, rest, twist);
        object.set(name, inner);
    }
    let text = signed().to_canonical();
    let value = jcs::parse(text.as_bytes(), 1 << 16).unwrap();
    let mut object = value.as_object().unwrap().clone();
    descend(&mut object, path, &twist);
    Value::Object(object).to_canonical()
}

#[test]
fn envelope_of_another_shape_is_refused() {
    let envelope = ["envelope"];
    let header = ["header"];
    let set = |path: &[&str], name: &str, value: Value| {
        take(&twisted(path, |object| object.set(name, value.clone()))).unwrap_err()
    };
    assert_eq!(set(&[], "extra", 1.into()), "json_field_unknown");
    assert_eq!(set(&envelope, "extra", 1.into()), "json_field_unknown");
    assert_eq!(set(&header, "extra", 1.into()), "json_field_unknown");
    assert_eq!(
        set(&["header", "encryption"], "extra", 1.into()),
        "json_field_unknown"
    );
    assert_eq!(set(&["proof"], "extra", 1.into()), "json_field_unknown");
    assert_eq!(
        set(&envelope, "type", "kamn:message:v2".into()),
        "envelope_invalid"
    );
    assert_eq!(
        set(&["header", "encryption"], "algorithm", "none".into()),
        "envelope_invalid"
    );
    assert_eq!(
        set(&header, "message_type", "Event".into()),
        "message_type_unknown"
    );
    assert_eq!(
        set(&envelope, "nonce", "1".into()),
        "json_field_kind_invalid"
    );
    assert_eq!(
        set(&envelope, "from", "did:kamn:agent:alice".into()),
        "did_invalid"
    );
    assert_eq!(set(&envelope, "to", BOB.into()), "json_field_kind_invalid");
    assert_eq!(
        set(&envelope, "created", "2026-02-07".into()),
        "timestamp_invalid"
    );
    assert_eq!(set(&["body"], "n", 1.into()), "json_field_kind_invalid");
    assert_eq!(
        set(&[], "attachments", Object::new().into()),
        "json_field_kind_invalid"
    );
    assert_eq!(
        set(&["proof"], "proofPurpose", "assertionMethod".into()),
        "envelope_invalid"
    );
    assert_eq!(
        set(
            &["proof"],
            "verificationMethod",
            format!("{BOB}#keys-1").into()
        ),
        "envelope_invalid"
    );
    assert_eq!(
        set(
            &["proof"],
            "verificationMethod",
            format!("{ALICE}keys-1").into()
        ),
        "envelope_invalid"
    );
    assert_eq!(
        set(&["proof"], "created", "2026-02-07T20:15:30Z".into()),
        "envelope_invalid"
    );
    let unsigned = twisted(&[], |object| {
        object.remove("proof");
    });
    assert_eq!(take(&unsigned), Err("proof_missing"));
    let padded = format!("{}{}", signed().to_canonical(), " ".repeat(65_536));
    assert_eq!(take(&padded), Err("json_too_long"));
    assert_eq!(take("[]"), Err("json_field_kind_invalid"));
}

#[test]
fn sender_recipient_and_key_cannot_be_swapped() {
    let to_carol = twisted(&["envelope"], |object| {
        let to: Value = [BOB, "kamn:did:agent:carol"].into_iter().collect();
        object.set("to", to);
    });
    assert_eq!(take(&to_carol), Err("signature_invalid"));
    let other_key = twisted(&["proof"], |proof| {
        proof.set("verificationMethod", format!("{ALICE}#keys-2"));
    });
    assert_eq!(take(&other_key), Err("kel_key_unknown"));
    let identity = twisted(&["proof"], |proof| {
        proof.set("verificationMethod", format!("{ALICE}#identity"));
    });
    assert_eq!(take(&identity), Err("kel_key_purpose_mismatch"));
    let other_sender = signed().to_canonical().replace(ALICE, BOB);
    assert_eq!(take(&other_sender), Err("sender_unresolved"));
    let bob = KeyTree::from_seed(&[0x22; 32]);
    let by_bob = envelope();
    let created = by_bob.created;
    let by_bob = by_bob.sign("keys-1", &bob.signing(1), created).unwrap();
    assert_eq!(take(&by_bob.to_canonical()), Err("signature_invalid"));
}

#[test]
fn envelope_for_others_is_not_taken() {
    let carol: KamnDid = "kamn:did:agent:carol".parse().unwrap();
    let mut guard = Guard::new(Order::Strict, Limits::default());
    let text = signed().to_canonical();
    let said = receive(
        text.as_bytes(),
        arrival(&carol),
        &logs(),
        &|_| Ok(()),
        &mut guard,
    );
    assert_eq!(said.unwrap_err().reason_code(), "recipient_mismatch");
}

#[test]
fn only_what_passed_every_other_check_reaches_the_guard() {
    struct Counting<'a>(&'a Cell<u32>);
    impl GuardStore for Counting<'_> {
        fn admit(&mut self, _: &crate::guard::Delivery, _: u64) -> Result<(), Refusal> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }
    }
    let asked = Cell::new(0);
    let permitted = Cell::new(0);
    let bob: KamnDid = BOB.parse().unwrap();
    let run = |text: &str, now_ms: u64, is_allowed: bool| {
        let arrival = Arrival {
            now_ms,
            ..arrival(&bob)
        };
        let permit = |_: &Verified| {
            permitted.set(permitted.get() + 1);
            match is_allowed {
                true => Ok(()),
                false => Err(Error::Forbidden {
                    actor: ALICE.into(),
                    action: "send",
                    rule: "admins only".into(),
                }),
            }
        };
        receive(
            text.as_bytes(),
            arrival,
            &logs(),
            &permit,
            &mut Counting(&asked),
        )
        .map(|_| ())
        .map_err(|error| error.reason_code())
    };
    let text = signed().to_canonical();
    let forged = twisted(&["body"], |body| body.set("task.type", "other"));
    let hour = 3_600_000;
    assert_eq!(run(&text, NOW_MS + hour, true), Err("expired"));
    assert_eq!(run(&text, NOW_MS - hour, true), Err("created_in_future"));
    assert_eq!(run(&forged, NOW_MS, true), Err("signature_invalid"));
    assert_eq!((permitted.get(), asked.get()), (0, 0));
    assert_eq!(run(&text, NOW_MS, false), Err("sender_forbidden"));
    assert_eq!((permitted.get(), asked.get()), (1, 0));
    assert_eq!(run(&text, NOW_MS, true), Ok(()));
    assert_eq!((permitted.get(), asked.get()), (2, 1));
}

#[test]
fn replayed_envelope_is_refused_also_in_other_words() {
    let mut guard = Guard::new(Order::Strict, Limits::default());
    let text = signed().to_canonical();
    assert!(take_by(&text, &mut guard).is_ok());
    assert_eq!(take_by(&text, &mut guard), Err("replay"));
    assert_eq!(take_by(&format!(" {text}\n"), &mut guard), Err("replay"));
}

#[test]
fn rotated_out_key_signs_nothing_any_more() {
    let mut logs = logs();
    let log = logs.values_mut().next().unwrap();
    let rotated = Timestamp::from_unix_ms(NOW_MS + 500).unwrap();
    let change = Change::Rotate {
        signing: Some(alice().signing(2).public_key()),
        agreement: None,
    };
    let event = log.next(rotated, change).signed_by(&alice().identity(0));
    log.append(event).unwrap();
    let bob: KamnDid = BOB.parse().unwrap();
    let run = |text: &str, arrival: Arrival<'_>| {
        let mut guard = Guard::new(Order::Strict, Limits::default());
        receive(text.as_bytes(), arrival, &logs, &|_| Ok(()), &mut guard)
            .map(|_| ())
            .map_err(|error| error.reason_code())
    };
    let text = signed().to_canonical();
    assert_eq!(run(&text, arrival(&bob)), Err("kel_key_not_active"));
    let seen = Arrival {
        anchor_ms: Some(NOW_MS + 100),
        ..arrival(&bob)
    };
    assert_eq!(run(&text, seen), Ok(()));
    let mut renewed = envelope();
    renewed.created = rotated;
    let by = |key: &SigningKey, fragment: &str| {
        let signed = renewed.clone().sign(fragment, key, rotated).unwrap();
        run(&signed.to_canonical(), arrival(&bob))
    };
    assert_eq!(by(&alice().signing(1), "keys-1"), Err("kel_key_not_active"));
    assert_eq!(by(&alice().signing(1), "keys-2"), Err("signature_invalid"));
    assert_eq!(by(&alice().signing(2), "keys-2"), Ok(()));
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    let text = "[ -~é€😀]{0,20}x";
    let body = prop::collection::btree_map(text, text, 1..5);
    let attachments = prop::collection::btree_map("[a-z]{1,8}", text, 0..4);
    let id = prop::option::of("[!-~]{1,40}");
    (
        body,
        attachments,
        id,
        text,
        1_u32..,
        1_u64..86_400_000,
        0_usize..11,
    )
        .prop_map(
            |(body, attachments, thread_id, priority, nonce, life_ms, kind)| Envelope {
                thread_id: thread_id.clone(),
                parent_id: thread_id,
                priority,
                nonce: nonce.into(),
                expires: Timestamp::from_unix_ms(NOW_MS + life_ms).unwrap(),
                message_type: MessageType::ALL[kind],
                body,
                attachments: attachments
                    .into_iter()
                    .map(|(id, uri)| Attachment {
                        id,
                        media_type: "text/plain".into(),
                        uri,
                    })
                    .collect(),
                ..envelope()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn signed_envelopes_read_back(envelope in envelopes()) {
        let created = envelope.created;
        let signed = envelope.sign("keys-1", &alice().signing(1), created).unwrap();
        let text = signed.to_canonical();
        let read = SignedEnvelope::read(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &signed);
        prop_assert_eq!(read.to_canonical(), text);
    }

    #[test]
    fn any_changed_bit_breaks_an_envelope(bit: prop::sample::Index) {
        let mut text = signed().to_canonical().into_bytes();
        let bit = bit.index(text.len() * 8);
        text[bit / 8] ^= 1 << (bit % 8);
        let read = SignedEnvelope::read(&text).map_err(|_| ());
        let logs = logs();
        let verified = read.and_then(|signed| {
            let log = logs.get(&signed.envelope().from).ok_or(())?;
            signed.verify(log.state().unwrap(), NOW_MS, None).map_err(|_| ())
        });
        prop_assert!(verified.is_err(), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        prop_assert!(SignedEnvelope::read(&bytes).is_err());
    }
}
