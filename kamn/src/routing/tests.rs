use alloc::format;

use proptest::prelude::*;

use super::*;

fn candidate(name: &str, score: u16) -> Candidate {
    Candidate {
        did: format!("kamn:did:agent:{name}").parse().unwrap(),
        listing: None,
        trust: Some(Trust { score, at_ms: 1000 }),
        endorsements: 0,
        disputes: 0,
        verified: BTreeSet::new(),
    }
}

fn names(ranking: &Ranking) -> Vec<&str> {
    ranking
        .places
        .iter()
        .map(|place| place.did.label())
        .collect()
}

fn code<T: core::fmt::Debug>(result: Result<T, RoutingError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn scores_are_kamns_worked_example() {
    let agent = Candidate {
        endorsements: 5,
        disputes: 1,
        verified: [String::from("rust")].into(),
        ..candidate("a", 760)
    };
    let routed = |required: &[&str]| {
        let ranking = rank(core::slice::from_ref(&agent), required, &Weights::default());
        ranking.unwrap().places.remove(0)
    };
    assert_eq!(routed(&["rust"]).routing, 814);
    let other = routed(&["go"]);
    assert_eq!((other.routing, other.missing), (744, ["go".into()].into()));
    assert_eq!(routed(&[]).adjustment, 6 * 5 + 2 - 18);
}

#[test]
fn order_is_routing_then_trust_then_name_then_listing() {
    let lifted = Candidate {
        endorsements: 5,
        ..candidate("c", 570)
    };
    let listed = |listing: &str| Candidate {
        listing: Some(listing.into()),
        ..candidate("b", 600)
    };
    let ranking = rank(
        &[
            listed("2"),
            lifted,
            candidate("a", 600),
            candidate("d", 590),
            listed("1"),
        ],
        &[],
        &Weights::default(),
    )
    .unwrap();
    assert_eq!(names(&ranking), ["a", "b", "b", "c", "d"]);
    assert_eq!(ranking.places[1].listing.as_deref(), Some("1"));
}

#[test]
fn what_cannot_be_ranked_is_refused() {
    let weights = Weights::default();
    let one = [candidate("a", 500)];
    assert_eq!(code(rank(&[], &[], &weights)), "routing_candidates_empty");
    let twice = [candidate("a", 500), candidate("a", 600)];
    assert_eq!(
        code(rank(&twice, &[], &weights)),
        "routing_candidate_duplicate"
    );
    assert_eq!(
        code(rank(&one, &[" "], &weights)),
        "routing_capability_invalid"
    );
    let negative = Weights {
        dispute: -1,
        ..weights
    };
    assert_eq!(code(rank(&one, &[], &negative)), "routing_weight_invalid");
    let unknown = Candidate {
        trust: None,
        ..candidate("a", 500)
    };
    assert_eq!(
        code(rank(&[unknown], &[], &weights)),
        "routing_record_missing"
    );
    let ranking = rank(&one, &["b", "a", "b"], &weights).unwrap();
    assert_eq!(ranking.required, ["a", "b"]);
}

#[test]
fn unknown_stale_and_low_scores_are_left_out_and_nobody_is_no_route() {
    let weights = Weights::default();
    let threshold = Threshold::default();
    let unknown = Candidate {
        trust: None,
        ..candidate("unknown", 900)
    };
    let stale = Candidate {
        trust: Some(Trust {
            score: 900,
            at_ms: 999,
        }),
        ..candidate("stale", 900)
    };
    let future = Candidate {
        trust: Some(Trust {
            score: 900,
            at_ms: 3_601_001,
        }),
        ..candidate("future", 900)
    };
    let low = Candidate {
        endorsements: 20,
        ..candidate("low", 399)
    };
    let chosen = |list: &[Candidate]| choose(list, &[], &weights, &threshold, 3_601_000);
    let list = [low, unknown, stale, future, candidate("good", 400)];
    let ranking = chosen(&list).unwrap();
    assert_eq!(names(&ranking), ["good"]);
    assert_eq!(ranking.left_out.len(), 4);
    assert_eq!(code(chosen(&list[..4])), "no_trusted_route");
}

proptest! {
    #[test]
    fn order_is_total_and_does_not_depend_on_the_order_of_candidates(
        known in prop::collection::btree_map("[a-c]{1,3}", (0..1001_u16, 0..30_u64, 0..30_u64), 1..12),
        shuffle in any::<u64>(),
    ) {
        let mut list: Vec<Candidate> = known
            .into_iter()
            .map(|(name, (score, endorsements, disputes))| Candidate { endorsements, disputes, ..candidate(&name, score) })
            .collect();
        let first = rank(&list, &[], &Weights::default()).unwrap();
        let mut state = shuffle;
        list.sort_by_key(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        });
        prop_assert_eq!(&rank(&list, &[], &Weights::default()).unwrap(), &first);
        for pair in first.places.windows(2) {
            prop_assert!(pair[0].routing >= pair[1].routing);
            prop_assert!(pair[0].did != pair[1].did);
        }
    }
}
