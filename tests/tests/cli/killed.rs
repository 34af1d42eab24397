//! A process that is killed, anywhere, loses at most the turn it was in.

use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};
use tau_core::model::Api;
use tau_tests::wire::Piece;

use crate::support::{Do, Server, Tau, call, finish, say};

/// Kills altogether, and people who suffer them at the same time.
const KILLS: usize = 200;
const PEOPLE: usize = 4;

/// A model that first calls a tool, then answers word by word.
fn slow_model() -> Server {
    Server::with(Api::OpenAi, |asked, _| {
        let messages = asked.body["messages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        if messages
            .last()
            .is_some_and(|message| message["role"] == "tool")
        {
            let words = (0..8).flat_map(|_| [Piece::Text("word ".into()), Piece::Wait(8)]);
            return Do::Stream(words.collect());
        }
        Do::Stream(vec![
            Piece::Text("Looking. ".into()),
            Piece::Wait(20),
            Piece::Call {
                id: "c1".into(),
                name: "read".into(),
                arguments: json!({"path": "a.txt"}).to_string(),
            },
            Piece::Call {
                id: "c2".into(),
                name: "shell".into(),
                arguments: json!({"command": "sleep 0.05"}).to_string(),
            },
        ])
    })
}

/// Numbers without pattern, the same every time.
fn random(state: &mut u64) -> u64 {
    // Knuth, MMIX.
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The answers of the turns that are over, by prompt.
fn stored(tau: &Tau) -> Vec<String> {
    let store = Connection::open_with_flags(tau.store(), OpenFlags::SQLITE_OPEN_READ_WRITE)
        .expect("the file opens");
    let check: String = store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(check, "ok");
    let mut query = store
        .prepare("SELECT text FROM entries WHERE type = 'prompt' ORDER BY session, seq")
        .expect("the view");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a prompt")).collect()
}

/// One person whose Tau is killed `kills` times; the delays depend on `seed`.
fn suffer(seed: u64, kills: usize) {
    let server = slow_model();
    let tau = Tau::new();
    tau.write("a.txt", "forty-two");
    let flags = ["--approve", "shell", "--json"];
    let started = Instant::now();
    let first = tau
        .ask(&server, &[&flags[..], &["first"]].concat())
        .code(0)
        .json();
    let whole_ms = started.elapsed().as_millis() as u64;
    let id = first["session"].as_str().expect("a name").to_owned();
    let mut acknowledged = vec!["first".to_owned()];
    let mut state = seed;
    let mut survived = 0;
    for kill in 0..kills {
        let prompt = format!("prompt {kill}");
        let arguments = [&flags[..], &["--session", &id, &prompt]].concat();
        let mut child = tau.start(&server, &arguments);
        // Growing over the turn, with a little chance, so that every part of it is met.
        let delay = whole_ms * kill as u64 / kills as u64 + random(&mut state) % 40;
        thread::sleep(Duration::from_millis(delay));
        let killed = child.kill().is_ok();
        let done = finish(child, b"");
        assert!(killed);
        if done.code == 0 {
            survived += 1;
            acknowledged.push(prompt);
        }
        let found = stored(&tau);
        for prompt in &acknowledged {
            assert!(
                found.contains(prompt),
                "{prompt:?} was acknowledged and is gone: {found:?}"
            );
        }
        if kill % 5 == 4 {
            let prompt = format!("whole {kill}");
            let arguments = [&flags[..], &["--session", &id, &prompt]].concat();
            let result = tau.ask(&server, &arguments).code(0).json();
            assert_eq!(result["answer"], "word ".repeat(8));
            acknowledged.push(prompt);
        }
    }
    assert!(
        survived < kills / 2,
        "{survived} of {kills} were over before they were killed"
    );
    let export = tau.tau(&["session", "export", &id]);
    tau.tau_with(&["replay", "-"], export.code(0).stdout.as_bytes())
        .code(0);
    let shown = tau.tau(&["session", "show", &id, "--json"]).code(0).json();
    let answered = shown["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter(|entry| entry["message"]["parts"][0]["text"] == "word ".repeat(8));
    assert!(
        answered.count() >= acknowledged.len(),
        "every acknowledged turn has its answer"
    );
}

#[test]
fn a_process_killed_in_200_places_loses_at_most_the_turn_it_was_in() {
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| thread::spawn(move || suffer(person as u64 + 1, KILLS / PEOPLE)))
        .collect();
    for person in people {
        if let Err(panic) = person.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Killed while an approved program runs, then taken up again with the same standing approval.
#[test]
fn a_standing_approval_does_not_run_a_command_a_second_time() {
    let tau = Tau::new();
    let script = json!({"command": "echo ran >> times.txt; sleep 20"});
    let server = Server::new([call(&[("shell", script)]), say("Done.")]);
    let times = tau.workspace().join("times.txt");
    let flags = ["--approve", "shell", "--json"];
    let mut child = tau.start(&server, &[&flags[..], &["go"]].concat());
    let until = Instant::now() + Duration::from_secs(30);
    while std::fs::read(&times).is_err() {
        assert!(Instant::now() < until, "the program did not start");
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("a kill");
    child.wait().expect("its end");
    let result = tau
        .ask(&server, &[&flags[..], &["--continue"]].concat())
        .code(0)
        .json();
    assert_eq!(result["tool_calls"][0]["status"], "denied", "{result}");
    assert_eq!(
        result["tool_calls"][0]["arguments"]["command"],
        "echo ran >> times.txt; sleep 20"
    );
    assert_eq!(std::fs::read_to_string(&times).expect("the file"), "ran\n");
    let asked = server.asked();
    assert!(
        asked[1].text.contains("may have done its work already"),
        "{}",
        asked[1].text
    );
}
