//! Scores from what was admitted alone, with their reasons; and who is asked because of them.

use tau_kamn::routing::RoutingError;

use super::*;

/// Alice pays for so many tasks of `to`, and says of each how it went.
fn work(alice: &mut Home, to: &AgentDid, tasks: u8, first: u8, kind: &Kind) {
    for n in first..first + tasks {
        let id = alice.reserve(to, 1, n);
        alice.attest(kind.clone(), to, &id).unwrap();
    }
}

fn failed() -> Kind {
    Kind::TaskFailed {
        response_ms: 20_000,
    }
}

fn route(home: &Home, minimum: u16, among: &[AgentDid]) -> Route {
    let candidacy = Candidacy {
        required: Vec::new(),
        among: among.to_vec(),
        minimum,
    };
    home.trade.route(&candidacy, now_of(&home.clock))
}

#[test]
fn routing_prefers_the_better_and_below_the_threshold_says_why_nobody_is_asked() {
    let (mut alice, bob, clock) = pair();
    let carol = Home::new("carol", 0x33, &clock);
    let stranger = Home::new("eve", 0x99, &clock);
    alice.learn(&carol);
    work(&mut alice, &bob.did(), 8, 0, &completed());
    work(&mut alice, &carol.did(), 4, 50, &failed());
    work(&mut alice, &carol.did(), 1, 60, &completed());
    alice.reopen();

    let found = route(&alice, 300, &[]);
    let ranking = found.ranking.unwrap();
    let order: Vec<_> = ranking
        .places
        .iter()
        .map(|place| place.did.clone())
        .collect();
    assert_eq!(order, [bob.did(), carol.did()]);
    assert!(ranking.places[0].trust > 600 && ranking.places[1].trust < 450);

    let found = route(&alice, 500, &[bob.did(), carol.did(), stranger.did()]);
    let ranking = found.ranking.unwrap();
    assert_eq!(ranking.places.len(), 1);
    assert_eq!(ranking.places[0].did, bob.did());
    assert_eq!(ranking.left_out.len(), 2);
    let of = |did: &AgentDid| found.candidates.iter().find(|one| one.did == *did).unwrap();
    assert_eq!(
        (of(&carol.did()).standing, of(&carol.did()).passes),
        (Standing::Known, false)
    );
    assert_eq!(
        (of(&stranger.did()).standing, of(&stranger.did()).score),
        (Standing::Unknown, None)
    );

    let terms = alice.terms(&carol.did(), 1, 99);
    let refused = now(alice.act(async |trade, desk| {
        let gates = Gates {
            escrow: 500,
            ..Gates::default()
        };
        trade.reserve(MAIN, terms, &gates, desk).await
    }));
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason_code(), "trust_below_gate");
    assert!(refused.to_string().contains("its score is"), "{refused}");

    let found = route(&alice, 950, &[]);
    let error = found.ranking.unwrap_err();
    assert_eq!(error.reason_code(), "no_trusted_route");
    assert!(
        found
            .candidates
            .iter()
            .all(|one| !one.passes && one.score.is_some())
    );
    let nobody = route(&alice, 0, &[stranger.did()]).ranking;
    assert!(matches!(nobody, Err(RoutingError::NoTrustedRoute { .. })));
}

