//! Two homes and what they hand each other, in virtual time.

mod files;
mod ledger;
mod random;
mod trust;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::cell::Cell;
use futures_util::FutureExt;
use tau_core::{
    ids::UnixMillis,
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid,
    attest::{Kind, SignedAttestation},
    escrow::{Action, Amount, Terms},
    kel::{Change, KeyLog},
    keys::KeyTree,
    ledger::{Entry, Outcome},
    time::Timestamp,
    trust::Gates,
};

use super::*;
use crate::{
    TreeSigner, own_log,
    sim::{SimClock, SimHost, SimStorage},
};

/// What a future of this module gives: none of them waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

/// A home of an agent: its store, its keys, and what it knows of trade.
struct Home {
    storage: SimStorage,
    clock: SimClock,
    signer: TreeSigner,
    trade: Trade,
    nonce: Cell<u64>,
}

impl Home {
    fn new(label: &str, seed: u8, clock: &SimClock) -> Self {
        let tree = KeyTree::from_seed(&[seed; 32]);
        let log = KeyLog::of_tree(label, &tree, at(crate::sim::START.0)).unwrap();
        let storage = SimHost::new().storage().clone();
        now(own_log::keep(&storage, &log)).unwrap();
        Self {
            trade: now(Trade::open(&storage)).unwrap(),
            storage,
            clock: clock.clone(),
            signer: TreeSigner::new(tree, log).unwrap(),
            nonce: Cell::new(0),
        }
    }

    fn did(&self) -> AgentDid {
        self.signer.log().unchecked_state().did().clone()
    }

    fn desk(&self) -> Desk<'_, SimStorage, TreeSigner> {
        Desk {
            storage: &self.storage,
            signer: &self.signer,
            now: now_of(&self.clock),
        }
    }

    /// The same home in a new process.
    fn reopen(&mut self) {
        self.trade = now(Trade::open(&self.storage)).unwrap();
    }

    fn learn(&mut self, other: &Self) {
        now(self
            .trade
            .learn(&[other.signer.log().clone()], &self.storage))
        .unwrap();
    }

    fn deposit(&mut self, units: u128) {
        let entry = Entry::Deposit {
            account: self.did().as_did().clone(),
            asset: TOKENS.into(),
            amount: Amount::new(units),
            receipt: None,
        };
        let done = now(self.act(async |trade, desk| trade.record(MAIN, entry, desk).await));
        assert!(matches!(done, Ok(Outcome::Recorded(_))), "{done:?}");
    }

    async fn act<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Trade, &Desk<'_, SimStorage, TreeSigner>) -> T,
    ) -> T {
        let desk = Desk {
            storage: &self.storage,
            signer: &self.signer,
            now: now_of(&self.clock),
        };
        work(&mut self.trade, &desk).await
    }

    fn terms(&self, to: &AgentDid, units: u128, nonce: u8) -> Terms {
        let now_ms = now_of(&self.clock).0;
        Terms {
            asset: TOKENS.into(),
            amount: Amount::new(units),
            payer: self.did().as_did().clone(),
            payee: to.as_did().clone(),
            arbiter: None,
            task_id: "task-1".into(),
            created_ms: now_ms,
            timeout_ms: now_ms + 300_000,
            nonce: [nonce; 16],
        }
    }

    /// Reserves so much for `to`, whatever its score; the escrow's name.
    fn reserve(&mut self, to: &AgentDid, units: u128, nonce: u8) -> String {
        let terms = self.terms(to, units, nonce);
        let id = terms.id().unwrap();
        let gates = Gates {
            escrow: 0,
            ..Gates::default()
        };
        now(self.act(async |trade, desk| trade.reserve(MAIN, terms, &gates, desk).await)).unwrap();
        id
    }

    fn command(&mut self, id: &str, action: Action) -> Result<Done, &'static str> {
        now(self.act(async |trade, desk| trade.command(id, action, desk).await))
            .map_err(|error| error.reason_code())
    }

    fn take(&mut self, done: Done) -> Result<Done, &'static str> {
        let command = match done {
            Done::ForKeeper { command, .. } | Done::ForOther { command, .. } => command,
            other => panic!("{other:?} is nothing to hand on"),
        };
        now(self.act(async |trade, desk| trade.take(command, desk).await))
            .map_err(|error| error.reason_code())
    }

    fn attest(
        &mut self,
        kind: Kind,
        subject: &AgentDid,
        reference: &str,
    ) -> Result<SignedAttestation, &'static str> {
        self.nonce.set(self.nonce.get() + 1);
        let (nonce, statement) = (
            self.nonce.get(),
            Statement {
                kind,
                subject: subject.clone(),
                reference: reference.into(),
            },
        );
        now(self.act(async |trade, desk| trade.attest(statement, nonce, desk).await))
            .map_err(|error| error.reason_code())
    }

    /// Takes in another home's ledger, by a file.
    fn import_from(&mut self, other: &Self) -> Result<Imported, TradeError> {
        let file = now(other.trade.export_ledger(MAIN, &other.storage)).unwrap();
        let text = file.to_value().unwrap().to_canonical();
        let File::Ledger { logs, ledger } = File::read(text.as_bytes()).unwrap() else {
            panic!("a ledger was exported");
        };
        now(self.trade.learn(&logs, &self.storage)).unwrap();
        now(self.trade.import_ledger(&ledger, &self.storage))
    }

    fn available(&self) -> u128 {
        let ledger = self.trade.ledger(MAIN).unwrap().ledger();
        ledger.available(self.did().as_did(), TOKENS).units()
    }

    /// What the payee has in this home's ledger.
    fn paid(&self, to: &AgentDid) -> u128 {
        let ledger = self.trade.ledger(MAIN).unwrap().ledger();
        ledger.available(to.as_did(), TOKENS).units()
    }

    /// The home's agent gets another signing key.
    fn rotate(&mut self) {
        let number = self.signer.log().events().len() as u32 + 1;
        let change = Change::Rotate {
            signing: Some(self.signer.tree().signing(number).public_key()),
            agreement: None,
        };
        let event = self.signer.log().next(at(now_of(&self.clock).0), change);
        let event = now(self.signer.sign_event(event)).unwrap();
        let mut log = self.signer.log().clone();
        log.append(event).unwrap();
        now(own_log::keep(&self.storage, &log)).unwrap();
        let tree = KeyTree::from_seed(&[self.nonce_seed(); 32]);
        self.signer = TreeSigner::new(tree, log).unwrap();
    }

    /// The byte its seed is made of: found by trying, as the tree does not tell.
    fn nonce_seed(&self) -> u8 {
        let identity = self.signer.tree().identity(0).public_key();
        (0..=u8::MAX)
            .find(|seed| KeyTree::from_seed(&[*seed; 32]).identity(0).public_key() == identity)
            .expect("the seed is one byte again and again")
    }
}

