//! Reserving, releasing, refunding, disputing; and what a store that fails leaves.

use tau_core::model::{Pricing, Usage};
use tau_kamn::{
    escrow::{SignedCommand, State},
    settlement::Ended,
};

use super::*;

fn settle(home: &mut Home, id: &str, ended: Ended) -> Settled {
    now(home.act(async |trade, desk| trade.settle(id, ended, desk).await)).unwrap()
}

fn state(home: &Home, id: &str) -> State {
    let ledger = home.trade.ledger(MAIN).unwrap().ledger();
    ledger.escrow(id).unwrap().machine().unwrap().state()
}

#[test]
fn delegation_reserves_completion_releases_and_the_rest_goes_back() {
    let (mut alice, mut bob, _) = pair();
    let id = alice.reserve(&bob.did(), 120, 1);
    assert_eq!(alice.available(), 880);
    check_sums(&alice);

    let cost = Amount::new(70);
    let settled = settle(&mut alice, &id, Ended::Succeeded { cost });
    assert_eq!(settled.done.len(), 1);
    assert_eq!(settled.waits_for.as_ref(), Some(bob.did().as_did()));
    assert_eq!(alice.paid(&bob.did()), 70);
    check_sums(&alice);

    // Bob sees it in his copy, and gives the rest back by a file.
    bob.import_from(&alice).unwrap();
    let settled = settle(&mut bob, &id, Ended::Succeeded { cost });
    let [done] = &settled.done[..] else {
        panic!("{settled:?}")
    };
    alice.take(done.clone()).unwrap();
    assert_eq!((alice.available(), alice.paid(&bob.did())), (930, 70));
    check_sums(&alice);

    // Whatever is said of it afterwards settles nothing twice.
    for ended in [
        Ended::Succeeded {
            cost: Amount::new(120),
        },
        Ended::Failed,
        Ended::TimedOut,
    ] {
        let settled = settle(&mut alice, &id, ended);
        assert_eq!((settled.done.len(), settled.waits_for), (0, None));
    }
    assert_eq!((alice.available(), alice.paid(&bob.did())), (930, 70));
}

#[test]
fn failure_and_the_deadline_give_everything_back() {
    let (mut alice, mut bob, clock) = pair();
    let failed = alice.reserve(&bob.did(), 90, 1);
    bob.import_from(&alice).unwrap();
    let settled = settle(&mut bob, &failed, Ended::Failed);
    alice.take(settled.done[0].clone()).unwrap();
    assert_eq!(
        (alice.available(), state(&alice, &failed)),
        (1_000, State::Refunded)
    );

    let late = alice.reserve(&bob.did(), 90, 2);
    let early =
        now(alice.act(async |trade, desk| trade.settle(&late, Ended::TimedOut, desk).await));
    assert_eq!(early.unwrap_err().reason_code(), "timeout_not_elapsed");
    assert_eq!(alice.available(), 910);
    later(&clock, 300_000);
    let settled = settle(&mut alice, &late, Ended::TimedOut);
    assert_eq!((settled.done.len(), alice.available()), (1, 1_000));
    check_sums(&alice);
}

#[test]
fn payer_needs_nobody_to_have_the_rest_back_after_the_deadline() {
    let (mut alice, bob, clock) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    later(&clock, 300_000);
    let cost = Amount::new(40);
    let settled = settle(&mut alice, &id, Ended::Succeeded { cost });
    assert_eq!((settled.done.len(), settled.waits_for), (2, None));
    assert_eq!((alice.available(), alice.paid(&bob.did())), (960, 40));
}

#[test]
fn disputed_escrow_waits_for_the_arbiter_or_for_both() {
    let (mut alice, mut bob, clock) = pair();
    let mut carol = Home::new("carol", 0x33, &clock);
    carol.learn(&alice);
    carol.learn(&bob);
    alice.learn(&carol);

    let mut terms = alice.terms(&bob.did(), 100, 1);
    terms.arbiter = Some(carol.did().as_did().clone());
    let id = terms.id().unwrap();
    let refused = now(alice.act(async |trade, desk| {
        let gates = Gates::default();
        trade.reserve(MAIN, terms.clone(), &gates, desk).await
    }));
    assert_eq!(refused.unwrap_err().reason_code(), "trust_below_gate");
    let gates = Gates {
        arbiter: 500,
        ..Gates::default()
    };
    now(alice.act(async |trade, desk| trade.reserve(MAIN, terms, &gates, desk).await)).unwrap();
    bob.import_from(&alice).unwrap();
    let reason = "not what was agreed".to_string();
    let dispute = bob.command(&id, Action::Dispute { reason }).unwrap();
    alice.take(dispute).unwrap();
    let settled = settle(&mut alice, &id, Ended::Failed);
    assert_eq!(settled.waits_for.as_ref(), Some(carol.did().as_did()));

    carol.import_from(&alice).unwrap();
    let decision = Action::Resolve {
        to_payee: Amount::new(30),
        to_payer: Amount::new(70),
    };
    assert_eq!(bob.import_from(&alice).unwrap().new, 1);
    assert_eq!(
        bob.command(&id, decision.clone()),
        Err("escrow_unauthorized")
    );
    let decided = carol.command(&id, decision.clone()).unwrap();
    alice.take(decided).unwrap();
    assert_eq!((alice.available(), alice.paid(&bob.did())), (970, 30));
    check_sums(&alice);

    // Without an arbiter, one signature is not enough and two are.
    let id = alice.reserve(&bob.did(), 100, 2);
    let reason = "late".to_string();
    alice.command(&id, Action::Dispute { reason }).unwrap();
    let half = alice.command(&id, decision).unwrap();
    let Done::ForOther { other, command } = half.clone() else {
        panic!("{half:?}")
    };
    assert_eq!(other, *bob.did().as_did());
    assert_eq!(alice.take(half), Err("escrow_unauthorized"));
    bob.import_from(&alice).unwrap();
    let agree = |home: &mut Home, command: SignedCommand| {
        now(home.act(async |trade, desk| trade.agree(command, desk).await))
            .map_err(|error| error.reason_code())
    };
    assert_eq!(
        agree(&mut alice, command.clone()),
        Err("escrow_command_invalid")
    );
    let whole = agree(&mut bob, command).unwrap();
    alice.take(whole).unwrap();
    assert_eq!((alice.available(), alice.paid(&bob.did())), (940, 60));
    check_sums(&alice);
}

