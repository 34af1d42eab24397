//! Figures of KAMN's own check values, and every rule of the log with an event that breaks it.

use alloc::{
    format,
    string::{String, ToString},
    vec,
};
use proptest::prelude::*;

use super::*;
use crate::{
    bytes::hex,
    did::AgentDid,
    jcs::{self, Integer, Value},
    key::{PublicKey, SigningKey},
    keys::KeyTree,
    time::Timestamp,
};

mod recovery;

const BEGUN_MS: u64 = 1_770_495_330_123;
const HOUR_MS: u64 = 3_600_000;

fn tree() -> KeyTree {
    KeyTree::from_seed(&[0x11; 32])
}

fn at(hours: u64) -> Timestamp {
    Timestamp::from_unix_ms(BEGUN_MS + hours * HOUR_MS).unwrap()
}

fn approver(number: u8) -> SigningKey {
    SigningKey::from_seed(&[0xa0 + number; 32])
}

fn inception_event(next: Option<&PublicKey>, recovery: Option<Recovery>) -> Event {
    let tree = tree();
    let identity = tree.identity(0).public_key();
    Event {
        did: AgentDid::new("alice", &identity).unwrap(),
        seq: 0,
        previous: None,
        created: at(0),
        change: Change::Inception {
            identity,
            signing: tree.signing(1).public_key(),
            agreement: tree.agreement(1).public_key(),
            next_digest: next.map(next_digest),
            recovery,
        },
    }
}

/// A log that can be recovered by two of three, and has committed to its second identity key.
fn log() -> KeyLog {
    let approvers = (1..=3)
        .map(|number| approver(number).public_key())
        .collect();
    let recovery = Recovery::new(2, approvers).unwrap();
    let event = inception_event(Some(&tree().identity(1).public_key()), Some(recovery));
    KeyLog::begin(event.signed_by(&tree().identity(0))).unwrap()
}

fn rotation(number: u32) -> Change {
    Change::Rotate {
        signing: Some(tree().signing(number).public_key()),
        agreement: Some(tree().agreement(number).public_key()),
    }
}

fn revocation(log: &KeyLog, fragment: &str, since: Timestamp) -> Change {
    Change::RevokeKey {
        key_id: key_id(log, fragment),
        reason: "laptop stolen".into(),
        compromised_since_ms: Integer::try_from(since.unix_ms()).unwrap(),
    }
}

fn new_identity(number: u32, next: Option<u32>) -> Change {
    Change::RotateIdentity {
        identity: tree().identity(number).public_key(),
        next_digest: next.map(|next| next_digest(&tree().identity(next).public_key())),
    }
}

fn recovery(identity: u32, nonce: u32) -> Change {
    Change::Recover {
        identity: tree().identity(identity).public_key(),
        next_digest: None,
        nonce: nonce.into(),
    }
}

fn key_id(log: &KeyLog, fragment: &str) -> String {
    format!("{}#{fragment}", log.unchecked_state().did())
}

/// Appends a change signed by the identity key of that number.
fn add(log: &mut KeyLog, hours: u64, change: Change, identity: u32) -> Result<(), &'static str> {
    let event = log.next(at(hours), change);
    log.append(event.signed_by(&tree().identity(identity)))
        .map_err(|error| error.reason_code())
}

/// The same log with a deactivation.
fn deactivated() -> KeyLog {
    let mut log = log();
    add(&mut log, 1, Change::Deactivate, 0).unwrap();
    log
}

