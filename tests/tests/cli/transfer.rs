//! Sessions and memories out of one store and into another.

use serde_json::{Value, json};

use crate::support::{Server, Tau, call, say};

fn json(tau: &Tau, arguments: &[&str]) -> Value {
    let all = [&["session"], arguments, &["--json"]].concat();
    tau.tau(&all).code(0).json()
}

/// Ids, parents and messages of all branches.
fn graph(tau: &Tau, id: &str) -> Value {
    let graph = json(tau, &["graph", id]);
    let entries = graph["entries"].as_array().expect("entries").iter();
    let said = json(tau, &["show", id])["entries"].clone();
    let entries: Vec<Value> = entries
        .map(|entry| json!([entry["id"], entry["parent"], entry["who"], entry["line"]]))
        .collect();
    json!([
        entries,
        said,
        graph["head"],
        graph["branches"],
        graph["bookmarks"]
    ])
}

/// A session with a tool's result, a branch and a bookmark.
fn talk(tau: &Tau) -> String {
    tau.write("a.txt", "forty-two");
    let server = Server::new([
        call(&[("read", json!({"path": "a.txt"}))]),
        say("It says forty-two."),
        say("Second."),
        say("Instead."),
    ]);
    let first = tau.ask(&server, &["--json", "look"]).code(0).json();
    tau.ask(&server, &["--continue", "two"]).code(0);
    tau.tau(&["session", "bookmark", "kept"]).code(0);
    tau.tau(&["session", "undo"]).code(0);
    tau.ask(&server, &["--continue", "instead"]).code(0);
    first["session"].as_str().expect("a name").into()
}

#[test]
fn an_exported_session_is_the_same_graph_in_another_store_and_goes_on_there() {
    let (tau, other) = (Tau::new(), Tau::new());
    let id = talk(&tau);
    let text = tau.tau(&["session", "export", &id]).code(0).stdout.clone();
    let plan = other.tau_with(
        &["session", "import", "-", "--dry-run", "--json"],
        text.as_bytes(),
    );
    assert_eq!(plan.code(0).json()["sessions"][0]["outcome"], "new");
    let none = json(&other, &["list"]);
    assert_eq!(none["sessions"], json!([]), "a rehearsal stores nothing");

    let done = other.tau_with(&["session", "import", "-", "--json"], text.as_bytes());
    let report = done.code(0).json();
    assert_eq!(report["sessions"][0]["session"], *id);
    assert_eq!(report["sessions"][0]["added"], 8);
    assert_eq!(graph(&other, &id), graph(&tau, &id));
    let again = other.tau_with(&["session", "import", "-", "--json"], text.as_bytes());
    assert_eq!(again.code(0).json()["sessions"][0]["outcome"], "same");
    assert_eq!(graph(&other, &id), graph(&tau, &id));

    let server = Server::new([say("Here, too.")]);
    other.ask(&server, &["--session", &id, "go on"]).code(0);
    assert!(server.asked()[0].text.contains("Instead."));
    let exported = other
        .tau(&["session", "export", &id])
        .code(0)
        .stdout
        .clone();
    other
        .tau_with(&["replay", "-"], exported.as_bytes())
        .code(0);

    // What was said there comes back as what is missing here.
    let back = tau.tau_with(&["session", "import", "-", "--json"], exported.as_bytes());
    let report = back.code(0).json();
    assert_eq!(report["sessions"][0]["outcome"], "merged");
    assert_eq!(report["sessions"][0]["added"], 2);
    assert_eq!(report["sessions"][0]["renumbered"], json!([]));
}

#[test]
fn an_approval_does_not_come_along() {
    let (tau, other) = (Tau::new(), Tau::new());
    let shell = || call(&[("shell", json!({"command": "touch ran"}))]);
    let server = Server::new([shell(), say("Done.")]);
    let first = tau
        .ask(&server, &["--json", "--approve", "shell", "do it"])
        .code(0)
        .json();
    let id = first["session"].as_str().expect("a name");
    let text = tau.tau(&["session", "export", id]).code(0).stdout.clone();
    other
        .tau_with(&["session", "import", "-"], text.as_bytes())
        .code(0);
    let server = Server::new([shell(), say("Refused.")]);
    other.ask(&server, &["--session", id, "again"]).code(0);
    assert!(
        !other.workspace().join("ran").exists(),
        "nobody said yes here"
    );
}

