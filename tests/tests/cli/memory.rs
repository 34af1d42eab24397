//! Memory: one owner whoever asks, scopes, forgetting, and what is recalled into a turn.

use serde_json::{Value, json};

use crate::support::{Server, Tau, call, say};

fn texts(json: &Value) -> Vec<&str> {
    let all = json["memories"].as_array().expect("memories");
    all.iter()
        .map(|memory| memory["text"].as_str().expect("a text"))
        .collect()
}

fn search(tau: &Tau, more: &[&str]) -> Value {
    let arguments = [&["memory", "search", "--json"], more].concat();
    tau.tau(&arguments).code(0).json()
}

#[test]
fn what_is_remembered_is_recalled_beside_the_next_prompt_that_it_bears_on() {
    let tau = Tau::new();
    tau.tau(&["memory", "add", "the cat is called Tom"]).code(0);
    let server = Server::new([say("Tom."), say("289"), say("Tom again.")]);
    tau.ask(&server, &["what is my cat called?"])
        .code(0)
        .tells("recalled: ");
    tau.ask(&server, &["compute seventeen squared"]).code(0);
    let asked = server.asked();
    let last = |n: usize| {
        let messages = asked[n].body["messages"].as_array().expect("messages");
        let last = messages.last().expect("a message");
        assert_eq!(last["role"], "user");
        last["content"].as_str().expect("text").to_owned()
    };
    let system = |n: usize| asked[n].body["messages"][0]["content"].to_string();
    assert!(last(0).starts_with("what is my cat called?"), "{}", last(0));
    assert!(last(0).contains("<memory>") && last(0).contains("the cat is called Tom"));
    assert!(!system(0).contains("Tom"), "memory is never system text");
    assert_eq!(last(1), "compute seventeen squared");
    assert_eq!(system(0), system(1), "the prefix stays the same");

    tau.profile("[memory]\nrecall_tokens = 0\n");
    tau.ask(&server, &["what is my cat called?"]).code(0);
    assert!(!server.asked()[2].text.contains("<memory>"));
}

#[test]
fn an_entry_of_one_folder_is_not_seen_from_another() {
    let tau = Tau::new();
    std::fs::create_dir_all(tau.workspace().join("other")).expect("a folder");
    tau.tau(&[
        "memory",
        "add",
        "the password file is green",
        "--scope",
        "workspace",
    ])
    .code(0);
    tau.tau(&["memory", "add", "tea is green"]).code(0);
    assert_eq!(texts(&search(&tau, &["green"])).len(), 2);
    let elsewhere = search(&tau, &["green", "--workspace", "other"]);
    assert_eq!(texts(&elsewhere), ["tea is green"]);
    let one = search(&tau, &["green", "--scope", "agent:reviewer"]);
    assert_eq!(texts(&one), Vec::<&str>::new());
    let server = Server::new([call(&[("recall", json!({"query": "green"}))]), say("Done.")]);
    tau.ask(&server, &["--workspace", "other", "look"]).code(0);
    assert!(!server.asked()[1].text.contains("password"));
    assert!(server.asked()[1].text.contains("tea is green"));
}

#[test]
fn what_is_forgotten_is_gone_for_tool_and_command_and_can_be_had_back() {
    let tau = Tau::new();
    let id = tau
        .tau(&["memory", "add", "tea at four"])
        .code(0)
        .stdout
        .trim()
        .to_owned();
    let server = Server::new([
        call(&[("memory", json!({"action": "forget", "id": id}))]),
        say("Forgotten."),
        call(&[("recall", json!({"query": "tea"}))]),
        say("Nothing."),
    ]);
    tau.ask(&server, &["--yes", "forget it"]).code(0);
    assert_eq!(texts(&search(&tau, &["tea"])), Vec::<&str>::new());
    tau.ask(&server, &["--yes", "look for it"]).code(0);
    assert!(server.asked()[3].text.contains("nothing is remembered"));
    tau.tau(&["memory", "show", &id]).code(2);
    let forgotten = tau.tau(&["memory", "list", "--forgotten", "--json"]);
    assert_eq!(texts(&forgotten.code(0).json()), ["tea at four"]);
    tau.tau(&["memory", "undelete", &id[..6]]).code(0);
    assert_eq!(texts(&search(&tau, &["tea"])), ["tea at four"]);
    tau.tau(&["memory", "rm", "--purge", &id]).code(0);
    tau.tau(&["memory", "undelete", &id]).code(2);
}

#[test]
fn a_rare_token_is_first_and_nonsense_finds_nothing() {
    let tau = Tau::new();
    for n in 0..40 {
        tau.tau(&["memory", "add", &format!("error in part {n} of the linker")])
            .code(0);
    }
    tau.tau(&["memory", "add", "error E0463 in the linker"])
        .code(0);
    let found = search(&tau, &["error E0463"]);
    assert_eq!(texts(&found)[0], "error E0463 in the linker");
    assert_eq!(texts(&search(&tau, &["qwzx vvkk"])), Vec::<&str>::new());
    let explained = tau.tau(&[
        "memory",
        "search",
        "error E0463",
        "--explain",
        "--method",
        "rrf",
    ]);
    explained.code(0);
    let first = &found["memories"][0];
    assert!(first["keyword"]["rank"].is_u64(), "{first}");
    let ranks = ["keyword", "vector"].map(|method| first[method]["rank"].as_f64());
    let sum: f64 = ranks.iter().flatten().map(|rank| 1.0 / (60.0 + rank)).sum();
    let rrf = first["rrf"].as_f64().expect("a score");
    assert!((rrf - sum).abs() < 1e-12, "{first}");
    assert!(
        explained.stdout.contains("words rank 1"),
        "{}",
        explained.stdout
    );
}