#[test]
fn inception_is_that_of_the_check_values() {
    let next = tree().signing(1).public_key();
    let signed = inception_event(Some(&next), None).signed_by(&tree().identity(0));
    assert_eq!(
        hex(&signed.event().hash()),
        "fb52e1695deae61ce07c218fd0b56c6ae9dbb66a726a8a32bcaad39ba28bd831"
    );
    let text = signed.to_value().to_canonical();
    assert!(text.contains("\"sig\":\"zRsieaU7LXk2rNG4mZYsBwwprzhNqhRN2x61uffdGGeMBp4ZBJF4Stv6zhVKQaZmH3ZjhGZHLmeQXss4zuw1oHV5\""));
    let log = KeyLog::begin(signed).unwrap();
    let state = log.state().unwrap();
    assert_eq!(
        state.did().as_kamn(),
        "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9"
    );
    assert_eq!(state.current_signing(), Some(("keys-1", &next)));
}

#[test]
fn keys_rotate_without_a_change_of_the_did() {
    let mut log = log();
    let first = tree().signing(1).public_key();
    add(&mut log, 1, rotation(2), 0).unwrap();
    let only_signing = Change::Rotate {
        signing: Some(tree().signing(3).public_key()),
        agreement: None,
    };
    add(&mut log, 2, only_signing, 0).unwrap();
    let state = log.state().unwrap();
    assert!(state.did().is_bound_to(state.first_identity()));
    assert_eq!(
        state.current_signing(),
        Some(("keys-3", &tree().signing(3).public_key()))
    );
    assert_eq!(
        state.current_agreement(),
        Some(("key-agreement-2", &tree().agreement(2).public_key()))
    );
    // The first key signs nothing any more, whatever moment it claims.
    let id = key_id(&log, "keys-1");
    let (then, now) = (at(0).unix_ms() + 1, at(3).unix_ms());
    let code = |error: Error| error.reason_code();
    assert_eq!(
        state.signing_key_at(&id, then, now, None).map_err(code),
        Err("kel_key_not_active")
    );
    assert_eq!(
        state.signing_key_at(&id, now, now, None).map_err(code),
        Err("kel_key_not_active")
    );
    // What the caller saw before the rotation stays signed.
    assert_eq!(state.signing_key_at(&id, then, now, Some(then)), Ok(&first));
    assert_eq!(
        state
            .signing_key_at(&id, then, now, Some(at(1).unix_ms()))
            .map_err(code),
        Err("kel_key_not_active")
    );
}

#[test]
fn key_counts_from_its_making_give_or_take_a_clock() {
    let log = log();
    let state = log.state().unwrap();
    let id = key_id(&log, "keys-1");
    let key = tree().signing(1).public_key();
    let is_active = |created, now| state.signing_key_at(&id, created, now, None) == Ok(&key);
    assert!(is_active(BEGUN_MS, BEGUN_MS));
    assert!(!is_active(BEGUN_MS - 1, BEGUN_MS));
    assert!(is_active(BEGUN_MS, BEGUN_MS - SKEW_MS));
    assert!(!is_active(BEGUN_MS, BEGUN_MS - SKEW_MS - 1));
    let purpose = |id: &str| {
        let error = state.signing_key_at(&key_id(&log, id), BEGUN_MS, BEGUN_MS, None);
        error.unwrap_err().reason_code()
    };
    assert_eq!(purpose("key-agreement-1"), "kel_key_purpose_mismatch");
    assert_eq!(purpose("identity"), "kel_key_purpose_mismatch");
    assert_eq!(purpose("keys-2"), "kel_key_unknown");
    let other = state.signing_key_at("kamn:did:agent:bob#keys-1", BEGUN_MS, BEGUN_MS, None);
    assert_eq!(other.unwrap_err().reason_code(), "kel_key_unknown");
}

