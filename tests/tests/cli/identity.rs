//! Who the agent is: signatures that others can check, keys that change, an agent that moves.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};
use rusqlite::Connection;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};
use tau_kamn::{PublicKey, Signature, kel::KeyLog};

use crate::support::{Done, Server, Tau, finish, say};

const PASSPHRASE: &str = "four words of mine";

/// A home with an identity.
fn agent() -> (Tau, String) {
    let tau = Tau::new();
    let did = show(&tau)["did"].as_str().unwrap_or_default().to_owned();
    if did.is_empty() {
        tau.tau(&["identity", "new"]).code(0);
    }
    let did = show(&tau)["did"].as_str().expect("a name").to_owned();
    (tau, did)
}

fn show(tau: &Tau) -> Value {
    tau.tau(&["identity", "show", "--json"]).json()
}

fn sign(tau: &Tau, text: &str) -> Value {
    tau.tau_with(&["identity", "sign", "--json"], text.as_bytes())
        .code(0)
        .json()
}

fn verify(tau: &Tau, text: &str, by: &str, signature: &str, more: &[&str]) -> Done {
    let arguments = ["identity", "verify", "--json", "--by", by, "--signature"];
    let arguments = [&arguments[..], &[signature], more].concat();
    tau.tau_with(&arguments, text.as_bytes())
}