#[test]
fn reserving_needs_the_amount_a_deadline_to_come_and_a_payee_who_is_trusted() {
    let (mut alice, bob, clock) = pair();
    let stranger = Home::new("eve", 0x99, &clock);
    let reserve = |alice: &mut Home, terms: Terms| {
        let gates = Gates::default();
        now(alice.act(async |trade, desk| trade.reserve(MAIN, terms, &gates, desk).await))
            .map_err(|error| error.reason_code())
    };
    let before = rows_of(&alice, "ledger/");
    let too_much = alice.terms(&bob.did(), 1_001, 1);
    assert_eq!(reserve(&mut alice, too_much), Err("insufficient_funds"));
    let unknown = alice.terms(&stranger.did(), 1, 1);
    assert_eq!(reserve(&mut alice, unknown), Err("trust_below_gate"));
    let for_bob = bob.terms(&alice.did(), 1, 1);
    assert_eq!(reserve(&mut alice, for_bob), Err("escrow_terms_invalid"));
    let stale = alice.terms(&bob.did(), 1, 1);
    later(&clock, 300_000);
    assert_eq!(reserve(&mut alice, stale), Err("escrow_terms_invalid"));
    assert_eq!(rows_of(&alice, "ledger/"), before, "nothing was recorded");
}

#[test]
fn reservation_that_was_cut_off_goes_on_and_reserves_once() {
    let (mut alice, bob, _) = pair();
    let terms = alice.terms(&bob.did(), 100, 1);
    let reserve = |alice: &mut Home| {
        let (terms, gates) = (terms.clone(), Gates::default());
        now(alice.act(async |trade, desk| trade.reserve(MAIN, terms, &gates, desk).await))
    };
    // It is opened, and the store fails before it is funded.
    alice.storage.fail(alice.storage.commits() + 2, broken());
    assert_eq!(
        reserve(&mut alice).unwrap_err().reason_code(),
        "store_failed"
    );
    check_sums(&alice);
    alice.reopen();
    assert_eq!(alice.available(), 1_000);
    assert!(matches!(reserve(&mut alice), Ok(Done::Recorded(_))));
    assert!(matches!(reserve(&mut alice), Ok(Done::Repeated)));
    assert_eq!(alice.available(), 900);
    check_sums(&alice);
}

#[test]
fn two_processes_of_a_home_write_one_ledger() {
    let (mut alice, bob, _) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    let mut other = now(Trade::open(&alice.storage)).unwrap();
    let release = |units| Action::Release {
        amount: Amount::new(units),
    };
    alice.command(&id, release(10)).unwrap();
    // The other has not read that; its command takes a number that is gone.
    let conflict = now(other.command(&id, release(20), &alice.desk()));
    assert_eq!(conflict.unwrap_err().reason_code(), "escrow_conflict");
    now(other.command(&id, release(20), &alice.desk())).unwrap();
    let deposit = Entry::Deposit {
        account: alice.did().as_did().clone(),
        asset: TOKENS.into(),
        amount: Amount::new(1),
        receipt: None,
    };
    for _ in 0..3 {
        now(other.record(MAIN, deposit.clone(), &alice.desk())).unwrap();
        now(alice.act(async |trade, desk| trade.record(MAIN, deposit.clone(), desk).await))
            .unwrap();
    }
    alice.reopen();
    assert_eq!((alice.available(), alice.paid(&bob.did())), (906, 30));
    let keys: Vec<_> = rows_of(&alice, "ledger/")
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys.len(), 11);
    assert_eq!(keys[10], "ledger/main/000000000010");
    check_sums(&alice);
}

