//! A conversation at a terminal.

use serde_json::json;
use tau_tests::wire::Piece;

use crate::support::{Do, Server, Tau, Terminal, call, say};

/// What waits for a message. Keys that come before it may be lost to the change of modes.
const PROMPT: &str = "> ";

fn chat(tau: &Tau, server: &Server) -> Terminal {
    let model = [
        "chat",
        "--base-url",
        server.url(),
        "--model",
        "sim",
        "--key-env",
        "SIM_KEY",
    ];
    let mut terminal = Terminal::start(tau, &model);
    terminal.shows("Ctrl-D leaves");
    terminal.shows(PROMPT);
    terminal
}

#[test]
fn what_is_typed_is_answered_and_ctrl_d_leaves() {
    let tau = Tau::new();
    let server = Server::new([say("Nice to meet you."), say("Ada, of course.")]);
    let mut terminal = chat(&tau, &server);
    terminal.types("my name is Ada\r");
    terminal.shows("Nice to meet you.");
    terminal.shows("tokens in");
    terminal.shows(PROMPT);
    terminal.types("who am I?\r");
    terminal.shows("Ada, of course.");
    terminal.shows("tokens in");
    terminal.shows(PROMPT);
    terminal.types("\u{4}");
    assert_eq!(terminal.ends(), 0);
    assert!(server.asked()[1].text.contains("Nice to meet you."));
}

#[test]
fn ctrl_c_interrupts_the_answer_and_the_conversation_goes_on() {
    let tau = Tau::new();
    let server = Server::new([
        Do::Stream(vec![Piece::Text("Once upon a time ".into()), Piece::Hang]),
        say("There was a crab."),
    ]);
    let mut terminal = chat(&tau, &server);
    terminal.types("a story\r");
    terminal.shows("Once upon a time");
    terminal.types("\u{3}");
    terminal.shows("interrupted");
    terminal.shows(PROMPT);
    terminal.types("go on\r");
    terminal.shows("There was a crab.");
    terminal.shows("tokens in");
    terminal.shows(PROMPT);
    terminal.types("\u{4}");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn an_undone_turn_is_no_longer_told_to_the_model() {
    let tau = Tau::new();
    let server = Server::new([say("Hello, Bob."), say("I do not know.")]);
    let mut terminal = chat(&tau, &server);
    terminal.types("my name is Bob\r");
    terminal.shows("Hello, Bob.");
    terminal.shows("tokens in");
    terminal.shows(PROMPT);
    terminal.types("/undo\r");
    terminal.shows("at its beginning");
    terminal.shows(PROMPT);
    terminal.types("who am I?\r");
    terminal.shows("I do not know.");
    terminal.shows("tokens in");
    terminal.shows(PROMPT);
    terminal.types("/redo\r");
    terminal.shows("nothing to redo");
    terminal.shows(PROMPT);
    terminal.types("\u{4}");
    assert_eq!(terminal.ends(), 0);
    let asked = &server.asked()[1].text;
    assert!(
        asked.contains("who am I?") && !asked.contains("Bob"),
        "{asked}"
    );
}

#[test]
fn ctrl_c_on_an_empty_prompt_leaves() {
    let tau = Tau::new();
    let server = Server::new([]);
    let terminal = chat(&tau, &server);
    terminal.types("\u{3}");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_person_is_asked_before_a_program_runs() {
    for (answer, runs) in [("y", true), ("n", false)] {
        let tau = Tau::new();
        let server = Server::new([
            call(&[("shell", json!({"command": "touch was-here"}))]),
            say("So be it."),
        ]);
        let mut terminal = chat(&tau, &server);
        terminal.types("touch it\r");
        terminal.shows("touch was-here");
        terminal.shows("and why: ");
        terminal.types(&format!("{answer}\r"));
        terminal.shows("So be it.");
        terminal.shows("tokens in");
        terminal.shows(PROMPT);
        terminal.types("\u{4}");
        assert_eq!(terminal.ends(), 0);
        assert_eq!(tau.workspace().join("was-here").exists(), runs, "{answer}");
    }
}

#[test]
fn without_a_terminal_each_line_is_a_message() {
    let tau = Tau::new();
    let server = Server::new([say("One."), say("Two.")]);
    let model = [
        "chat",
        "--base-url",
        server.url(),
        "--model",
        "sim",
        "--key-env",
        "SIM_KEY",
    ];
    let done = tau.tau_with(&model, b"first\nsecond\n");
    assert_eq!(done.code(0).stdout, "One.\nTwo.\n");
    assert!(server.asked()[1].text.contains("One."));
}