#[test]
fn what_is_not_as_it_must_be_says_its_limit() {
    let tau = Tau::new();
    let add = |more: &[&str], told: &str| {
        let arguments = [&["memory", "add"], more].concat();
        tau.tau(&arguments).code(2).tells(told);
    };
    add(&[&"x".repeat(9_000)], "9000 bytes, at most 8192");
    add(&["x", "--namespace", "../.."], "at most 8 parts");
    add(&["x", "--kind", "No Kind"], "1 to 32 of a-z");
    add(&["x", "--importance", "11"], "10, the highest");
    add(&["bell\u{7}"], "U+0007 at character 5");
    add(&["x", "--scope", "../user"], "is no scope");
    let huge = "tea ".repeat(25_000);
    tau.tau_with(&["memory", "add", "-"], huge.as_bytes())
        .code(2)
        .tells("at most 8192");
    tau.tau(&["memory", "search", &huge])
        .code(2)
        .tells("at most 8192");
    tau.tau(&["memory", "show", "../../sessions/x"]).code(2);
    assert_eq!(
        tau.tau(&["memory", "list", "--json"]).code(0).json(),
        json!({"memories": []})
    );
}

#[test]
fn the_same_text_is_kept_once_and_filed_in_its_namespace() {
    let tau = Tau::new();
    let add = |more: &[&str]| {
        let arguments = [&["memory", "add", "--json", "the build needs Rust"], more].concat();
        tau.tau(&arguments).code(0).json()
    };
    let first = add(&["--tag", "build", "--namespace", "projects/tau"]);
    let second = add(&[
        "--tag",
        "rust",
        "--namespace",
        "projects/tau",
        "--kind",
        "fact",
    ]);
    assert_eq!(first["id"], second["id"]);
    assert_eq!(second["tags"], json!(["build", "rust"]));
    let tree = tau.tau(&["memory", "tree", "--json"]).code(0).json();
    let branch = json!({"scope": "user", "namespace": "projects/tau", "entries": 1});
    assert_eq!(tree["tree"], json!([branch]));
    let id = first["id"].as_str().expect("a name");
    tau.tau(&[
        "memory",
        "update",
        id,
        "--text",
        "the build needs Go",
        "--tag",
        "",
    ])
    .code(0);
    let shown = tau.tau(&["memory", "show", id, "--json"]).code(0).json();
    assert_eq!(shown["text"], "the build needs Go");
    assert_eq!(shown.get("tags"), None);
    assert_eq!(texts(&search(&tau, &["go", "--kind", "fact"])).len(), 1);
    assert_eq!(texts(&search(&tau, &["go", "--kind", "event"])).len(), 0);
    tau.tau(&["memory", "reindex"]).code(0);
    assert_eq!(texts(&search(&tau, &["go"])).len(), 1);
}

#[test]
fn a_damaged_index_does_not_fail_a_turn_and_is_told_with_what_mends_it() {
    let tau = Tau::new();
    tau.tau(&["memory", "add", "tea at four"]).code(0);
    let store = rusqlite::Connection::open(tau.store()).expect("a store");
    let change = "UPDATE kv SET value = X'78' WHERE key LIKE 'index/user/head/%'";
    store.execute(change, []).expect("an update");
    drop(store);
    let server = Server::new([say("Hello.")]);
    tau.ask(&server, &["when is tea?"])
        .code(0)
        .tells("nothing is recalled");
    tau.tau(&["memory", "search", "tea"])
        .code(8)
        .tells("tau memory reindex");
    tau.tau(&["memory", "reindex"]).code(0);
    assert_eq!(texts(&search(&tau, &["tea"])), ["tea at four"]);
}

#[test]
fn a_set_of_questions_is_scored() {
    let tau = Tau::new();
    tau.write(
        "set.json",
        r#"{"docs": [{"id": "a", "text": "tea at four"}, {"id": "b", "text": "coffee at five"}],
            "queries": [{"text": "when is tea", "relevant": ["a"]}]}"#,
    );
    let report = tau
        .tau(&["memory", "eval", "set.json", "--json"])
        .code(0)
        .json();
    assert_eq!(report["keyword"]["recall@5"], 1.0);
    assert_eq!(report["fused"]["mrr"], 1.0);
    assert_eq!(
        (&report["docs"], &report["queries"]),
        (&json!(2), &json!(1))
    );
    tau.write("set.json", "{");
    tau.tau(&["memory", "eval", "set.json"]).code(2);
}