#[test]
fn clock_that_goes_back_a_little_is_waited_for_and_far_is_refused() {
    let (mut alice, bob, clock) = pair();
    let start = now_of(&clock);
    later(&clock, SKEW_MS);
    alice.deposit(1);
    clock.set(start);
    alice.deposit(1);
    clock.set(UnixMillis(start.0 - 1));
    let terms = alice.terms(&bob.did(), 1, 1);
    let refused = now(alice.act(async |trade, desk| {
        let gates = Gates::default();
        trade.reserve(MAIN, terms, &gates, desk).await
    }));
    assert_eq!(refused.unwrap_err().reason_code(), "ledger_time_invalid");
    clock.set(start);
    alice.deposit(1);
    check_sums(&alice);
}

#[test]
fn ledger_survives_a_rotation_and_a_row_that_was_tampered_with_stops_it() {
    let (mut alice, bob, clock) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    later(&clock, 1_000);
    alice.rotate();
    let release = Action::Release {
        amount: Amount::new(5),
    };
    alice.command(&id, release.clone()).unwrap();
    check_sums(&alice);

    let (key, row) = rows_of(&alice, "ledger/main/").remove(2);
    let text = String::from_utf8(row).unwrap();
    put(
        &alice,
        &key,
        &text.replace("\"amount\":\"100\"", "\"amount\":\"101\""),
    );
    alice.reopen();
    let kept = alice.trade.ledger(MAIN).unwrap();
    assert_eq!(
        kept.check().unwrap_err().reason_code(),
        "ledger_chain_invalid"
    );
    assert_eq!(kept.ledger().len(), 2, "what is before it still holds");
    assert_eq!(
        alice.command(&id, release.clone()),
        Err("ledger_chain_invalid")
    );

    put(&alice, &key, &text.replace("\"v\":1}", "\"v\":2}"));
    alice.reopen();
    let error = alice.trade.ledger(MAIN).unwrap().check().unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    put(&alice, &key, &text);
    alice.reopen();
    alice.command(&id, release).unwrap();
    check_sums(&alice);
}

#[test]
fn ledger_of_a_later_version_is_not_written_to() {
    let (mut alice, _, _) = pair();
    let (key, row) = rows_of(&alice, "ledger/main/").remove(0);
    let text = String::from_utf8(row).unwrap();
    put(&alice, &key, &text.replace("\"v\":1}", "\"v\":2}"));
    alice.reopen();
    let unreadable: Vec<_> = alice.trade.unreadable().collect();
    assert_eq!(unreadable[0].0, "main");
    assert!(unreadable[0].1.contains("version 2"));
    let entry = Entry::Deposit {
        account: alice.did().as_did().clone(),
        asset: TOKENS.into(),
        amount: Amount::new(1),
        receipt: None,
    };
    let refused = now(alice.act(async |trade, desk| trade.record(MAIN, entry, desk).await));
    assert!(matches!(refused, Err(TradeError::Damaged { seq: 0, .. })));
}

#[test]
fn turn_costs_what_its_model_has_a_price_for() {
    let usage = Usage {
        input_tokens: 1_000,
        output_tokens: 200,
        ..Usage::default()
    };
    let pricing = Pricing {
        input_nano_usd: 3_000,
        output_nano_usd: 15_000,
        ..Pricing::default()
    };
    let units = |usage: &Usage, asset: &str| cost_of(usage, asset).map(Amount::units);
    assert_eq!(units(&usage.priced(&pricing), NANO_USD), Ok(6_000_000));
    assert_eq!(units(&usage, TOKENS), Ok(1_200));
    let code = |asset| units(&usage, asset).unwrap_err().reason_code();
    assert_eq!(code(NANO_USD), "price_unknown");
    assert_eq!(code("KAMN"), "price_unknown");
    assert_eq!(units(&Usage::default(), NANO_USD), Ok(0));
    assert_eq!(asset_of(&pricing), NANO_USD);
    assert_eq!(asset_of(&Pricing::default()), TOKENS);
}

#[test]
fn turn_is_settled_at_what_its_journal_says_it_took() {
    use tau_core::session::{Command as Said, Session};

    let (mut alice, bob, _) = pair();
    let home = SimHost::new();
    home.model().say(1, &["four"]);
    let mut session = Session::new(crate::sim::config(), [7; 32], now_of(home.clock()));
    let prompt = Said::Prompt {
        text: "two and two?".into(),
        images: Vec::new(),
    };
    home.run(&mut session, [(0, prompt)]);
    let end = now(TurnEnd::read(home.storage(), session.id(), None))
        .unwrap()
        .unwrap();
    assert_eq!(end.word(), "answered");
    let took = u128::from(end.usage.total_tokens());
    assert!(took > 0);
    let escrow = alice.reserve(&bob.did(), took + 5, 1);
    let ended = {
        let ledger = alice.trade.ledger(MAIN).unwrap().ledger();
        end.ended(ledger.escrow(&escrow).unwrap()).unwrap()
    };
    let settled = settle(&mut alice, &escrow, ended);
    assert_eq!(settled.settlement.refunded.units(), 5);
    assert_eq!(alice.paid(&bob.did()), took);
    check_sums(&alice);
}
