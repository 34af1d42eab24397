use alloc::format;

use super::*;
use crate::{
    jcs,
    testing::{alice, bob},
};

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

/// Two records with something in every field.
fn records() -> [Record; 2] {
    let mut record = Record::new(bob().did);
    let endorsement = Endorsement {
        id: "e".into(),
        from: "kamn:did:agent:carol".into(),
        note: "good".into(),
        height: 3,
    };
    let dispute = Dispute {
        id: "d".into(),
        opened_by: "kamn:did:agent:carol".into(),
        reason: "late".into(),
        height: 4,
    };
    let verified = VerifiedCapability {
        capability: "summaries".into(),
        verifier: "kamn:did:agent:carol".into(),
        proof_ref: "x".into(),
        height: 4,
    };
    let completed = Event::Completed {
        response_ms: 900,
        earned: u128::MAX,
    };
    for (event, height) in [
        (completed, 2),
        (Event::Endorsed(endorsement), 3),
        (Event::Disputed(dispute), 4),
        (Event::Verified(verified), 4),
        (Event::Delegated { spent: 5 }, 5),
        (Event::Scored, 6),
        (Event::Scored, 9),
    ] {
        record = record.apply(event, height).unwrap();
    }
    [record, Record::new(alice().did)]
}

#[test]
fn records_are_exported_by_key_and_read_back_as_they_were() {
    let records = records();
    let exported = export(&records).unwrap();
    assert_eq!(exported, export([&records[1], &records[0]]).unwrap());
    let text = exported.to_canonical();
    let (alice, bob) = (text.find(":agent:alice"), text.find(":agent:bob"));
    assert!(alice < bob, "{text}");
    let read = restore(jcs::parse(text.as_bytes(), 1 << 20).unwrap()).unwrap();
    assert_eq!(read, [records[1].clone(), records[0].clone()]);
    assert_eq!(read[1].computed(), records[0].computed());
    let twice = export([&records[0], &records[0]]);
    assert_eq!(twice.unwrap_err().reason_code(), "duplicate");
}

#[test]
fn exports_with_anything_wrong_in_them_are_refused_whole() {
    let text = export(&records()).unwrap().to_canonical();
    let read = |text: &str| restore(jcs::parse(text.as_bytes(), 1 << 20).unwrap());
    assert!(read(&text).is_ok());
    let (a, b) = (records()[1].state_key(), records()[0].state_key());
    for (from, to, code) in [
        ("\"v\":1", "\"v\":2", "record_version_mismatch"),
        (VERSION, VERSION_1, "record_version_mismatch"),
        (a.as_str(), b.as_str(), "record_key_mismatch"),
        (
            "\"trust_score\":500",
            "\"trust_score\":1001",
            "score_invalid",
        ),
        (
            "\"total_spent\":\"5\"",
            "\"total_spent\":\"05\"",
            "amount_invalid",
        ),
        ("\"id\":\"e\"", "\"id\":\" \"", "field_blank"),
        ("\"height\":6", "\"height\":10", "height_invalid"),
        ("\"height\":3", "\"height\":0", "height_invalid"),
        ("kamn:did:agent:carol", "carol", "did_invalid"),
        (
            "\"tasks_failed\":0",
            "\"tasks_failed\":-1",
            "json_field_kind_invalid",
        ),
        ("\"tasks_failed\":0,", "", "json_field_missing"),
        (
            "\"tasks_failed\":0",
            "\"tasks_failed\":0,\"x\":0",
            "json_field_unknown",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let refused = read(&text.replace(from, to)).unwrap_err();
        assert_eq!(refused.reason_code(), code, "{from} -> {to}");
    }
    let (head, list) = text.split_once("\"records\":[").unwrap();
    let (list, _) = list.rsplit_once(']').unwrap();
    let twice = format!("{head}\"records\":[{list},{list}],\"v\":1}}");
    assert_eq!(read(&twice).unwrap_err().reason_code(), "duplicate");
}
