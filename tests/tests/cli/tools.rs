//! Tool calls: what runs, what is asked, what is refused, what the model is told.

use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{Server, Tau, call, say};

/// The results that the model got in its second request, in order.
fn results(server: &Server) -> Vec<String> {
    let asked = server.asked();
    let messages = asked[1].body["messages"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of_tools = messages.iter().filter(|message| message["role"] == "tool");
    of_tools
        .map(|message| message["content"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn statuses(result: &Value) -> Vec<&str> {
    let calls = result["tool_calls"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    calls
        .iter()
        .filter_map(|call| call["status"].as_str())
        .collect()
}

#[test]
fn a_file_of_the_workspace_is_read_and_written() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two\n");
    let server = Server::new([
        call(&[
            ("read", json!({"path": "a.txt"})),
            ("write", json!({"path": "new/b.txt", "content": "written"})),
        ]),
        say("Done."),
    ]);
    let result = tau.ask(&server, &["--json", "copy it"]).code(0).json();
    assert_eq!(statuses(&result), ["ok", "ok"], "{:?}", results(&server));
    assert!(results(&server)[0].contains("forty-two"));
    let written = std::fs::read_to_string(tau.workspace().join("new/b.txt"));
    assert_eq!(written.ok().as_deref(), Some("written"));
}

#[test]
fn files_outside_the_workspace_and_tau_s_own_are_refused() {
    let tau = Tau::new();
    std::fs::write(
        tau.workspace()
            .parent()
            .expect("a parent")
            .join("secret.txt"),
        "hidden",
    )
    .expect("a file outside");
    let server = Server::new([
        call(&[
            ("read", json!({"path": "../secret.txt"})),
            ("write", json!({"path": "../new.txt", "content": "x"})),
            ("read", json!({"path": tau.home().join("tau.db")})),
        ]),
        say("No."),
    ]);
    let result = tau.ask(&server, &["--json", "look around"]).code(0).json();
    assert!(
        statuses(&result).iter().all(|status| *status != "ok"),
        "{result}"
    );
    assert!(!results(&server).concat().contains("hidden"));
    assert!(!tau.workspace().join("../new.txt").exists());
}

#[test]
fn a_program_is_refused_where_nobody_can_be_asked_and_has_no_effect() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[("shell", json!({"command": "touch was-here"}))]),
        say("I may not."),
    ]);
    let done = tau.ask(&server, &["--json", "touch it"]);
    let result = done.code(0).tells("--approve shell").json();
    assert_eq!(statuses(&result), ["denied"]);
    assert!(!tau.workspace().join("was-here").exists());
    assert!(
        results(&server)[0].contains("nobody is there to ask"),
        "{:?}",
        results(&server)
    );
}

#[test]
fn an_approved_program_runs_in_the_workspace() {
    for flag in [
        &["--approve", "shell"][..],
        &["--yes"],
        &["--policy", "permissive"],
    ] {
        let tau = Tau::new();
        let server = Server::new([
            call(&[(
                "shell",
                json!({"command": "touch was-here && echo done it"}),
            )]),
            say("Ran."),
        ]);
        let result = tau
            .ask(&server, &[flag, &["--json", "touch it"]].concat())
            .code(0)
            .json();
        assert_eq!(statuses(&result), ["ok"], "{flag:?}");
        assert!(tau.workspace().join("was-here").exists(), "{flag:?}");
        assert!(results(&server)[0].contains("done it"));
    }
}

#[test]
fn an_approval_does_not_lift_a_denial_of_the_policy() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[("shell", json!({"command": "touch was-here"}))]),
        say("I may not."),
    ]);
    let flags = [
        "--policy",
        "hardened",
        "--yes",
        "--approve",
        "shell",
        "--json",
        "touch it",
    ];
    let result = tau.ask(&server, &flags).code(0).json();
    assert_eq!(statuses(&result), ["denied"]);
    assert!(!tau.workspace().join("was-here").exists());
}