#[test]
fn revoked_key_counts_only_for_what_was_seen_before_it_got_lost() {
    let mut log = log();
    let change = revocation(&log, "keys-1", at(2));
    add(&mut log, 5, change.clone(), 0).unwrap();
    let state = log.state().unwrap();
    assert_eq!(state.current_signing(), None);
    let id = key_id(&log, "keys-1");
    let (made, now) = (at(1).unix_ms(), at(6).unix_ms());
    let at_anchor = |hours: u64| {
        state
            .signing_key_at(&id, made, now, Some(at(hours).unix_ms()))
            .map(PublicKey::to_multikey)
            .map_err(|error| error.reason_code())
    };
    assert!(at_anchor(1).is_ok());
    assert_eq!(at_anchor(2), Err("kel_key_revoked"));
    assert_eq!(at_anchor(3), Err("kel_key_revoked"));
    let unseen = state.signing_key_at(&id, made, now, None);
    assert_eq!(unseen.unwrap_err().reason_code(), "kel_key_revoked");

    assert_eq!(add(&mut log, 6, change, 0), Err("kel_key_already_revoked"));
    let unknown = revocation(&log, "keys-9", at(2));
    assert_eq!(add(&mut log, 6, unknown, 0), Err("kel_key_unknown"));
    let identity = revocation(&log, "identity", at(2));
    assert_eq!(add(&mut log, 6, identity, 0), Err("kel_key_unknown"));
    let future = revocation(&log, "key-agreement-1", at(7));
    assert_eq!(add(&mut log, 6, future, 0), Err("kel_revocation_invalid"));
    // The next key has the next number.
    add(&mut log, 6, rotation(2), 0).unwrap();
    let (id, _) = log.state().unwrap().current_signing().unwrap();
    assert_eq!(id, "keys-2");
}

#[test]
fn identity_key_that_was_committed_to_comes_alone() {
    let mut log = log();
    assert_eq!(
        add(&mut log, 1, new_identity(2, None), 2),
        Err("kel_commitment_mismatch")
    );
    // A thief of the present key cannot bring in the next one, having only its digest.
    assert_eq!(
        add(&mut log, 1, new_identity(1, None), 0),
        Err("kel_signature_invalid")
    );
    add(&mut log, 1, new_identity(1, None), 1).unwrap();
    assert_eq!(
        log.state().unwrap().identity(),
        &tree().identity(1).public_key()
    );
    assert_eq!(
        add(&mut log, 2, rotation(2), 0),
        Err("kel_signature_invalid")
    );
    add(&mut log, 2, rotation(2), 1).unwrap();
}

#[test]
fn identity_key_that_was_not_committed_to_needs_both_signatures() {
    let mut log = log();
    add(&mut log, 1, new_identity(1, None), 1).unwrap();
    let event = log.next(at(2), new_identity(2, None));
    let code = |log: &mut KeyLog, event| {
        let error = log.append(event);
        error.map_err(|error| error.reason_code())
    };
    let alone = event.clone().signed_by(&tree().identity(2));
    assert_eq!(code(&mut log, alone.clone()), Err("kel_signature_invalid"));
    let other = alone.clone().also_signed_by(&tree().identity(0));
    assert_eq!(code(&mut log, other), Err("kel_signature_invalid"));
    let old = event.signed_by(&tree().identity(1));
    assert_eq!(code(&mut log, old), Err("kel_signature_invalid"));
    let both = alone.also_signed_by(&tree().identity(1));
    assert_eq!(code(&mut log, both), Ok(()));
    let back = log.next(at(3), new_identity(0, None));
    let back = back.signed_by(&tree().identity(0));
    let back = back.also_signed_by(&tree().identity(2));
    assert_eq!(code(&mut log, back), Err("kel_key_reused"));
}

#[test]
fn no_key_comes_twice_or_for_two_roles() {
    let mut log = log();
    add(&mut log, 1, rotation(2), 0).unwrap();
    assert_eq!(add(&mut log, 2, rotation(1), 0), Err("kel_key_reused"));
    let signing_as_identity = Change::Rotate {
        signing: Some(tree().identity(0).public_key()),
        agreement: None,
    };
    assert_eq!(
        add(&mut log, 2, signing_as_identity, 0),
        Err("kel_key_reused")
    );
    let same_on_the_other_curve = Change::Rotate {
        signing: None,
        agreement: Some(tree().signing(2).public_key().to_agreement()),
    };
    assert_eq!(
        add(&mut log, 2, same_on_the_other_curve, 0),
        Err("kel_key_reused")
    );
    let nothing = Change::Rotate {
        signing: None,
        agreement: None,
    };
    assert_eq!(add(&mut log, 2, nothing, 0), Err("kel_rotation_empty"));
    let mut event = inception_event(None, None);
    let Change::Inception {
        identity, signing, ..
    } = &mut event.change
    else {
        unreachable!()
    };
    *signing = *identity;
    let error = KeyLog::begin(event.signed_by(&tree().identity(0))).unwrap_err();
    assert_eq!(error.reason_code(), "kel_key_reused");
}

