use alloc::{collections::BTreeSet, format, string::ToString, vec};

use super::{
    federated::{Advance, Facts, Verdict, evaluate},
    keys::{Keys, Side, Transcript},
    *,
};
use crate::{
    bytes::{hex as to_hex, sha256},
    key::AgreementSecret,
    ratchet::Session,
    testing::{Agent, alice, bob, hex32},
};

const CHANNEL: &str = "channel:direct:alice-bob";

fn secret(byte: u8) -> AgreementSecret {
    AgreementSecret::from_bytes(&[byte; 32])
}

fn proposal() -> Proposal {
    Proposal {
        channel_id: CHANNEL.into(),
        channel_type: "Direct".into(),
        ephemeral: secret(0x44).public_key(),
        nonce: [0xa1; 32],
        suites: suites(),
        permissions_digest: [1; 32],
        kel_head: [2; 32],
    }
}

fn received(from: &Agent, to: &Agent, hash: u8) -> Received {
    Received {
        from: from.did.to_string(),
        to: to.did.to_string(),
        hash: [hash; 32],
    }
}

fn initiator() -> Initiator {
    let (a, b) = (alice().did.to_string(), bob().did.to_string());
    Initiator::new(&a, &b, proposal(), secret(0x44), 1000)
}

/// Bob's answer to a proposal of alice whose signed envelope has that hash.
fn accept(
    received: &Received,
    proposal: &Proposal,
    supported: Vec<String>,
) -> Result<(Responder, Acceptance), HandshakeError> {
    let (alice, bob) = (alice(), bob());
    let answer = Answer {
        me: &bob.did.to_string(),
        own: (&bob.agreement).into(),
        peer_key: &alice.agreement.public_key(),
        ephemeral: secret(0x55),
        nonce: [0xb2; 32],
        kel_head: [3; 32],
        suites: supported,
    };
    Responder::accept(received, proposal, answer, 2000)
}

fn finish(
    initiator: &mut Initiator,
    received: &Received,
    acceptance: &Acceptance,
) -> Result<(Session, Confirmation), HandshakeError> {
    let peer_key = bob().agreement.public_key();
    initiator.finish(received, acceptance, &alice().agreement, &peer_key, 3000)
}

