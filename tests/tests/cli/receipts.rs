//! What the agent did, signed: verified in the store, in a file on another machine, and run again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, UnparsedPublicKey};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::{fs, thread, time::Duration};
use tau_kamn::PublicKey;

use crate::support::{Done, Server, Tau, call, say};

/// Copies its arguments.
const ECHO: &str = r#"(func (export "_start") (local $read i32)
  (loop $more
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 1000))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $read (i32.load (i32.const 8)))
    (call $print (i32.const 100) (local.get $read))
    (br_if $more (local.get $read))))"#;

fn reading() -> Server {
    Server::new([call(&[("read", json!({"path": "a.txt"}))]), say("Read.")])
}

/// A home whose agent has read a file in a session.
fn read_once() -> Tau {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    tau.ask(&reading(), &["read it"]).code(0);
    tau
}

fn export(tau: &Tau) -> String {
    let export = ["session", "export", "--receipts"];
    tau.tau(&export).code(0).stdout.clone()
}

fn verify(tau: &Tau, text: &str, more: &[&str]) -> Done {
    tau.tau_with(
        &[&["verify", "-", "--json"], more].concat(),
        text.as_bytes(),
    )
}

fn did(tau: &Tau) -> String {
    let shown = tau.tau(&["identity", "show", "--json"]).code(0).json();
    shown["did"].as_str().expect("a name").to_owned()
}

/// Changes the store as somebody would who has the file.
fn tamper(tau: &Tau, statement: &str) {
    let store = Connection::open(tau.store()).expect("the store");
    let rows = || -> Vec<(String, Vec<u8>)> {
        let mut all = store.prepare("SELECT key, value FROM kv").expect("rows");
        let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        all.expect("rows").map(|row| row.expect("a row")).collect()
    };
    let before = rows();
    store.execute(statement, []).expect("a statement");
    assert_ne!(rows(), before, "{statement} changed nothing");
}

#[test]
fn an_exported_session_is_verified_elsewhere_by_whom_it_was_signed() {
    let tau = read_once();
    let here = tau.tau(&["verify", "--json"]).code(0).json();
    assert_eq!(here["signatures"]["receipts"], 3, "{here}");
    let text = export(&tau);
    let stranger = Tau::new();
    let verified = verify(&stranger, &text, &["--by", &did(&tau)])
        .code(0)
        .json();
    assert_eq!(verified["signatures"]["by"], json!([did(&tau)]));
    assert_eq!(verified["signatures"]["receipts"], 3);
    assert_eq!(verified["signatures"]["unsigned"], 0);
    let other = verify(&stranger, &text, &["--by", "kamn:did:agent:other"]);
    let why = other.code(1).json()["first_bad"]["why"].to_string();
    assert!(why.contains(&did(&tau)), "{why}");
    let plain = tau.tau(&["session", "export"]).code(0).stdout.clone();
    verify(&stranger, &plain, &[]).code(0);
    verify(&stranger, &plain, &["--by", &did(&tau)]).code(1);
    // It is taken over as any export is, and replays.
    tau.tau_with(&["replay", "-"], text.as_bytes()).code(0);
    stranger
        .tau_with(&["session", "import", "-"], text.as_bytes())
        .code(0);
}

