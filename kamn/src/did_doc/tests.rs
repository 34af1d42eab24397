//! The document of a worked example, and every check with a document that fails it.

use alloc::{format, string::String, vec, vec::Vec};
use proptest::prelude::*;

use super::*;
use crate::{
    did::AgentDid,
    jcs::{self, Object},
    kel::{Change, KeyLog},
    keys::KeyTree,
    time::Timestamp,
};

const ALICE: &str = "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9";

fn at(hours: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_770_495_330_123 + hours * 3_600_000).unwrap()
}

fn log() -> KeyLog {
    KeyLog::of_tree("alice", &KeyTree::from_seed(&[0x11; 32]), at(0)).unwrap()
}

fn metadata() -> Metadata {
    Metadata {
        agent_type: "autonomous".into(),
        model_family: "qwen".into(),
        capabilities: vec!["research".into()],
        operator: Some("kamn:did:human:mia".into()),
        key_event_seq: 0,
        key_event_hash: String::new(),
    }
}

fn card() -> Service {
    Service {
        id: "card".into(),
        kind: "A2AAgentCard".into(),
        endpoint: "https://agents.example/alice.json".into(),
    }
}

fn document(form: Form) -> Document {
    of_state(log().state().unwrap(), form, &metadata(), &[card()]).unwrap()
}

#[test]
fn document_has_the_form_of_the_specification() {
    let expected = format!(
        concat!(
            r##"{{"@context":["https://www.w3.org/ns/did/v1.1","https://kamn.network/context/v1"],"##,
            r##""alsoKnownAs":["did:kamn:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9","did:key:z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD"],"##,
            r##""assertionMethod":["{0}#keys-1"],"authentication":["{0}#keys-1"],"capabilityInvocation":["{0}#identity"],"controller":"{0}","id":"{0}","##,
            r##""kamn":{{"agentType":"autonomous","capabilities":["research"],"keyEventHash":"{1}","keyEventSeq":0,"modelFamily":"qwen","operator":"kamn:did:human:mia"}},"##,
            r##""keyAgreement":["{0}#key-agreement-1"],"##,
            r##""service":[{{"id":"{0}#messaging","serviceEndpoint":"kamn://messaging/alice--keyh-85e459682aec9ceefd5b43b739011ac9","type":"KAMNMessaging"}},"##,
            r##"{{"id":"{0}#card","serviceEndpoint":"https://agents.example/alice.json","type":"A2AAgentCard"}}],"##,
            r##""verificationMethod":[{{"controller":"{0}","id":"{0}#identity","publicKeyMultibase":"z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD","type":"Multikey"}},"##,
            r##"{{"controller":"{0}","id":"{0}#keys-1","publicKeyMultibase":"z6MkjdJotaSUcWDQGprX2hXYrE6osHdwofL8E2LSPdhrE11J","type":"Multikey"}},"##,
            r##"{{"controller":"{0}","id":"{0}#key-agreement-1","publicKeyMultibase":"z6LScrEE7WZjLt95KqjHs9n8rvwH5xNef2X1mgu4AFsJbWej","type":"Multikey"}}]}}"##,
        ),
        ALICE,
        crate::bytes::hex(log().state().unwrap().head()),
    );
    let made = document(Form::Native);
    let text = made.value().to_canonical();
    assert_eq!(text, expected);
    assert_eq!(
        Document::read(text.as_bytes(), ALICE, &[]),
        Ok(made.clone())
    );
    assert_eq!(made.check_log(&log()), Ok(()));
    let alias = document(Form::W3c);
    assert_eq!(
        alias.id(),
        "did:kamn:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9"
    );
    assert_eq!(alias.also_known_as()[0], ALICE);
    assert_eq!(alias.check_log(&log()), Ok(()));
    let listed = made.methods_for(Relationship::CapabilityInvocation);
    let ids: Vec<&str> = listed.map(|method| method.id.as_str()).collect();
    assert_eq!(ids, [format!("{ALICE}#identity")]);
}

#[test]
fn document_that_its_log_does_not_yield_is_refused() {
    let stale = document(Form::Native);
    let mut log = log();
    let tree = KeyTree::from_seed(&[0x11; 32]);
    let change = Change::Rotate {
        signing: Some(tree.signing(2).public_key()),
        agreement: None,
    };
    let event = log.next(at(1), change).signed_by(&tree.identity(0));
    log.append(event).unwrap();
    assert_eq!(stale.check_log(&log), Err(Error::NotOfLog));
    let renewed = of_state(log.state().unwrap(), Form::Native, &metadata(), &[card()]).unwrap();
    assert_eq!(renewed.check_log(&log), Ok(()));
    let text = renewed.value().to_canonical();
    assert!(text.contains("#keys-2") && !text.contains("#keys-1"));
    // Another key in the place of one of its own: sound by itself, and none of the log.
    let foreign = text.replace(
        "z6LScrEE7WZjLt95KqjHs9n8rvwH5xNef2X1mgu4AFsJbWej",
        "z6LSobnhQVrS25ahvroBvVoMk2xJ5Z6ttq8YGfEy2LW46cA2",
    );
    let foreign = Document::read(foreign.as_bytes(), ALICE, &[]).unwrap();
    assert_eq!(foreign.check_log(&log), Err(Error::NotOfLog));
    let end = log
        .next(at(2), Change::Deactivate)
        .signed_by(&tree.identity(0));
    log.append(end).unwrap();
    let error = of_state(log.state().unwrap(), Form::Native, &metadata(), &[]).unwrap_err();
    assert_eq!(error.reason_code(), "kel_deactivated");
    assert!(renewed.check_log(&log).is_err());
}

