use proptest::prelude::*;

use super::*;
use crate::{
    did::KamnDid,
    testing::{Agent, Known, alice, bob, carol},
    time::Timestamp,
};

const CREATED_MS: u64 = 1_716_620_000_000;
const TIMEOUT_MS: u64 = 1_716_620_100_000;

fn amount(units: u128) -> Amount {
    Amount::new(units)
}

fn did(agent: &Agent) -> KamnDid {
    agent.did.as_did().clone()
}

/// The terms of the worked example.
fn terms() -> Terms {
    Terms {
        asset: "KAMN".into(),
        amount: amount(120),
        payer: did(&alice()),
        payee: did(&bob()),
        arbiter: None,
        task_id: "task-1".into(),
        created_ms: CREATED_MS,
        timeout_ms: TIMEOUT_MS,
        nonce: core::array::from_fn(|at| u8::try_from(at).unwrap()),
    }
}

fn arbitrated() -> Escrow {
    Escrow::new(Terms {
        arbiter: Some(did(&carol())),
        ..terms()
    })
    .unwrap()
}

fn signed(escrow: &Escrow, seq: u64, action: Action, by: &Agent) -> SignedCommand {
    let command = Command {
        escrow_id: escrow.id().into(),
        seq,
        action,
        actor: did(by),
        created: Timestamp::from_unix_ms(CREATED_MS + 1).unwrap(),
    };
    command.sign(&by.signing).unwrap()
}

fn verified(signed: SignedCommand) -> VerifiedCommand {
    let known = Known::of(&[&alice(), &bob(), &carol()]);
    signed.verify(&known, CREATED_MS).unwrap()
}

/// The escrow after `action` by `by`, as its next command.
fn after(escrow: &Escrow, action: Action, by: &Agent) -> Result<Escrow, EscrowError> {
    let command = verified(signed(escrow, escrow.next_seq(), action, by));
    escrow.apply(&command, CREATED_MS + 2).map(|(next, _)| next)
}