/// Gives `tau` the log of `other`.
fn introduce(tau: &Tau, other: &Tau) -> Done {
    let log = other.tau(&["identity", "export"]).code(0).stdout.clone();
    tau.tau_with(&["identity", "import", "-", "--json"], log.as_bytes())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn another_library_verifies_what_the_agent_signed_and_no_other_key_does() {
    let (tau, did) = agent();
    let signed = sign(&tau, "a challenge: 7f3a");
    assert_eq!(text(&signed, "did"), did);
    let signature = Signature::from_multibase(text(&signed, "signature")).unwrap();
    let bytes = STANDARD.decode(text(&signed, "signed_base64")).unwrap();
    assert_eq!(bytes, b"tau:statement:v1\0a challenge: 7f3a");
    let key = PublicKey::from_multikey(text(&signed, "public_key")).unwrap();
    let of_ring = UnparsedPublicKey::new(&ED25519, key.to_bytes());
    assert!(of_ring.verify(&bytes, &signature.to_bytes()).is_ok());
    assert!(of_ring.verify(&bytes[1..], &signature.to_bytes()).is_err());

    let (other, _) = agent();
    let other_key = text(&sign(&other, "x"), "public_key").to_owned();
    let other_key = PublicKey::from_multikey(&other_key).unwrap();
    let of_other = UnparsedPublicKey::new(&ED25519, other_key.to_bytes());
    assert!(of_other.verify(&bytes, &signature.to_bytes()).is_err());

    // And by Tau itself, which also knows the other's log.
    introduce(&tau, &other).code(0);
    let printed = text(&signed, "signature");
    let base64 = STANDARD.encode(signature.to_bytes());
    for signature in [printed, &base64] {
        let valid = verify(&tau, "a challenge: 7f3a", &did, signature, &[]);
        assert_eq!(valid.code(0).json()["valid"], true);
    }
    let by_other = show(&other)["did"].as_str().unwrap().to_owned();
    for (words, by) in [
        ("a challenge: 7f3b", &did),
        ("a challenge: 7f3a", &by_other),
    ] {
        let refused = verify(&tau, words, by, printed, &[]).code(10).json();
        assert_eq!(refused["reason_code"], "signature_invalid", "{refused}");
    }
    tau.tau_with(&["identity", "sign"], b"kamn:key-event:v1\0{}")
        .code(2);
}

#[test]
fn a_revocation_takes_effect_wherever_the_log_is_known() {
    let (alice, did) = agent();
    let (bob, _) = agent();
    introduce(&bob, &alice).code(0);
    let document = alice.tau(&["identity", "document"]).code(0).stdout.clone();
    bob.write("alice.json", &document);
    let w3c = show(&alice)["w3c"].as_str().unwrap().to_owned();
    let signature = text(&sign(&alice, "words"), "signature").to_owned();
    let by_document = ["--document", "alice.json"];
    verify(&bob, "words", &did, &signature, &[]).code(0);
    verify(&bob, "words", &w3c, &signature, &by_document).code(0);
    // Who knows nothing of alice believes the document alone.
    let (stranger, _) = agent();
    stranger.write("alice.json", &document);
    verify(&stranger, "words", &did, &signature, &[]).code(2);
    verify(&stranger, "words", &w3c, &signature, &by_document).code(0);
    verify(&stranger, "word", &w3c, &signature, &by_document).code(10);

    let revoked = [
        "identity",
        "revoke",
        "keys-1",
        "--reason",
        "laptop stolen",
        "--json",
    ];
    let shown = alice.tau(&revoked).code(0).json();
    assert_eq!(shown["keys"][0]["revoked"]["reason"], "laptop stolen");
    assert_eq!(introduce(&bob, &alice).code(0).json()["learned"], "news");
    let refused = verify(&bob, "words", &did, &signature, &[]).code(10).json();
    assert_eq!(refused["reason_code"], "kel_key_revoked");
    // The document from before says what the log contradicts.
    verify(&bob, "words", &w3c, &signature, &by_document).code(10);
    // The agent goes on with another key, under the same name.
    let signature = text(&sign(&alice, "words"), "signature").to_owned();
    let valid = verify(&bob, "words", &did, &signature, &[]).code(0).json();
    assert_eq!(valid["key_id"], format!("{did}#keys-2"));
    alice.tau(&revoked[..5]).code(2);
}

#[test]
fn keys_change_and_the_name_stays() {
    let (tau, did) = agent();
    let old = text(&sign(&tau, "words"), "signature").to_owned();
    for (flags, events) in [
        (&[][..], 2),
        (&["--identity"][..], 3),
        (&["--identity", "--signing"], 5),
    ] {
        let arguments = [&["identity", "rotate", "--json"][..], flags].concat();
        let shown = tau.tau(&arguments).code(0).json();
        assert_eq!(text(&shown, "did"), did);
        assert_eq!(shown["events"], events);
        let signed = sign(&tau, "words");
        verify(&tau, "words", &did, text(&signed, "signature"), &[]).code(0);
    }
    let refused = verify(&tau, "words", &did, &old, &[]).code(10).json();
    assert_eq!(refused["reason_code"], "kel_key_not_active");
    // Who saw it when it was made still believes it.
    thread::sleep(Duration::from_millis(20));
    verify(
        &tau,
        "words",
        &did,
        &old,
        &["--seen", "2001-01-01T00:00:00Z"],
    )
    .code(10);
    tau.tau(&["identity", "deactivate", "kamn:did:agent:x"])
        .code(2);
    tau.tau(&["identity", "deactivate", &did]).code(0);
    assert_eq!(show(&tau)["standing"], "deactivated");
    tau.tau_with(&["identity", "sign"], b"words").code(4);
}

#[test]
fn the_first_turn_makes_an_identity_and_asks_nobody() {
    let tau = Tau::new();
    let server = Server::new([say("Hello."), say("Again.")]);
    let first = tau.ask(&server, &["hello"]);
    first
        .code(0)
        .tells("the agent's identity: kamn:did:agent:tau--keyh-");
    let shown = show(&tau);
    let second = tau.ask(&server, &["hello"]);
    assert!(
        !second.code(0).stderr.contains("identity"),
        "{}",
        second.stderr
    );
    assert_eq!(show(&tau), shown);
    // Its log is in the store, the seed is nowhere.
    let store = Connection::open(tau.store()).unwrap();
    let log: Vec<u8> = store
        .query_row(
            "SELECT value FROM kv WHERE key = 'identity/log'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let log = KeyLog::read(&log).unwrap();
    assert_eq!(log.state().unwrap().did().as_kamn(), text(&shown, "did"));
}

#[test]
fn the_seed_is_sealed_and_what_protects_it_is_said() {
    let (tau, _) = agent();
    let shown = show(&tau);
    assert_eq!(shown["key_held_by"], "file");
    assert!(text(&shown, "protection").contains("file permissions alone"));
    tau.tau(&["identity", "show"]).code(0);
    let doctor = tau.tau(&["doctor", "--json"]).json();
    let checks = doctor["checks"].as_array().unwrap();
    let row = checks
        .iter()
        .find(|check| check["name"] == "identity")
        .unwrap();
    assert!(text(row, "hint").contains("rekey"), "{row}");
    let mut private = 0;
    for entry in fs::read_dir(tau.home()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("identity") {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
            private += 1;
        }
    }
    assert_eq!(private, 3, "the identity, its key, its lock");

    let sealing = tau.command(["identity", "rekey", "--passphrase", "--json"]);
    let sealed = with_passphrase(sealing).code(0).json();
    assert_eq!(sealed["key_held_by"], "passphrase");
    let keys = tau
        .kept()
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "key"));
    assert_eq!(keys.count(), 0, "the key that was used before is gone");
    tau.tau_with(&["identity", "sign"], b"words")
        .code(4)
        .tells("TAU_PASSPHRASE");
    with_passphrase(tau.command(["identity", "sign", "/dev/null"])).code(0);
    // A turn goes on without, and says so.
    let server = Server::new([say("Hello.")]);
    tau.ask(&server, &["hello"])
        .code(0)
        .tells("nothing is signed");
}

