use alloc::format;

use super::*;
use crate::testing::alice;

/// A row of KAMN's fixtures: rates, counts, heights; multiplier, kind, score.
type Row = (
    (f64, u64, f64),
    [u64; 5],
    u64,
    &'static [u64],
    (u16, Abuse, u16),
);

const ROWS: [Row; 6] = [
    (
        (0.93, 800, 0.05),
        [140, 6, 8, 6, 1],
        2000,
        &[1995, 1984, 1970],
        (910, Abuse::None, 782),
    ),
    (
        (0.88, 1200, 0.12),
        [20, 4, 15, 4, 1],
        2200,
        &[2190, 2180],
        (790, Abuse::Ring, 608),
    ),
    (
        (0.72, 2400, 0.24),
        [22, 20, 4, 3, 2],
        2300,
        &[2290, 2100, 1800],
        (670, Abuse::Burst, 534),
    ),
    (
        (0.68, 3100, 0.34),
        [10, 12, 8, 2, 5],
        2400,
        &[2000, 1300, 600],
        (530, Abuse::Compound, 432),
    ),
    (
        (0.81, 950, 0.18),
        [15, 7, 3, 5, 5],
        2450,
        &[2400, 2300, 2200],
        (750, Abuse::Churn, 640),
    ),
    (
        (0.9, 900, 0.1),
        [120, 10, 4, 5, 1],
        16,
        &[],
        (950, Abuse::None, 760),
    ),
];

fn inputs(row: &Row) -> Inputs<'static> {
    let ((delivery_rate, response_ms, dispute_rate), counts, last_height, history, _) = *row;
    let [completed, failed, delegated, endorsements, disputes] = counts;
    Inputs {
        delivery_rate,
        response_ms,
        dispute_rate,
        completed,
        failed,
        delegated,
        endorsements,
        disputes,
        last_height,
        history,
    }
}

#[test]
fn scores_are_kamns_fixtures() {
    for row in &ROWS {
        let found = score(&inputs(row)).unwrap();
        let (multiplier, abuse, expected) = row.4;
        assert_eq!(
            (found.multiplier, found.abuse, found.score),
            (multiplier, abuse, expected)
        );
    }
}

#[test]
fn version_1_has_neither_multiplier_nor_abuse() {
    assert_eq!(
        score_v1(&inputs(&ROWS[0])),
        Some(500 + 172 + 100 - 7 + 14 + 6)
    );
    assert_eq!(
        score_v1(&inputs(&ROWS[3])),
        Some(500 + 72 + 50 - 51 + 1 + 2)
    );
}

#[test]
fn rates_outside_zero_to_one_have_no_score() {
    for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let bad = Inputs {
            delivery_rate: rate,
            ..inputs(&ROWS[0])
        };
        assert_eq!(score(&bad), None);
        let bad = Inputs {
            dispute_rate: rate,
            ..inputs(&ROWS[0])
        };
        assert_eq!((score(&bad), score_v1(&bad)), (None, None));
    }
}

#[test]
fn known_weaknesses_of_the_formula_are_as_upstream_has_them() {
    // A new agent falls by a hundred when it is first scored, and scoring it again raises it.
    let mut record = Record::new(alice().did);
    assert_eq!(record.score(), 500);
    record = record.apply(Event::Scored, 10).unwrap();
    assert_eq!(record.score(), 400);
    for id in 0..40 {
        let endorsement = Endorsement {
            id: format!("e{id}"),
            from: "kamn:did:agent:one-and-the-same".into(),
            note: "good".into(),
            height: 10,
        };
        record = record.apply(Event::Endorsed(endorsement), 10).unwrap();
    }
    let once = record.apply(Event::Scored, 10).unwrap();
    let thrice = once
        .apply(Event::Scored, 10)
        .and_then(|record| record.apply(Event::Scored, 10))
        .unwrap();
    assert!(thrice.score() > once.score());
}

#[test]
fn refused_events_change_nothing_and_say_why() {
    let record = Record::new(alice().did)
        .apply(
            Event::Completed {
                response_ms: 500,
                earned: 7,
            },
            10,
        )
        .unwrap();
    let endorsement = |id: &str, from: &str, height| {
        Event::Endorsed(Endorsement {
            id: id.into(),
            from: from.into(),
            note: "good".into(),
            height,
        })
    };
    let code = |event, height| record.apply(event, height).unwrap_err().reason_code();
    assert_eq!(code(Event::Scored, 0), "height_invalid");
    assert_eq!(code(Event::Scored, 9), "height_invalid");
    assert_eq!(
        code(endorsement("e", "kamn:did:agent:b", 11), 10),
        "height_invalid"
    );
    assert_eq!(
        code(endorsement(" ", "kamn:did:agent:b", 10), 10),
        "field_blank"
    );
    assert_eq!(code(endorsement("e", "did:key:b", 10), 10), "did_invalid");
    let too_much = Event::Completed {
        response_ms: 1,
        earned: u128::MAX,
    };
    assert_eq!(code(too_much, 10), "overflow");
    let endorsed = record
        .apply(endorsement("e", "kamn:did:agent:b", 10), 10)
        .unwrap();
    let again = endorsed.apply(endorsement("e", "kamn:did:agent:c", 10), 10);
    assert_eq!(again.unwrap_err().reason_code(), "duplicate");
    assert_eq!(endorsed.earned_and_spent(), (7, 0));
}

#[test]
fn response_time_is_the_mean_over_finished_tasks() {
    let mut record = Record::new(alice().did);
    for (response_ms, failed) in [(1000, false), (2000, true), (6000, false)] {
        let event = if failed {
            Event::Failed { response_ms }
        } else {
            Event::Completed {
                response_ms,
                earned: 0,
            }
        };
        record = record.apply(event, 5).unwrap();
    }
    // Mean 3000: 50 points. 2 of 3: trunc(0.1666… · 400) = 66. Under 25 tasks, no history: 900.
    assert_eq!(record.computed().unwrap().score, 500 + 66 + 50);
    assert!(
        record
            .state_key()
            .starts_with("kamn.reputation.scores:agent:alice--keyh-")
    );
}
