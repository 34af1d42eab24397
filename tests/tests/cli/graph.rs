//! Moving in a session from the command line: undo, redo, branches, merges, names.

use serde_json::{Value, json};

use crate::support::{Server, Tau, call, say};

/// A session of one turn for each answer; its name.
fn talk(tau: &Tau, server: &Server, prompts: &[&str]) -> String {
    let first = tau.ask(server, &["--json", prompts[0]]).code(0).json();
    for prompt in &prompts[1..] {
        tau.ask(server, &["--continue", prompt]).code(0);
    }
    first["session"].as_str().expect("a name").into()
}

fn json(tau: &Tau, arguments: &[&str]) -> Value {
    let all = [&["session"], arguments, &["--json"]].concat();
    tau.tau(&all).code(0).json()
}

#[test]
fn an_undo_is_one_turn_back_and_the_model_is_not_told_of_it() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second."), say("Third.")]);
    talk(&tau, &server, &["one", "two"]);
    let done = tau.tau(&["session", "undo"]);
    assert!(
        done.code(0).stdout.contains("turn 1: First."),
        "{}",
        done.stdout
    );
    done.tells("what tools did outside is not undone");
    // In another process: the place is stored.
    tau.ask(&server, &["--continue", "three"]).code(0);
    let asked = server.asked()[2].text.clone();
    assert!(
        asked.contains("First.") && !asked.contains("Second."),
        "{asked}"
    );
    let branches = json(&tau, &["branch"])["branches"].clone();
    let lines: Vec<_> = branches.as_array().expect("a list").iter().collect();
    assert_eq!(lines.len(), 2, "the old one is kept: {branches}");
    assert_eq!(
        (&lines[0]["line"], &lines[1]["line"]),
        (&json!("Second."), &json!("Third."))
    );
    assert_eq!(lines[1]["current"], true);
}

#[test]
fn a_redo_brings_back_what_was_undone_until_something_is_said() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second."), say("Third.")]);
    let id = talk(&tau, &server, &["one", "two"]);
    let before = json(&tau, &["show"])["entries"].clone();
    let undone = json(&tau, &["undo", "--turns", "2"]);
    assert_eq!(
        (&undone["head"], &undone["can_redo"]),
        (&Value::Null, &json!(true))
    );
    json(&tau, &["redo", &id[..6]]);
    let redone = json(&tau, &["redo"]);
    assert_eq!(redone["can_redo"], false);
    assert_eq!(json(&tau, &["show"])["entries"], before);
    tau.tau(&["session", "redo"])
        .code(2)
        .tells("nothing to redo");
    let refused = tau.tau(&["session", "undo", "--turns", "3"]);
    refused.code(2).tells("nothing to undo");
    assert_eq!(json(&tau, &["show"])["entries"], before, "all or nothing");
}

#[test]
fn branches_are_begun_switched_to_and_merged_by_name() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second."), say("Third."), say("Fourth.")]);
    let id = talk(&tau, &server, &["one"]);
    tau.tau(&["session", "branch", "try"]).code(0);
    tau.ask(&server, &["--continue", "two"]).code(0);
    let switched = tau.tau(&["session", "switch", "main"]);
    assert!(
        switched.code(0).stdout.contains("on branch main"),
        "{}",
        switched.stdout
    );
    tau.ask(&server, &["--continue", "three"]).code(0);
    let merged = json(&tau, &["merge", "try", "--session", &id]);
    assert_eq!(
        (&merged["branch"], &merged["messages"]),
        (&json!("main"), &json!(6))
    );
    tau.tau(&["session", "merge", "try"])
        .code(2)
        .tells("nothing to merge");
    tau.ask(&server, &["--continue", "four"]).code(0);
    let asked = server.asked()[3].text.clone();
    for text in ["First.", "Third.", "Second."] {
        assert!(asked.contains(text), "{asked}");
    }
    tau.tau(&["session", "bookmark", "here"]).code(0);
    tau.tau(&["session", "rename", "A talk in numbers"]).code(0);
    let listed = json(&tau, &["list"]);
    assert_eq!(listed["sessions"][0]["title"], "A talk in numbers");
    tau.tau(&["session", "bookmark", "here", "--delete"])
        .code(0);
    assert_eq!(json(&tau, &["bookmark"])["bookmarks"], json!([]));
    tau.tau(&["session", "branch", "main"])
        .code(2)
        .tells("given already");
    tau.tau(&["session", "switch", "nowhere"])
        .code(2)
        .tells("nowhere");
}

#[test]
fn the_graph_is_shown_in_four_formats() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second."), say("Third.")]);
    talk(&tau, &server, &["one", "two"]);
    tau.tau(&["session", "undo"]).code(0);
    tau.ask(&server, &["--continue", "three"]).code(0);
    let graph = json(&tau, &["graph"]);
    let entries = graph["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[4]["parent"], entries[1]["id"]);
    let text = tau.tau(&["session", "graph"]).code(0).stdout.clone();
    assert!(text.contains("│ ○") && text.contains("(after"), "{text}");
    let format = |name: &str| {
        tau.tau(&["session", "graph", "--format", name])
            .code(0)
            .stdout
            .clone()
    };
    assert_eq!(format("mermaid").matches("-->").count(), 5);
    assert_eq!(format("dot").matches("->").count(), 5);
}

#[test]
fn a_session_with_an_unfinished_turn_is_not_moved_in() {
    let tau = Tau::new();
    let server = Server::new([say("First."), crate::support::Do::Hang]);
    talk(&tau, &server, &["one"]);
    let mut child = tau.start(&server, &["--continue", "two"]);
    while server.asked().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    tau.tau(&["session", "undo"]).code(9).tells("in use");
    child.kill().expect("its end");
    crate::support::finish(child, b"");
    tau.tau(&["session", "undo"]).code(2).tells("unfinished");
}

#[test]
fn the_agent_takes_its_last_steps_back_within_the_same_run() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two");
    let server = Server::new([
        call(&[("read", json!({"path": "a.txt"}))]),
        call(&[("undo", json!({}))]),
        say("Never mind."),
    ]);
    tau.ask(&server, &["look"]).code(0).tells("took back");
    let asked = server.asked();
    assert!(asked[1].text.contains("forty-two"));
    assert!(!asked[2].text.contains("forty-two"), "{}", asked[2].text);
    assert!(asked[2].text.contains("look"));
    let exported = tau.tau(&["session", "export"]).code(0).stdout.clone();
    assert!(exported.contains("forty-two"), "nothing is deleted");
    tau.tau_with(&["replay", "-"], exported.as_bytes()).code(0);
}

#[test]
fn a_conversation_is_branched_and_merged_while_it_is_held() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second."), say("Third.")]);
    let arguments = [
        "chat",
        "--base-url",
        server.url(),
        "--model",
        "sim",
        "--key-env",
        "SIM_KEY",
    ];
    let typed =
        "one\n/branch try\ntwo\n/switch main\nthree\n/merge try\n/graph\n/branch\n/undo\n/quit\n";
    let done = tau.tau_with(&arguments, typed.as_bytes());
    done.code(0);
    for told in ["on branch try", "on branch main", "what tools did outside"] {
        done.tells(told);
    }
    let graph = json(&tau, &["graph"]);
    assert_eq!(graph["entries"].as_array().map(Vec::len), Some(8));
}
