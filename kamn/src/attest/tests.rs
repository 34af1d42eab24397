use alloc::{collections::BTreeMap, format, string::ToString, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    did::AgentDid,
    testing::{Agent, Known, alice, bob, carol},
    time::Timestamp,
    trust::v3::{self, Abuse},
};

const NOW_MS: u64 = 1_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Dealings by name: alice paid bob, carol decides where a name begins with `judged`.
struct Deals(BTreeMap<&'static str, Option<KamnDid>>);

impl Dealings for Deals {
    fn dealing(&self, reference: &str) -> Option<Dealing> {
        let (name, _) = reference.split_once('-')?;
        let lost = self.0.get(name)?.clone();
        Some(Dealing {
            payer: alice().did.as_did().clone(),
            payee: bob().did.as_did().clone(),
            arbiter: (name == "judged").then(|| carol().did.as_did().clone()),
            lost,
        })
    }
}

fn deals() -> Deals {
    Deals(BTreeMap::from([
        ("deal", None),
        ("judged", None),
        ("lost", Some(bob().did.as_did().clone())),
    ]))
}

fn known() -> Known {
    Known::of(&[&alice(), &bob(), &carol()])
}

fn signed(kind: Kind, by: &Agent, of: &Agent, reference: &str, nonce: u64) -> SignedAttestation {
    let attestation = Attestation {
        kind,
        subject: of.did.clone(),
        issuer: by.did.clone(),
        reference: reference.into(),
        height: 10,
        created: Timestamp::from_unix_ms(NOW_MS).unwrap(),
        expires: Timestamp::from_unix_ms(NOW_MS + DAY_MS).unwrap(),
        nonce,
    };
    attestation.sign(&by.signing).unwrap()
}

fn completed() -> Kind {
    Kind::TaskCompleted { response_ms: 900 }
}

fn endorsement() -> Kind {
    Kind::Endorsement {
        note: "good".into(),
    }
}

fn resolved(is_upheld: bool) -> Kind {
    Kind::DisputeResolved { is_upheld }
}

fn admit(book: &mut Book, signed: SignedAttestation) -> Result<(), &'static str> {
    book.admit(signed, &known(), &deals(), &Policy::default(), (NOW_MS, 10))
        .map_err(|error| error.reason_code())
}

/// What one book says of each attestation, one after another.
fn admitted(list: Vec<SignedAttestation>) -> Vec<Result<(), &'static str>> {
    let mut book = Book::new();
    list.into_iter().map(|one| admit(&mut book, one)).collect()
}

#[test]
fn work_that_was_paid_for_raises_a_score() {
    let mut book = Book::new();
    for n in 0..9_u64 {
        admit(
            &mut book,
            signed(completed(), &alice(), &bob(), &format!("deal-{n}"), n),
        )
        .unwrap();
    }
    let failed = Kind::TaskFailed { response_ms: 900 };
    admit(&mut book, signed(failed, &alice(), &bob(), "deal-9", 9)).unwrap();
    assert_eq!(book.score(&bob().did, 10).score, 733);
    assert_eq!(book.score(&bob().did, 10 + 129).score, 500 + 233 * 8 / 10);
    assert_eq!(book.score(&alice().did, 10).score, 500);
}

#[test]
fn statements_about_strangers_oneself_and_by_strangers_do_not_count() {
    let eve = Agent::new("eve", 0x99);
    let list = vec![
        signed(completed(), &alice(), &bob(), "none-1", 1),
        signed(completed(), &carol(), &bob(), "deal-1", 2),
        signed(completed(), &bob(), &alice(), "deal-1", 3),
        signed(endorsement(), &bob(), &bob(), "x", 4),
        signed(endorsement(), &eve, &bob(), "x", 5),
        signed(Kind::TaskDelegated, &carol(), &bob(), "deal-1", 6),
        signed(Kind::TaskDelegated, &bob(), &alice(), "deal-1", 7),
    ];
    let source = Err("attestation_source_unverified");
    assert_eq!(
        admitted(list),
        [
            source,
            source,
            source,
            Err("attestation_self_issued"),
            Err("attestation_issuer_unknown"),
            source,
            Ok(())
        ]
    );
}