#[test]
fn event_that_does_not_follow_is_refused() {
    let mut log = log();
    add(&mut log, 1, rotation(2), 0).unwrap();
    let fitting = log.next(at(2), rotation(3));
    type Twist = fn(&mut Event);
    let cases: [(Twist, &str); 7] = [
        (|event| event.seq += 1, "kel_gap"),
        (|event| event.seq = u32::MAX, "kel_gap"),
        (
            |event| event.previous = Some([0; 32]),
            "kel_previous_mismatch",
        ),
        (|event| event.previous = None, "kel_previous_mismatch"),
        (|event| event.created = at(0), "kel_time_reversed"),
        (
            |event| event.did = "kamn:did:agent:bob".parse().unwrap(),
            "kel_subject_mismatch",
        ),
        (
            |event| event.change = inception_event(None, None).change,
            "kel_previous_mismatch",
        ),
    ];
    for (twist, code) in cases {
        let mut event = fitting.clone();
        twist(&mut event);
        let before = log.clone();
        let error = log
            .append(event.signed_by(&tree().identity(0)))
            .unwrap_err();
        assert_eq!(error.reason_code(), code);
        assert_eq!(log, before);
    }
    let two_signatures = fitting.clone().signed_by(&tree().identity(0));
    let two_signatures = two_signatures.also_signed_by(&tree().identity(1));
    let error = log.append(two_signatures).unwrap_err();
    assert_eq!(error.reason_code(), "kel_proof_surplus");
    let approval = Approval::new(&fitting, &approver(1));
    let approved = fitting
        .signed_by(&tree().identity(0))
        .with_approval(approval);
    assert_eq!(
        log.append(approved).unwrap_err().reason_code(),
        "kel_proof_surplus"
    );
}

#[test]
fn log_of_a_name_or_of_another_key_is_refused() {
    let mut event = inception_event(None, None);
    event.did = "kamn:did:agent:alice".parse().unwrap();
    let signed = event.clone().signed_by(&tree().identity(0));
    let error = KeyLog::begin(signed.clone()).unwrap_err();
    assert_eq!(error.reason_code(), "kel_did_unbound");
    assert!(KeyLog::begin_unbound(signed).is_ok());
    event.did = "kamn:did:agent:alice--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e"
        .parse()
        .unwrap();
    let signed = event.signed_by(&tree().identity(0));
    let error = KeyLog::begin(signed.clone()).unwrap_err();
    assert_eq!(error.reason_code(), "kel_binding_mismatch");
    assert!(KeyLog::begin_unbound(signed).is_err());
    let mut late = inception_event(None, None);
    late.seq = 1;
    let error = KeyLog::begin(late.signed_by(&tree().identity(0))).unwrap_err();
    assert_eq!(error.reason_code(), "kel_gap");
    assert!(KeyLog::replay([]).is_err());
}