#[test]
fn score_is_explained_by_what_was_admitted_and_is_the_same_from_an_export() {
    let (mut alice, mut bob, clock) = pair();
    work(&mut alice, &bob.did(), 9, 0, &completed());
    work(&mut alice, &bob.did(), 1, 20, &failed());
    let height = height_at(now_of(&clock));
    let explained = alice.trade.explain(&bob.did(), height).unwrap();
    assert_eq!(explained.terms.raw(), explained.score.raw);
    assert_eq!(
        (explained.evidence.completed, explained.evidence.failed),
        (9, 1)
    );
    assert_eq!(explained.counted.len(), 10);
    assert!(explained.counted[..9].iter().all(|one| one.weight >= 0));
    assert!(explained.counted[9].weight < 0);
    let score = explained.score;

    let file = now(alice.trade.export_trust(height, &alice.storage)).unwrap();
    let text = file.to_value().unwrap().to_canonical();
    let File::Trust(trust) = File::read(text.as_bytes()).unwrap() else {
        panic!("attestations were exported");
    };
    // Anybody, from the file alone.
    let other = Trade::of_export(trust.clone()).unwrap();
    assert_eq!(
        other.explain(&bob.did(), trust.height).unwrap().score,
        score
    );
    assert!(other.uncounted().is_empty());
    // Bob, who takes it in.
    let taken = now(bob.trade.import_trust(&trust, &bob.storage, now_of(&clock))).unwrap();
    assert_eq!((taken.admitted.len(), taken.refused.len()), (10, 0));
    bob.reopen();
    assert_eq!(bob.trade.explain(&bob.did(), height).unwrap().score, score);
    let again = now(bob.trade.import_trust(&trust, &bob.storage, now_of(&clock))).unwrap();
    assert_eq!((again.admitted.len(), again.known), (0, 10));
    // Asking and waiting change nothing that was admitted; good reputation fades.
    later(&clock, 200 * BLOCK_MS);
    let faded = bob
        .trade
        .explain(&bob.did(), height_at(now_of(&clock)))
        .unwrap()
        .score;
    assert!(faded.score < score.score && faded.raw == score.raw);
}

#[test]
fn what_does_not_count_is_not_stored() {
    let (mut alice, mut bob, clock) = pair();
    let mut eve = Home::new("eve", 0x99, &clock);
    let id = alice.reserve(&bob.did(), 10, 1);
    alice.learn(&eve);
    eve.learn(&alice);
    eve.learn(&bob);
    assert_eq!(
        alice.attest(completed(), &bob.did(), "escrow:none"),
        Err("attestation_source_unverified")
    );
    assert_eq!(
        alice.attest(completed(), &alice.did(), &id),
        Err("attestation_self_issued")
    );
    assert_eq!(
        alice.attest(Kind::Endorsement { note: " ".into() }, &bob.did(), "x"),
        Err("attestation_invalid")
    );
    let signed = alice.attest(completed(), &bob.did(), &id).unwrap();
    assert_eq!(
        alice.attest(failed(), &bob.did(), &id),
        Err("attestation_duplicate")
    );
    assert_eq!(rows_of(&alice, "attestation/").len(), 1);

    // A stranger's word of a dealing he had no part in, and the same forged as alice's.
    let told = |home: &mut Home, signed: SignedAttestation| {
        now(home.trade.admit(signed, &home.storage, now_of(&home.clock)))
            .map_err(|error| error.reason_code())
    };
    eve.import_from(&alice).unwrap();
    assert_eq!(
        eve.attest(failed(), &bob.did(), &id),
        Err("attestation_source_unverified")
    );
    let text = signed.to_value().unwrap().to_canonical();
    let forged = text.replace("task_completed", "task_failed");
    let File::Attestation(forged) = File::read(forged.as_bytes()).unwrap() else {
        panic!("an attestation is a file of its own");
    };
    assert_eq!(told(&mut bob, forged.clone()), Err("signature_invalid"));
    bob.import_from(&alice).unwrap();
    assert_eq!(told(&mut bob, forged), Err("signature_invalid"));
    let mut by_eve = signed.attestation().clone();
    by_eve.nonce += 1;
    let by_eve = by_eve.sign(&eve.signer.tree().signing(1)).unwrap();
    assert_eq!(told(&mut bob, by_eve), Err("signature_invalid"));
    assert_eq!(told(&mut bob, signed.clone()), Ok(true));
    assert_eq!(told(&mut bob, signed.clone()), Ok(false));
    assert_eq!(rows_of(&bob, "attestation/").len(), 1);

    // One that comes too late is refused whoever signed it.
    let mut late = Home::new("late", 0x44, &clock);
    late.import_from(&alice).unwrap();
    later(&clock, 8 * 24 * BLOCK_MS);
    assert_eq!(told(&mut late, signed), Err("attestation_outside_window"));
    assert!(rows_of(&late, "attestation/").is_empty());
}

