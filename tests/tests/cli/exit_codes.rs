//! Each failure has its exit code, and says what happened, why and what to do about it.

use serde_json::json;
use std::{net::TcpListener, time::Duration};
use tau_tests::wire::Piece;

use crate::support::{Do, Server, Tau, call, say};

/// A Tau that asks once only.
fn impatient() -> Tau {
    let tau = Tau::new();
    tau.profile("[retry]\nattempts = 1\n");
    tau
}

fn status(status: u16, kind: &str, message: &str) -> Do {
    let body = json!({"error": {"message": message, "type": kind, "code": kind}});
    Do::Status(status, vec![], body.to_string())
}

#[test]
fn every_way_a_provider_fails_has_its_code_and_a_hint() {
    let cases = [
        (
            status(401, "invalid_api_key", "Incorrect API key"),
            4,
            "Incorrect API key",
            "SIM_KEY",
        ),
        (
            status(403, "permission_denied", "not for you"),
            4,
            "not for you",
            "SIM_KEY",
        ),
        (
            status(404, "model_not_found", "no such model"),
            5,
            "no such model",
            "sim",
        ),
        (
            status(400, "invalid_request_error", "bad field"),
            5,
            "bad field",
            "",
        ),
        (
            status(429, "rate_limit_exceeded", "slow down"),
            6,
            "slow down",
            "",
        ),
        (
            status(429, "insufficient_quota", "quota exceeded"),
            6,
            "quota exceeded",
            "credit",
        ),
        (
            status(500, "server_error", "internal trouble"),
            5,
            "internal trouble",
            "",
        ),
        (
            status(529, "overloaded_error", "overloaded"),
            5,
            "overloaded",
            "",
        ),
        (Do::CloseEarly, 5, "clos", ""),
        (Do::Garbage, 5, "HTTP", "address of a model server"),
        (
            Do::Stream(vec![Piece::Text("half".into()), Piece::Reset]),
            5,
            "clos",
            "",
        ),
        (
            Do::Stream(vec![Piece::Text("half".into()), Piece::Close]),
            5,
            "end",
            "",
        ),
        (
            Do::Stream(vec![Piece::Raw("data: {nonsense\n\n".into())]),
            5,
            "cannot be read",
            "API",
        ),
        (
            Do::Stream(vec![Piece::Stop("filter".into())]),
            5,
            "filter",
            "",
        ),
    ];
    for (what, code, cause, hint) in cases {
        let tau = impatient();
        let server = Server::new([what.clone()]);
        let done = tau.ask(&server, &["hello"]);
        assert_eq!(done.code, code, "{what:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{what:?}");
        done.tells("error: ").tells(cause);
        let hints = done
            .stderr
            .lines()
            .skip_while(|line| !line.contains("error: "));
        let hints: String = hints.collect();
        assert!(
            hints.contains(hint),
            "{what:?}: {hint:?} is not in {}",
            done.stderr
        );
        assert_eq!(server.asked().len(), 1, "{what:?} is asked once");
    }
}

#[test]
fn failures_are_json_where_json_was_asked_for() {
    let tau = impatient();
    let server = Server::new([status(401, "invalid_api_key", "Incorrect API key")]);
    let done = tau.ask(&server, &["--json", "hello"]);
    let error = &done.code(4).json()["error"];
    assert_eq!(error["exit"], 4);
    assert_eq!(error["name"], "auth");
    assert_eq!(error["kind"], "provider");
    assert_eq!(error["cause"], "Incorrect API key");
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("SIM_KEY")),
        "{error}"
    );
}

#[test]
fn nobody_listening_is_told_with_the_address() {
    let tau = impatient();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
    drop(listener);
    let done = tau.tau(&["run", "--base-url", &url, "--model", "sim", "hello"]);
    done.code(5).tells("cannot connect").tells(&url);
}

#[test]
fn a_limit_that_runs_out_is_code_7() {
    let look = || call(&[("ls", json!({}))]);
    let cases: [(&[&str], Vec<Do>, &str); 4] = [
        (
            &["--max-steps", "2"],
            vec![look(), say("so far")],
            "--max-steps",
        ),
        (&["--max-tokens", "100"], vec![look()], "--max-tokens"),
        (&["--deadline", "1s"], vec![Do::Hang], "--deadline"),
        (
            &[],
            vec![Do::Stream(vec![
                Piece::Text("so".into()),
                Piece::Stop("length".into()),
            ])],
            "max_output_tokens",
        ),
    ];
    for (limits, script, hint) in cases {
        let tau = Tau::new();
        let server = Server::new(script);
        let done = tau.ask(&server, &[limits, &["hello"]].concat());
        done.code(7).tells(hint);
        assert!(
            done.took < Duration::from_secs(10),
            "{limits:?} took {:?}",
            done.took
        );
    }
}

#[test]
fn what_was_answered_within_a_limit_is_still_printed() {
    let tau = Tau::new();
    let server = Server::new([call(&[("ls", json!({}))]), say("This is what I have.")]);
    let done = tau.ask(&server, &["--max-steps", "2", "look"]);
    assert_eq!(done.code(7).stdout, "This is what I have.\n");
}

#[test]
fn a_provider_that_says_when_to_come_back_is_asked_again_then() {
    let tau = Tau::new();
    let later = Do::Status(429, vec![("retry-after", "1".into())], "{}".into());
    let server = Server::new([later, say("Here.")]);
    let done = tau.ask(&server, &["hello"]);
    assert_eq!(done.code(0).stdout, "Here.\n");
    assert!(
        (900..5_000).contains(&done.took.as_millis()),
        "{:?}",
        done.took
    );
}

#[test]
fn an_outage_goes_over_to_the_fallback_model() {
    let tau = Tau::new();
    let (down, up) = (
        Server::new([
            status(503, "unavailable", "down"),
            status(503, "unavailable", "down"),
        ]),
        Server::new([say("I stand in.")]),
    );
    tau.profile(&format!(
        "[retry]\nattempts = 2\nbase_ms = 10\n[provider]\nbase_url = \"{}\"\nmodel = \"first\"\n\
         [[fallbacks]]\nbase_url = \"{}\"\nmodel = \"second\"\n",
        down.url(),
        up.url()
    ));
    let done = tau.tau(&["run", "--json", "hello"]);
    let result = done.code(0).tells("second").json();
    assert_eq!(
        (&result["answer"], &result["model"]),
        (&json!("I stand in."), &json!("second"))
    );
    assert_eq!(down.asked().len(), 2);
}

#[test]
fn a_command_line_that_is_wrong_is_code_2_and_a_profile_is_3() {
    let tau = Tau::new();
    tau.tau(&["sesion"]).code(2).tells("tau session");
    tau.tau(&["run", "--no-such-flag", "x"]).code(2);
    tau.tau(&["run", "--base-url", "http://127.0.0.1:9/v1", "x"])
        .code(2)
        .tells("--model");
    tau.tau(&["session", "show", "abc"])
        .code(2)
        .tells("tau session list");
    tau.profile("compaction = true\n[provider]\nmodle = \"x\"\n");
    tau.tau(&["run", "x"])
        .code(3)
        .tells("line 3")
        .tells("did you mean model?");
}
