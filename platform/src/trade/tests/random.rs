//! Any sequence of steps, with a store that fails and a process that ends between any two of them.

use alloc::vec;

use proptest::prelude::*;
use tau_kamn::settlement::Ended;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Deposit(u128),
    Withdraw(u128),
    Reserve(u8, u128),
    Command(u8, Action),
    /// The payee's, by a file.
    ByPayee(u8, Action),
    Settle(u8, Option<u128>),
    Later,
    /// The next commit but so many fails.
    Fail(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0..3_u8;
    let units = 0..60_u128;
    let amount = |units: u128| Amount::new(units);
    let dispute = || Action::Dispute {
        reason: "no".into(),
    };
    let step = prop_oneof![
        1 => units.clone().prop_map(Step::Deposit),
        1 => units.clone().prop_map(Step::Withdraw),
        4 => (which.clone(), units.clone()).prop_map(|(n, units)| Step::Reserve(n, units)),
        3 => (which.clone(), units.clone())
            .prop_map(move |(n, units)| Step::Command(n, Action::Release { amount: amount(units) })),
        1 => which.clone().prop_map(|n| Step::Command(n, Action::TimeoutRefund)),
        1 => which.clone().prop_map(move |n| Step::Command(n, dispute())),
        1 => (which.clone(), units.clone(), units.clone()).prop_map(move |(n, a, b)| {
            Step::Command(n, Action::Resolve { to_payee: amount(a), to_payer: amount(b) })
        }),
        2 => which.clone().prop_map(|n| Step::ByPayee(n, Action::RefundByPayee)),
        1 => which.clone().prop_map(move |n| Step::ByPayee(n, dispute())),
        3 => (which, prop::option::of(units)).prop_map(|(n, cost)| Step::Settle(n, cost)),
        1 => Just(Step::Later),
        3 => (0..2_usize).prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..24)
}

/// Does a step; whether it is refused does not matter, what it leaves does.
fn step(alice: &mut Home, bob: &mut Home, clock: &SimClock, terms: &[Terms], step: Step) {
    let id = |n: u8| terms[usize::from(n)].id().unwrap();
    let account = alice.did().as_did().clone();
    match step {
        Step::Deposit(units) | Step::Withdraw(units) => {
            let (asset, amount, receipt) = (TOKENS.into(), Amount::new(units), None);
            let entry = if matches!(step, Step::Deposit(_)) {
                Entry::Deposit {
                    account,
                    asset,
                    amount,
                    receipt,
                }
            } else {
                Entry::Withdraw {
                    account,
                    asset,
                    amount,
                    receipt,
                }
            };
            let _ = now(alice.act(async |trade, desk| trade.record(MAIN, entry, desk).await));
        }
        Step::Reserve(n, units) => {
            let mut terms = terms[usize::from(n)].clone();
            // Mostly what was meant; sometimes other terms, and so another escrow.
            if units == 0 {
                terms.nonce = [99; 16];
            }
            let gates = Gates::default();
            let _ =
                now(alice.act(async |trade, desk| trade.reserve(MAIN, terms, &gates, desk).await));
        }
        Step::Command(n, action) => {
            let done = alice.command(&id(n), action);
            if let Ok(Done::ForOther { command, .. }) = done {
                let _ = bob.import_from(alice);
                let agreed = now(bob.act(async |trade, desk| trade.agree(command, desk).await));
                if let Ok(agreed) = agreed {
                    let _ = alice.take(agreed);
                }
            }
        }
        Step::ByPayee(n, action) => {
            let _ = bob.import_from(alice);
            if let Ok(done) = bob.command(&id(n), action) {
                let _ = alice.take(done);
            }
        }
        Step::Settle(n, cost) => {
            let ended = cost.map_or(Ended::Failed, |units| Ended::Succeeded {
                cost: Amount::new(units),
            });
            for home in [&mut *alice, &mut *bob] {
                let id = id(n);
                let _ = now(home.act(async |trade, desk| trade.settle(&id, ended, desk).await));
            }
        }
        Step::Later => later(clock, 100_000),
        Step::Fail(more) => {
            let next = alice.storage.commits() + 1 + more;
            alice.storage.fail(next, broken());
        }
        Step::Restart => alice.reopen(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// After every step, the ledger in memory is the one in the store, and both sum to nothing.
    #[test]
    fn ledger_sums_to_nothing_after_every_step_whatever_fails(steps in steps()) {
        let (mut alice, mut bob, clock) = pair();
        let terms: Vec<Terms> = (0..3).map(|n| alice.terms(&bob.did(), 40, n)).collect();
        for one in steps {
            step(&mut alice, &mut bob, &clock, &terms, one);
            check_sums(&alice);
        }
        let ledger = alice.trade.ledger(MAIN).unwrap().ledger();
        for escrow in ledger.escrows() {
            if let Some(machine) = escrow.machine() {
                let sum = machine.released().plus(machine.refunded()).unwrap();
                prop_assert_eq!(sum.plus(machine.remaining()).unwrap(), machine.total());
            }
        }
    }
}