#[test]
fn a_tool_to_approve_that_does_not_exist_is_told() {
    let tau = Tau::new();
    let server = Server::new([]);
    tau.ask(&server, &["--approve", "shel", "x"])
        .code(2)
        .tells("did you mean shell?");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn wrong_arguments_are_told_so_that_they_can_be_mended() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[
            ("read", json!({"path": 7})),
            ("read", json!({})),
            ("read", json!({"path": "a", "colour": "red"})),
            ("read", json!("{\"path\": ")),
            ("raed", json!({"path": "a"})),
        ]),
        say("Sorry."),
    ]);
    let result = tau.ask(&server, &["--json", "read"]).code(0).json();
    assert_eq!(statuses(&result), ["error"; 5]);
    let told = results(&server);
    assert!(
        told[0].contains("path: expected a string, found 7"),
        "{}",
        told[0]
    );
    assert!(told[1].contains("path"), "{}", told[1]);
    assert!(told[2].contains("colour"), "{}", told[2]);
    assert!(told[3].contains("not valid JSON"), "{}", told[3]);
    assert!(told[4].contains("did you mean read?"), "{}", told[4]);
}

#[test]
fn independent_calls_run_at_the_same_time_and_keep_their_order() {
    let tau = Tau::new();
    let sleep = |seconds: &str, name: &str| {
        (
            "shell",
            json!({"command": format!("sleep {seconds} && echo {name}")}),
        )
    };
    let server = Server::new([
        call(&[sleep("1.2", "first"), sleep("1", "second")]),
        say("Done."),
    ]);
    let done = tau.ask(&server, &["--approve", "shell", "--json", "sleep twice"]);
    let result = done.code(0).json();
    assert_eq!(statuses(&result), ["ok", "ok"]);
    let told = results(&server);
    assert!(
        told[0].contains("first") && told[1].contains("second"),
        "{told:?}"
    );
    assert!(done.took < Duration::from_millis(2_100), "{:?}", done.took);
}

#[test]
fn a_call_that_hangs_fails_alone_and_leaves_no_process() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two\n");
    let server = Server::new([
        call(&[
            (
                "shell",
                json!({"command": "sleep 97531 & sleep 97531", "timeout_ms": 500}),
            ),
            ("read", json!({"path": "a.txt"})),
        ]),
        say("One of two."),
    ]);
    let done = tau.ask(&server, &["--approve", "shell", "--json", "go"]);
    let result = done.code(0).json();
    assert_eq!(statuses(&result), ["timed_out", "ok"]);
    assert!(done.took < Duration::from_secs(20), "{:?}", done.took);
    let running = std::process::Command::new("ps")
        .args(["-eo", "args"])
        .output()
        .expect("ps");
    let running = String::from_utf8_lossy(&running.stdout).into_owned();
    assert!(
        !running.lines().any(|line| line.trim() == "sleep 97531"),
        "{running}"
    );
}

#[test]
fn what_a_tool_remembers_is_what_the_command_lists() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[("remember", json!({"text": "the cat is called Tom"}))]),
        say("Noted."),
        call(&[("recall", json!({"query": "what is the cat called"}))]),
        say("Tom."),
    ]);
    tau.ask(&server, &["my cat is called Tom"]).code(0);
    let listed = tau.tau(&["memory", "list", "--json"]).code(0).json();
    assert_eq!(listed["memories"][0]["text"], "the cat is called Tom");
    let id = listed["memories"][0]["id"]
        .as_str()
        .expect("its name")
        .to_owned();
    let searched = tau
        .tau(&["memory", "search", "cat", "--json"])
        .code(0)
        .json();
    assert_eq!(searched["memories"][0]["id"], id.as_str());

    tau.ask(&server, &["what is my cat called?"]).code(0);
    assert!(
        server.asked()[3].text.contains(&id),
        "another session finds the same entry"
    );
    tau.tau(&["memory", "rm", &id]).code(0);
    let listed = tau.tau(&["memory", "list", "--json"]).code(0).json();
    assert_eq!(listed["memories"], json!([]));
}
