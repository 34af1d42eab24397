//! What KAMN's invariants of transactions, INV-TX-001 to 006, come to in a ledger of escrows: no
//! empty fields, numbers that begin at one and leave none out, signatures, the state they were made
//! for, names that are used once, and nothing recorded that was not checked.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it must be"
)]

use std::collections::BTreeMap;

use tau_kamn::{
    AgentDid, KamnDid,
    escrow::{Action, Amount, Command, Finality, Receipt, SignedCommand, Terms},
    jcs::Value,
    kel::KeyLog,
    key::SigningKey,
    keys::KeyTree,
    ledger::{Entry, Ledger, Outcome, SignedEvent, restore},
    time::Timestamp,
};

const NOW_MS: u64 = 1_770_000_000_000;

type Logs = BTreeMap<AgentDid, KeyLog>;

struct Agent {
    did: KamnDid,
    key: SigningKey,
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

fn known(logs: &mut Logs, label: &str, seed: u8) -> Agent {
    let tree = KeyTree::from_seed(&[seed; 32]);
    let log = KeyLog::of_tree(label, &tree, at(NOW_MS)).unwrap();
    let did = log.state().unwrap().did().clone();
    logs.insert(did.clone(), log);
    Agent {
        did: did.as_did().clone(),
        key: tree.signing(1),
    }
}

/// A ledger in which the payer has something and an escrow is funded.
struct World {
    logs: Logs,
    payer: Agent,
    payee: Agent,
    ledger: Ledger,
    events: Vec<SignedEvent>,
    id: String,
}

impl World {
    fn new() -> Self {
        let mut logs = Logs::new();
        let (payer, payee) = (
            known(&mut logs, "alice", 0x11),
            known(&mut logs, "bob", 0x22),
        );
        let mut world = Self {
            logs,
            payer,
            payee,
            ledger: Ledger::new(),
            events: Vec::new(),
            id: String::new(),
        };
        world.id = world.terms("task-1").id().unwrap();
        let (deposit, open) = (world.deposit(500, None), world.terms("task-1"));
        world.record(deposit).unwrap();
        world.record(Entry::Open(open)).unwrap();
        let fund = world.command(1, Action::Fund);
        world.record(Entry::Command(fund)).unwrap();
        world
    }

    fn terms(&self, task: &str) -> Terms {
        Terms {
            asset: "KAMN".into(),
            amount: Amount::new(100),
            payer: self.payer.did.clone(),
            payee: self.payee.did.clone(),
            arbiter: None,
            task_id: task.into(),
            created_ms: NOW_MS,
            timeout_ms: NOW_MS + 1000,
            nonce: [1; 16],
        }
    }

    fn deposit(&self, units: u128, receipt: Option<&str>) -> Entry {
        Entry::Deposit {
            account: self.payer.did.clone(),
            asset: "KAMN".into(),
            amount: Amount::new(units),
            receipt: receipt.map(|id| Receipt {
                id: id.into(),
                finality: Finality::Final,
            }),
        }
    }

    fn command(&self, seq: u64, action: Action) -> SignedCommand {
        let command = Command {
            escrow_id: self.id.clone(),
            seq,
            action,
            actor: self.payer.did.clone(),
            created: at(NOW_MS),
        };
        command.sign(&self.payer.key).unwrap()
    }

    /// Records an entry, or says why not: then nothing at all has changed.
    fn record(&mut self, entry: Entry) -> Result<(), &'static str> {
        let before = self.ledger.clone();
        match self.ledger.apply(entry, &self.logs, NOW_MS) {
            Ok(Outcome::Recorded(event)) => self.events.push(event.sign(&self.payer.key).unwrap()),
            Ok(_) => assert_eq!(self.ledger, before),
            Err(error) => {
                assert_eq!(self.ledger, before, "what is refused changes nothing");
                return Err(error.reason_code());
            }
        }
        assert!(self.ledger.is_conserved());
        Ok(())
    }

    fn release(&self, units: u128) -> Action {
        Action::Release {
            amount: Amount::new(units),
        }
    }
}

#[test]
fn fields_that_must_say_something_are_never_blank() {
    let mut world = World::new();
    for (change, code) in [
        (
            (|terms| terms.task_id = " ".into()) as fn(&mut Terms),
            "escrow_terms_invalid",
        ),
        (|terms| terms.asset = String::new(), "escrow_terms_invalid"),
        (|terms| terms.amount = Amount::ZERO, "zero_amount"),
    ] {
        let mut terms = world.terms("task-2");
        change(&mut terms);
        assert_eq!(world.record(Entry::Open(terms)), Err(code));
    }
    let blank = Action::Dispute { reason: " ".into() };
    let blank = world.command(2, blank);
    assert_eq!(
        world.record(Entry::Command(blank)),
        Err("escrow_command_invalid")
    );
    let nothing = world.deposit(0, None);
    assert_eq!(world.record(nothing), Err("zero_amount"));
    let nameless = world.deposit(1, Some(" "));
    assert_eq!(world.record(nameless), Err("missing_receipt_evidence"));
}