fn code<T: fmt::Debug>(result: Result<T, HandshakeError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn keys_are_the_worked_example() {
    let (alice, bob) = (alice(), bob());
    let (e_a, e_b) = (secret(0x44), secret(0x55));
    assert_eq!(
        to_hex(&e_a.public_key().to_bytes()),
        "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b"
    );
    assert_eq!(
        to_hex(&e_b.public_key().to_bytes()),
        "38ab664bd86f77d7e66bdd9ae0792913a94fd8b33a1260027e4b46c1f4884c67"
    );
    let transcript = Transcript {
        initiator: &alice.did.to_string(),
        responder: &bob.did.to_string(),
        channel: CHANNEL,
        initiator_ephemeral: &e_a.public_key(),
        responder_ephemeral: &e_b.public_key(),
        initiator_nonce: &[0xa1; 32],
        responder_nonce: &[0xb2; 32],
        proposal_hash: &[0; 32],
    };
    let th = hex32("eb01fa14e68a56fa6de9b53978eb120f2937c77ff9383b34a5d3acb3054b0329");
    assert_eq!(transcript.hash(), th);
    let secrets = [
        e_a.agree(&e_b.public_key()).unwrap(),
        e_a.agree(&bob.agreement.public_key()).unwrap(),
        alice.agreement.agree(&e_b.public_key()).unwrap(),
    ];
    let keys = Keys::derive(th, secrets);
    for (found, expected) in [
        (
            &*keys.initiator_to_responder,
            "4fd0879eb0bc2572526224f643f4f0c52940a5a044f9831d881977e55de7a207",
        ),
        (
            &*keys.responder_to_initiator,
            "f32de94e04a6f9763764418ecfa8ef9ec6925e3147fab36a0ef87ab1d10000f3",
        ),
        (
            &keys.confirmation(Side::Initiator),
            "9adaccf2bddeef01f54cc312dd01d99821b1fe7d17690956a5294094284caf1d",
        ),
        (
            &keys.confirmation(Side::Responder),
            "ab3382b122177f64c0277bffabecb198a69eb771c94ae93702fe19433bfe1867",
        ),
    ] {
        assert_eq!(to_hex(found), expected);
    }
}

#[test]
fn three_messages_make_a_session_that_both_have() {
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    let body = initiator.proposal().to_entries();
    let proposal = Proposal::from_entries(&body).unwrap();
    let (mut responder, acceptance) =
        accept(&received(&alice(), &bob(), 9), &proposal, suites()).unwrap();
    responder.sent([10; 32]).unwrap();
    let acceptance = Acceptance::from_entries(&acceptance.to_entries()).unwrap();
    let answer = received(&bob(), &alice(), 10);
    let (mut a, confirmation) = finish(&mut initiator, &answer, &acceptance).unwrap();
    let confirmation = Confirmation::from_entries(&confirmation.to_entries()).unwrap();
    let last = received(&alice(), &bob(), 11);
    let mut b = responder.finish(&last, &confirmation, 4000).unwrap();
    let hello = a.seal(5000, b"hello").unwrap();
    assert_eq!(b.open(5000, &hello).unwrap().as_slice(), b"hello");
    let answer_text = b.seal(5000, b"and to you").unwrap();
    assert_eq!(
        a.open(5000, &answer_text).unwrap().as_slice(),
        b"and to you"
    );
    // Each message is taken once.
    assert_eq!(
        code(finish(&mut initiator, &answer, &acceptance)),
        "handshake_out_of_order"
    );
    let again = responder.finish(&last, &confirmation, 4000);
    assert_eq!(code(again), "handshake_out_of_order");
}

#[test]
fn secrets_elsewhere_and_a_restart_between_messages_make_the_same_session() {
    let (alice, bob) = (alice(), bob());
    let (store_key, nonce) = ([5; 32], [6; 24]);
    let mut initiator = initiator();
    assert_eq!(
        code(initiator.snapshot(&store_key, &nonce)),
        "handshake_out_of_order"
    );
    initiator.sent([9; 32]).unwrap();
    let proposal = initiator.proposal().clone();
    let put_away = initiator.snapshot(&store_key, &nonce).unwrap();
    let mut initiator = Initiator::restore(&store_key, &put_away).unwrap();
    assert_eq!(initiator.proposal(), &proposal);
    let (expected, acceptance) = accept(&received(&alice, &bob, 9), &proposal, suites()).unwrap();
    let agreed = bob.agreement.agree(&proposal.ephemeral).unwrap();
    let answer = Answer {
        me: &bob.did.to_string(),
        own: Own::Agreed(&agreed),
        peer_key: &alice.agreement.public_key(),
        ephemeral: secret(0x55),
        nonce: [0xb2; 32],
        kel_head: [3; 32],
        suites: suites(),
    };
    let (mut responder, found) =
        Responder::accept(&received(&alice, &bob, 9), &proposal, answer, 2000).unwrap();
    assert_eq!(found, acceptance);
    drop(expected);
    responder.sent([10; 32]).unwrap();
    let put_away = responder.snapshot(&store_key, &nonce).unwrap();
    let mut responder = Responder::restore(&store_key, &put_away).unwrap();
    let agreed = alice.agreement.agree(&acceptance.ephemeral).unwrap();
    let (mut a, confirmation) = initiator
        .finish(
            &received(&bob, &alice, 10),
            &acceptance,
            Own::Agreed(&agreed),
            &bob.agreement.public_key(),
            3000,
        )
        .unwrap();
    let last = received(&alice, &bob, 11);
    let mut b = responder.finish(&last, &confirmation, 4000).unwrap();
    let hello = a.seal(5000, b"hello").unwrap();
    assert_eq!(b.open(5000, &hello).unwrap().as_slice(), b"hello");
    let mut torn = put_away;
    torn[40] ^= 1;
    assert_eq!(
        code(Responder::restore(&store_key, &torn)),
        "snapshot_invalid"
    );
    assert_eq!(
        code(Responder::restore(&[4; 32], &torn)),
        "snapshot_invalid"
    );
}

#[test]
fn tampered_suite_list_fails_on_both_sides() {
    // What alice signed has hash 9. Somebody on the way changes the list, so what bob gets hashes
    // to something else; a bob who takes it nevertheless computes other keys.
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    let (mut responder, mut acceptance) =
        accept(&received(&alice(), &bob(), 66), &proposal(), suites()).unwrap();
    responder.sent([10; 32]).unwrap();
    let answer = received(&bob(), &alice(), 10);
    let refused = finish(&mut initiator, &answer, &acceptance);
    assert_eq!(code(refused), "handshake_in_reply_to_mismatch");
    acceptance.in_reply_to = [9; 32];
    let refused = finish(&mut initiator, &answer, &acceptance);
    assert_eq!(code(refused), "handshake_confirmation_invalid");
    // And there is nothing that the one on the way could tell bob instead of alice.
    for confirm in [[0; 32], acceptance.confirm] {
        let confirmation = Confirmation {
            in_reply_to: [10; 32],
            confirm,
        };
        let refused = responder.finish(&received(&alice(), &bob(), 11), &confirmation, 2500);
        assert_eq!(code(refused), "handshake_confirmation_invalid");
    }
}

#[test]
fn every_field_that_both_must_see_alike_is_confirmed() {
    type Change = fn(&mut Acceptance);
    let changes: [(&str, Change); 4] = [
        ("handshake_confirmation_invalid", |a| a.nonce[0] ^= 1),
        ("handshake_confirmation_invalid", |a| a.confirm[31] ^= 0x80),
        ("handshake_confirmation_invalid", |a| {
            a.ephemeral = secret(0x56).public_key()
        }),
        ("handshake_in_reply_to_mismatch", |a| a.in_reply_to[5] ^= 1),
    ];
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    let (_, acceptance) = accept(&received(&alice(), &bob(), 9), &proposal(), suites()).unwrap();
    let answer = received(&bob(), &alice(), 10);
    for (expected, change) in changes {
        let mut other = acceptance.clone();
        change(&mut other);
        assert_eq!(code(finish(&mut initiator, &answer, &other)), expected);
    }
    // What was refused has not ended it.
    assert!(finish(&mut initiator, &answer, &acceptance).is_ok());
}

#[test]
fn suite_worse_than_the_best_of_both_lists_is_a_downgrade() {
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let offered = names(&["best", "good", "old"]);
    assert_eq!(
        best_common(&offered, &names(&["old", "good"])),
        Some("good")
    );
    assert_eq!(best_common(&offered, &names(&["none"])), None);
    let mut strong = proposal();
    strong.suites.insert(0, "X448".into());
    let (a, b) = (alice().did.to_string(), bob().did.to_string());
    let mut initiator = Initiator::new(&a, &b, strong.clone(), secret(0x44), 1000);
    initiator.sent([9; 32]).unwrap();
    let (_, mut acceptance) = accept(&received(&alice(), &bob(), 9), &strong, suites()).unwrap();
    acceptance.suites.push("X448".into());
    let refused = finish(&mut initiator, &received(&bob(), &alice(), 10), &acceptance);
    assert_eq!(code(refused), "handshake_downgrade_detected");
}

#[test]
fn proposal_without_a_suite_that_exists_is_refused() {
    let mut other = proposal();
    other.suites = vec!["X448".into()];
    let from_alice = received(&alice(), &bob(), 9);
    let refused = accept(&from_alice, &other, vec!["X448".into()]);
    assert_eq!(code(refused), "handshake_no_common_suite");
    assert_eq!(
        code(accept(&from_alice, &proposal(), vec![])),
        "handshake_no_common_suite"
    );
}

#[test]
fn messages_of_others_are_refused() {
    let carol = Agent::new("carol", 0x77);
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    let (mut responder, acceptance) =
        accept(&received(&alice(), &bob(), 9), &proposal(), suites()).unwrap();
    for answer in [received(&carol, &alice(), 10), received(&bob(), &carol, 10)] {
        let refused = finish(&mut initiator, &answer, &acceptance);
        assert_eq!(code(refused), "handshake_parties_mismatch");
    }
    let for_carol = accept(&received(&alice(), &carol, 9), &proposal(), suites());
    assert_eq!(code(for_carol), "handshake_parties_mismatch");
    let from_bob = accept(&received(&bob(), &bob(), 9), &proposal(), suites());
    assert_eq!(code(from_bob), "handshake_parties_mismatch");
    responder.sent([10; 32]).unwrap();
    let (_, confirmation) =
        finish(&mut initiator, &received(&bob(), &alice(), 10), &acceptance).unwrap();
    let refused = responder.finish(&received(&carol, &bob(), 11), &confirmation, 3000);
    assert_eq!(code(refused), "handshake_parties_mismatch");
}

#[test]
fn static_keys_must_be_those_of_the_two() {
    let carol = Agent::new("carol", 0x77);
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    let (_, acceptance) = accept(&received(&alice(), &bob(), 9), &proposal(), suites()).unwrap();
    let answer = received(&bob(), &alice(), 10);
    let wrong_peer = carol.agreement.public_key();
    let refused = initiator.finish(&answer, &acceptance, &alice().agreement, &wrong_peer, 3000);
    assert_eq!(code(refused), "handshake_confirmation_invalid");
    let peer = bob().agreement.public_key();
    let refused = initiator.finish(&answer, &acceptance, &carol.agreement, &peer, 3000);
    assert_eq!(code(refused), "handshake_confirmation_invalid");
}

#[test]
fn handshake_is_over_after_a_minute() {
    let mut initiator = initiator();
    initiator.sent([9; 32]).unwrap();
    assert_eq!(code(initiator.sent([9; 32])), "handshake_out_of_order");
    let (mut responder, acceptance) =
        accept(&received(&alice(), &bob(), 9), &proposal(), suites()).unwrap();
    responder.sent([10; 32]).unwrap();
    let answer = received(&bob(), &alice(), 10);
    let peer = bob().agreement.public_key();
    let late = initiator.finish(&answer, &acceptance, &alice().agreement, &peer, 61_001);
    assert_eq!(code(late), "handshake_timeout");
    let in_time = initiator.finish(&answer, &acceptance, &alice().agreement, &peer, 61_000);
    let (_, confirmation) = in_time.unwrap();
    let late = responder.finish(&received(&alice(), &bob(), 11), &confirmation, 62_001);
    assert_eq!(code(late), "handshake_timeout");
}

#[test]
fn one_handshake_goes_on_with_each_other_agent() {
    let mut pending = Pending::default();
    pending.propose("b", 0).unwrap();
    assert_eq!(code(pending.propose("b", 60_000)), "handshake_pending");
    pending.propose("b", 60_001).unwrap();
    // Both proposed: the proposal of the one that sorts first stands.
    assert_eq!(code(pending.answer("a", "b", 60_002)), "handshake_pending");
    assert_eq!(pending.answer("c", "b", 60_002), Ok(true));
    assert_eq!(code(pending.answer("c", "b", 60_003)), "handshake_pending");
    pending.end("b");
    assert_eq!(pending.answer("a", "b", 60_003), Ok(false));
    for n in 1..1024 {
        pending.answer("a", &format!("n{n}"), 60_003).unwrap();
    }
    assert_eq!(
        code(pending.answer("a", "one-more", 60_003)),
        "handshake_pending"
    );
}

#[test]
fn bodies_are_read_in_one_spelling_alone() {
    let entries = proposal().to_entries();
    assert_eq!(Proposal::from_entries(&entries), Ok(proposal()));
    for (name, value) in [
        ("hs", "kamn-hs-v2"),
        ("channel_id", " "),
        ("eph", "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        ("hs_nonce", "A1"),
        ("suites", ""),
        ("suites", "a  b"),
        ("suites", "a a"),
        ("kel_head", "xx"),
        ("more", "x"),
    ] {
        let mut other = entries.clone();
        other.insert(name.into(), value.into());
        assert!(Proposal::from_entries(&other).is_err(), "{name}: {value}");
    }
    for name in entries.keys() {
        let mut other = entries.clone();
        other.remove(name);
        assert!(Proposal::from_entries(&other).is_err(), "without {name}");
    }
    let hash = sha256(b"x");
    let confirmation = Confirmation {
        in_reply_to: hash,
        confirm: hash,
    };
    assert!(Acceptance::from_entries(&confirmation.to_entries()).is_err());
    assert!(Confirmation::from_entries(&entries).is_err());
}

#[test]
fn agents_of_other_networks_pass_kamns_checks_in_its_order() {
    let trust_store = BTreeSet::from([("net".to_string(), "did".to_string())]);
    let suites = suites();
    let grows = Advance {
        found: 2,
        last: Some(1),
    };
    let stays = Advance {
        found: 2,
        last: Some(2),
    };
    let good = Facts {
        network: "net",
        did: "did",
        trust_store: &trust_store,
        resolved_seq: Some(0),
        is_signature_verified: true,
        received: 2,
        required: 2,
        nonce: grows,
        partition: grows,
        suites: (&suites, &suites, SUITES[0]),
    };
    assert_eq!(evaluate(&good).reason_code(), "federated_did_handshake_ok");
    // From the last to the first: each hides those after it.
    let mut facts = good;
    let mut spoil = |expected, change: fn(&mut Facts<'_>)| {
        change(&mut facts);
        assert_eq!(evaluate(&facts), expected);
    };
    spoil(Verdict::DowngradeDetected, |f| f.suites.2 = "none");
    facts.partition = stays;
    assert_eq!(evaluate(&facts), Verdict::PartitionReplay);
    facts.nonce = stays;
    assert_eq!(evaluate(&facts), Verdict::NonceReplay);
    let mut spoil = |expected, change: fn(&mut Facts<'_>)| {
        change(&mut facts);
        assert_eq!(evaluate(&facts), expected);
    };
    spoil(Verdict::QuorumShortfall, |f| f.received = 1);
    spoil(Verdict::SignaturePolicyFailed, |f| {
        f.is_signature_verified = false
    });
    spoil(Verdict::ResolverMissing, |f| f.resolved_seq = None);
    spoil(Verdict::TrustStoreMiss, |f| f.did = "other");
    spoil(Verdict::InvalidQuorum, |f| f.required = 0);
    spoil(Verdict::InvalidInput, |f| f.network = " ");
}
