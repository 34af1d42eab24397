use super::*;
use crate::{
    escrow::{Action, Command, Escrow, Terms},
    ledger::Entry,
    testing::{Agent, Known, alice, bob, carol},
    time::Timestamp,
};

const START_MS: u64 = 1_000_000;
const TIMEOUT_MS: u64 = START_MS + bridge::TIMEOUT_MS;

/// A ledger in which alice has funded an escrow for bob with a reserve, in millionths.
fn reserved(micros: u64) -> (Ledger, String) {
    let mut ledger = Ledger::new();
    let (payer, payee) = (alice().did.as_did().clone(), bob().did.as_did().clone());
    let terms = Terms {
        asset: "KAMN".into(),
        amount: Bridge::units(micros),
        payer: payer.clone(),
        payee,
        arbiter: Some(carol().did.as_did().clone()),
        task_id: "role-1".into(),
        created_ms: START_MS,
        timeout_ms: TIMEOUT_MS,
        nonce: [1; 16],
    };
    let id = terms.id().unwrap();
    let deposit = Entry::Deposit {
        account: payer,
        asset: "KAMN".into(),
        amount: Bridge::units(micros),
        receipt: None,
    };
    for entry in [deposit, Entry::Open(terms)] {
        ledger.apply(entry, &known(), START_MS).unwrap();
    }
    give(&mut ledger, &id, Action::Fund, &alice(), START_MS);
    (ledger, id)
}

fn known() -> Known {
    Known::of(&[&alice(), &bob(), &carol()])
}

fn give(ledger: &mut Ledger, id: &str, action: Action, by: &Agent, now_ms: u64) {
    let command = Command {
        escrow_id: id.into(),
        seq: ledger.escrow(id).map_or(1, Escrow::next_seq),
        action,
        actor: by.did.as_did().clone(),
        created: Timestamp::from_unix_ms(START_MS).unwrap(),
    };
    let signed = command.sign(&by.signing).unwrap();
    ledger
        .apply(Entry::Command(signed), &known(), now_ms)
        .unwrap();
}

/// Does what the bridge asks for; how many commands that were.
fn settle(ledger: &mut Ledger, id: &str, outcome: RoleOutcome) -> (Settlement, usize) {
    let settlement = Bridge::settle(ledger.escrow(id).unwrap(), outcome).unwrap();
    for (party, action) in settlement.commands.clone() {
        let by = match party {
            Party::Payer => alice(),
            Party::Payee => bob(),
        };
        give(ledger, id, action, &by, TIMEOUT_MS);
    }
    let count = settlement.commands.len();
    (settlement, count)
}

#[test]
fn success_pays_its_cost_and_gives_back_the_rest_once() {
    let (mut ledger, id) = reserved(12_000);
    let done = RoleOutcome::Succeeded { cost_micros: 7_000 };
    let (settlement, commands) = settle(&mut ledger, &id, done);
    assert_eq!(settlement.released, Bridge::units(7_000));
    assert_eq!(settlement.refunded, Bridge::units(5_000));
    assert_eq!(commands, 2);
    let payee = bob().did.as_did().clone();
    assert_eq!(ledger.available(&payee, "KAMN"), Bridge::units(7_000));
    for again in [done, RoleOutcome::Failed, RoleOutcome::TimedOut] {
        let (settlement, commands) = settle(&mut ledger, &id, again);
        assert_eq!((settlement.released, commands), (Bridge::units(7_000), 0));
    }
    assert_eq!(ledger.available(&payee, "KAMN"), Bridge::units(7_000));
}

#[test]
fn failure_and_timeout_give_back_everything() {
    for outcome in [RoleOutcome::Failed, RoleOutcome::TimedOut] {
        let (mut ledger, id) = reserved(9_000);
        let (settlement, _) = settle(&mut ledger, &id, outcome);
        assert_eq!(settlement.refunded, Bridge::units(9_000));
        let payer = alice().did.as_did().clone();
        assert_eq!(ledger.available(&payer, "KAMN"), Bridge::units(9_000));
    }
}

#[test]
fn cost_beyond_the_reserve_is_not_paid_and_an_interrupted_settlement_goes_on() {
    let (mut ledger, id) = reserved(10_000);
    let paid = Action::Release {
        amount: Bridge::units(4_000),
    };
    give(&mut ledger, &id, paid, &alice(), START_MS);
    let done = RoleOutcome::Succeeded {
        cost_micros: 30_000,
    };
    let (settlement, commands) = settle(&mut ledger, &id, done);
    assert_eq!((settlement.released, commands), (Bridge::units(10_000), 1));
    assert_eq!(settlement.refunded, Amount::ZERO);
    let unfunded = Escrow::new(ledger.escrow(&id).unwrap().terms().clone()).unwrap();
    assert!(Bridge::settle(&unfunded, done).is_err());
}

fn claim(id: &str, outcome: Outcome, released: u64, refunded: u64) -> Claim {
    Claim {
        escrow_id: id.into(),
        outcome,
        released: Bridge::units(released),
        refunded: Bridge::units(refunded),
        receipt: Receipt {
            id: "tx-1".into(),
            finality: Finality::Final,
        },
    }
}

#[test]
fn claim_that_fits_ledger_and_receipt_is_a_go() {
    let (mut ledger, id) = reserved(10);
    settle(&mut ledger, &id, RoleOutcome::TimedOut);
    let verdict = reconcile(
        &claim(&id, Outcome::TimeoutRefunded, 0, 10),
        &ledger,
        TIMEOUT_MS,
        true,
    );
    assert_eq!(
        verdict.reason_codes,
        [
            "settlement_path_refund",
            "all_settlement_reconciliation_checks_passed"
        ]
    );
    assert_eq!(
        verdict.key(),
        "settlement_reconciliation_reason_codes:GO:v1"
    );
    let paths = [
        (Outcome::Released, "RELEASED", "PAYOUT"),
        (Outcome::Refunded, "REFUNDED", "REFUND"),
        (Outcome::DisputedResolved, "DISPUTED_RESOLVED", "DISPUTE"),
    ];
    for (outcome, name, path) in paths {
        assert_eq!((outcome.name(), outcome.path()), (name, path));
    }
}

#[test]
fn every_failure_of_a_claim_is_named_in_order() {
    let (ledger, id) = reserved(10);
    let mut bad = claim(&id, Outcome::TimeoutRefunded, 0, 10);
    bad.receipt.finality = Finality::Pending;
    let verdict = reconcile(&bad, &ledger, TIMEOUT_MS - 1, false);
    assert_eq!(
        verdict.reason_codes,
        [
            "settlement_path_refund",
            "receipt_evidence_invalid",
            "ledger_amount_drift_detected",
            "timeout_not_elapsed",
            "ci_fast_gate_failed"
        ]
    );
    assert_eq!(
        verdict.key(),
        "settlement_reconciliation_reason_codes:NO-GO:v1"
    );
    let unknown = claim("escrow:none", Outcome::Released, 1, 0);
    let verdict = reconcile(&unknown, &ledger, TIMEOUT_MS, true);
    assert_eq!(
        verdict.reason_codes,
        ["settlement_path_payout", "ledger_reference_missing"]
    );
    assert!(!verdict.is_go);
}