fn with_passphrase(mut command: std::process::Command) -> Done {
    command.env("TAU_PASSPHRASE", PASSPHRASE);
    finish(command.spawn().expect("tau starts"), b"")
}

#[test]
fn an_agent_moves_with_its_passphrase_and_to_nobody_else() {
    let (old, did) = agent();
    let new = Tau::new();
    for tau in [&old, &new] {
        tau.write("pass", PASSPHRASE);
    }
    let export = [
        "identity",
        "export",
        "--secret",
        "--passphrase-file",
        "pass",
    ];
    let packed = old.tau(&export).code(0).stdout.clone();
    old.tau(&export[..3]).code(2);
    assert!(packed.contains("argon2id") && !packed.contains(PASSPHRASE));
    new.write("moving.json", &packed);
    new.write("wrong", "four words of yours");
    let import = |tau: &Tau, more: &[&str]| {
        tau.tau(&[&["identity", "import", "moving.json", "--json"][..], more].concat())
    };
    import(&new, &["--passphrase-file", "wrong"]).code(4);
    new.write(
        "altered.json",
        &packed.replacen("\"seq\": 0", "\"seq\": 1", 1),
    );
    new.tau(&[
        "identity",
        "import",
        "altered.json",
        "--passphrase-file",
        "pass",
    ])
    .code(8);
    new.tau(&["identity", "show"]).code(2);
    import(&new, &["--passphrase-file", "pass"]).code(0);
    assert_eq!(show(&new)["did"], did.as_str());
    let signed = sign(&new, "from the new home");
    verify(
        &old,
        "from the new home",
        &did,
        text(&signed, "signature"),
        &[],
    )
    .code(0);

    // A home that is somebody already is not taken over unasked.
    let (third, its_did) = agent();
    let before = text(&sign(&third, "words"), "signature").to_owned();
    third.write("moving.json", &packed);
    third.write("pass", PASSPHRASE);
    import(&third, &["--passphrase-file", "pass"])
        .code(2)
        .tells("--replace");
    assert_eq!(show(&third)["did"], its_did.as_str());
    import(&third, &["--passphrase-file", "pass", "--replace"]).code(0);
    assert_eq!(show(&third)["did"], did.as_str());
    // What the one before signed is still checked, and it is kept aside.
    verify(&third, "words", &its_did, &before, &[]).code(0);
    let aside = third.kept().into_iter().filter(|(path, bytes)| {
        path.extension().is_some_and(|e| e == "json")
            && String::from_utf8_lossy(bytes).contains(&its_did)
    });
    assert_eq!(aside.count(), 1);
}

