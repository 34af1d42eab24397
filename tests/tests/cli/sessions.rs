//! Sessions as they are listed, shown, exported, replayed and shared between processes.

use serde_json::json;
use std::{thread, time::Duration};

use crate::support::{Do, Server, Tau, call, finish, say};

#[test]
fn a_session_is_listed_shown_and_gone_on_with() {
    let tau = Tau::new();
    let server = Server::new([say("First."), say("Second.")]);
    let first = tau.ask(&server, &["--json", "one"]).code(0).json();
    let id = first["session"].as_str().expect("a name");
    let second = tau
        .ask(&server, &["--json", "--session", &id[..6], "two"])
        .code(0)
        .json();
    assert_eq!(
        (&second["session"], &second["turn"]),
        (&json!(id), &json!(2))
    );
    assert!(server.asked()[1].text.contains("First."));

    let listed = tau.tau(&["session", "list", "--json"]).code(0).json();
    assert_eq!(listed["sessions"][0]["title"], "one");
    assert_eq!(listed["sessions"][0]["turns"], 2);
    let shown = tau.tau(&["session", "show", id]);
    for text in ["one", "First.", "two", "Second."] {
        assert!(shown.code(0).stdout.contains(text), "{}", shown.stdout);
    }
}

#[test]
fn an_export_replays_to_its_hash_and_an_edited_record_is_told_at_its_line() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two");
    let server = Server::new([
        call(&[
            ("read", json!({"path": "a.txt"})),
            ("shell", json!({"command": "true"})),
        ]),
        say("Done."),
        say("Again."),
    ]);
    tau.ask(&server, &["look"]).code(0);
    tau.ask(&server, &["--continue", "again"]).code(0);
    let hash = tau.tau(&["session", "show", "--json"]).json()["hash"].clone();
    let file = tau.workspace().join("export.jsonl");
    let file_name = file.display().to_string();
    tau.tau(&["session", "export", "--output", &file_name])
        .code(0);

    let replayed = tau.tau(&["replay", &file_name, "--json"]).code(0).json();
    assert_eq!((&replayed["ok"], &replayed["hash"]), (&json!(true), &hash));
    let asked = server.asked().len();
    let text = std::fs::read_to_string(&file).expect("the export");
    let lines: Vec<&str> = text.lines().collect();
    for place in 1..lines.len() - 1 {
        let edited = lines[place].replacen("\"at\":", "\"at\":1", 1);
        let mut changed = lines.clone();
        changed[place] = &edited;
        let changed = changed.join("\n") + "\n";
        let done = tau.tau_with(&["replay", "-", "--json"], changed.as_bytes());
        let told = done.code(1).json();
        assert_eq!(told["line"], place + 1, "{told}");
    }
    assert_eq!(server.asked().len(), asked, "a replay asks nobody");
}

#[test]
fn a_second_process_is_told_who_has_the_session() {
    let tau = Tau::new();
    let server = Server::new([say("First."), Do::Hang, say("After.")]);
    let first = tau.ask(&server, &["--json", "one"]).code(0).json();
    let id = first["session"].as_str().expect("a name");
    let mut holder = tau.start(&server, &["--session", id, "two"]);
    while server.asked().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    let second = tau.ask(&server, &["--session", id, "three"]);
    second
        .code(9)
        .tells("in use")
        .tells(&holder.id().to_string());
    assert_eq!(second.stdout, "");
    assert_eq!(server.asked().len(), 2, "it asked nobody");

    holder.kill().expect("its end");
    finish(holder, b"");
    let third = tau.ask(&server, &["--session", id, "three"]);
    assert_eq!(third.code(0).tells("unfinished").stdout, "After.\n");
}

#[test]
fn many_processes_at_once_write_sessions_of_their_own() {
    let tau = Tau::new();
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    let running: Vec<_> = (0..8)
        .map(|_| tau.start(&server, &["--json", "hello"]))
        .collect();
    for child in running {
        finish(child, b"").code(0);
    }
    let listed = tau.tau(&["session", "list", "--json"]).code(0).json();
    let sessions = listed["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 8);
    assert!(
        sessions
            .iter()
            .all(|session| session["turns"] == 1 && session["running"] == false)
    );
}

#[test]
fn an_unfinished_turn_goes_on_where_it_was() {
    let tau = Tau::new();
    let server = Server::new([Do::Hang, say("Here it is.")]);
    let mut child = tau.start(&server, &["a story"]);
    while server.asked().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("its end");
    finish(child, b"");
    let done = tau.ask(&server, &["--continue"]);
    assert_eq!(done.code(0).tells("unfinished").stdout, "Here it is.\n");
    assert!(server.asked()[1].text.contains("a story"));
}
