use alloc::{collections::BTreeMap, format};

use proptest::prelude::*;

use super::*;
use crate::{
    crypto::TAG_BYTES,
    testing::{Agent, alice, bob, hex, hex32},
};

fn ephemeral() -> AgreementSecret {
    AgreementSecret::from_bytes(&[0x33; 32])
}

/// `text` from alice to bob, with nonce 1.
fn sealed(text: &[u8]) -> (Agent, Agent, Sealed) {
    let (alice, bob) = (alice(), bob());
    let sealed = seal(
        &Route {
            sender_ref: &alice.key_ref(),
            recipient_ref: &bob.key_ref(),
            nonce: 1,
        },
        &alice.agreement,
        &bob.agreement.public_key(),
        ephemeral(),
        text,
    )
    .unwrap();
    (alice, bob, sealed)
}

#[test]
fn message_for_one_is_the_worked_example() {
    let (alice, bob, sealed) = sealed(b"hello bob");
    assert_eq!(
        sealed.ephemeral.to_bytes(),
        hex32("7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14")
    );
    assert_eq!(
        sealed.ciphertext,
        hex("5ef22e4c958be960183d05b540d2c917954a79318dcf9b5918")
    );
    let (sender_ref, recipient_ref) = (alice.key_ref(), bob.key_ref());
    let route = Route {
        sender_ref: &sender_ref,
        recipient_ref: &recipient_ref,
        nonce: 1,
    };
    assert_eq!(
        nonce24(&route).to_vec(),
        hex("3ccc281038dc5ead3d7a3b5c50d11efb24a01c6e1f9a6fef")
    );
    let key = key_of(
        &route,
        &ephemeral().agree(&bob.agreement.public_key()).unwrap(),
        &alice.agreement.agree(&bob.agreement.public_key()).unwrap(),
        &[
            sealed.ephemeral.to_bytes(),
            alice.agreement.public_key().to_bytes(),
            bob.agreement.public_key().to_bytes(),
        ],
    );
    assert_eq!(
        key.to_vec(),
        hex("96811470adc5147aba42efe549aa198d2b3ebd1f8ea6fca2d2fb5476a945d864")
    );
    let opened = open(
        &route,
        &bob.agreement,
        &alice.agreement.public_key(),
        &sealed,
    )
    .unwrap();
    assert_eq!(opened.as_slice(), b"hello bob");
}

#[test]
fn version_2_is_the_worked_example() {
    use sha2::{Digest, Sha512};
    let seed = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let refs = ["alice", "bob"].map(|name| format!("kamn:did:agent:{name}#key-agreement-1"));
    let secrets = refs.each_ref().map(|key_ref| {
        let mut hash = Sha512::new();
        hash.update(b"kamn:x25519:key-ref:v1:");
        hash.update(hex(seed));
        hash.update(key_ref.as_bytes());
        AgreementSecret::from_bytes(&hash.finalize()[..32].try_into().unwrap())
    });
    let route = Route {
        sender_ref: &refs[0],
        recipient_ref: &refs[1],
        nonce: 7,
    };
    let sealed = v2::seal(&route, &secrets[0], &secrets[1].public_key(), b"hello").unwrap();
    assert_eq!(sealed, hex("a16da3ad2e365293470e3bfae6bb9422012c2f37c0"));
    let opened = v2::open(&route, &secrets[1], &secrets[0].public_key(), &sealed).unwrap();
    assert_eq!(opened.as_slice(), b"hello");
    let other = Route { nonce: 8, ..route };
    assert_eq!(
        v2::open(&other, &secrets[1], &secrets[0].public_key(), &sealed),
        Err(SealError::Tag)
    );
}

#[test]
fn every_changed_bit_of_a_sealed_message_is_refused() {
    let (alice, bob, sealed) = sealed(b"pay 10");
    let (sender_ref, recipient_ref) = (alice.key_ref(), bob.key_ref());
    let route = Route {
        sender_ref: &sender_ref,
        recipient_ref: &recipient_ref,
        nonce: 1,
    };
    let sender = alice.agreement.public_key();
    for bit in 0..sealed.ciphertext.len() * 8 {
        let mut other = sealed.clone();
        other.ciphertext[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            open(&route, &bob.agreement, &sender, &other),
            Err(SealError::Tag)
        );
    }
    for bit in 0..256 {
        let mut bytes = sealed.ephemeral.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let other = Sealed {
            ephemeral: AgreementKey::from_bytes(&bytes).unwrap(),
            ..sealed.clone()
        };
        assert!(
            open(&route, &bob.agreement, &sender, &other).is_err(),
            "bit {bit}"
        );
    }
    for short in 0..sealed.ciphertext.len() {
        let mut other = sealed.clone();
        other.ciphertext.truncate(short);
        assert_eq!(
            open(&route, &bob.agreement, &sender, &other),
            Err(SealError::Tag)
        );
    }
}