#[test]
fn two_stories_of_one_agent_are_seen_and_end_it() {
    let (one, did) = agent();
    let other = Tau::new();
    for tau in [&one, &other] {
        tau.write("pass", PASSPHRASE);
    }
    let packed = one
        .tau(&[
            "identity",
            "export",
            "--secret",
            "--passphrase-file",
            "pass",
        ])
        .code(0)
        .stdout
        .clone();
    other.write("moving.json", &packed);
    other
        .tau(&[
            "identity",
            "import",
            "moving.json",
            "--passphrase-file",
            "pass",
        ])
        .code(0);
    // Both change the keys of one agent, which nobody may who is not it.
    one.tau(&["identity", "rotate"]).code(0);
    thread::sleep(Duration::from_millis(5));
    other.tau(&["identity", "rotate"]).code(0);
    let (friend, _) = agent();
    assert_eq!(introduce(&friend, &one).code(0).json()["learned"], "first");
    let signature = text(&sign(&one, "words"), "signature").to_owned();
    verify(&friend, "words", &did, &signature, &[]).code(0);
    assert_eq!(
        introduce(&friend, &other).code(10).json()["learned"],
        "fork"
    );
    let refused = verify(&friend, "words", &did, &signature, &[]);
    assert_eq!(refused.code(10).json()["reason_code"], "kel_fork_detected");
    assert_eq!(introduce(&friend, &one).code(10).json()["learned"], "fork");
    // The agent itself learns of it, and signs nothing any more.
    assert_eq!(introduce(&one, &other).code(10).json()["learned"], "fork");
    one.tau_with(&["identity", "sign"], b"words").code(4);
    let peers = friend.tau(&["identity", "peers", "--json"]).json();
    assert!(text(&peers["peers"][0], "standing").starts_with("forked"));
    friend.tau(&["identity", "forget", &did]).code(0);
    friend.tau(&["identity", "forget", &did]).code(2);
}

#[test]
fn logs_that_prove_nothing_are_refused_by_name() {
    let (tau, _) = agent();
    let (other, did) = agent();
    let log = other.tau(&["identity", "export"]).code(0).stdout.clone();
    let cases = [
        (log.replacen("\"v\":1", "\"v\":2", 1), "version 2"),
        (
            log.replacen("\"seq\":0", "\"seq\":0,\"seq\":0", 1),
            "more than once",
        ),
        (log.replace(&did, "kamn:did:agent:tau"), "kel_"),
        (
            log.replacen("\"created\":\"20", "\"created\":\"21", 1),
            "kel_signature_invalid",
        ),
        ("[]".into(), "key event log"),
        (String::new(), ""),
    ];
    for (log, why) in cases {
        let refused = tau.tau_with(&["identity", "import", "-"], log.as_bytes());
        refused.code(2).tells(why);
    }
    let peers = tau.tau(&["identity", "peers", "--json"]).json();
    assert_eq!(peers["peers"], serde_json::json!([]));
    let newer = fs::read_to_string(tau.home().join("identity.json")).unwrap();
    let newer = newer.replacen("\"v\": 1", "\"v\": 9", 1);
    fs::write(tau.home().join("identity.json"), newer).unwrap();
    tau.tau(&["identity", "show"]).code(8).tells("format 9");
}

#[test]
fn two_that_make_an_identity_at_once_make_one() {
    let tau = Tau::new();
    let started: Vec<_> = (0..4)
        .map(|_| tau.command(["identity", "new", "--json"]).spawn().unwrap())
        .collect();
    let ended: Vec<Done> = started
        .into_iter()
        .map(|child| finish(child, b""))
        .collect();
    let made = ended.iter().filter(|done| done.code == 0).count();
    assert_eq!(made, 1, "{ended:?}");
    sign(&tau, "words");
    let keys = tau
        .kept()
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "key"));
    assert_eq!(keys.count(), 1);
}

/// Rotations that are killed; spread over the time that a whole one takes.
const KILLS: u64 = 40;

#[test]
fn a_rotation_that_is_killed_leaves_the_keys_before_or_after() {
    let (tau, did) = agent();
    let whole = tau.tau(&["identity", "rotate"]);
    let whole_us = u64::try_from(whole.code(0).took.as_micros()).unwrap();
    let mut events = show(&tau)["events"].as_u64().unwrap();
    let (mut before, mut after) = (0, 0);
    for kill in 0..KILLS {
        let mut child = tau.command(["identity", "rotate"]).spawn().unwrap();
        thread::sleep(Duration::from_micros(whole_us * kill * 5 / (KILLS * 4)));
        child.kill().unwrap();
        finish(child, b"");
        let now = show(&tau)["events"].as_u64().unwrap();
        assert!(now == events || now == events + 1, "{now} after {events}");
        match now == events {
            true => before += 1,
            false => after += 1,
        }
        events = now;
        let signed = sign(&tau, "words");
        verify(&tau, "words", &did, text(&signed, "signature"), &[]).code(0);
    }
    assert!(before > 0 && after > 0, "{before} before, {after} after");
}