#[test]
fn two_valid_events_in_one_place_compromise_the_did() {
    let mut log = log();
    let other = log.next(at(2), rotation(3)).signed_by(&tree().identity(0));
    add(&mut log, 1, rotation(2), 0).unwrap();
    let known = log.events()[1].clone();
    assert_eq!(log.observe(known), Ok(Observed::Known));
    // An invalid rival changes nothing.
    let mut forged = other.clone();
    forged.sig = log.events()[1].sig;
    let error = log.observe(forged).unwrap_err();
    assert_eq!(error.reason_code(), "kel_signature_invalid");
    assert!(log.state().is_ok());

    assert_eq!(log.observe(other.clone()), Err(Error::Fork { seq: 1 }));
    assert_eq!(log.state(), Err(Error::Fork { seq: 1 }));
    let next = log.next(at(4), rotation(4)).signed_by(&tree().identity(0));
    assert_eq!(log.append(next), Err(Error::Fork { seq: 1 }));
    // It stays so when stored, and for whoever is told.
    let stored = log.to_value().to_canonical();
    let restored = KeyLog::read(stored.as_bytes()).unwrap();
    assert_eq!(restored, log);
    let mut elsewhere = KeyLog::replay(log.events()[..2].to_vec()).unwrap();
    assert_eq!(elsewhere.merge(&log), Err(Error::Fork { seq: 1 }));
    assert_eq!(elsewhere.fork(), Some(&other));
}

#[test]
fn second_inception_of_the_same_did_is_a_fork() {
    let mut log = log();
    let other = inception_event(None, None).signed_by(&tree().identity(0));
    assert_eq!(log.observe(other), Err(Error::Fork { seq: 0 }));
}

#[test]
fn longer_log_of_the_same_story_is_taken() {
    let mut short = log();
    let mut long = short.clone();
    add(&mut long, 1, rotation(2), 0).unwrap();
    add(&mut long, 2, new_identity(1, Some(2)), 1).unwrap();
    short.merge(&long).unwrap();
    assert_eq!(short, long);
    let mut same = long.clone();
    same.merge(&log()).unwrap();
    assert_eq!(same, long);
}

#[test]
fn event_of_another_shape_is_refused() {
    let signed = log().events()[0].to_value();
    let twisted = |name: &str, value: Value| {
        let mut object = signed.as_object().unwrap().clone();
        object.set(name, value);
        let read = SignedEvent::from_value(object.into());
        read.map_err(|error| error.reason_code())
    };
    let lacking = |name: &str| {
        let mut object = signed.as_object().unwrap().clone();
        object.remove(name);
        let read = SignedEvent::from_value(object.into());
        read.map_err(|error| error.reason_code())
    };
    assert_eq!(twisted("v", 2.into()), Err("kel_version_unknown"));
    assert_eq!(twisted("type", "merge".into()), Err("kel_type_unknown"));
    assert_eq!(
        twisted("type", "deactivate".into()),
        Err("json_field_unknown")
    );
    assert_eq!(twisted("extra", 1.into()), Err("json_field_unknown"));
    assert_eq!(twisted("seq", true.into()), Err("json_field_kind_invalid"));
    let large = Integer::try_from(1_u64 << 32).unwrap();
    assert_eq!(twisted("seq", large.into()), Err("json_field_kind_invalid"));
    assert_eq!(twisted("prev", "genesis".into()), Err("hex_invalid"));
    assert_eq!(twisted("next_digest", "00".into()), Err("hex_invalid"));
    assert_eq!(twisted("created", "today".into()), Err("timestamp_invalid"));
    assert_eq!(
        twisted("approvals", vec![].into()),
        Err("json_field_kind_invalid")
    );
    for (name, code) in [
        ("identity_key", "json_field_missing"),
        ("created", "json_field_missing"),
    ] {
        assert_eq!(lacking(name), Err(code));
    }
    // Without its signature it can be read, and no log takes it.
    let error = KeyLog::begin(lacking("sig").unwrap()).unwrap_err();
    assert_eq!(error.reason_code(), "kel_signature_invalid");
}

#[test]
fn log_longer_than_its_limit_is_refused() {
    let text = format!("{{\"events\":[{}],\"v\":1}}", vec!["0"; 1025].join(","));
    let error = KeyLog::read(text.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a log of 1025 key events, between 1 and 1024 are read"
    );
}