#[test]
fn sealed_message_opens_only_on_its_route_and_with_its_keys() {
    let (alice, bob, sealed) = sealed(b"hello");
    let carol = Agent::new("carol", 0x77);
    let (a, b, c) = (alice.key_ref(), bob.key_ref(), carol.key_ref());
    let opened = |sender_ref, recipient_ref, nonce, secret: &AgreementSecret, sender: &Agent| {
        let route = Route {
            sender_ref,
            recipient_ref,
            nonce,
        };
        open(&route, secret, &sender.agreement.public_key(), &sealed).map(|text| text.to_vec())
    };
    assert_eq!(
        opened(&a, &b, 1, &bob.agreement, &alice),
        Ok(b"hello".to_vec())
    );
    for refused in [
        opened(&a, &b, 2, &bob.agreement, &alice),
        opened(&b, &a, 1, &bob.agreement, &alice),
        opened(&c, &b, 1, &bob.agreement, &alice),
        opened(&a, &c, 1, &bob.agreement, &alice),
        opened(&a, &b, 1, &carol.agreement, &alice),
        opened(&a, &b, 1, &bob.agreement, &carol),
        opened(&a, &b, 1, &alice.agreement, &bob),
    ] {
        assert_eq!(refused, Err(SealError::Tag));
    }
}

#[test]
fn nothing_is_sealed_that_could_not_be_told_apart() {
    let (alice, bob) = (alice(), bob());
    let sealed = |sender_ref: &str, nonce, text: &[u8]| {
        let route = Route {
            sender_ref,
            recipient_ref: &bob.key_ref(),
            nonce,
        };
        seal(
            &route,
            &alice.agreement,
            &bob.agreement.public_key(),
            ephemeral(),
            text,
        )
        .map_err(|error| error.reason_code())
    };
    assert_eq!(sealed(&alice.key_ref(), 1, b""), Err("empty_plaintext"));
    assert_eq!(sealed(&alice.key_ref(), 0, b"x"), Err("nonce_invalid"));
    for key_ref in [
        "",
        "#key-agreement-1",
        "kamn:did:agent:a",
        "a|b#key-agreement-1",
        "a #key-agreement-1",
    ] {
        assert_eq!(
            sealed(key_ref, 1, b"x"),
            Err("key_ref_invalid"),
            "{key_ref}"
        );
    }
}

#[test]
fn key_of_small_order_seals_nothing() {
    let (alice, bob) = (alice(), bob());
    let mut one = [0; 32];
    one[0] = 1;
    let route = Route {
        sender_ref: &alice.key_ref(),
        recipient_ref: &bob.key_ref(),
        nonce: 1,
    };
    let weak = AgreementKey::from_bytes(&one).unwrap();
    let refused = seal(&route, &alice.agreement, &weak, ephemeral(), b"x").unwrap_err();
    assert_eq!(refused.reason_code(), "public_key_invalid");
}

fn for_several(agents: &[&Agent]) -> SealedBody {
    let keys: Vec<_> = agents
        .iter()
        .map(|agent| (agent.key_ref(), agent.agreement.public_key()))
        .collect();
    let recipients: Vec<_> = keys
        .iter()
        .map(|(key_ref, key)| Recipient { key_ref, key })
        .collect();
    seal_for(
        &alice().key_ref(),
        3,
        &alice().agreement,
        &recipients,
        ephemeral(),
        Zeroizing::new([0x77; 32]),
        b"to all of you",
    )
    .unwrap()
}

#[test]
fn several_recipients_open_what_nobody_else_can() {
    let (bob, carol, dave) = (bob(), Agent::new("carol", 0x77), Agent::new("dave", 0x78));
    let body = for_several(&[&bob, &carol]);
    let body = SealedBody::from_entries(&body.to_entries()).unwrap();
    let sender = alice().agreement.public_key();
    for agent in [&bob, &carol] {
        let text = open_for(&agent.key_ref(), 3, &agent.agreement, &sender, &body).unwrap();
        assert_eq!(text.as_slice(), b"to all of you");
        let other_number = open_for(&agent.key_ref(), 4, &agent.agreement, &sender, &body);
        assert_eq!(other_number, Err(SealError::Tag));
    }
    let refused = open_for(&dave.key_ref(), 3, &dave.agreement, &sender, &body).unwrap_err();
    assert_eq!(refused.reason_code(), "not_a_recipient");
    let refused = open_for(&bob.key_ref(), 3, &dave.agreement, &sender, &body);
    assert_eq!(refused, Err(SealError::Tag));
}