#[test]
fn commands_are_numbered_from_one_and_leave_no_number_out() {
    let mut world = World::new();
    for seq in [0, 3, u64::from(u32::MAX)] {
        let command = world.command(seq, world.release(1));
        let refused = world.record(Entry::Command(command));
        assert_eq!(refused, Err("escrow_sequence_invalid"), "{seq}");
    }
    for seq in [2, 3, 4] {
        let command = world.command(seq, world.release(1));
        world.record(Entry::Command(command)).unwrap();
    }
    let other = world.command(3, world.release(2));
    assert_eq!(world.record(Entry::Command(other)), Err("escrow_conflict"));
    for (n, event) in world.events.iter().enumerate() {
        assert_eq!(event.event().seq, n as u64);
    }
}

#[test]
fn every_byte_of_a_signed_command_is_held_against_its_signature() {
    let mut world = World::new();
    let value = world.command(2, world.release(40)).to_value().unwrap();
    let text = value.to_canonical();
    let mut refused = 0;
    for at in 0..text.len() {
        for bit in [0x01, 0x02, 0x10] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(value) = tau_kamn::jcs::parse(&bytes, 65_536) else {
                continue;
            };
            // White space and the order of members say nothing, so they are not signed.
            if value.to_canonical() == text {
                continue;
            }
            if let Ok(changed) = SignedCommand::from_value(value) {
                assert!(world.record(Entry::Command(changed)).is_err(), "byte {at}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} variants were read at all");
}

#[test]
fn event_counts_for_the_state_it_was_made_for_alone() {
    let world = World::new();
    let key = world.payer.key.public_key();
    let restored = |events: &[SignedEvent]| {
        let head = world.ledger.head();
        restore(events, &key, &world.logs, head).map_err(|error| error.reason_code())
    };
    assert_eq!(restored(&world.events), Ok(world.ledger.clone()));
    for at in 0..world.events.len() {
        let mut without = world.events.clone();
        without.remove(at);
        assert!(restored(&without).is_err(), "without event {at}");
        let mut altered = world.events.clone();
        let mut event = altered[at].event().clone();
        event.prev = Some([7; 32]);
        altered[at] = event.sign(&world.payer.key).unwrap();
        assert!(
            restored(&altered).is_err(),
            "event {at} after another state"
        );
    }
}

#[test]
fn names_are_used_once() {
    let mut world = World::new();
    let again = world.terms("task-1");
    assert_eq!(
        world.record(Entry::Open(again)),
        Err("ledger_reference_missing")
    );
    let deposit = world.deposit(5, Some("tx-1"));
    world.record(deposit.clone()).unwrap();
    assert_eq!(world.record(deposit), Err("receipt_replay"));
    let twice = world.command(2, world.release(40));
    world.record(Entry::Command(twice.clone())).unwrap();
    let events = world.events.len();
    world.record(Entry::Command(twice)).unwrap();
    assert_eq!(world.events.len(), events, "the same again is no event");
}

#[test]
fn what_was_not_checked_is_not_recorded() {
    let mut world = World::new();
    let mut by_stranger = world.command(2, world.release(1));
    let stranger = known(&mut Logs::new(), "eve", 0x99);
    by_stranger.command.actor = stranger.did.clone();
    let signed = by_stranger.command.clone().sign(&stranger.key).unwrap();
    assert_eq!(
        world.record(Entry::Command(signed)),
        Err("escrow_signer_unknown")
    );
    let too_much = world.command(2, world.release(101));
    assert_eq!(
        world.record(Entry::Command(too_much)),
        Err("invalid_amount")
    );
    let too_early = world.command(2, Action::TimeoutRefund);
    assert_eq!(
        world.record(Entry::Command(too_early)),
        Err("timeout_not_elapsed")
    );
    let mut by_payee = world.command(2, world.release(1)).command;
    by_payee.actor = world.payee.did.clone();
    let by_payee = by_payee.sign(&world.payee.key).unwrap();
    assert_eq!(
        world.record(Entry::Command(by_payee)),
        Err("escrow_unauthorized")
    );
    let value: Value = world.events[2].to_value().unwrap();
    let read = SignedEvent::from_value(value).unwrap();
    assert_eq!(read.event().movements, world.events[2].event().movements);
}