/// A log with one of every kind of event.
fn full_log() -> KeyLog {
    let mut log = log();
    add(&mut log, 1, rotation(2), 0).unwrap();
    let change = revocation(&log, "keys-1", at(1));
    add(&mut log, 2, change, 0).unwrap();
    add(&mut log, 3, new_identity(1, None), 1).unwrap();
    let event = log.next(at(4), new_identity(2, None));
    let both = event.signed_by(&tree().identity(2));
    log.append(both.also_signed_by(&tree().identity(1)))
        .unwrap();
    add(&mut log, 5, Change::Deactivate, 2).unwrap();
    let event = log.next(at(6), recovery(3, 1));
    let signed = event.clone().signed_by(&tree().identity(3));
    let signed = signed.with_approval(Approval::new(&event, &approver(1)));
    log.append(signed.with_approval(Approval::new(&event, &approver(2))))
        .unwrap();
    add(&mut log, 7, rotation(3), 3).unwrap();
    log
}

#[test]
fn log_of_every_event_reads_back() {
    let log = full_log();
    let text = log.to_value().to_canonical();
    assert_eq!(KeyLog::read(text.as_bytes()), Ok(log));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_beginning_of_a_log_replays_to_the_same_state(length in 1_usize..8) {
        let events = full_log().events()[..length].to_vec();
        let once = KeyLog::replay(events.clone()).unwrap();
        prop_assert_eq!(KeyLog::replay(events.clone()), Ok(once.clone()));
        let mut grown = KeyLog::begin(events[0].clone()).unwrap();
        for event in &events[1..] {
            grown.observe(event.clone()).unwrap();
        }
        prop_assert_eq!(grown, once);
    }

    #[test]
    fn any_changed_bit_of_an_event_breaks_its_log(which in 0_usize..8, bit: prop::sample::Index) {
        let log = full_log();
        let mut text = log.events()[which].to_value().to_canonical().into_bytes();
        let bit = bit.index(text.len() * 8);
        text[bit / 8] ^= 1 << (bit % 8);
        let read = jcs::parse(&text, LOG_LIMIT_BYTES)
            .map_err(Error::from)
            .and_then(SignedEvent::from_value);
        if let Ok(event) = read {
            let mut events = log.events()[..which].to_vec();
            events.push(event);
            prop_assert!(KeyLog::replay(events).is_err(), "{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn signatures_made_elsewhere_are_held_against_their_keys_when_they_are_put_in() {
    let (old, new, stranger) = (approver(1), approver(2), approver(3));
    let mut inception = inception_event(None, None);
    inception.did = AgentDid::new("alice", &old.public_key()).unwrap();
    if let Change::Inception { identity, .. } = &mut inception.change {
        *identity = old.public_key();
    }
    let sign = |key: &SigningKey, event: &Event| key.sign(&event.to_bytes());
    let sig = sign(&old, &inception);
    let wrong = inception
        .clone()
        .with_signature(&stranger.public_key(), sig);
    assert_eq!(wrong.unwrap_err().reason_code(), "kel_signature_invalid");
    let signed = inception.with_signature(&old.public_key(), sig).unwrap();
    let mut log = KeyLog::begin(signed).unwrap();

    let change = Change::RotateIdentity {
        identity: new.public_key(),
        next_digest: None,
    };
    let event = log.next(at(1), change);
    let (by_new, by_old) = (sign(&new, &event), sign(&old, &event));
    let signed = event.with_signature(&new.public_key(), by_new).unwrap();
    let wrong = signed
        .clone()
        .with_previous_signature(&old.public_key(), by_new);
    assert_eq!(wrong.unwrap_err().reason_code(), "kel_signature_invalid");
    let signed = signed
        .with_previous_signature(&old.public_key(), by_old)
        .unwrap();
    log.append(signed).unwrap();
    assert_eq!(log.state().unwrap().identity(), &new.public_key());
}