/// What is said of the document with one text in place of another.
fn with(from: &str, to: &str) -> Result<(), &'static str> {
    let text = document(Form::Native).value().to_canonical();
    assert!(text.contains(from), "{from}");
    let read = Document::read(text.replace(from, to).as_bytes(), ALICE, &[]);
    read.map(|_| ()).map_err(|error| error.reason_code())
}

/// What is said of the document with a member set, or taken away.
fn set(name: &str, value: Option<&str>) -> Result<(), &'static str> {
    let made = document(Form::Native);
    let mut object: Object = made.value().as_object().unwrap().clone();
    match value {
        Some(text) => object.set(name, jcs::parse(text.as_bytes(), 4096).unwrap()),
        None => {
            object.remove(name);
        }
    }
    let read = Document::from_value(object.into(), ALICE, &[]);
    read.map(|_| ()).map_err(|error| error.reason_code())
}

#[test]
fn document_that_is_none_is_refused() {
    let keys = format!(r##"["{ALICE}#keys-1"]"##);
    let agreement = format!(r##"["{ALICE}#key-agreement-1"]"##);
    let twice = format!(r##"["{ALICE}#keys-1","{ALICE}#keys-1"]"##);
    let cases = [
        ("id", None, "json_field_missing"),
        (
            "id",
            Some(r#""kamn:did:agent:bob""#),
            "document_subject_mismatch",
        ),
        ("@context", None, "json_field_missing"),
        (
            "@context",
            Some(r#"["https://other.example"]"#),
            "document_invalid",
        ),
        ("@context", Some("[]"), "document_invalid"),
        (
            "controller",
            Some(r#""kamn:did:agent:bob""#),
            "document_invalid",
        ),
        ("alsoKnownAs", Some("[1]"), "document_invalid"),
        ("verificationMethod", None, "json_field_missing"),
        ("verificationMethod", Some("[]"), "document_invalid"),
        ("authentication", None, "document_invalid"),
        ("capabilityInvocation", None, "document_invalid"),
        ("assertionMethod", Some("[]"), "document_invalid"),
        ("assertionMethod", Some("[{}]"), "document_invalid"),
        (
            "assertionMethod",
            Some(r##"["#keys-1"]"##),
            "document_relationship_invalid",
        ),
        (
            "authentication",
            Some(&agreement),
            "document_relationship_invalid",
        ),
        ("keyAgreement", Some(&keys), "document_relationship_invalid"),
        (
            "authentication",
            Some(&twice),
            "document_relationship_invalid",
        ),
        ("service", Some("{}"), "document_invalid"),
        ("kamn", Some("{}"), "json_field_missing"),
        (
            "publicKeyJwk",
            Some(r#"{"d":"x"}"#),
            "document_private_material",
        ),
        ("extra", Some("1"), "json_field_unknown"),
    ];
    for (name, value, code) in cases {
        assert_eq!(set(name, value), Err(code), "{name} {value:?}");
    }
    for absent in [
        "alsoKnownAs",
        "assertionMethod",
        "keyAgreement",
        "service",
        "kamn",
        "controller",
    ] {
        assert_eq!(set(absent, None), Ok(()), "{absent}");
    }
}

#[test]
fn keys_and_services_of_a_document_are_sound() {
    let signing = "z6MkjdJotaSUcWDQGprX2hXYrE6osHdwofL8E2LSPdhrE11J";
    let cases = [
        (signing, "z6Mkey", "key_type_unsupported"),
        (
            signing,
            "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooW0",
            "multibase_invalid",
        ),
        (
            signing,
            "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            "key_type_unsupported",
        ),
        (
            r#""type":"Multikey""#,
            r#""type":"MultikeyV2""#,
            "document_invalid",
        ),
        (
            r#""type":"Multikey""#,
            r#""type":"Multikey","secretKeyMultibase":"z3u2"#,
            "json_syntax_invalid",
        ),
        (
            r#""type":"Multikey""#,
            r#""secretKeyMultibase":"z3u2","type":"Multikey""#,
            "document_private_material",
        ),
        (
            r#""type":"Multikey""#,
            r#""type":"Multikey","more":1"#,
            "json_field_unknown",
        ),
        (
            "#identity\",\"publicKey",
            "#keys-1\",\"publicKey",
            "document_invalid",
        ),
        (
            "#identity\",\"publicKey",
            "\",\"publicKey",
            "document_invalid",
        ),
        (
            "#identity\",\"publicKey",
            "#\",\"publicKey",
            "document_invalid",
        ),
        ("#card", "#messaging", "document_invalid"),
        ("#card", "card", "document_invalid"),
        ("A2AAgentCard", " ", "document_invalid"),
        (
            "https://agents.example",
            "http://agents.example",
            "document_endpoint_invalid",
        ),
        (
            "https://agents.example",
            "https://",
            "document_endpoint_invalid",
        ),
        (
            "https://agents.example",
            "https://a@agents.example",
            "document_endpoint_invalid",
        ),
        (
            "https://agents.example",
            "https://agents example",
            "document_endpoint_invalid",
        ),
        (
            "kamn://messaging/",
            "kamn://Messaging/",
            "document_endpoint_invalid",
        ),
        (
            "kamn://messaging/",
            "https://messaging/",
            "document_endpoint_invalid",
        ),
        (r#"["research"]"#, "[]", "document_invalid"),
        (r#"["research"]"#, r#"[" "]"#, "document_invalid"),
        ("autonomous", "", "document_invalid"),
        ("kamn:did:human:mia", "mia", "did_invalid"),
        (r#""keyEventHash":""#, r#""keyEventHash":"0"#, "hex_invalid"),
    ];
    for (from, to, code) in cases {
        assert_eq!(with(from, to), Err(code), "{from} -> {to}");
    }
    let foreign = format!(r#""controller":"{ALICE}","id":"{ALICE}#keys-1""#);
    let by_bob = foreign.replace(
        &format!(r#""controller":"{ALICE}""#),
        r#""controller":"kamn:did:agent:bob""#,
    );
    assert_eq!(with(&foreign, &by_bob), Err("document_subject_mismatch"));
    let text = document(Form::Native).value().to_canonical();
    let text = text.replace(&foreign, &by_bob);
    let known = Document::read(text.as_bytes(), ALICE, &["kamn:did:agent:bob"]);
    assert!(known.is_ok());
}

#[test]
fn messaging_endpoint_has_one_spelling() {
    let canonical = |text: &str| canonical_endpoint(text).map_err(|error| error.reason_code());
    assert_eq!(
        canonical("  KAMN://MESSAGING/Agent_1  "),
        Ok("kamn://messaging/agent_1".into())
    );
    for refused in [
        "kamn://messaging/a?b",
        "kamn://messaging/a#b",
        "kamn://messaging/a/b",
        "kamn://messaging/",
        "kamn://messaging",
        "kamn:messaging/a",
        "kamn://other/a",
        "https://messaging/a",
        "kamn://messaging/é",
        "kamn://messaging/a b",
    ] {
        assert_eq!(
            canonical(refused),
            Err("document_endpoint_invalid"),
            "{refused}"
        );
    }
    let alice: AgentDid = ALICE.parse().unwrap();
    let made = messaging_endpoint(alice.as_did());
    assert_eq!(canonical(&made), Ok(made.clone()));
}

#[test]
fn channels_with_similar_names_have_other_fragments() {
    // The digits are the beginning of SHA-256 of the name.
    assert_eq!(channel_fragment("a:b"), "a-b-6783a31e");
    assert_eq!(channel_fragment("a/b"), "a-b-c14cddc0");
}

#[test]
fn did_key_is_its_own_document() {
    // Seed 0 of the did:key test vectors.
    let key = crate::SigningKey::from_seed(&[0; 32]).public_key();
    let made = of_did_key(&key).unwrap();
    let did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    assert_eq!(made.id(), did);
    let agreeing: Vec<String> = made
        .methods_for(Relationship::KeyAgreement)
        .map(|method| method.id.clone())
        .collect();
    assert_eq!(
        agreeing,
        [format!(
            "{did}#z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW"
        )]
    );
    for listed in Relationship::ALL {
        assert_eq!(made.methods_for(listed).count(), 1, "{}", listed.name());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        prop_assert!(Document::read(&bytes, ALICE, &[]).is_err());
    }

    #[test]
    fn documents_read_back(kind in "[a-zA-Z]{1,12}", capability in "\\PC{1,20}x", path in "[a-z0-9/._~-]{0,30}") {
        let services = [Service { id: "more".into(), kind, endpoint: format!("https://a.example/{path}") }];
        let metadata = Metadata { capabilities: vec![capability], ..metadata() };
        if services[0].kind != "KAMNMessaging" {
            let made = of_state(log().state().unwrap(), Form::W3c, &metadata, &services).unwrap();
            let text = made.value().to_canonical();
            let read = Document::read(text.as_bytes(), made.id(), &[]).unwrap();
            prop_assert_eq!(read.check_log(&log()), Ok(()));
            prop_assert_eq!(read, made);
        }
    }
}
