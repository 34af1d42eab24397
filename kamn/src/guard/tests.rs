//! Every refusal, and what no order of deliveries, restarts and clocks may change.

use alloc::{format, string::ToString, vec::Vec};
use proptest::prelude::*;

use super::*;
use crate::jcs::{self, Value};

const NOW_MS: u64 = 1_770_495_330_123;
const MINUTE_MS: u64 = 60_000;

fn delivery(number: u64) -> Delivery {
    Delivery {
        message_id: format!("message-{number}"),
        sender: "alice".into(),
        lane: "to bob".into(),
        nonce: number,
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 30 * MINUTE_MS,
    }
}

fn strict() -> Guard {
    Guard::new(Order::Strict, Limits::default())
}

fn window(numbers: usize) -> Guard {
    let size = WindowSize::new(numbers).unwrap();
    Guard::new(Order::Window(size), Limits::default())
}

/// What a guard says, and that it is as before where it refuses.
fn admit(guard: &mut Guard, delivery: &Delivery, now_ms: u64) -> Result<(), &'static str> {
    let before = guard.clone();
    let said = guard.admit(delivery, now_ms);
    assert!(said.is_ok() || *guard == before);
    said.map_err(Refusal::reason_code)
}

fn restored(guard: &Guard) -> Guard {
    let text = guard.snapshot().unwrap().to_canonical();
    let value = jcs::parse(text.as_bytes(), 1 << 24).unwrap();
    Guard::restore(value, guard.limits).unwrap()
}

#[test]
fn time_is_checked_to_the_millisecond() {
    let window =
        |created, expires, now| check_window(created, expires, now).map_err(Refusal::reason_code);
    assert_eq!(window(10, 20, 20), Ok(()));
    assert_eq!(window(10, 20, 21), Err("expired"));
    assert_eq!(window(10, 10, 10), Err("invalid_window"));
    assert_eq!(window(11, 10, 10), Err("invalid_window"));
    // What makes no sense is said before what is late.
    assert_eq!(window(11, 10, 99), Err("invalid_window"));
    assert_eq!(window(SKEW_MS, SKEW_MS + 1, 0), Ok(()));
    assert_eq!(
        window(SKEW_MS + 1, SKEW_MS + 2, 0),
        Err("created_in_future")
    );
    assert_eq!(window(0, LIFETIME_LIMIT_MS, 0), Ok(()));
    assert_eq!(window(0, LIFETIME_LIMIT_MS + 1, 0), Err("invalid_window"));
    assert_eq!(window(0, u64::MAX, u64::MAX), Err("invalid_window"));
}

#[test]
fn strict_lane_takes_one_number_after_the_other() {
    let mut guard = strict();
    let refusal = guard.admit(&delivery(2), NOW_MS).unwrap_err();
    assert_eq!(refusal.to_string(), "nonce 2, expected 1");
    for number in 1..=3 {
        assert_eq!(admit(&mut guard, &delivery(number), NOW_MS), Ok(()));
        assert_eq!(admit(&mut guard, &delivery(number), NOW_MS), Err("replay"));
    }
    let mut same_number = delivery(3);
    same_number.message_id = "another".into();
    assert_eq!(
        admit(&mut guard, &same_number, NOW_MS),
        Err("nonce_out_of_sequence")
    );
    let mut same_id = delivery(3);
    same_id.nonce = 4;
    assert_eq!(admit(&mut guard, &same_id, NOW_MS), Err("replay"));
    // Another sender and another lane count for themselves.
    let mut other = delivery(1);
    other.sender = "carol".into();
    assert_eq!(admit(&mut guard, &other, NOW_MS), Ok(()));
    let mut lane = delivery(1);
    lane.lane = "in channel".into();
    assert_eq!(admit(&mut guard, &lane, NOW_MS), Err("replay"));
    lane.message_id = "fresh".into();
    assert_eq!(admit(&mut guard, &lane, NOW_MS), Ok(()));
}

