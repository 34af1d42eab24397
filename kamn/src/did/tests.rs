//! Figures of KAMN's own check values and of the did:key test vectors.

use alloc::{format, string::ToString};
use proptest::prelude::*;

use super::*;
use crate::key::{PublicKey, SigningKey};

const ALICE: &str = "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9";
const ALICE_KEY: &str = "z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD";
const BOB: &str = "kamn:did:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e";
const BOB_KEY: &str = "z6MkuCapRGjZKicf96KZYhZrqR7us7SpfmDsL43Vx8NwqF2q";

fn key(multikey: &str) -> PublicKey {
    PublicKey::from_multikey(multikey).unwrap()
}

#[test]
fn agent_did_is_bound_to_its_identity_key() {
    for (did, label, multikey) in [(ALICE, "alice", ALICE_KEY), (BOB, "bob", BOB_KEY)] {
        let made = AgentDid::new(label, &key(multikey)).unwrap();
        assert_eq!(made.as_kamn(), did);
        assert_eq!(made.label(), label);
        assert_eq!(did.parse(), Ok(made.clone()));
        assert!(made.is_bound_to(&key(multikey)));
    }
    let alice: AgentDid = ALICE.parse().unwrap();
    assert!(!alice.is_bound_to(&key(BOB_KEY)));
}

#[test]
fn did_without_a_whole_fingerprint_is_bound_to_nothing() {
    let cases = [
        ("alice", "alice"),
        ("alice--keyh-85e4", "alice--keyh-85e4"),
        (
            "--keyh-85e459682aec9ceefd5b43b739011ac9",
            "--keyh-85e459682aec9ceefd5b43b739011ac9",
        ),
        // Only the last mark counts.
        (
            "a--keyh-85e459682aec9ceefd5b43b739011ac9--keyh-x",
            "a--keyh-85e459682aec9ceefd5b43b739011ac9--keyh-x",
        ),
        (
            "a--keyh-g5e459682aec9ceefd5b43b739011ac9",
            "a--keyh-g5e459682aec9ceefd5b43b739011ac9",
        ),
    ];
    for (id, label) in cases {
        let did: AgentDid = format!("kamn:did:agent:{id}").parse().unwrap();
        assert_eq!(did.fingerprint(), None, "{id}");
        assert_eq!(did.label(), label);
        assert!(!did.is_bound_to(&key(ALICE_KEY)));
    }
    let nested = "kamn:did:agent:a--keyh-b--keyh-85e459682aec9ceefd5b43b739011ac9";
    let nested: AgentDid = nested.parse().unwrap();
    assert_eq!(nested.label(), "a--keyh-b");
    assert!(nested.is_bound_to(&key(ALICE_KEY)));
}

#[test]
fn native_form_and_w3c_alias_turn_into_each_other() {
    let alice: AgentDid = ALICE.parse().unwrap();
    let alias = "did:kamn:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9";
    assert_eq!(alice.as_w3c(), alias);
    assert_eq!(AgentDid::parse_any(alias), Ok(alice.clone()));
    assert_eq!(AgentDid::parse_any(ALICE), Ok(alice));
    // Where the native form is wanted the alias is not taken for it.
    assert!(alias.parse::<AgentDid>().is_err());
}

#[test]
fn did_of_another_role_is_no_agent() {
    let human: KamnDid = "kamn:did:human:mia".parse().unwrap();
    assert_eq!((human.role(), human.id()), (Role::Human, "mia"));
    let error = AgentDid::try_from(human).unwrap_err();
    assert_eq!(error.reason_code(), "did_invalid");
}

#[test]
fn malformed_dids_are_refused_with_a_code() {
    let long = format!("kamn:did:agent:{}", "a".repeat(129));
    let cases = [
        ("", "did_invalid"),
        ("kamn:did:agent", "did_invalid"),
        ("kamn:did:agent:", "did_invalid"),
        ("kamn:did:agent:a:b", "did_invalid"),
        ("kamn:did:agent:Alice", "did_invalid"),
        ("kamn:did:agent:a b", "did_invalid"),
        (" kamn:did:agent:a", "did_invalid"),
        ("kamn:did:agent:a\n", "did_invalid"),
        ("KAMN:did:agent:a", "did_invalid"),
        ("kamn:did:agent:ａ", "did_invalid"),
        ("kamn:did:root:a", "did_role_unknown"),
        (long.as_str(), "did_invalid"),
    ];
    for (did, code) in cases {
        let error = did.parse::<AgentDid>().unwrap_err();
        assert_eq!(error.reason_code(), code, "{did}");
    }
}

