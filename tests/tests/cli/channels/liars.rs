//! Modules that lie, and what is believed of them: nothing, and nothing is stored.

use serde_json::{Value, json};
use std::fs;

use super::chat::Person;
use crate::support::Server;

const PRELUDE: &str = include_str!("../../../wasm/corpus/prelude.wat");

fn module(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {PRELUDE} {fields})")).expect("a module")
}

/// Says `text`, whatever it is asked.
pub(super) fn prints(text: &str) -> Vec<u8> {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    let pages = length / 65_536 + 2;
    module(&format!(
        r#"(func (export "_start")
             (drop (memory.grow (i32.const {pages})))
             (memory.init $text (i32.const 70000) (i32.const 0) (i32.const {length}))
             (call $print (i32.const 70000) (i32.const {length})))
           (data $text "{escaped}")"#
    ))
}

fn runs(body: &str) -> Vec<u8> {
    module(&format!("(func (export \"_start\") {body})"))
}

fn put(person: &Person, module: &[u8], limits: &Value) {
    let folder = person.tau.workspace().join(".tau/tools");
    fs::create_dir_all(&folder).expect("a folder");
    let manifest = json!({
        "name": "liar", "description": "Lies.", "kind": "channel", "limits": limits,
    });
    fs::write(folder.join("liar.wasm"), module).expect("a module");
    fs::write(folder.join("liar.json"), manifest.to_string()).expect("a manifest");
    person
        .tau
        .tau(&["tool", "approve", "liar", "--yes"])
        .code(0);
}

/// All that is kept of channels.
fn kept(person: &Person) -> String {
    let list = ["channel", "list", "--json"];
    person.tau.tau(&list).code(0).stdout.clone()
}

fn message(id: &str, text: &str) -> Value {
    json!({"id": id, "from": "anna", "conversation": "room", "text": text})
}

#[test]
fn a_module_that_lies_is_told_from_one_that_does_not_and_nothing_of_it_counts() {
    let person = Person::new();
    person
        .tau
        .tau(&["channel", "allow", "liar", "anna"])
        .code(0);
    let model = Server::new([]);
    let good = message("1", "hello");
    let many: Vec<Value> = (0..33).map(|n| message(&n.to_string(), "hello")).collect();
    let named = |name: &str| {
        let mut message = good.clone();
        message["from"] = name.into();
        json!({"messages": [good, message], "state": null}).to_string()
    };
    let whole = |answer: Value| answer.to_string();
    for (module, limits, told) in [
        (prints(""), json!({}), "the answer is not JSON"),
        (
            prints(&"[".repeat(5_000)),
            json!({}),
            "the answer is not JSON",
        ),
        (
            prints(r#"{"sent": true}"#),
            json!({}),
            "messages is missing",
        ),
        (
            prints(&whole(json!({"messages": [good]}))),
            json!({}),
            "state is missing",
        ),
        (
            prints(&whole(
                json!({"messages": [good], "state": null, "model": "x"}),
            )),
            json!({}),
            "no field \"model\"",
        ),
        (
            prints(&whole(json!({"messages": many, "state": null}))),
            json!({}),
            "33 messages, at most 32",
        ),
        (
            prints(&whole(
                json!({"messages": [good], "state": "x".repeat(5_000)}),
            )),
            json!({}),
            "state has 5002 bytes",
        ),
        (prints(&named("an\u{202e}na")), json!({}), "U+202E"),
        (
            prints(&named(&"x".repeat(300))),
            json!({}),
            "from has 300 bytes",
        ),
        (
            prints(&whole(
                json!({"messages": [message("1", &"x".repeat(600_000))], "state": null}),
            )),
            json!({}),
            "at most 524288 are read",
        ),
        (
            prints(&whole(
                json!({"error": {"reason": "the key is wrong", "retry_after_ms": 5}}),
            )),
            json!({}),
            "the key is wrong",
        ),
        (runs("unreachable"), json!({}), "liar was ended"),
        (runs("(loop $l (br $l))"), json!({"fuel": 100_000}), "fuel"),
        (
            runs("(loop $l (br $l))"),
            json!({"fuel": u64::MAX, "wall_ms": 200}),
            "deadline (limits.wall_ms = 200)",
        ),
        (
            runs("(loop $l (call $print (i32.const 0) (i32.const 1000)) (br $l))"),
            json!({"output_bytes": 5_000}),
            "output (limits.output_bytes = 5000)",
        ),
    ] {
        put(&person, &module, &limits);
        person
            .run_channel("liar", &model, &["--once"])
            .code(1)
            .tells("liar cannot receive")
            .tells(told);
    }
    assert!(model.asked().is_empty());
    let all = kept(&person);
    assert!(
        !all.contains("\"unanswered\":1") && all.contains("\"strangers\":[]"),
        "{all}"
    );
}

#[test]
fn an_answer_that_is_called_sent_and_is_not_is_kept_and_an_endless_crowd_costs_nothing() {
    let person = Person::new();
    let model = Server::new([]);
    // The same thirty strangers for ever: told once, and it never learns to send.
    let crowd: Vec<Value> = (0..30)
        .map(|n| json!({"id": format!("m{n}"), "from": format!("s{n}"), "conversation": "c", "text": "x"}))
        .collect();
    let answer = json!({"messages": crowd, "state": null}).to_string();
    put(&person, &prints(&answer), &json!({}));
    let done = person.run_channel("liar", &model, &["--once"]);
    done.code(1).tells("liar cannot send: sent is missing");
    let all = person
        .tau
        .tau(&["channel", "list", "--json"])
        .code(0)
        .json();
    let channels = all["channels"].as_array().cloned().unwrap_or_default();
    let liar = channels.iter().find(|channel| channel["name"] == "liar");
    let liar = liar.unwrap_or_else(|| panic!("{all}"));
    assert_eq!(liar["unsent"], 5, "{liar}");
    assert_eq!(liar["strangers"].as_array().map(Vec::len), Some(30));
    person
        .tau
        .tau(&["channel", "forget", "liar", "--all"])
        .code(0);
    let all = person
        .tau
        .tau(&["channel", "list", "--json"])
        .code(0)
        .stdout
        .clone();
    assert!(!all.contains("\"s7\""), "{all}");
    assert!(model.asked().is_empty());
}
