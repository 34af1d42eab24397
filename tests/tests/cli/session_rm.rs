//! Sessions that go for good, and what stays.

use futures_util::FutureExt;
use serde_json::json;
use std::{fs, thread, time::Duration};
use tau_core::{
    ids::{SessionId, UnixMillis},
    model::Api,
    session::{Command, Session},
};
use tau_platform::{MemoryStorage, NoSigner, open};
use tau_tests::wire::Piece;

use crate::support::{Do, Server, Tau, Terminal, finish, say};

/// A server that answers every prompt.
fn server() -> Server {
    Server::with(Api::OpenAi, |_, _| say("Hi."))
}

/// Says `text`, and gives the name of its session.
fn said(tau: &Tau, server: &Server, text: &str) -> String {
    let result = tau.ask_with(server, &["--json", "-"], text.as_bytes());
    let result = result.code(0).json();
    result["session"].as_str().expect("a name").to_owned()
}

fn count(tau: &Tau, pattern: &str) -> i64 {
    let store = rusqlite::Connection::open(tau.store()).expect("the store");
    let sql = "SELECT count(*) FROM kv WHERE key GLOB ?1";
    let count = store.query_row(sql, [pattern], |row| row.get(0));
    // Nothing, while the store is being made.
    count.unwrap_or_default()
}

#[test]
fn a_session_is_removed_with_what_only_it_had_after_a_yes() {
    let (tau, server) = (Tau::new(), server());
    let (shared, alone) = (
        "shared words ".repeat(1_000),
        "its own words ".repeat(1_000),
    );
    let first = said(&tau, &server, &alone);
    let second = said(&tau, &server, &shared);
    let third = said(&tau, &server, &shared);
    tau.tau(&["memory", "add", "the cat is called Tom"]).code(0);
    assert_eq!(count(&tau, "blob/*"), 2);

    // Nobody is asked and nobody said yes.
    tau.tau(&["session", "rm", &first]).code(77).tells("--yes");
    tau.tau(&["session", "rm"]).code(2);
    tau.tau(&["session", "rm", "feed", "--yes"])
        .code(2)
        .tells("no session");
    assert_eq!(count(&tau, "sessions/*"), 3);

    let mut terminal = Terminal::start(&tau, &["session", "rm", &first]);
    terminal.shows("its own words");
    terminal.shows("[y/N]");
    terminal.types("n\r");
    assert_eq!(terminal.ends(), 77);
    let mut terminal = Terminal::start(&tau, &["session", "rm", &first]);
    terminal.shows("[y/N]");
    terminal.types("y\r");
    assert_eq!(terminal.ends(), 0);
    assert_eq!((count(&tau, "sessions/*"), count(&tau, "blob/*")), (2, 1));
    assert_eq!(count(&tau, &format!("*{first}*")), 0);

    let done = tau.tau(&["session", "rm", &second[..10], "--yes", "--json"]);
    let done = done.code(0).json();
    assert_eq!(
        (&done["removed"], &done["contents"]),
        (&json!([second]), &json!(0))
    );
    let shown = tau.tau(&["session", "show", &third]);
    assert!(shown.code(0).stdout.contains("shared words"));
    let done = tau.tau(&["session", "rm", &third, "--yes", "--json"]);
    assert_eq!(done.code(0).json()["contents"], 1);
    assert_eq!((count(&tau, "session*"), count(&tau, "blob/*")), (0, 0));
    let memories = tau.tau(&["memory", "list"]);
    assert!(memories.code(0).stdout.contains("Tom"));
    let tidied = tau.tau(&["store", "tidy", "--json"]).code(0).json();
    assert_eq!(tidied, json!({"contents": 0, "bytes": 0}));
}

#[test]
fn a_session_in_use_and_one_that_another_continues_stay() {
    let tau = Tau::new();
    let slow = Server::with(Api::OpenAi, |_, _| {
        Do::Stream(vec![Piece::Text("Wait. ".into()), Piece::Wait(60_000)])
    });
    let mut child = tau.start(&slow, &["hello"]);
    while !tau.store().exists() || count(&tau, "sessions/*") == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    let listed = tau.tau(&["session", "list", "--json"]).code(0).json();
    let id = listed["sessions"][0]["session"].as_str().expect("a name");
    tau.tau(&["session", "rm", id, "--yes"])
        .code(9)
        .tells("in use");
    assert_eq!(count(&tau, "sessions/*"), 1);
    child.kill().expect("a kill");
    finish(child, b"");
    tau.tau(&["session", "rm", id, "--yes"]).code(0);
    assert_eq!(count(&tau, "session*"), 0);

    // A fork, which comes from elsewhere.
    let store = MemoryStorage::new();
    let now = UnixMillis(1);
    let name = |to: &str| Command::Rename {
        from: None,
        to: to.into(),
    };
    let keep = |session: &mut Session, to: &str| {
        session.submit(name(to), now).expect("a name");
        let stored = open::store(&store, None::<&NoSigner>, session).now_or_never();
        stored.expect("no waiting").expect("stored");
    };
    let origin = SessionId("00c0ffee00c0ffee".into());
    let mut session = Session::taken_over(origin.clone(), [1; 32], now);
    keep(&mut session, "the origin");
    let mut fork = session.fork([7; 32], now).expect("a fork");
    keep(&mut fork, "the fork");
    let stored = open::load(&store, fork.id()).now_or_never();
    let text = stored.expect("no waiting").expect("stored").export();
    let file = tau.workspace().join("fork.jsonl");
    fs::write(&file, text).expect("a file");
    let file = file.display().to_string();
    tau.tau(&["session", "import", &file, "--own"]).code(0);
    assert_eq!(count(&tau, "sessions/*"), 2);
    let fork = fork.id().to_string();
    tau.tau(&["session", "rm", &origin.0, "--yes"])
        .code(2)
        .tells(&format!("session {fork} continues it"))
        .tells("remove both");
    assert_eq!(count(&tau, "sessions/*"), 2);
    tau.tau(&["session", "rm", &origin.0, &fork, "--yes"])
        .code(0);
    assert_eq!(count(&tau, "session*"), 0);
}
