use alloc::{collections::BTreeMap, format, string::ToString};

use proptest::prelude::*;

use super::*;
use crate::{
    escrow::{Action, Command, State},
    key::SigningKey,
    testing::{Agent, Known, alice, bob, carol},
    time::Timestamp,
};

const START_MS: u64 = 1_716_620_000_000;
const TIMEOUT_MS: u64 = START_MS + 300_000;

fn did(agent: &Agent) -> KamnDid {
    agent.did.as_did().clone()
}

fn amount(units: u128) -> Amount {
    Amount::new(units)
}

fn known() -> Known {
    Known::of(&[&alice(), &bob(), &carol()])
}

fn operator() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn terms(units: u128, nonce: u8) -> Terms {
    Terms {
        asset: "KAMN".into(),
        amount: amount(units),
        payer: did(&alice()),
        payee: did(&bob()),
        arbiter: Some(did(&carol())),
        task_id: "task-1".into(),
        created_ms: START_MS,
        timeout_ms: TIMEOUT_MS,
        nonce: [nonce; 16],
    }
}

fn deposit(to: &Agent, units: u128, receipt: Option<Receipt>) -> Entry {
    Entry::Deposit {
        account: did(to),
        asset: "KAMN".into(),
        amount: amount(units),
        receipt,
    }
}

fn receipt(id: &str, finality: Finality) -> Option<Receipt> {
    Some(Receipt {
        id: id.into(),
        finality,
    })
}

fn command(ledger: &Ledger, id: &str, action: Action, by: &Agent) -> Entry {
    let command = Command {
        escrow_id: id.into(),
        seq: ledger.escrow(id).map_or(1, Escrow::next_seq),
        action,
        actor: did(by),
        created: Timestamp::from_unix_ms(START_MS).unwrap(),
    };
    Entry::Command(command.sign(&by.signing).unwrap())
}

/// Applies an entry and keeps its event.
fn record(
    ledger: &mut Ledger,
    events: &mut Vec<SignedEvent>,
    entry: Entry,
) -> Result<(), LedgerError> {
    match ledger.apply(entry, &known(), START_MS)? {
        Outcome::Recorded(event) => events.push(event.sign(&operator())?),
        other => panic!("{other:?}"),
    }
    assert!(ledger.is_conserved());
    Ok(())
}

/// Alice has 200, of which 120 are in the escrow named.
fn funded() -> (Ledger, Vec<SignedEvent>, String) {
    let (mut ledger, mut events) = (Ledger::new(), Vec::new());
    let receipt = receipt("tx-1", Finality::Final);
    record(&mut ledger, &mut events, deposit(&alice(), 200, receipt)).unwrap();
    record(&mut ledger, &mut events, Entry::Open(terms(120, 1))).unwrap();
    let id = terms(120, 1).id().unwrap();
    let fund = command(&ledger, &id, Action::Fund, &alice());
    record(&mut ledger, &mut events, fund).unwrap();
    (ledger, events, id)
}

