//! Ended anywhere: every message is answered, and answered once.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};
use tau_core::model::Api;
use tau_tests::wire::Piece;

use super::chat::{Person, text_of, until};
use crate::support::{Do, Server, finish, say};

/// Prompts and answers of all sessions.
fn said(person: &Person) -> (usize, usize) {
    let list = person
        .tau
        .tau(&["session", "list", "--json"])
        .code(0)
        .json();
    let mut counts = (0, 0);
    for session in list["sessions"].as_array().into_iter().flatten() {
        let id = session["session"].as_str().unwrap_or_default();
        let shown = person
            .tau
            .tau(&["session", "show", id, "--json"])
            .code(0)
            .json();
        for entry in shown["entries"].as_array().into_iter().flatten() {
            match entry["message"]["role"].as_str() {
                Some("user") => counts.0 += 1,
                Some("assistant") => counts.1 += 1,
                _ => {}
            }
        }
    }
    counts
}

fn end(child: Child) {
    let mut child = child;
    child.kill().expect("a kill");
    finish(child, b"");
}

#[test]
fn killed_while_the_model_answers_it_asks_again_and_answers_once() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::new([Do::Hang, say("Late, but here.")]);
    person.chat.write("anna", "room", "hello");
    let child = person.start(&model);
    until("the model is asked", || model.asked().len() == 1);
    end(child);
    person.once(&model).code(0);
    assert_eq!(person.chat.posted().len(), 1);
    assert_eq!(text_of(&person.chat.sent()[0]), "Late, but here.");
    assert_eq!(said(&person), (1, 1));
}

#[test]
fn killed_while_it_sends_it_sends_the_same_again_under_the_same_id() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::new([say("Here.")]);
    person.chat.write("anna", "room", "hello");
    person.chat.swallows();
    let child = person.start(&model);
    until("the answer is posted", || person.chat.posted().len() == 1);
    end(child);
    person.chat.accepts();
    person.once(&model).code(0);
    let posted = person.chat.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0], posted[1]);
    assert!(posted[0]["id"].as_str().is_some_and(|id| id.len() == 32));
    assert_eq!((model.asked().len(), person.chat.sent().len()), (1, 1));
}

#[test]
fn killed_anywhere_every_message_is_answered_once() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::with(Api::OpenAi, |_, _| {
        Do::Stream(
            (0..4)
                .flat_map(|_| [Piece::Text("word ".into()), Piece::Wait(10)])
                .collect(),
        )
    });
    let kills = 16;
    for kill in 0..kills {
        person.chat.write(
            "anna",
            &format!("room {}", kill % 3),
            &format!("message {kill}"),
        );
        let child = person.start(&model);
        // From before the first request to after the last.
        thread::sleep(Duration::from_millis(30 + 45 * kill));
        end(child);
    }
    let kills = kills as usize;
    until("everything is sent", || {
        person.once(&model);
        person.chat.sent().len() >= kills
    });
    let mut answered: Vec<String> = person
        .chat
        .sent()
        .iter()
        .map(|sent| sent["reply_to"].to_string())
        .collect();
    answered.sort();
    answered.dedup();
    assert_eq!(answered.len(), kills, "{answered:?}");
    assert_eq!(person.chat.sent().len(), kills);
    assert_eq!(said(&person), (kills, kills));
}

#[test]
fn a_signal_ends_it_cleanly_and_what_was_under_way_is_taken_up() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::new([Do::Hang, say("Here."), say("And here.")]);
    for (signal, answers) in [(Signal::INT, 0), (Signal::TERM, 1)] {
        person.chat.write("anna", "room", "hello");
        let child = person.start(&model);
        let asked = model.asked().len();
        until("it is at work", || {
            model.asked().len() > asked && person.chat.sent().len() >= answers
        });
        // The second time it waits for messages.
        thread::sleep(Duration::from_millis(300));
        let started = Instant::now();
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).expect("a signal");
        finish(child, b"").code(0).tells("answered by the next run");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    person.once(&model).code(0);
    assert_eq!(person.chat.sent().len(), 2);
    let prompts = said(&person).0;
    assert_eq!(prompts, 2);
}

#[test]
fn the_second_run_of_a_channel_is_told_who_has_it() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::new([say("Here.")]);
    let child = person.start(&model);
    person.chat.write("anna", "room", "hello");
    until("the first answers", || person.chat.sent().len() == 1);
    let pid = child.id();
    person.once(&model).code(9).tells(&format!(
        "channel chat_poll is in use by tau channel run chat_poll (process {pid})"
    ));
    person
        .tau
        .tau(&["channel", "forget", "chat_poll", "--all"])
        .code(9);
    end(child);
    person.once(&model).code(0);
}

#[test]
fn what_is_revoked_while_it_runs_ends() {
    let person = Person::new();
    person.allow("anna");
    let model = Server::new([say("Here.")]);
    let child = person.start(&model);
    person.chat.write("anna", "room", "hello");
    until("it answers", || person.chat.sent().len() == 1);
    person.tau.tau(&["tool", "remove", "chat_poll"]).code(0);
    person.chat.write("eve", "room", "wakes it up");
    finish(child, b"").code(2).tells("there is no channel");
}