fn code<T: core::fmt::Debug>(result: Result<T, EscrowError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn name_is_the_worked_example() {
    assert_eq!(
        terms().id().unwrap(),
        "escrow:08ca6af86aaed299cd5fe7f0d87a9186"
    );
    let other = Terms {
        amount: amount(121),
        ..terms()
    };
    assert_ne!(other.id(), terms().id());
    assert_eq!(Terms::from_value(terms().to_value().unwrap()), Ok(terms()));
    let with_arbiter = arbitrated().terms().clone();
    let read = Terms::from_value(with_arbiter.to_value().unwrap());
    assert_eq!(read, Ok(with_arbiter));
}

#[test]
fn sequences_are_kamns() {
    let machine = Machine::fund(amount(100)).unwrap();
    let partly = machine.release(amount(35)).unwrap();
    assert_eq!(
        partly.state(),
        State::PartiallyReleased {
            released: amount(35),
            remaining: amount(65)
        }
    );
    let refunded = partly.refund_after_timeout(100, 100).unwrap();
    assert_eq!(refunded.state(), State::Refunded);
    assert_eq!(
        (refunded.released(), refunded.refunded()),
        (amount(35), amount(65))
    );
    assert_eq!(
        code(Machine::fund(amount(10)).unwrap().release(amount(11))),
        "invalid_amount"
    );
    let disputed = machine.release(amount(40)).unwrap().dispute().unwrap();
    assert_eq!(
        code(disputed.resolve(amount(30), amount(29))),
        "resolution_mismatch"
    );
    assert_eq!(
        disputed.resolve(amount(30), amount(30)).unwrap().state(),
        State::Resolved {
            released_total: amount(70),
            refunded_total: amount(30)
        }
    );
    let early = machine.refund_after_timeout(1_716_620_050, 1_716_620_100);
    assert_eq!(code(early), "timeout_not_elapsed");
    assert_eq!(code(Machine::fund(Amount::ZERO)), "zero_amount");
    assert_eq!(code(machine.release(Amount::ZERO)), "zero_amount");
    let too_much = disputed.resolve(amount(u128::MAX), amount(1));
    assert_eq!(code(too_much), "amount_overflow");
}

#[test]
fn nothing_follows_an_end_and_a_dispute_ends_by_a_decision_alone() {
    let machine = Machine::fund(amount(10)).unwrap();
    let disputed = machine.dispute().unwrap();
    let ends = [
        machine.release(amount(10)).unwrap(),
        machine.refund_remaining().unwrap(),
        disputed.resolve(amount(4), amount(6)).unwrap(),
    ];
    for end in ends {
        assert!(end.state().is_terminal() && end.remaining().is_zero());
        for refused in [
            end.release(amount(1)),
            end.refund_remaining(),
            end.refund_after_timeout(9, 1),
            end.dispute(),
            end.resolve(Amount::ZERO, Amount::ZERO),
        ] {
            assert_eq!(code(refused), "invalid_transition");
        }
    }
    for refused in [
        disputed.release(amount(1)),
        disputed.refund_remaining(),
        disputed.refund_after_timeout(9, 1),
        disputed.dispute(),
        machine.resolve(amount(10), Amount::ZERO),
    ] {
        assert_eq!(code(refused), "invalid_transition");
    }
}

#[test]
fn each_command_is_for_those_who_may_give_it() {
    let escrow = arbitrated();
    let (alice, bob, carol) = (alice(), bob(), carol());
    assert_eq!(
        code(after(&escrow, Action::Fund, &bob)),
        "escrow_unauthorized"
    );
    assert_eq!(
        code(after(&escrow, Action::RefundByPayee, &bob)),
        "invalid_transition"
    );
    let funded = after(&escrow, Action::Fund, &alice).unwrap();
    let release = Action::Release { amount: amount(20) };
    for by in [&bob, &carol] {
        assert_eq!(
            code(after(&funded, release.clone(), by)),
            "escrow_unauthorized"
        );
        assert_eq!(
            code(after(&funded, Action::TimeoutRefund, by)),
            "escrow_unauthorized"
        );
    }
    for by in [&alice, &carol] {
        assert_eq!(
            code(after(&funded, Action::RefundByPayee, by)),
            "escrow_unauthorized"
        );
    }
    let dispute = Action::Dispute {
        reason: "not what was asked for".into(),
    };
    assert_eq!(
        code(after(&funded, dispute.clone(), &carol)),
        "escrow_unauthorized"
    );
    let disputed = after(&funded, dispute, &bob).unwrap();
    assert_eq!(disputed.disputed_ms(), Some(CREATED_MS + 2));
    let resolve = Action::Resolve {
        to_payee: amount(100),
        to_payer: amount(20),
    };
    for by in [&alice, &bob] {
        assert_eq!(
            code(after(&disputed, resolve.clone(), by)),
            "escrow_unauthorized"
        );
    }
    let resolved = after(&disputed, resolve, &carol).unwrap();
    assert!(resolved.machine().unwrap().state().is_terminal());
    assert_eq!(
        code(after(&funded, Action::Fund, &alice)),
        "invalid_transition"
    );
}

#[test]
fn without_an_arbiter_both_decide_together() {
    let (alice, bob, carol) = (alice(), bob(), carol());
    let escrow = Escrow::new(terms()).unwrap();
    let funded = after(&escrow, Action::Fund, &alice).unwrap();
    let dispute = Action::Dispute {
        reason: "late".into(),
    };
    let disputed = after(&funded, dispute, &alice).unwrap();
    let resolve = Action::Resolve {
        to_payee: amount(60),
        to_payer: amount(60),
    };
    let alone = signed(&disputed, 3, resolve.clone(), &alice);
    let refused = disputed.apply(&verified(alone.clone()), CREATED_MS);
    assert_eq!(code(refused), "escrow_unauthorized");
    let with_carol = alone.clone().cosign(did(&carol), &carol.signing).unwrap();
    let refused = disputed.apply(&verified(with_carol), CREATED_MS);
    assert_eq!(code(refused), "escrow_unauthorized");
    let twice = alone.clone().cosign(did(&alice), &alice.signing).unwrap();
    let refused = disputed.apply(&verified(twice), CREATED_MS);
    assert_eq!(code(refused), "escrow_unauthorized");
    let both = alone.cosign(did(&bob), &bob.signing).unwrap();
    let read = SignedCommand::from_value(both.to_value().unwrap()).unwrap();
    assert_eq!(read, both);
    let (resolved, moved) = disputed.apply(&verified(read), CREATED_MS).unwrap();
    assert!(resolved.machine().unwrap().state().is_terminal());
    let paid = Moved::Paid {
        to_payee: amount(60),
        to_payer: amount(60),
    };
    assert_eq!(moved, paid);
}

#[test]
fn the_same_command_again_is_the_same_success_and_another_is_a_conflict() {
    let alice = alice();
    let escrow = Escrow::new(terms()).unwrap();
    let fund = verified(signed(&escrow, 1, Action::Fund, &alice));
    let (funded, moved) = escrow.apply(&fund, CREATED_MS).unwrap();
    assert_eq!(moved, Moved::Held(amount(120)));
    assert_eq!(
        funded.apply(&fund, CREATED_MS),
        Ok((funded.clone(), Moved::Nothing))
    );
    let release = |seq, units| {
        let action = Action::Release {
            amount: amount(units),
        };
        verified(signed(&funded, seq, action, &alice))
    };
    assert_eq!(
        code(funded.apply(&release(1, 20), CREATED_MS)),
        "escrow_conflict"
    );
    for seq in [0, 3] {
        let refused = funded.apply(&release(seq, 20), CREATED_MS);
        assert_eq!(code(refused), "escrow_sequence_invalid");
    }
    let (partly, _) = funded.apply(&release(2, 20), CREATED_MS).unwrap();
    let again = partly.apply(&release(2, 20), CREATED_MS).unwrap();
    assert_eq!(again, (partly.clone(), Moved::Nothing));
    assert_eq!(
        code(partly.apply(&release(2, 21), CREATED_MS)),
        "escrow_conflict"
    );
}

#[test]
fn refund_comes_with_the_deadline() {
    let alice = alice();
    let funded = after(&Escrow::new(terms()).unwrap(), Action::Fund, &alice).unwrap();
    let refund = verified(signed(&funded, 2, Action::TimeoutRefund, &alice));
    assert_eq!(
        code(funded.apply(&refund, TIMEOUT_MS - 1)),
        "timeout_not_elapsed"
    );
    let (refunded, moved) = funded.apply(&refund, TIMEOUT_MS).unwrap();
    let all_back = Moved::Paid {
        to_payee: Amount::ZERO,
        to_payer: amount(120),
    };
    assert_eq!(
        (moved, refunded.machine().unwrap().state()),
        (all_back, State::Refunded)
    );
}

#[test]
fn forged_and_foreign_commands_are_refused() {
    let (alice, bob) = (alice(), bob());
    let escrow = Escrow::new(terms()).unwrap();
    let known = Known::of(&[&alice, &bob]);
    let mut forged = signed(&escrow, 1, Action::Fund, &alice);
    forged.signature = bob.signing.sign(&forged.command.to_sign().unwrap());
    assert_eq!(code(forged.verify(&known, CREATED_MS)), "signature_invalid");
    let stranger = signed(&escrow, 1, Action::Fund, &carol());
    assert_eq!(
        code(stranger.verify(&known, CREATED_MS)),
        "escrow_signer_unknown"
    );
    let other = arbitrated();
    let foreign = verified(signed(&other, 1, Action::Fund, &alice));
    assert_eq!(
        code(escrow.apply(&foreign, CREATED_MS)),
        "escrow_command_invalid"
    );
    let blank = Action::Dispute { reason: " ".into() };
    let blank = signed(&escrow, 2, blank, &alice).verify(&known, CREATED_MS);
    assert_eq!(code(blank), "escrow_command_invalid");
}

#[test]
fn every_field_of_a_command_is_signed() {
    let alice = alice();
    let escrow = Escrow::new(terms()).unwrap();
    let known = Known::of(&[&alice, &bob()]);
    let good = signed(&escrow, 2, Action::Release { amount: amount(20) }, &alice);
    assert!(good.clone().verify(&known, CREATED_MS).is_ok());
    let changes: [fn(&mut Command); 5] = [
        |c| c.escrow_id.push('0'),
        |c| c.seq += 1,
        |c| {
            c.action = Action::Release {
                amount: Amount::new(21),
            }
        },
        |c| c.action = Action::TimeoutRefund,
        |c| c.created = Timestamp::from_unix_ms(CREATED_MS + 2).unwrap(),
    ];
    for change in changes {
        let mut other = good.clone();
        change(&mut other.command);
        assert_eq!(code(other.verify(&known, CREATED_MS)), "signature_invalid");
    }
    let mut other = good;
    other.command.actor = did(&bob());
    assert_eq!(code(other.verify(&known, CREATED_MS)), "signature_invalid");
}

#[test]
fn commands_are_read_in_one_spelling_alone() {
    let escrow = Escrow::new(terms()).unwrap();
    let command = signed(&escrow, 2, Action::Release { amount: amount(20) }, &alice());
    let text = command.to_value().unwrap().to_canonical();
    let read = |text: &str| {
        jcs::parse(text.as_bytes(), 65_536)
            .map_err(EscrowError::from)
            .and_then(SignedCommand::from_value)
    };
    assert_eq!(read(&text), Ok(command));
    for (from, to) in [
        ("\"20\"", "\"020\""),
        ("\"20\"", "\"-20\""),
        ("\"20\"", "20"),
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1,\"w\":1"),
        ("\"release\"", "\"mint\""),
        ("\"sig\":\"z", "\"sig\":\""),
    ] {
        assert!(text.contains(from));
        assert!(read(&text.replace(from, to)).is_err(), "{from} -> {to}");
    }
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    let changes: [fn(&mut Terms); 8] = [
        |t| t.asset = "kamn".into(),
        |t| t.asset = String::new(),
        |t| t.amount = Amount::ZERO,
        |t| t.payee = t.payer.clone(),
        |t| t.arbiter = Some(t.payer.clone()),
        |t| t.task_id = " ".into(),
        |t| t.timeout_ms = t.created_ms,
        |t| t.timeout_ms = 1 << 53,
    ];
    for change in changes {
        let mut other = terms();
        change(&mut other);
        assert!(Escrow::new(other.clone()).is_err(), "{other:?}");
    }
}