#[test]
fn everything_is_said_once() {
    let failed = Kind::TaskFailed { response_ms: 1 };
    let list = vec![
        signed(completed(), &alice(), &bob(), "deal-1", 1),
        signed(completed(), &alice(), &bob(), "deal-1", 2),
        signed(failed, &alice(), &bob(), "deal-1", 3),
        signed(completed(), &alice(), &bob(), "deal-2", 1),
        signed(completed(), &alice(), &bob(), "deal-2", 4),
        signed(endorsement(), &alice(), &bob(), "deal-2", 5),
    ];
    let twice = Err("attestation_duplicate");
    let nonce = Err("attestation_nonce_replay");
    assert_eq!(
        admitted(list),
        [Ok(()), twice, twice, nonce, Ok(()), Ok(())]
    );
}

#[test]
fn disputes_are_decided_by_the_arbiter_or_shown_by_the_record() {
    let list = vec![
        // Alice cannot decide her own dispute, where there is an arbiter and where there is none.
        signed(resolved(true), &alice(), &bob(), "judged-1", 1),
        signed(resolved(true), &alice(), &bob(), "deal-1", 2),
        signed(resolved(true), &carol(), &bob(), "judged-1", 3),
        signed(resolved(true), &carol(), &bob(), "judged-1", 4),
        signed(resolved(true), &alice(), &bob(), "lost-1", 5),
        signed(resolved(true), &bob(), &alice(), "lost-1", 6),
        signed(resolved(false), &bob(), &alice(), "lost-1", 7),
    ];
    let source = Err("attestation_source_unverified");
    let duplicate = Err("attestation_duplicate");
    assert_eq!(
        admitted(list),
        [source, source, Ok(()), duplicate, Ok(()), source, Ok(())]
    );
}

#[test]
fn statements_have_their_time_and_their_block() {
    let good = signed(completed(), &alice(), &bob(), "deal-1", 1);
    let admitted_at = |now_ms, height| {
        let mut book = Book::new();
        book.admit(
            good.clone(),
            &known(),
            &deals(),
            &Policy::default(),
            (now_ms, height),
        )
        .map_err(|error| error.reason_code())
    };
    assert_eq!(admitted_at(NOW_MS + DAY_MS, 10), Ok(()));
    assert_eq!(
        admitted_at(NOW_MS + DAY_MS + 1, 10),
        Err("attestation_outside_window")
    );
    assert_eq!(admitted_at(NOW_MS - 300_000, 10), Ok(()));
    assert_eq!(
        admitted_at(NOW_MS - 300_001, 10),
        Err("attestation_outside_window")
    );
    assert_eq!(admitted_at(NOW_MS, 9), Err("attestation_height_invalid"));
    let mut book = Book::new();
    admit(&mut book, good).unwrap();
    let mut older = signed(completed(), &alice(), &bob(), "deal-2", 2).attestation;
    older.height = 9;
    let older = older.sign(&alice().signing).unwrap();
    assert_eq!(admit(&mut book, older), Err("attestation_height_invalid"));
}

#[test]
fn issuer_is_slowed_down_and_a_full_book_forgets_nothing() {
    let policy = Policy {
        rate: 2,
        limit: 3,
        ..Policy::default()
    };
    let mut book = Book::new();
    let mut said = |n: u64, by: &Agent, now_ms| {
        let of = if by.did == bob().did { alice() } else { bob() };
        let one = signed(endorsement(), by, &of, &n.to_string(), n);
        book.admit(one, &known(), &deals(), &policy, (now_ms, 10))
            .map_err(|error| error.reason_code())
    };
    assert_eq!(said(1, &alice(), NOW_MS), Ok(()));
    assert_eq!(said(2, &alice(), NOW_MS), Ok(()));
    assert_eq!(said(3, &alice(), NOW_MS), Err("attestation_rate_exceeded"));
    assert_eq!(said(4, &bob(), NOW_MS), Ok(()));
    let later = NOW_MS + policy.rate_window_ms;
    assert_eq!(said(3, &alice(), later), Err("attestation_book_full"));
}

