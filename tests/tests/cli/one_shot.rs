//! One prompt, one answer.

use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tau_core::model::Api;
use tau_tests::wire::Piece;

use crate::support::{Do, Server, Tau, call, say};

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect()
}

#[test]
fn only_the_answer_goes_to_stdout() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two");
    let server = Server::new([
        Do::Stream(vec![
            Piece::Text("Let me look.".into()),
            Piece::Call {
                id: "c1".into(),
                name: "read".into(),
                arguments: r#"{"path":"a.txt"}"#.into(),
            },
        ]),
        say("It says forty-two."),
    ]);
    let done = tau.ask(&server, &["what is in a.txt?"]);
    done.code(0)
        .tells("model: sim")
        .tells("read")
        .tells("session: ");
    assert_eq!(done.stdout, "It says forty-two.\n");
    assert!(server.asked()[1].text.contains("forty-two"));
}

#[test]
fn json_is_one_object_of_the_promised_shape() {
    let tau = Tau::new();
    tau.write("a.txt", "forty-two");
    let server = Server::new([call(&[("read", json!({"path": "a.txt"}))]), say("Done.")]);
    let done = tau.ask(&server, &["--json", "look"]);
    let result = done.code(0).json();
    assert_eq!(done.stdout.trim_end().lines().count(), 1);
    // More fields may follow those that scripts rely on.
    let promised = ["answer", "model", "session", "tool_calls", "turn", "usage"];
    assert_eq!(
        keys(&result)
            .difference(&BTreeSet::from(["outcome", "screened"]))
            .copied()
            .collect::<Vec<_>>(),
        promised
    );
    assert_eq!(result["answer"], "Done.");
    assert_eq!(result["turn"], 1);
    assert_eq!(result["model"], "sim");
    assert_eq!(result["session"].as_str().map(str::len), Some(16));
    assert_eq!(result["usage"]["input_tokens"], 200);
    let called = &result["tool_calls"][0];
    assert_eq!(
        keys(called),
        BTreeSet::from(["arguments", "duration_ms", "name", "status"])
    );
    assert_eq!(called["name"], "read");
    assert_eq!(called["arguments"], json!({"path": "a.txt"}));
    assert_eq!(called["status"], "ok");
    assert!(called["duration_ms"].is_u64());
}

#[test]
fn json_lines_are_events_and_the_same_object_last() {
    let tau = Tau::new();
    let server = Server::new([say("Hi.")]);
    let done = tau.ask(&server, &["--jsonl", "hello"]);
    done.code(0);
    let lines: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["type"], "turn_started");
    let last = lines.last().expect("a line");
    assert_eq!(
        (&last["type"], &last["answer"]),
        (&json!("result"), &json!("Hi."))
    );
}

#[test]
fn a_bare_prompt_is_asked_of_the_profiles_provider() {
    let tau = Tau::new();
    let server = Server::new([say("Hi.")]);
    tau.profile(&format!(
        "[provider]\nbase_url = \"{}\"\nmodel = \"mine\"\nkey_env = \"SIM_KEY\"\n",
        server.url()
    ));
    let done = tau.tau(&["hello there"]);
    assert_eq!(done.code(0).stdout, "Hi.\n");
    assert_eq!(server.asked()[0].body["model"], "mine");
}

#[test]
fn what_is_piped_in_goes_along() {
    let tau = Tau::new();
    let server = Server::new([say("Hi."), say("Hi."), say("Hi.")]);
    tau.ask_with(&server, &["review this"], b"the piped text")
        .code(0);
    tau.ask_with(&server, &["-"], b"all of it piped").code(0);
    tau.ask_with(&server, &[], b"nothing but a pipe").code(0);
    let asked = server.asked();
    assert!(asked[0].text.contains("review this") && asked[0].text.contains("the piped text"));
    assert!(asked[1].text.contains("all of it piped"));
    assert!(asked[2].text.contains("nothing but a pipe"));
}

#[test]
fn anthropic_is_spoken_where_it_is_asked_for() {
    let tau = Tau::new();
    let server = Server::with(Api::Anthropic, |_, _| say("Bonjour."));
    let done = tau.ask(&server, &["--api", "anthropic", "hello"]);
    assert_eq!(done.code(0).stdout, "Bonjour.\n");
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /v1/messages HTTP/1.1");
    let has = |name: &str| asked.headers.iter().any(|(header, _)| header == name);
    assert!(has("x-api-key") && has("anthropic-version"));
}

#[test]
fn the_first_request_has_fewer_than_1500_tokens() {
    let tau = Tau::new();
    let server = Server::new([say("Hi.")]);
    tau.ask(&server, &["hi"]).code(0);
    let asked = &server.asked()[0];
    assert!(
        asked.body["tools"]
            .as_array()
            .is_some_and(|tools| tools.len() >= 8)
    );
    let tokenizer = tiktoken_rs::o200k_base().expect("the tokenizer");
    let tokens = tokenizer.encode_with_special_tokens(&asked.text).len();
    assert!(tokens < 1_500, "{tokens} tokens: {}", asked.text);
}

#[test]
fn the_answer_is_streamed_where_a_pipe_wants_it() {
    let tau = Tau::new();
    let server = Server::new([Do::Stream(vec![
        Piece::Text("one ".into()),
        Piece::Wait(400),
        Piece::Text("two".into()),
    ])]);
    let mut child = tau.start(&server, &["--stream", "count"]);
    let mut first = [0; 4];
    let mut pipe = child.stdout.take().expect("stdout");
    std::io::Read::read_exact(&mut pipe, &mut first).expect("the first word");
    assert_eq!(&first, b"one ");
    assert!(
        child.try_wait().expect("its state").is_none(),
        "the first word comes before the end"
    );
    child.stdout = Some(pipe);
    crate::support::finish(child, b"").code(0);
}

#[test]
fn a_signal_ends_a_run_with_130_and_keeps_what_was_said() {
    let tau = Tau::new();
    let server = Server::new([
        Do::Stream(vec![Piece::Text("Once upon a time".into()), Piece::Hang]),
        say("There was a crab."),
    ]);
    let child = tau.start(&server, &["--jsonl", "a story"]);
    while server.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    let done = crate::support::finish(child, b"");
    done.code(130).tells("interrupted");
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);

    let shown = tau.tau(&["session", "show", "--json"]).json();
    assert_eq!(shown["running"], false);
    assert_eq!(
        shown["entries"][1]["message"]["parts"][0]["text"],
        "Once upon a time"
    );
    tau.ask(&server, &["--continue", "go on"]).code(0);
    assert!(server.asked()[1].text.contains("Once upon a time"));
}