#[test]
fn a_whole_store_moves_with_its_memories_and_verifies() {
    let (tau, other) = (Tau::new(), Tau::new());
    let id = talk(&tau);
    let server = Server::new([say("Another.")]);
    let second = tau.ask(&server, &["--json", "another"]).code(0).json();
    let second = second["session"].as_str().expect("a name");
    tau.tau(&["memory", "add", "the cat sat on the rug"])
        .code(0);
    let file = tau.workspace().join("all.jsonl").display().to_string();
    tau.tau(&["session", "export", "--all", "-o", &file])
        .code(0)
        .tells("2 sessions and 1 memories");
    assert_eq!(
        tau.tau(&["verify", &file, "--json"]).code(0).json()["ok"],
        true
    );
    tau.tau(&["replay", &file]).code(0);
    let report = other
        .tau(&["session", "import", &file, "--own", "--json"])
        .code(0)
        .json();
    assert_eq!(report["rows"]["added"], 1);
    for id in [id.as_str(), second] {
        assert_eq!(graph(&other, id), graph(&tau, id));
    }
    let again = other
        .tau(&["session", "import", &file, "--own", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&again["rows"]["same"], &again["rows"]["added"]),
        (&json!(1), &json!(0))
    );

    let text = std::fs::read_to_string(&file).expect("the export");
    let changed = text.replacen("the cat sat", "the dog sat", 1);
    let told = tau.tau_with(&["verify", "-", "--json"], changed.as_bytes());
    assert_eq!(told.json()["ok"], false);
    let refused = other.tau_with(&["session", "import", "-"], changed.as_bytes());
    refused.code(2).tells("nothing was imported");
}

#[test]
fn a_file_that_cannot_be_used_is_told_at_its_line_and_nothing_is_imported() {
    let (tau, other) = (Tau::new(), Tau::new());
    let id = talk(&tau);
    let text = tau.tau(&["session", "export", &id]).code(0).stdout.clone();
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..4].join("\n");
    let half = &text[..text.len() / 2];
    let newer = text.replacen("\"format\":2", "\"format\":7", 1);
    let edited = text.replacen("forty-two", "forty-one", 1);
    for (file, why) in [
        (cut.as_str(), "line 4"),
        (half, "is not usable at line"),
        (newer.as_str(), "format 7"),
        (edited.as_str(), "changed after it was written"),
        ("", "is empty"),
        ("hello\n", "line 1"),
        (
            "{\"record_type\":\"entry\",\"id\":1,\"parent_id\":1,\"message\":{\"role\":\"user\",\"content\":\"x\"}}",
            "circle",
        ),
    ] {
        let done = other.tau_with(&["session", "import", "-"], file.as_bytes());
        done.code(2).tells(why);
    }
    assert_eq!(json(&other, &["list"])["sessions"], json!([]));
}

#[test]
fn a_line_of_a_gigabyte_is_refused_without_being_read() {
    use std::io::Write;
    let tau = Tau::new();
    let file = tau.workspace().join("long.jsonl");
    let mut long = std::fs::File::create(&file).expect("a file");
    long.write_all(b"{\"type\":\"export\",\"format\":2}\n")
        .expect("a line");
    // A hole: nothing is written to the disk.
    long.set_len(1 << 30).expect("a long line");
    let started = std::time::Instant::now();
    tau.tau(&["session", "import", &file.display().to_string()])
        .code(2)
        .tells("line 2")
        .tells("longer than 64 MiB");
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn a_session_of_another_program_is_taken_over_once_and_goes_on() {
    let tau = Tau::new();
    let line = |uuid: &str, parent: Value, kind: &str, content: Value| {
        json!({"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s-1",
               "timestamp": "2026-01-02T03:04:05Z",
               "message": {"role": kind, "id": uuid, "content": content}})
        .to_string()
    };
    let mut lines = vec![
        line("u1", Value::Null, "user", json!("what is in a.txt?")),
        line(
            "a1",
            json!("u1"),
            "assistant",
            json!([{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]),
        ),
        line(
            "r1",
            json!("a1"),
            "user",
            json!([{"type": "tool_result", "tool_use_id": "t", "content": "forty-two"}]),
        ),
        line(
            "a2",
            json!("r1"),
            "assistant",
            json!([{"type": "text", "text": "Forty-two."}]),
        ),
    ];
    tau.write("claude.jsonl", &lines.join("\n"));
    let report = json(&tau, &["import", "claude.jsonl"]);
    let id = report["sessions"][0]["session"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert_eq!(report["sessions"][0]["added"], 4);
    assert_eq!(
        json(&tau, &["import", "claude.jsonl"])["sessions"][0]["outcome"],
        "same"
    );
    let server = Server::new([say("As I said.")]);
    tau.ask(&server, &["--session", &id, "and?"]).code(0);
    let asked = server.asked()[0].text.clone();
    assert!(
        asked.contains("forty-two") && asked.contains("Forty-two."),
        "{asked}"
    );

    // The other program went on meanwhile.
    lines.push(line("u2", json!("a2"), "user", json!("thanks")));
    tau.write("claude.jsonl", &lines.join("\n"));
    let grown = json(&tau, &["import", "claude.jsonl"]);
    assert_eq!(grown["sessions"][0]["outcome"], "merged");
    assert_eq!(grown["sessions"][0]["added"], 1);
    assert_eq!(
        json(&tau, &["branch"])["branches"].as_array().map(Vec::len),
        Some(2)
    );
}
