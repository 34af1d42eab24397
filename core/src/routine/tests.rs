use alloc::string::ToString;

use super::*;

const NOON: UnixMillis = UnixMillis(1_767_268_800_000);

fn session() -> SessionId {
    SessionId("00c0ffee00c0ffee".into())
}

fn hourly() -> Routine {
    Routine::new(
        "r1",
        &session(),
        "look around",
        NOON,
        Some(3_600_000),
        &Gate::default(),
    )
    .unwrap()
}

#[test]
fn a_routine_is_due_at_its_time_and_not_before() {
    assert_eq!(hourly().fire(UnixMillis(NOON.0 - 1)), None);
    let (moved, run) = hourly().fire(NOON).unwrap();
    assert_eq!(moved.next, Some(NOON.plus(3_600_000)));
    assert_eq!((run.due, run.started, run.missed), (NOON, NOON, 0));
}

#[test]
fn one_late_run_stands_for_all_that_were_missed() {
    let late = NOON.plus(2 * 3_600_000 + 5);
    let (moved, run) = hourly().fire(late).unwrap();
    assert_eq!((run.due, run.started, run.missed), (NOON, late, 2));
    assert_eq!(moved.next, Some(NOON.plus(3 * 3_600_000)));
    assert_eq!(moved.fire(late), None, "it keeps its rhythm");
}

#[test]
fn without_an_interval_it_runs_once() {
    let once = Routine::new("r2", &session(), "remind me", NOON, None, &Gate::default()).unwrap();
    let (moved, _) = once.fire(NOON).unwrap();
    assert_eq!(moved.next, None);
    assert_eq!(moved.fire(UnixMillis(u64::MAX)), None);
}

#[test]
fn a_due_time_is_taken_by_one_commit_that_another_cannot_repeat() {
    let (moved, run) = hourly().fire(NOON).unwrap();
    let batch = moved.begin(&run);
    let key = "run/00c0ffee00c0ffee/r1/1767268800000";
    assert_eq!(batch.require_absent, [key.to_string()]);
    assert_eq!(batch.put.len(), 2, "the routine and its run, together");
    assert_eq!(Routine::read(&batch.put[0].1), Some(moved));
    assert_eq!(Run::read(&batch.put[1].1), Some(run));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let new =
        |prompt: &str, every| Routine::new("r", &session(), prompt, NOON, every, &Gate::default());
    assert_eq!(new(" \n", None), Err(RoutineError::Empty));
    assert_eq!(
        new("x", Some(999)),
        Err(RoutineError::TooOften { every_ms: 999 })
    );
    let long = "x".repeat(PROMPT_LIMIT_BYTES + 1);
    assert!(matches!(
        new(&long, None),
        Err(RoutineError::TooLong { .. })
    ));
    assert!(new("x", Some(u64::MAX)).unwrap().fire(NOON).is_some());
}

#[test]
fn what_a_newer_version_wrote_is_not_misread() {
    let newer = br#"{"v":2,"id":"r","session":"s","prompt":"x","next":null}"#;
    assert_eq!(Routine::read(newer), None);
    let more = br#"{"v":1,"id":"r","session":"s","prompt":"x","next":5,"colour":"blue"}"#;
    assert_eq!(Routine::read(more).unwrap().next, Some(UnixMillis(5)));
}
