//! An import or a merge that is killed, anywhere, is done or not begun.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::{Server, Tau, finish, say};

/// Kills of each kind.
const KILLS: u32 = 40;

fn sound(tau: &Tau) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let store = Connection::open_with_flags(tau.store(), flags).expect("the file opens");
    let check = store.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(check.expect("a check"), "ok");
}

/// Starts `tau` and kills it after the `nth` part of what a whole run takes.
fn killed(tau: &Tau, arguments: &[&str], whole: Duration, nth: u32) {
    let mut child = tau.command(arguments).spawn().expect("tau starts");
    // A little more than a whole run, so that some are through.
    thread::sleep(whole * nth * 5 / (KILLS * 4));
    // Gone already is as good.
    let _ = child.kill();
    finish(child, b"");
}

fn list(tau: &Tau, arguments: &[&str]) -> Value {
    tau.tau(arguments).code(0).json()
}

#[test]
fn an_import_that_is_killed_left_all_of_it_or_nothing() {
    let tau = Tau::new();
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    for _ in 0..6 {
        tau.ask(&server, &["hello"]).code(0);
    }
    for number in 0..40 {
        tau.tau(&["memory", "add", &format!("fact {number}")])
            .code(0);
    }
    let file = tau.workspace().join("all.jsonl").display().to_string();
    tau.tau(&["session", "export", "--all", "-o", &file])
        .code(0);
    let import = ["session", "import", file.as_str(), "--own", "--json"];
    let started = Instant::now();
    Tau::new().tau(&import).code(0);
    let whole = started.elapsed();

    let (mut none, mut all) = (0, 0);
    for nth in 0..KILLS {
        let other = Tau::new();
        killed(&other, &import, whole, nth);
        let sessions = list(&other, &["session", "list", "--json"])["sessions"].clone();
        let memories = list(&other, &["memory", "list", "--json"])["memories"].clone();
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        match (count(&sessions), count(&memories)) {
            (0, 0) => none += 1,
            (6, 40) => all += 1,
            part => panic!("{part:?} after kill {nth}"),
        }
        sound(&other);
        let report = list(&other, &import);
        let sessions = report["sessions"].as_array().expect("sessions").iter();
        assert_eq!(
            sessions
                .filter(|session| session["outcome"] == "new")
                .count()
                % 6,
            0
        );
    }
    assert!(none > 0 && all > 0, "{none} before it, {all} after it");
}

#[test]
fn a_merge_that_is_killed_left_all_of_it_or_nothing() {
    let tau = Tau::new();
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    tau.ask(&server, &["one"]).code(0);
    tau.tau(&["session", "branch", "try"]).code(0);
    tau.ask(&server, &["--continue", "two"]).code(0);
    tau.tau(&["session", "switch", "main"]).code(0);
    let merge = ["session", "merge", "try", "--json"];
    let started = Instant::now();
    let merged = list(&tau, &merge);
    let whole = started.elapsed();
    assert_eq!(merged["messages"], 4);
    let mut undone = list(&tau, &["session", "undo", "--json"]);
    assert_eq!(undone["messages"], 2);
    for nth in 0..KILLS {
        killed(&tau, &merge, whole, nth);
        let shown = list(&tau, &["session", "show", "--json"]);
        match shown["entries"].as_array().map(Vec::len) {
            Some(2) => {}
            Some(4) => undone = list(&tau, &["session", "undo", "--json"]),
            part => panic!("{part:?} entries after kill {nth}"),
        }
        assert_eq!(undone["messages"], 2);
        sound(&tau);
    }
    let exported = tau.tau(&["session", "export"]).code(0).stdout.clone();
    tau.tau_with(&["replay", "-"], exported.as_bytes()).code(0);
}