#[test]
fn a_changed_line_is_named_whatever_kind_it_is() {
    let tau = read_once();
    let text = export(&tau);
    for (number, line) in (1..).zip(text.lines()) {
        let middle = line.len() / 2;
        let place = (middle..).find(|at| line.as_bytes()[*at].is_ascii_alphanumeric());
        let place = place.expect("a letter");
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        let mut changed = text.clone().into_bytes();
        changed[start + place] ^= 1;
        let changed = String::from_utf8(changed).expect("text");
        let named = verify(&tau, &changed, &[]).code(1).json();
        let named = named["first_bad"]["line"].as_u64();
        let is_end = line.contains(r#""type":"end""#);
        assert!(named == Some(number) || is_end && named.is_some(), "{line}");
    }
}

#[test]
fn another_library_finds_each_receipt_signed_by_the_key_of_the_log() {
    let tau = read_once();
    let text = export(&tau);
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let log = lines.iter().find(|line| line["type"] == "key_log");
    let key = &log.expect("a log")["log"]["events"][0]["signing_key"];
    let key = PublicKey::from_multikey(key.as_str().expect("a key")).expect("a key");
    let key = UnparsedPublicKey::new(&ED25519, key.to_bytes());
    let mut count = 0;
    for line in lines.iter().filter(|line| line["type"] == "receipt") {
        let mut receipt = line["receipt"].clone();
        let sig = receipt.as_object_mut().and_then(|all| all.remove("sig"));
        let sig =
            URL_SAFE_NO_PAD.decode(sig.as_ref().and_then(Value::as_str).expect("a signature"));
        let signed = format!("kamn:receipt:v1\0{receipt}");
        let sig = sig.expect("base64");
        assert!(key.verify(signed.as_bytes(), &sig).is_ok(), "{receipt}");
        assert!(key.verify(&signed.as_bytes()[1..], &sig).is_err());
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn what_is_changed_or_removed_in_the_store_is_named() {
    let row = "key LIKE 'receipt/%/0000000001'";
    let edit =
        "CAST(replace(CAST(value AS TEXT), '\"what\":\"read\"', '\"what\":\"list\"') AS BLOB)";
    for (statement, chain, line) in [
        (
            format!("UPDATE kv SET value = {edit} WHERE {row}"),
            "the receipts of session",
            2,
        ),
        (
            format!("DELETE FROM kv WHERE {row}"),
            "the receipts of session",
            2,
        ),
        ("DELETE FROM kv WHERE key LIKE 'receipt%'".into(), "", 0),
        (
            "DELETE FROM kv WHERE key LIKE 'session%'".into(),
            "session",
            1,
        ),
    ] {
        let tau = read_once();
        tamper(&tau, &statement);
        if chain.is_empty() {
            // Without any, it is an agent that never signed: told, and refused where it is asked for.
            let verified = tau.tau(&["verify", "--json"]).code(0).json();
            assert_eq!(verified["signatures"]["unsigned"], 3);
            tau.tau(&["verify", "--by", &did(&tau)]).code(1);
            continue;
        }
        let bad = tau.tau(&["verify", "--json"]).code(1).json();
        let told = bad["first_bad"]["chain"].as_str().unwrap_or_default();
        assert!(told.starts_with(chain), "{bad}");
        assert_eq!(bad["first_bad"]["line"], line, "{bad}");
    }
}

#[test]
fn a_session_goes_on_with_another_key_and_verifies_as_one() {
    let tau = read_once();
    // A key ends in the millisecond in which the next begins.
    thread::sleep(Duration::from_millis(20));
    tau.tau(&["identity", "rotate"]).code(0);
    tau.ask(&reading(), &["--continue", "once more"]).code(0);
    let verified = tau.tau(&["verify", "--json"]).code(0).json();
    assert_eq!(verified["signatures"]["receipts"], 6, "{verified}");
    let text = export(&tau);
    assert!(text.contains("#keys-1") && text.contains("#keys-2"));
    verify(&Tau::new(), &text, &["--by", &did(&tau)]).code(0);
}

#[test]
fn a_module_that_got_nothing_but_its_input_is_run_again() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    let folder = tau.workspace().join(".tau/tools");
    fs::create_dir_all(&folder).expect("a folder");
    let module = folder.join("parrot.wasm");
    fs::write(&module, tau_test_wasm::module(ECHO).expect("a module")).expect("a module");
    let calls = [
        ("parrot", json!({"any": "thing"})),
        ("read", json!({"path": "a.txt"})),
    ];
    let server = Server::new([call(&calls), say("Done.")]);
    tau.ask(&server, &["--yes", "go"]).code(0);
    let verified = tau.tau(&["verify", "--rerun", "--json"]).code(0).json();
    assert_eq!(verified["rerun"]["same"], 1, "{verified}");
    let others = verified["rerun"]["not_run"].as_object().expect("reasons");
    assert!(
        others.keys().all(|why| why.starts_with("read: ")),
        "{verified}"
    );

    let text = export(&tau);
    assert!(
        text.contains(r#""fuel":"#) && text.contains(r#""module":"#),
        "{text}"
    );
    let again = verify(&tau, &text, &["--rerun"]).code(0).json();
    assert_eq!(again["rerun"]["same"], 1, "{again}");
    // Without the module there is nothing to run.
    fs::remove_file(&module).expect("a module");
    let gone = verify(&tau, &text, &["--rerun"]).code(0).json();
    assert_eq!(gone["rerun"]["same"], 0, "{gone}");
}