#[test]
fn attestation_counts_no_more_once_its_issuers_key_was_lost() {
    let (mut alice, mut bob, clock) = pair();
    let id = alice.reserve(&bob.did(), 10, 1);
    later(&clock, 10_000);
    let signed = alice.attest(completed(), &bob.did(), &id).unwrap();
    bob.import_from(&alice).unwrap();
    now(bob.trade.admit(signed, &bob.storage, now_of(&clock))).unwrap();
    let height = height_at(now_of(&clock));
    assert!(bob.trade.explain(&bob.did(), height).unwrap().score.score > 500);

    // Alice says that her key was lost before she said that, after the ledger's events.
    let change = Change::RevokeKey {
        key_id: alloc::format!("{}#keys-1", alice.did()),
        reason: "stolen".into(),
        compromised_since_ms: (now_of(&clock).0 - 5_000).try_into().unwrap(),
    };
    let event = alice.signer.log().next(at(now_of(&clock).0), change);
    let event = now(alice.signer.sign_event(event)).unwrap();
    let mut log = alice.signer.log().clone();
    log.append(event).unwrap();
    now(bob.trade.learn(&[log], &bob.storage)).unwrap();
    assert_eq!(
        bob.trade.explain(&bob.did(), height).unwrap().score.score,
        500
    );
    assert_eq!(bob.trade.uncounted().len(), 1);
    assert_eq!(
        bob.trade.uncounted()[0].reason_code,
        "attestation_issuer_unknown"
    );
    assert_eq!(bob.trade.standing(&alice.did()), Standing::NoKey);
    assert_eq!(bob.trade.score(&alice.did(), now_of(&clock)), None);
}

#[test]
fn issuers_whose_clocks_are_a_little_ahead_are_heard() {
    let (mut alice, mut bob, clock) = pair();
    // A minute before the hour here, a minute after it for alice.
    let hour = (now_of(&clock).0 / BLOCK_MS + 1) * BLOCK_MS;
    clock.set(UnixMillis(hour + 60_000));
    let signed = alice
        .attest(
            Kind::Endorsement {
                note: "good".into(),
            },
            &bob.did(),
            "word",
        )
        .unwrap();
    assert_eq!(signed.attestation().height, hour / BLOCK_MS);
    clock.set(UnixMillis(hour - 60_000));
    let taken = now(bob.trade.admit(signed, &bob.storage, now_of(&clock)));
    assert_eq!(taken, Ok(true));
    // What this home says of him in the meantime is of the same hour, not before it.
    let mut carol = Home::new("carol", 0x33, &clock);
    carol.learn(&alice);
    carol.learn(&bob);
    let text = bob.trade.book().admitted()[0].signed.clone();
    now(carol.trade.admit(text, &carol.storage, now_of(&clock))).unwrap();
    let own = carol.attest(Kind::Endorsement { note: "too".into() }, &bob.did(), "word");
    assert_eq!(own.unwrap().attestation().height, hour / BLOCK_MS);

    clock.set(UnixMillis(hour + 2 * BLOCK_MS));
    let early = alice
        .attest(
            Kind::Endorsement {
                note: "again".into(),
            },
            &bob.did(),
            "word-2",
        )
        .unwrap();
    clock.set(UnixMillis(hour - 60_000));
    let refused = now(bob.trade.admit(early, &bob.storage, now_of(&clock)));
    assert_eq!(
        refused.unwrap_err().reason_code(),
        "attestation_outside_window"
    );
}

#[test]
fn nobody_is_flooded_by_one_issuer_across_restarts() {
    let (mut alice, bob, _) = pair();
    for n in 0..120 {
        let kind = Kind::Endorsement {
            note: "good".into(),
        };
        alice
            .attest(kind, &bob.did(), &alloc::format!("word-{n}"))
            .unwrap();
        if n == 60 {
            alice.reopen();
        }
    }
    let kind = Kind::Endorsement {
        note: "good".into(),
    };
    assert_eq!(
        alice.attest(kind, &bob.did(), "one-more"),
        Err("attestation_rate_exceeded")
    );
}