#[test]
fn changed_statement_is_refused() {
    let good = signed(completed(), &alice(), &bob(), "deal-1", 1);
    let changes: [fn(&mut Attestation); 7] = [
        |a| a.kind = Kind::TaskFailed { response_ms: 900 },
        |a| a.kind = Kind::TaskCompleted { response_ms: 901 },
        |a| a.reference = "deal-2".into(),
        |a| a.height = 9,
        |a| a.nonce = 2,
        |a| a.created = Timestamp::from_unix_ms(NOW_MS - 1).unwrap(),
        |a| a.expires = Timestamp::from_unix_ms(NOW_MS + 1).unwrap(),
    ];
    for change in changes {
        let mut other = good.clone();
        change(&mut other.attestation);
        assert_eq!(admit(&mut Book::new(), other), Err("signature_invalid"));
    }
    let mut other = good;
    other.attestation.subject = carol().did;
    assert_eq!(admit(&mut Book::new(), other), Err("signature_invalid"));
}

#[test]
fn attestations_read_back_in_one_spelling_alone() {
    let kinds = [
        completed(),
        endorsement(),
        resolved(true),
        Kind::TaskDelegated,
        Kind::DisputeOpened {
            reason: "late".into(),
        },
        Kind::Capability {
            capability: "rust".into(),
            proof_ref: "https://example.com/proof".into(),
        },
    ];
    for kind in kinds {
        let one = signed(kind, &alice(), &bob(), "deal-1", 1);
        let text = one.to_value().unwrap().to_canonical();
        let read = |text: &str| {
            jcs::parse(text.as_bytes(), 65_536)
                .map_err(AttestError::from)
                .and_then(SignedAttestation::from_value)
        };
        assert_eq!(read(&text), Ok(one));
        for (from, to) in [
            ("\"v\":1", "\"v\":2"),
            ("\"data\":{", "\"data\":{\"zz\":1,"),
            ("\"nonce\":1", "\"nonce\":-1"),
            ("\"kind\":\"", "\"kind\":\"x"),
            ("\"ref\":\"deal-1\"", "\"ref\":\" \""),
        ] {
            assert!(text.contains(from), "{text}");
            assert!(read(&text.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }
}

#[test]
fn endorsements_weigh_what_their_issuers_did_and_a_ring_is_seen() {
    let agents: Vec<Agent> = (0..6_u8).map(|n| Agent::new("ring", 0xa0 + n)).collect();
    let keys = Known::of(&agents.iter().collect::<Vec<_>>());
    let mut book = Book::new();
    let mut nonce = 0;
    let mut endorse = |book: &mut Book, by: &Agent, of: &Agent| {
        nonce += 1;
        let one = signed(endorsement(), by, of, &nonce.to_string(), nonce);
        book.admit(one, &keys, &deals(), &Policy::default(), (NOW_MS, 10))
            .unwrap();
    };
    let target = &agents[0];
    for by in &agents[1..] {
        endorse(&mut book, by, target);
        endorse(&mut book, by, target);
    }
    // Five different endorsers at 500, each counted once.
    let evidence = book.evidence(&target.did, 10);
    assert_eq!((evidence.endorsers, evidence.endorser_scores), (5, 2500));
    assert_eq!(book.score(&target.did, 10).abuse, Abuse::None);
    for of in &agents[1..4] {
        endorse(&mut book, target, of);
    }
    assert_eq!(book.score(&target.did, 10).abuse, Abuse::Ring);
    assert!(book.capabilities(&target.did).is_empty());
}

#[test]
fn signature_made_elsewhere_is_taken_if_it_fits_and_the_name_is_of_what_is_signed() {
    let whole = signed(completed(), &alice(), &bob(), "deal-1", 1);
    let attestation = whole.attestation().clone();
    let signature = alice().signing.sign(&attestation.to_sign().unwrap());
    let key = alice().signing.public_key();
    let again = attestation.clone().signed(signature, &key).unwrap();
    assert_eq!(again, whole);
    assert_eq!(again.id().unwrap().len(), 32);
    let other = signed(completed(), &alice(), &bob(), "deal-1", 2);
    assert_ne!(again.id(), other.id());
    let refused = attestation.signed(signature, &bob().signing.public_key());
    assert_eq!(refused.unwrap_err().reason_code(), "signature_invalid");
}

#[test]
fn book_that_was_read_again_knows_how_often_each_attests() {
    let policy = Policy {
        rate: 2,
        ..Policy::default()
    };
    let mut book = Book::new();
    for nonce in 0..2 {
        let one = signed(endorsement(), &alice(), &bob(), &format!("{nonce}"), nonce);
        book.admit(one, &known(), &deals(), &policy, (NOW_MS, 10))
            .unwrap();
    }
    let mut again = Book::restore(book.admitted().to_vec(), &known(), &deals()).unwrap();
    assert_eq!(again, book);
    let third = signed(endorsement(), &alice(), &bob(), "third", 3);
    let refused = again.admit(third, &known(), &deals(), &policy, (NOW_MS, 10));
    assert_eq!(refused, Err(AttestError::Rate));
}

#[test]
fn weight_is_what_the_score_would_lose() {
    let mut book = Book::new();
    let failed = Kind::TaskFailed {
        response_ms: 20_000,
    };
    let capability = Kind::Capability {
        capability: "summaries".into(),
        proof_ref: "x".into(),
    };
    let said = [
        (completed(), alice(), "deal-1"),
        (failed, alice(), "deal-2"),
        (endorsement(), carol(), "a"),
        (resolved(true), carol(), "judged-1"),
        (capability, carol(), "b"),
        (completed(), alice(), "deal-3"),
    ];
    for (nonce, (kind, by, reference)) in said.into_iter().enumerate() {
        let one = signed(kind, &by, &bob(), reference, nonce as u64);
        admit(&mut book, one).unwrap();
    }
    let explained = book.explain(&bob().did, 10).unwrap();
    assert_eq!(explained.len(), 6);
    let score = i32::from(book.score(&bob().did, 10).score);
    for counted in &explained {
        let others = book
            .admitted()
            .iter()
            .filter(|one| *one != counted.admitted);
        let without = Book::restore(others.cloned(), &known(), &deals()).unwrap();
        let without = i32::from(without.score(&bob().did, 10).score);
        assert_eq!(counted.weight, score - without, "{counted:?}");
    }
    let signs: Vec<i32> = explained.iter().map(|one| one.weight.signum()).collect();
    assert_eq!(signs[1], -1, "a failure weighs against");
    assert_eq!(signs[3], -1, "so does a lost dispute");
    assert_eq!(signs[4], 0, "a capability is no deed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever has the attestations comes to the same scores, and asking changes none.
    #[test]
    fn scores_are_recomputed_from_what_was_admitted(choices in prop::collection::vec((0..5_u8, 0..8_u8), 0..30)) {
        let mut book = Book::new();
        for (nonce, (what, reference)) in choices.into_iter().enumerate() {
            let (kind, by, of, name) = match what {
                0 => (completed(), alice(), bob(), "deal"),
                1 => (Kind::TaskFailed { response_ms: 9_000 }, alice(), bob(), "deal"),
                2 => (resolved(true), carol(), bob(), "judged"),
                3 => (endorsement(), carol(), bob(), "word"),
                _ => (completed(), carol(), bob(), "deal"),
            };
            let one = signed(kind, &by, &of, &format!("{name}-{reference}"), nonce as u64);
            let before = book.clone();
            if admit(&mut book, one).is_err() {
                prop_assert_eq!(&book, &before);
            }
        }
        let again = Book::restore(book.admitted().to_vec(), &known(), &deals()).unwrap();
        let agents: [AgentDid; 3] = [alice().did, bob().did, carol().did];
        for did in &agents {
            let score: v3::Score = book.score(did, 10);
            prop_assert_eq!(score, again.score(did, 10));
            prop_assert_eq!(score, book.score(did, 10));
            prop_assert!(score.score <= 1000);
        }
    }
}