#[test]
fn label_that_would_blur_the_binding_is_refused() {
    let long = "a".repeat(90);
    for label in ["", "Alice", "a:b", "a--keyh-b", "é", &long] {
        let error = AgentDid::new(label, &key(ALICE_KEY)).unwrap_err();
        assert_eq!(error.reason_code(), "did_label_invalid", "{label}");
    }
    let longest = AgentDid::new(&long[1..], &key(ALICE_KEY)).unwrap();
    assert_eq!(longest.as_did().id().len(), ID_LIMIT_BYTES);
    assert_eq!(longest.as_kamn().parse(), Ok(longest));
}

#[test]
fn did_keys_of_known_seeds_are_those_of_the_method() {
    let cases = [
        (
            0,
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
        ),
        (
            1,
            "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG",
        ),
        (
            4,
            "did:key:z6MkwW6aqMnjgrhJXFUko3NnZPGzVpkNzhYK7yEhnsibmLwL",
        ),
    ];
    for (last, expected) in cases {
        let mut seed = [0; 32];
        seed[31] = last;
        let made = DidKey::Ed25519(SigningKey::from_seed(&seed).public_key());
        assert_eq!(made.to_string(), expected);
        assert_eq!(expected.parse(), Ok(made));
    }
    let agreement = "did:key:z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW";
    let read: DidKey = agreement.parse().unwrap();
    assert!(matches!(read, DidKey::X25519(_)));
    assert_eq!(read.to_string(), agreement);
}

#[test]
fn fragment_of_a_did_key_repeats_its_key() {
    let url = format!("did:key:{ALICE_KEY}#{ALICE_KEY}");
    let read = DidKey::parse_url(&url).unwrap();
    assert_eq!(read.to_url(), url);
    assert!(DidKey::parse_url(&format!("did:key:{ALICE_KEY}#{BOB_KEY}")).is_err());
    assert!(DidKey::parse_url(&format!("did:key:{ALICE_KEY}")).is_err());
}

#[test]
fn other_keys_and_other_texts_are_no_did_key() {
    let cases = [
        (
            "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            "key_type_unsupported",
        ),
        (
            "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
            "key_type_unsupported",
        ),
        (
            "did:key:z4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS",
            "key_type_unsupported",
        ),
        (
            "did:key:z2DQVsnzKoPrzWGGeSt3PXeA8HH4gfaP66XgS4nugS6VH3P",
            "length_invalid",
        ),
        (
            "did:key:zQebwxbUfKbDPuAUmUde1kQpEDcqfXph2kNM8d9ABdCBXaJcX",
            "length_invalid",
        ),
        (
            "did:key:z16MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "key_type_unsupported",
        ),
        (
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooW0",
            "multibase_invalid",
        ),
        (
            "did:key:u6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "multibase_invalid",
        ),
        (
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp ",
            "multibase_invalid",
        ),
        (
            "did:key:z６MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "multibase_invalid",
        ),
        ("did:key:", "multibase_invalid"),
        ("did:key:z", "multibase_invalid"),
        (
            "did:KEY:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "did_invalid",
        ),
        (
            "did:web:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "did_invalid",
        ),
    ];
    for (did, code) in cases {
        let error = did.parse::<DidKey>().unwrap_err();
        assert_eq!(error.reason_code(), code, "{did}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn printed_dids_read_back(label in "[a-z0-9_-]{1,89}", seed: [u8; 32]) {
        prop_assume!(!label.contains("--keyh-"));
        let identity = SigningKey::from_seed(&seed).public_key();
        let did = AgentDid::new(&label, &identity).unwrap();
        prop_assert_eq!(did.label(), label);
        prop_assert_eq!(did.as_kamn().parse(), Ok(did.clone()));
        prop_assert_eq!(AgentDid::parse_any(&did.as_w3c()), Ok(did));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "(kamn:did:|did:kamn:|did:key:z?)?\\PC{0,80}") {
        let _ = KamnDid::parse_any(&text);
        let _ = AgentDid::parse_any(&text);
        let _ = text.parse::<DidKey>();
        let _ = DidKey::parse_url(&text);
    }
}
