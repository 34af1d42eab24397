//! Failing models, and a store that fails.

use alloc::{vec, vec::Vec};

use super::harness::*;
use crate::{
    session::{Command, CommandError, Event, FailureKind, Outcome, StoreError},
    wire::ProviderError,
};

#[test]
fn a_failing_model_is_asked_again_with_growing_waits() {
    let fails = || Reply::Fails(overloaded());
    let mut home = Home::new([fails(), fails(), Reply::Text("there")]);
    home.prompt("go");
    let waits = [home.wait(), home.wait()];
    assert!(
        (375..=500).contains(&waits[0]) && (750..=1_000).contains(&waits[1]),
        "{waits:?}"
    );
    assert_eq!(home.transcript(), ["User go", "Assistant there"]);
}

#[test]
fn the_providers_hint_is_followed() {
    let hinted = ProviderError {
        retry_after_ms: Some(7_000),
        ..overloaded()
    };
    let mut home = Home::new([Reply::Fails(hinted), Reply::Text("there")]);
    home.prompt("go");
    assert_eq!(home.wait(), 6_999, "storing it took the first");
}

#[test]
fn the_next_model_is_asked_when_the_first_stays_down_and_then_the_turn_fails() {
    let mut home = Home::new((0..8).map(|_| Reply::Fails(overloaded())));
    home.prompt("go");
    while home.outcome().is_none() {
        home.wait();
    }
    let asked: Vec<&str> = home
        .requests
        .iter()
        .map(|request| request.model.name.as_str())
        .collect();
    assert_eq!(asked, [vec!["first"; 4], vec!["second"; 4]].concat());
    let Some(Outcome::Failed { error }) = home.outcome() else {
        panic!("{:?}", home.outcome())
    };
    assert_eq!(
        (error.kind, error.model.as_str()),
        (FailureKind::Unavailable, "second")
    );
}

#[test]
fn an_error_that_a_second_attempt_cannot_mend_goes_to_the_next_model_at_once() {
    let unauthorized = ProviderError {
        kind: FailureKind::Unauthorized,
        retryable: false,
        ..overloaded()
    };
    let mut home = Home::new([Reply::Fails(unauthorized), Reply::Text("hello")]);
    home.prompt("go");
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
    assert_eq!(home.requests[1].model.name, "second");
}

#[test]
fn a_hint_longer_than_the_limit_is_not_waited_for() {
    let hinted = ProviderError {
        retry_after_ms: Some(3_600_000),
        ..overloaded()
    };
    let mut home = Home::new([Reply::Fails(hinted), Reply::Text("hello")]);
    home.prompt("go");
    assert_eq!(home.requests[1].model.name, "second");
}

#[test]
fn an_interrupt_while_waiting_to_retry_ends_the_turn() {
    let mut home = Home::new([Reply::Fails(overloaded())]);
    home.prompt("go").submit(Command::Interrupt);
    assert_eq!(home.outcome(), Some(&Outcome::Interrupted));
    assert_eq!(home.session.poll_timeout(), None);
}

#[test]
fn after_a_failed_commit_nothing_more_is_done() {
    let mut home = Home::new([]);
    home.fail_commit = Some(StoreError::Full);
    home.prompt("go");
    assert!(home.requests.is_empty() && home.stored.is_empty());
    assert_eq!(
        home.events,
        [Event::Stopped {
            error: StoreError::Full
        }]
    );
    let again = Command::Prompt {
        text: "again".into(),
        images: vec![],
    };
    assert_eq!(
        home.session.submit(again, home.now),
        Err(CommandError::Stopped)
    );
}