#[test]
fn taking_a_recipient_out_of_the_list_breaks_the_message_for_all() {
    let (bob, carol) = (bob(), Agent::new("carol", 0x77));
    let mut body = for_several(&[&bob, &carol]);
    body.wraps.remove(&carol.key_ref());
    let sender = alice().agreement.public_key();
    assert_eq!(
        open_for(&bob.key_ref(), 3, &bob.agreement, &sender, &body),
        Err(SealError::Tag)
    );
}

#[test]
fn recipients_are_one_to_the_limit_and_different() {
    let sealed = |recipients: &[Recipient<'_>]| {
        seal_for(
            &alice().key_ref(),
            1,
            &alice().agreement,
            recipients,
            ephemeral(),
            Zeroizing::new([1; 32]),
            b"x",
        )
        .map(|_| ())
    };
    let key = bob().agreement.public_key();
    let key_ref = bob().key_ref();
    let one = Recipient {
        key_ref: &key_ref,
        key: &key,
    };
    assert_eq!(sealed(&[]), Err(SealError::Recipients { found: 0 }));
    assert_eq!(sealed(&[one, one]), Err(SealError::Recipients { found: 1 }));
    assert_eq!(sealed(&[one]), Ok(()));
}

#[test]
fn body_with_anything_else_in_it_is_refused() {
    let (_, _, sealed) = sealed(b"hello");
    let body = SealedBody {
        sender_ref: alice().key_ref(),
        sealed,
        wraps: BTreeMap::new(),
    };
    let entries = body.to_entries();
    assert_eq!(SealedBody::from_entries(&entries), Ok(body));
    for (name, value) in [
        ("task.type", "research"),
        ("ciphertext", "AAA="),
        ("ciphertext", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("epk", "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        ("sender_key_ref", "alice"),
        ("wrap.alice", "AAAA"),
        ("wrap.kamn:did:agent:bob#key-agreement-1", "AAAA"),
    ] {
        let mut other = entries.clone();
        other.insert(name.into(), value.into());
        assert!(SealedBody::from_entries(&other).is_err(), "{name}: {value}");
    }
    for name in entries.keys() {
        let mut other = entries.clone();
        other.remove(name);
        assert!(SealedBody::from_entries(&other).is_err(), "without {name}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(text in prop::collection::vec(any::<u8>(), 1..300), nonce in 1..u64::MAX, seed in any::<[u8; 32]>()) {
        let (alice, bob) = (alice(), bob());
        let (sender_ref, recipient_ref) = (alice.key_ref(), bob.key_ref());
        let route = Route { sender_ref: &sender_ref, recipient_ref: &recipient_ref, nonce };
        let ephemeral = AgreementSecret::from_bytes(&seed);
        let sealed = seal(&route, &alice.agreement, &bob.agreement.public_key(), ephemeral, &text).unwrap();
        prop_assert_eq!(sealed.ciphertext.len(), text.len() + TAG_BYTES);
        let opened = open(&route, &bob.agreement, &alice.agreement.public_key(), &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), text.as_slice());
    }
}

#[test]
fn keys_that_are_elsewhere_seal_and_open_the_same() {
    let (alice, bob, expected) = sealed(b"hello bob");
    let (sender_ref, recipient_ref) = (alice.key_ref(), bob.key_ref());
    let route = Route {
        sender_ref: &sender_ref,
        recipient_ref: &recipient_ref,
        nonce: 1,
    };
    let (a, b) = (alice.agreement.public_key(), bob.agreement.public_key());
    let sender = Static {
        key: &a,
        agreed: &alice.agreement.agree(&b).unwrap(),
    };
    let found = seal_agreed(&route, sender, &b, ephemeral(), b"hello bob").unwrap();
    assert_eq!(found, expected);
    let with_ephemeral = bob.agreement.agree(&found.ephemeral).unwrap();
    let with_sender = bob.agreement.agree(&a).unwrap();
    let opener = Opener {
        key: &b,
        with_ephemeral: &with_ephemeral,
        with_sender: &with_sender,
    };
    let opened = open_agreed(&route, opener, &a, &found).unwrap();
    assert_eq!(opened.as_slice(), b"hello bob");
    let swapped = Opener {
        with_sender: &with_ephemeral,
        with_ephemeral: &with_sender,
        ..opener
    };
    assert_eq!(
        open_agreed(&route, swapped, &a, &found),
        Err(SealError::Tag)
    );
}
