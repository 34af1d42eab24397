//! Decisions that last: what is refused stays so, what was allowed is shown and taken back, and the
//! log of it all cannot be changed unseen.

use rusqlite::Connection;
use serde_json::json;

use crate::support::{Server, Tau, Terminal, call, say};

fn read(tau: &Tau) -> crate::support::Done {
    tau.tau(&["tool", "call", "read", r#"{"path": "a.txt"}"#, "--json"])
}

#[test]
fn calls_over_the_rate_are_refused_with_the_time_to_wait_from_one_process_to_the_next() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    tau.profile("[policy.rates]\ncalls_per_minute = 3\nwhen_exceeded = \"refuse\"\n");
    for _ in 0..3 {
        read(&tau).code(0);
    }
    let refused = read(&tau).code(77).json();
    let reason = refused["refusal"]["reason"].as_str().unwrap_or_default();
    let seconds = reason.rsplit("retry after ").next().unwrap_or_default();
    let seconds: u64 = seconds.trim_end_matches(" s").parse().expect(reason);
    assert!((1..=60).contains(&seconds), "{reason}");
}

#[test]
fn sessions_and_calls_without_one_share_a_minutes_calls() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    tau.profile("[policy.rates]\ncalls_per_minute = 2\nwhen_exceeded = \"refuse\"\n");
    let script = || [call(&[("read", json!({"path": "a.txt"}))]), say("Read.")];
    let server = Server::new(script());
    let first = tau.ask(&server, &["--json", "read it"]).code(0).json();
    assert_eq!(first["tool_calls"][0]["status"], "ok");
    read(&tau).code(0);

    let server = Server::new(script());
    let second = tau.ask(&server, &["--json", "read it"]).code(0).json();
    assert_eq!(second["tool_calls"][0]["status"], "denied");
    let told = &server.asked()[1].text;
    assert!(told.contains("retry after "), "{told}");
    read(&tau).code(77).tells("retry after ");
}

#[test]
fn a_deferred_call_really_waits_for_the_minute_that_another_session_filled() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    tau.profile("[policy.rates]\ncalls_per_minute = 1\nwhen_exceeded = \"defer\"\n");
    read(&tau).code(0);
    let store = Connection::open(tau.store()).expect("the store");
    let head = "SELECT CAST(value AS TEXT) FROM kv WHERE key = 'calls/local'";
    let head: String = store
        .query_row(head, [], |row| row.get(0))
        .expect("a count");
    let mut head: serde_json::Value = serde_json::from_str(&head).expect("JSON");
    // As if the call had begun almost a minute ago.
    let began = head["recent"]["began"][0][0].as_u64().expect("a time");
    head["recent"]["began"][0][0] = (began - 55_000).into();
    store
        .execute(
            "UPDATE kv SET value = CAST(?1 AS BLOB) WHERE key = 'calls/local'",
            [head.to_string()],
        )
        .expect("a count");
    let server = Server::new([call(&[("read", json!({"path": "a.txt"}))]), say("Read.")]);
    let done = tau.ask(&server, &["--json", "read it"]);
    assert_eq!(done.code(0).json()["tool_calls"][0]["status"], "ok");
    assert!(done.took.as_secs() >= 2, "{:?}", done.took);
}

#[test]
fn what_was_decided_outside_a_session_is_logged_and_a_changed_line_is_named() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    read(&tau).code(0);
    tau.tau(&["tool", "call", "shell", r#"{"command": "ls"}"#])
        .code(77);
    read(&tau).code(0);
    let verified = tau.tau(&["verify", "--json"]).code(0).json();
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["first_bad"], json!(null));

    let store = Connection::open(tau.store()).expect("the store");
    // Of a view, SQLite counts no rows.
    store
        .execute(
            "UPDATE kv SET value = CAST(replace(CAST(value AS TEXT), '\"denied\"', '\"run\"') AS BLOB) \
             WHERE key = 'audit/0000000001'",
            [],
        )
        .expect("an audit line");
    let verified = tau.tau(&["verify", "--json"]).code(1).json();
    assert_eq!(verified["first_bad"]["line"], 2);
    assert_eq!(verified["first_bad"]["chain"], "the audit log");
}

#[test]
fn an_exported_session_verifies_until_a_byte_of_it_is_changed() {
    let tau = Tau::new();
    tau.write("a.txt", "text");
    let server = Server::new([call(&[("read", json!({"path": "a.txt"}))]), say("Read.")]);
    tau.ask(&server, &["read it"]).code(0);
    let exported = tau.tau(&["session", "export"]).code(0).stdout.clone();
    let verified = tau.tau_with(&["verify", "-", "--json"], exported.as_bytes());
    assert_eq!(verified.code(0).json()["ok"], true);
    let changed = exported.replacen("read it", "read IT", 1);
    let bad = tau.tau_with(&["verify", "-", "--json"], changed.as_bytes());
    let line = bad.code(1).json()["first_bad"]["line"].as_u64();
    let place = exported.lines().position(|line| line.contains("read it"));
    assert_eq!(line, place.map(|place| place as u64 + 1));

    tau.tau(&["verify"]).code(0);
    let store = Connection::open(tau.store()).expect("the store");
    let cut = "DELETE FROM kv \
               WHERE key = (SELECT max(key) FROM kv WHERE key LIKE 'session/%/journal/%')";
    store.execute(cut, []).expect("a record less");
    tau.tau(&["verify"]).code(1);
}

#[test]
fn what_was_allowed_for_good_is_not_asked_in_the_next_session_until_it_is_taken_back() {
    let tau = Tau::new();
    let rule = "shell: echo hi";
    let script = || {
        [
            call(&[("shell", json!({"command": "echo hi"}))]),
            say("Hi."),
        ]
    };

    let server = Server::new(script());
    let model = [
        "--base-url",
        server.url(),
        "--model",
        "sim",
        "--key-env",
        "SIM_KEY",
    ];
    let arguments = [&["run"], &model[..], &["say hi"]].concat();
    let mut terminal = Terminal::start(&tau, &arguments);
    terminal.shows("a lasting yes would cover: shell: echo hi");
    terminal.shows("[a]lways");
    terminal.types("a\r");
    terminal.shows("Hi.");
    assert_eq!(terminal.ends(), 0);

    let server = Server::new(script());
    let result = tau.ask(&server, &["--json", "say hi"]).code(0).json();
    assert_eq!(result["tool_calls"][0]["status"], "ok");
    let shown = tau.tau(&["policy", "grants", "--json"]).code(0).json();
    assert_eq!(shown["grants"][0]["rule"], rule);

    tau.tau(&["policy", "revoke", "shell: echo h"])
        .code(2)
        .tells(rule);
    tau.tau(&["policy", "revoke", rule]).code(0);
    let server = Server::new(script());
    let result = tau.ask(&server, &["--json", "say hi"]).code(0).json();
    assert_eq!(result["tool_calls"][0]["status"], "denied");
}