fn now_of(clock: &SimClock) -> UnixMillis {
    crate::Clock::now(clock)
}

/// Sums to nothing in every asset, and says the same after everything is read and checked again.
fn check_sums(home: &Home) {
    let again = now(Trade::open(&home.storage)).unwrap();
    for kept in home.trade.ledgers() {
        assert!(kept.ledger().is_conserved());
        for sums in Sums::of(kept.ledger()).unwrap() {
            assert_eq!(sums.difference(), None, "{sums:?}");
        }
        if !kept.ledger().is_empty() {
            let read = again.ledger(kept.name()).unwrap();
            assert_eq!(read.ledger(), kept.ledger());
        }
    }
}

/// Alice with 1,000 tokens, and bob; each knows the other's log.
fn pair() -> (Home, Home, SimClock) {
    let clock = SimClock::default();
    let (mut alice, mut bob) = (
        Home::new("alice", 0x11, &clock),
        Home::new("bob", 0x22, &clock),
    );
    alice.learn(&bob);
    bob.learn(&alice);
    alice.deposit(1_000);
    (alice, bob, clock)
}

fn completed() -> Kind {
    Kind::TaskCompleted { response_ms: 900 }
}

fn later(clock: &SimClock, millis: u64) {
    clock.set(now_of(clock).plus(millis));
}

/// The rows of a store under a prefix.
fn rows_of(home: &Home, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let rows = home.storage.rows().into_iter();
    rows.filter(|(key, _)| key.starts_with(prefix)).collect()
}

fn put(home: &Home, key: &str, value: &str) {
    let batch = Batch {
        put: Vec::from([(key.to_string(), value.as_bytes().to_vec())]),
        ..Batch::default()
    };
    now(home.storage.commit(batch)).unwrap();
}

fn broken() -> StoreError {
    StoreError::Io {
        detail: "unplugged".into(),
    }
}