fn code<T: core::fmt::Debug>(result: Result<T, LedgerError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn amounts_move_from_payer_through_escrow_to_payee() {
    let (mut ledger, mut events, id) = funded();
    assert_eq!(ledger.available(&did(&alice()), "KAMN"), amount(80));
    assert_eq!(ledger.held(&id), amount(120));
    let release = Action::Release { amount: amount(70) };
    let release = command(&ledger, &id, release, &alice());
    record(&mut ledger, &mut events, release).unwrap();
    let back = command(&ledger, &id, Action::RefundByPayee, &bob());
    record(&mut ledger, &mut events, back).unwrap();
    assert_eq!(ledger.available(&did(&alice()), "KAMN"), amount(130));
    assert_eq!(ledger.available(&did(&bob()), "KAMN"), amount(70));
    assert_eq!(ledger.held(&id), Amount::ZERO);
    let state = ledger.escrow(&id).unwrap().machine().unwrap().state();
    assert_eq!(state, State::Refunded);
}

#[test]
fn nobody_funds_with_what_he_does_not_have() {
    let (mut ledger, mut events, _) = funded();
    record(&mut ledger, &mut events, Entry::Open(terms(81, 2))).unwrap();
    let id = terms(81, 2).id().unwrap();
    let before = ledger.clone();
    let fund = command(&ledger, &id, Action::Fund, &alice());
    let refused = ledger.apply(fund, &known(), START_MS);
    assert_eq!(code(refused), "insufficient_funds");
    assert_eq!(ledger, before);
}

#[test]
fn the_same_command_settles_once() {
    let (mut ledger, _, id) = funded();
    let release = Action::Release {
        amount: amount(120),
    };
    let release = command(&ledger, &id, release, &alice());
    let first = ledger.apply(release.clone(), &known(), START_MS).unwrap();
    assert!(matches!(first, Outcome::Recorded(_)));
    let after = ledger.clone();
    assert_eq!(
        ledger.apply(release, &known(), START_MS),
        Ok(Outcome::Repeated)
    );
    assert_eq!(ledger, after);
    let head = ledger.head().copied();
    let more = Action::Release { amount: amount(1) };
    let more = command(&ledger, &id, more, &alice());
    assert_eq!(
        code(ledger.apply(more, &known(), START_MS)),
        "invalid_transition"
    );
    assert_eq!(ledger.head().copied(), head);
}

#[test]
fn receipts_count_when_final_and_once() {
    let (mut ledger, _, _) = funded();
    let before = ledger.clone();
    let apply = |ledger: &mut Ledger, entry| ledger.apply(entry, &known(), START_MS);
    for (finality, expected) in [
        (Finality::Pending, Outcome::Pending),
        (Finality::Failed, Outcome::Rejected),
    ] {
        let entry = deposit(&bob(), 5, receipt("tx-2", finality));
        assert_eq!(apply(&mut ledger, entry), Ok(expected));
    }
    let again = deposit(&bob(), 5, receipt("tx-1", Finality::Final));
    assert_eq!(code(apply(&mut ledger, again)), "receipt_replay");
    let nameless = deposit(&bob(), 5, receipt(" ", Finality::Final));
    assert_eq!(
        code(apply(&mut ledger, nameless)),
        "missing_receipt_evidence"
    );
    assert_eq!(
        code(apply(&mut ledger, deposit(&bob(), 0, None))),
        "zero_amount"
    );
    let early = ledger.apply(deposit(&bob(), 5, None), &known(), START_MS - 1);
    assert_eq!(code(early), "ledger_time_invalid");
    let too_much = Entry::Withdraw {
        account: did(&alice()),
        asset: "KAMN".into(),
        amount: amount(81),
        receipt: receipt("tx-3", Finality::Final),
    };
    assert_eq!(code(apply(&mut ledger, too_much)), "insufficient_funds");
    let overflow = deposit(&bob(), u128::MAX, None);
    assert_eq!(code(apply(&mut ledger, overflow)), "amount_overflow");
    assert_eq!(ledger, before);
}

#[test]
fn settlement_claims_no_more_than_its_receipts() {
    let (mut ledger, _, _) = funded();
    assert_eq!(ledger.backing("KAMN").label(), "externally-backed");
    assert_eq!(ledger.backing("USD").label(), "local-only");
    ledger
        .apply(deposit(&bob(), 1, None), &known(), START_MS)
        .unwrap();
    assert_eq!(ledger.backing("KAMN").label(), "local-only");
}

#[test]
fn ledger_comes_back_from_its_events() {
    let (mut ledger, mut events, id) = funded();
    let dispute = Action::Dispute {
        reason: "late".into(),
    };
    for (action, by) in [
        (dispute, bob()),
        (
            Action::Resolve {
                to_payee: amount(100),
                to_payer: amount(20),
            },
            carol(),
        ),
    ] {
        let entry = command(&ledger, &id, action, &by);
        record(&mut ledger, &mut events, entry).unwrap();
    }
    let read: Vec<_> = events
        .iter()
        .map(|event| SignedEvent::from_value(event.to_value().unwrap()).unwrap())
        .collect();
    assert_eq!(read, events);
    let key = operator().public_key();
    assert_eq!(restore(&read, &key, &known(), ledger.head()), Ok(ledger));
}

#[test]
fn events_left_out_exchanged_or_changed_are_noticed() {
    let (ledger, events, _) = funded();
    let key = operator().public_key();
    let restored = |events: &[SignedEvent]| restore(events, &key, &known(), ledger.head());
    assert!(restored(&events).is_ok());
    assert_eq!(code(restored(&events[..2])), "ledger_chain_invalid");
    let exchanged = [events[1].clone(), events[0].clone(), events[2].clone()];
    assert!(restored(&exchanged).is_err());
    let other_operator = SigningKey::from_seed(&[8; 32]);
    let refused = restore(
        &events,
        &other_operator.public_key(),
        &known(),
        ledger.head(),
    );
    assert_eq!(code(refused), "signature_invalid");
    // The one who keeps the ledger cannot write what the parties did not sign either.
    let mut forged = events.clone();
    let Entry::Command(signed) = &mut forged[2].event.entry else {
        panic!("funding comes last");
    };
    signed.command.action = Action::Release { amount: amount(1) };
    forged[2] = forged[2].event.clone().sign(&operator()).unwrap();
    assert_eq!(code(restored(&forged)), "signature_invalid");
    // Nor other movements than those that follow.
    let mut forged = events.clone();
    forged[2].event.movements[0].amount = amount(119);
    forged[2] = forged[2].event.clone().sign(&operator()).unwrap();
    assert_eq!(code(restored(&forged)), "ledger_chain_invalid");
    let mut forged = events;
    forged[2].event.at_ms += 1;
    assert_eq!(code(restored(&forged)), "signature_invalid");
}

#[test]
fn what_is_proposed_changes_nothing_until_it_is_taken_and_is_taken_in_its_place_alone() {
    let (mut ledger, _, _) = funded();
    let before = ledger.clone();
    let propose = |ledger: &Ledger, units| match ledger
        .propose(deposit(&bob(), units, None), &known(), START_MS)
        .unwrap()
    {
        Outcome::Recorded(proposed) => proposed,
        other => panic!("{other:?}"),
    };
    let (first, second) = (propose(&ledger, 3), propose(&ledger, 4));
    assert_eq!(ledger, before);
    let event = first.event().clone();
    assert_eq!(ledger.take(first), Ok(event));
    let after = ledger.clone();
    assert_eq!(
        ledger.take(second).unwrap_err().reason_code(),
        "ledger_chain_invalid"
    );
    assert_eq!(ledger, after);
    assert_eq!(ledger.available(&did(&bob()), "KAMN"), amount(3));
}

#[test]
fn ledger_goes_on_with_signed_events_of_its_keeper_alone() {
    let keeper = Agent::new("keeper", 0x55);
    let keys = Known::of(&[&alice(), &bob(), &carol(), &keeper]);
    let (ledger, events, _) = funded();
    let signed = |by: &Agent| -> Vec<SignedEvent> {
        let again = events.iter().map(|event| event.event().clone());
        again
            .map(|event| event.sign(&by.signing).unwrap())
            .collect()
    };
    let mut other = Ledger::new();
    for event in &signed(&keeper) {
        other.continue_with(event, &did(&keeper), &keys).unwrap();
    }
    assert_eq!(other, ledger);
    let mut other = Ledger::new();
    let by_alice = &signed(&alice())[0];
    let refused = other.continue_with(by_alice, &did(&keeper), &keys);
    assert_eq!(code(refused), "signature_invalid");
    let refused = other.continue_with(by_alice, &did(&keeper), &known());
    assert_eq!(code(refused), "escrow_signer_unknown");
    assert!(other.is_empty());
}

#[test]
fn signature_made_elsewhere_is_taken_if_it_fits() {
    let (ledger, _, id) = funded();
    let (key, other) = (operator(), SigningKey::from_seed(&[8; 32]));
    let outcome = ledger.propose(deposit(&bob(), 1, None), &known(), START_MS);
    let Ok(Outcome::Recorded(proposed)) = outcome else {
        panic!("a deposit is recorded");
    };
    let event = proposed.event().clone();
    let signature = key.sign(&event.to_sign().unwrap());
    let signed = event.clone().signed(signature, &key.public_key()).unwrap();
    assert_eq!(signed, event.clone().sign(&key).unwrap());
    assert_eq!(
        code(event.signed(signature, &other.public_key())),
        "signature_invalid"
    );

    let release = Action::Release { amount: amount(1) };
    let Entry::Command(whole) = command(&ledger, &id, release, &alice()) else {
        panic!("a command is a command");
    };
    let asked = whole.command.clone();
    let public = alice().signing.public_key();
    let again = asked.clone().signed(whole.signature, &public).unwrap();
    assert_eq!(again, whole);
    let refused = asked.signed(whole.signature, &other.public_key());
    assert_eq!(refused.unwrap_err().reason_code(), "signature_invalid");
    let agreed = bob().signing.sign(&whole.command.to_sign().unwrap());
    let key = bob().signing.public_key();
    let cosigned = whole.clone().cosigned(did(&bob()), agreed, &key).unwrap();
    assert_eq!(
        cosigned,
        whole.clone().cosign(did(&bob()), &bob().signing).unwrap()
    );
    let refused = whole.cosigned(did(&bob()), agreed, &public);
    assert_eq!(refused.unwrap_err().reason_code(), "signature_invalid");
}

#[test]
fn what_is_not_there_is_refused() {
    let (mut ledger, _, id) = funded();
    let before = ledger.clone();
    let missing = command(&ledger, "escrow:none", Action::Fund, &alice());
    assert_eq!(
        code(ledger.apply(missing, &known(), START_MS)),
        "ledger_reference_missing"
    );
    let twice = ledger.apply(Entry::Open(terms(120, 1)), &known(), START_MS);
    assert_eq!(code(twice), "ledger_reference_missing");
    let stranger = Agent::new("eve", 0x99);
    let release = Action::Release { amount: amount(1) };
    let entry = command(&ledger, &id, release, &stranger);
    assert_eq!(
        code(ledger.apply(entry, &known(), START_MS)),
        "escrow_signer_unknown"
    );
    let bad = Entry::Deposit {
        account: did(&bob()),
        asset: "kamn".into(),
        amount: amount(1),
        receipt: None,
    };
    assert_eq!(code(ledger.apply(bad, &known(), START_MS)), "asset_invalid");
    assert_eq!(ledger, before);
    assert_eq!(
        format!("{}", Place::Held(id.clone())).parse(),
        Ok(Place::Held(id))
    );
    assert!("nowhere".parse::<Place>().is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Deposit(usize, u128),
    Withdraw(usize, u128),
    Open(u8, u128),
    Command(u8, u128, Action, usize, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let units = 0..50_u128;
    let action = prop_oneof![
        3 => Just(Action::Fund),
        3 => units.clone().prop_map(|n| Action::Release { amount: amount(n) }),
        1 => Just(Action::RefundByPayee),
        1 => Just(Action::TimeoutRefund),
        1 => Just(Action::Dispute { reason: "r".into() }),
        1 => (units.clone(), units.clone())
            .prop_map(|(a, b)| Action::Resolve { to_payee: amount(a), to_payer: amount(b) }),
    ];
    prop_oneof![
        1 => (0..3_usize, units.clone()).prop_map(|(who, n)| Step::Deposit(who, n)),
        1 => (0..3_usize, units.clone()).prop_map(|(who, n)| Step::Withdraw(who, n)),
        1 => (0..3_u8).prop_map(|nonce| Step::Open(nonce, 20)),
        4 => (0..3_u8, action, 0..3_usize, any::<bool>())
            .prop_map(|(nonce, action, who, late)| Step::Command(nonce, 20, action, who, late)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is asked: amounts are conserved, what is refused changes nothing, and the events
    /// make the same ledger again.
    #[test]
    fn ledger_is_conserved_under_any_commands(steps in prop::collection::vec(any_step(), 1..25)) {
        let agents = [alice(), bob(), carol()];
        let keys = known();
        let mut ledger = Ledger::new();
        let mut events = Vec::new();
        ledger.apply(deposit(&agents[0], 60, None), &keys, START_MS).map(|outcome| {
            if let Outcome::Recorded(event) = outcome {
                events.push(event.sign(&operator()).unwrap());
            }
        }).unwrap();
        let mut clock_ms = START_MS;
        for step in steps {
            let entry = match step {
                Step::Deposit(who, n) => deposit(&agents[who], n, None),
                Step::Withdraw(who, n) => Entry::Withdraw { account: did(&agents[who]), asset: "KAMN".into(), amount: amount(n), receipt: None },
                Step::Open(nonce, n) => Entry::Open(terms(n, nonce)),
                Step::Command(nonce, n, action, who, late) => {
                    if late { clock_ms = TIMEOUT_MS; }
                    command(&ledger, &terms(n, nonce).id().unwrap(), action, &agents[who])
                }
            };
            let before = ledger.clone();
            match ledger.apply(entry, &keys, clock_ms) {
                Ok(Outcome::Recorded(event)) => events.push(event.sign(&operator()).unwrap()),
                Ok(_) | Err(_) => prop_assert_eq!(&ledger, &before),
            }
            prop_assert!(ledger.is_conserved());
        }
        let restored = restore(&events, &operator().public_key(), &keys, ledger.head());
        prop_assert_eq!(restored, Ok(ledger));
    }
}

#[test]
fn books_that_do_not_balance_are_noticed() {
    let (ledger, _, _) = funded();
    assert!(ledger.is_conserved());
    let mut other = ledger.clone();
    let change = other.book.change(&[Movement {
        from: Place::Available(did(&alice())),
        to: Place::Available(did(&bob())),
        asset: "KAMN".to_string(),
        amount: amount(3),
    }]);
    other.book.make(change.unwrap());
    assert!(other.is_conserved());
    other.escrows = BTreeMap::new();
    assert!(other.book.is_balanced());
    let mut without = ledger;
    without.book = Book::default();
    assert!(!without.is_conserved());
}