#[test]
fn window_takes_each_number_once_in_any_order() {
    let mut guard = window(64);
    for number in [100, 37, 99, 38, 101] {
        assert_eq!(
            admit(&mut guard, &delivery(number), NOW_MS),
            Ok(()),
            "{number}"
        );
    }
    for (number, code) in [(101, "replay"), (38, "replay"), (37, "nonce_too_old")] {
        let mut again = delivery(number);
        again.message_id = format!("again-{number}");
        assert_eq!(admit(&mut guard, &again, NOW_MS), Err(code), "{number}");
    }
    assert_eq!(
        admit(&mut guard, &delivery(36), NOW_MS),
        Err("nonce_too_old")
    );
    // A jump past the window leaves nothing behind in it.
    assert_eq!(admit(&mut guard, &delivery(100_000), NOW_MS), Ok(()));
    assert_eq!(admit(&mut guard, &delivery(99_937), NOW_MS), Ok(()));
    assert_eq!(
        admit(&mut guard, &delivery(99_936), NOW_MS),
        Err("nonce_too_old")
    );
    assert_eq!(admit(&mut guard, &delivery(NONCE_MAX), NOW_MS), Ok(()));
    assert_eq!(
        admit(&mut guard, &delivery(NONCE_MAX + 1), NOW_MS),
        Err("delivery_invalid")
    );
}

#[test]
fn window_has_a_size_it_can_have() {
    for numbers in [0, 63, 65, 4097, 4160] {
        assert_eq!(WindowSize::new(numbers), None, "{numbers}");
    }
    assert!(WindowSize::new(64).is_some() && WindowSize::new(4096).is_some());
}

#[test]
fn nameless_and_numberless_deliveries_are_refused() {
    type Twist = fn(&mut Delivery);
    let cases: [Twist; 5] = [
        |delivery| delivery.nonce = 0,
        |delivery| delivery.message_id = " ".into(),
        |delivery| delivery.sender = "".into(),
        |delivery| delivery.lane = "\t".into(),
        |delivery| delivery.message_id = "x".repeat(513),
    ];
    for twist in cases {
        let mut twisted = delivery(1);
        twist(&mut twisted);
        let said = admit(&mut window(64), &twisted, NOW_MS);
        assert_eq!(said, Err("delivery_invalid"));
    }
}

#[test]
fn full_guard_refuses_and_forgets_only_what_has_ended() {
    let limits = Limits {
        senders: 2,
        lanes_per_sender: 2,
        ids_per_sender: 3,
    };
    let size = WindowSize::new(64).unwrap();
    let mut guard = Guard::new(Order::Window(size), limits);
    for number in 1..=3 {
        assert_eq!(guard.admit(&delivery(number), NOW_MS), Ok(()));
    }
    assert_eq!(admit(&mut guard, &delivery(4), NOW_MS), Err("guard_full"));
    assert_eq!(admit(&mut guard, &delivery(1), NOW_MS), Err("replay"));
    // One flood takes no room from others, until there are too many senders.
    let from = |sender: &str| Delivery {
        sender: sender.into(),
        ..delivery(1)
    };
    assert_eq!(admit(&mut guard, &from("carol"), NOW_MS), Ok(()));
    assert_eq!(admit(&mut guard, &from("dave"), NOW_MS), Err("guard_full"));
    let mut lane = from("carol");
    lane.message_id = "b".into();
    lane.lane = "in b".into();
    assert_eq!(admit(&mut guard, &lane, NOW_MS), Ok(()));
    lane.message_id = "c".into();
    lane.lane = "in c".into();
    assert_eq!(admit(&mut guard, &lane, NOW_MS), Err("guard_full"));

    let later = NOW_MS + 30 * MINUTE_MS + SKEW_MS + 1;
    let fresh = |number| Delivery {
        created_ms: later,
        expires_ms: later + MINUTE_MS,
        ..delivery(number)
    };
    assert_eq!(guard.admit(&fresh(4), later), Ok(()));
    let mut late_sender = fresh(1);
    late_sender.sender = "dave".into();
    assert_eq!(guard.admit(&late_sender, later), Ok(()));
    assert_eq!(guard.remembered(), (2, 2, 2));
}

