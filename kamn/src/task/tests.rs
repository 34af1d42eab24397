use proptest::prelude::*;

use super::*;
use crate::testing::{Agent, alice, bob, carol};

fn did(agent: &Agent) -> KamnDid {
    agent.did.as_did().clone()
}

/// Alice asks bob for `a`, and for `b` once `a` is completed.
fn tasks() -> Tasks {
    let mut tasks = Tasks::new();
    tasks.submit("a", did(&alice()), did(&bob()), &[]).unwrap();
    tasks
        .submit("b", did(&alice()), did(&bob()), &["a"])
        .unwrap();
    tasks
}

fn code<T: core::fmt::Debug>(result: Result<T, TaskError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn transitions_are_kamns_table() {
    use State::{
        Accepted, Blocked, Cancelled, Completed, Delegated, Failed, InProgress, InputRequired,
        Submitted,
    };
    let table: [(State, &[State]); 9] = [
        (Submitted, &[Accepted, Cancelled]),
        (Accepted, &[Delegated, InProgress, Cancelled]),
        (Delegated, &[InProgress, Cancelled]),
        (
            InProgress,
            &[Blocked, InputRequired, Completed, Failed, Cancelled],
        ),
        (Blocked, &[InProgress, Failed, Cancelled]),
        (InputRequired, &[InProgress, Failed, Cancelled]),
        (Completed, &[]),
        (Failed, &[]),
        (Cancelled, &[]),
    ];
    for (from, allowed) in table {
        for to in State::ALL {
            assert_eq!(
                from.leads_to(to),
                allowed.contains(&to),
                "{from:?} -> {to:?}"
            );
        }
        assert_eq!(from.is_terminal(), allowed.is_empty());
    }
}

#[test]
fn work_begins_when_what_it_needs_is_completed() {
    let mut tasks = tasks();
    let bob = did(&bob());
    for id in ["a", "b"] {
        tasks.advance(id, State::Accepted, &bob).unwrap();
    }
    let waiting = tasks.advance("b", State::InProgress, &bob);
    assert_eq!(code(waiting), "task_dependency_incomplete");
    tasks.advance("a", State::InProgress, &bob).unwrap();
    tasks.advance("a", State::Completed, &bob).unwrap();
    tasks.advance("b", State::InProgress, &bob).unwrap();
    assert_eq!(tasks.get("b").unwrap().state(), State::InProgress);
}

#[test]
fn assignee_alone_works_and_both_can_cancel() {
    let mut tasks = tasks();
    let (alice, bob, carol) = (did(&alice()), did(&bob()), did(&carol()));
    for actor in [&alice, &carol] {
        let refused = tasks.advance("a", State::Accepted, actor);
        assert_eq!(code(refused), "task_unauthorized");
    }
    assert_eq!(
        code(tasks.advance("a", State::Cancelled, &carol)),
        "task_unauthorized"
    );
    tasks.advance("a", State::Accepted, &bob).unwrap();
    assert_eq!(
        code(tasks.advance("a", State::Delegated, &bob)),
        "task_invalid_transition"
    );
    assert_eq!(
        code(tasks.delegate("a", bob.clone(), &bob)),
        "task_unauthorized"
    );
    assert_eq!(
        code(tasks.delegate("a", carol.clone(), &alice)),
        "task_unauthorized"
    );
    tasks.delegate("a", carol.clone(), &bob).unwrap();
    assert_eq!(tasks.get("a").unwrap().assignee(), &carol);
    assert_eq!(
        code(tasks.advance("a", State::InProgress, &bob)),
        "task_unauthorized"
    );
    assert_eq!(
        code(tasks.delegate("a", bob.clone(), &carol)),
        "task_invalid_transition"
    );
    tasks.advance("a", State::Cancelled, &alice).unwrap();
    assert_eq!(
        code(tasks.advance("a", State::InProgress, &carol)),
        "task_invalid_transition"
    );
    tasks.advance("b", State::Cancelled, &bob).unwrap();
}

#[test]
fn dependencies_are_there_before_and_once() {
    let mut tasks = tasks();
    let before = tasks.clone();
    let mut submit = |id, needs: &[&str]| tasks.submit(id, did(&alice()), did(&bob()), needs);
    assert_eq!(code(submit("c", &["c"])), "task_dependency_invalid");
    assert_eq!(code(submit("c", &["d"])), "task_dependency_invalid");
    assert_eq!(code(submit("c", &["a", "a"])), "task_dependency_invalid");
    assert_eq!(code(submit("a", &[])), "task_duplicate");
    assert_eq!(code(submit(" ", &[])), "task_id_invalid");
    assert_eq!(
        code(tasks.advance("z", State::Accepted, &did(&bob()))),
        "task_unknown"
    );
    assert_eq!(tasks, before);
    assert_eq!(tasks.get("b").unwrap().dependencies().next(), Some("a"));
}

proptest! {
    #[test]
    fn refused_commands_change_nothing_and_ends_are_final(steps in prop::collection::vec((0..9_usize, 0..3_usize), 1..30)) {
        let agents = [did(&alice()), did(&bob()), did(&carol())];
        let mut tasks = tasks();
        for (to, who) in steps {
            let before = tasks.clone();
            let was = before.get("a").unwrap().state();
            if tasks.advance("a", State::ALL[to], &agents[who]).is_err() {
                prop_assert_eq!(&tasks, &before);
            } else {
                prop_assert!(!was.is_terminal());
            }
        }
    }
}