#[test]
fn receipts_let_things_happen_when_they_are_final() {
    let receipt = |id: &str, finality: &str| Receipt {
        id: id.into(),
        finality: finality.parse().unwrap(),
    };
    let done = || Ok(7);
    let reconciled = |receipt| reconcile(&receipt, done);
    assert_eq!(
        reconciled(receipt("r", "PENDING")),
        Ok(Reconciliation::Pending)
    );
    assert_eq!(
        reconciled(receipt("r", "FAILED")),
        Ok(Reconciliation::Rejected)
    );
    assert_eq!(
        reconciled(receipt("r", "FINAL")),
        Ok(Reconciliation::Done(7))
    );
    let nameless = reconciled(receipt(" ", "FINAL"));
    assert_eq!(code(nameless), "missing_receipt_evidence");
    assert_eq!(
        code("final".parse::<Finality>()),
        "invalid_receipt_finality"
    );
}

fn any_action() -> impl Strategy<Value = Action> {
    let units = 0..130_u128;
    prop_oneof![
        Just(Action::Fund),
        units
            .clone()
            .prop_map(|n| Action::Release { amount: amount(n) }),
        Just(Action::RefundByPayee),
        Just(Action::TimeoutRefund),
        Just(Action::Dispute { reason: "r".into() }),
        (units.clone(), units).prop_map(|(a, b)| Action::Resolve {
            to_payee: amount(a),
            to_payer: amount(b)
        }),
    ]
}

proptest! {
    /// Whatever is asked by whomever: the sum stays, and what is refused changes nothing.
    #[test]
    fn amounts_are_conserved_under_any_commands(commands in prop::collection::vec((any_action(), 0..3_usize, any::<bool>()), 1..12)) {
        let agents = [alice(), bob(), carol()];
        let mut escrow = arbitrated();
        let mut last = (Amount::ZERO, Amount::ZERO);
        for (action, who, late) in commands {
            let now_ms = if late { TIMEOUT_MS } else { CREATED_MS };
            let command = verified(signed(&escrow, escrow.next_seq(), action, &agents[who]));
            let before = escrow.clone();
            match escrow.apply(&command, now_ms) {
                Ok((next, _)) => escrow = next,
                Err(_) => prop_assert_eq!(&escrow, &before),
            }
            if let Some(machine) = escrow.machine() {
                let sum = machine.released().plus(machine.refunded()).and_then(|s| s.plus(machine.remaining()));
                prop_assert_eq!(sum, Ok(machine.total()));
                prop_assert!(machine.released() >= last.0 && machine.refunded() >= last.1);
                prop_assert!(!machine.state().is_terminal() || machine.remaining().is_zero());
                last = (machine.released(), machine.refunded());
            }
        }
    }
}