#[test]
fn clock_that_goes_back_brings_nothing_back() {
    let mut guard = window(64);
    assert_eq!(guard.admit(&delivery(1), NOW_MS), Ok(()));
    let later = NOW_MS + 60 * MINUTE_MS;
    guard.forget(later);
    assert_eq!(guard.remembered(), (0, 0, 0));
    assert_eq!(admit(&mut guard, &delivery(1), NOW_MS), Err("expired"));
    let mut guard = restored(&guard);
    assert_eq!(admit(&mut guard, &delivery(1), NOW_MS), Err("expired"));
}

#[test]
fn strict_lane_is_known_after_its_messages_ended() {
    let mut guard = strict();
    assert_eq!(guard.admit(&delivery(1), NOW_MS), Ok(()));
    let later = NOW_MS + 60 * MINUTE_MS;
    guard.forget(later);
    assert_eq!(guard.remembered(), (1, 1, 0));
    let next = Delivery {
        created_ms: later,
        expires_ms: later + MINUTE_MS,
        ..delivery(2)
    };
    assert_eq!(admit(&mut guard, &next, later), Ok(()));
}

#[test]
fn snapshot_that_could_not_have_come_about_is_refused() {
    let mut guard = window(64);
    guard.admit(&delivery(5), NOW_MS).unwrap();
    let text = guard.snapshot().unwrap().to_canonical();
    let expected = concat!(
        r#"{"latest_ms":1770495330123,"order":"window:64","senders":[{"ids":{"message-5":1770497430123},"#,
        r#""lanes":{"to bob":{"newest":5,"taken":"0000000000000001","until_ms":1770497430123}},"#,
        r#""sender":"alice"}],"v":1}"#
    );
    assert_eq!(text, expected);
    let restore = |text: &str| {
        let value = jcs::parse(text.as_bytes(), 4096).unwrap();
        let guard = Guard::restore(value, Limits::default());
        guard.map(|_| ()).map_err(|error| error.reason_code())
    };
    assert_eq!(restore(&text), Ok(()));
    let cases = [
        (r#""v":1"#, r#""v":2"#, "guard_version_unknown"),
        (r#""v":1"#, r#""v":1,"w":1"#, "json_field_unknown"),
        ("window:64", "window:65", "guard_snapshot_invalid"),
        ("window:64", "window:064", "guard_snapshot_invalid"),
        ("window:64", "window:128", "guard_snapshot_invalid"),
        ("window:64", "strict", "guard_snapshot_invalid"),
        (
            r#""sender":"alice""#,
            r#""sender":" ""#,
            "guard_snapshot_invalid",
        ),
        ("message-5", "", "guard_snapshot_invalid"),
        ("to bob", "", "guard_snapshot_invalid"),
        (r#""newest":5"#, r#""newest":0"#, "guard_snapshot_invalid"),
        (
            "0000000000000001",
            "0000000000000000",
            "guard_snapshot_invalid",
        ),
        (
            "0000000000000001",
            "0000000000000021",
            "guard_snapshot_invalid",
        ),
        (
            "0000000000000001",
            "000000000000000g",
            "guard_snapshot_invalid",
        ),
        (
            "0000000000000001",
            "é0000000000001",
            "guard_snapshot_invalid",
        ),
        (
            r#"{"message-5":1770497430123}"#,
            r#"{"message-5":true}"#,
            "guard_snapshot_invalid",
        ),
    ];
    for (from, to, code) in cases {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            restore(&text.replace(from, to)),
            Err(code),
            "{from} -> {to}"
        );
    }
    let start = text.find("[{").unwrap() + 1;
    let sender = &text[start..text.rfind("}]").unwrap() + 1];
    let twice = text.replace(sender, &format!("{sender},{sender}"));
    assert_eq!(restore(&twice), Err("guard_snapshot_invalid"));
}

#[derive(Default)]
struct Disk {
    records: Vec<Value>,
    is_full: bool,
}

impl Persist for Disk {
    fn persist(&mut self, record: &Value) -> Result<(), Unwritten> {
        if self.is_full {
            return Err(Unwritten);
        }
        self.records.push(record.clone());
        Ok(())
    }
}

#[test]
fn kept_guard_writes_before_it_takes() {
    let mut kept = Kept::new(strict(), Disk::default());
    let snapshot = kept.guard().clone();
    assert_eq!(kept.admit(&delivery(1), NOW_MS), Ok(()));
    assert_eq!(kept.admit(&delivery(1), NOW_MS), Err(Refusal::Replay));
    kept.place_mut().is_full = true;
    assert_eq!(kept.admit(&delivery(2), NOW_MS), Err(Refusal::Unwritten));
    kept.place_mut().is_full = false;
    assert_eq!(kept.admit(&delivery(2), NOW_MS), Ok(()));
    // What was written makes the same guard of an older snapshot.
    let mut again = restored(&snapshot);
    for record in kept.place().records.clone() {
        again.replay(record).unwrap();
    }
    assert_eq!(&again, kept.guard());
    let error = again.replay(kept.place().records[0].clone()).unwrap_err();
    assert_eq!(error.reason_code(), "guard_record_invalid");
}

fn deliveries() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    // A number, how long after the last it comes, and whether the guard restarts before.
    let one = (1_u64..200, 0..5 * MINUTE_MS, any::<bool>());
    prop::collection::vec(one, 1..80)
}

proptest! {
    #[test]
    fn what_was_taken_once_is_refused_ever_after(steps in deliveries(), is_strict: bool) {
        let mut guard = if is_strict { strict() } else { window(64) };
        let mut taken: Vec<Delivery> = Vec::new();
        let mut now_ms = NOW_MS;
        for (at, (number, pause_ms, restarts)) in steps.into_iter().enumerate() {
            now_ms += pause_ms;
            if restarts {
                guard = restored(&guard);
            }
            let nonce = if is_strict { taken.len() as u64 + 1 } else { number };
            let fresh = Delivery {
                message_id: format!("{at}"),
                nonce,
                created_ms: now_ms,
                expires_ms: now_ms + 1 + pause_ms,
                ..delivery(1)
            };
            if guard.admit(&fresh, now_ms).is_ok() {
                taken.push(fresh);
            }
            for old in &taken {
                prop_assert!(guard.clone().admit(old, now_ms).is_err());
                prop_assert!(guard.clone().admit(old, NOW_MS).is_err());
            }
        }
        guard.forget(now_ms + 60 * MINUTE_MS);
        for old in &taken {
            prop_assert!(guard.admit(old, NOW_MS).is_err());
        }
    }

    #[test]
    fn memory_is_bounded_whatever_comes(
        steps in prop::collection::vec((0_u8..6, 0_u8..6, 0_u64..40, 0..MINUTE_MS), 1..200),
    ) {
        let limits = Limits { senders: 3, lanes_per_sender: 2, ids_per_sender: 4 };
        let mut guard = Guard::new(Order::Window(WindowSize::new(64).unwrap()), limits);
        let mut now_ms = NOW_MS;
        for (sender, lane, number, pause_ms) in steps {
            now_ms += pause_ms;
            let _ = guard.admit(&Delivery {
                message_id: format!("{number}"),
                sender: format!("{sender}"),
                lane: format!("{lane}"),
                nonce: number,
                created_ms: now_ms,
                expires_ms: now_ms + MINUTE_MS,
            }, now_ms);
            let (senders, lanes, ids) = guard.remembered();
            prop_assert!(senders <= 3 && lanes <= 6 && ids <= 12);
        }
        prop_assert_eq!(restored(&guard), guard);
    }
}
