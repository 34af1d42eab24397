//! The ledger: who has how much, how much is held, and every movement in a chain of hashes.
//!
//! ```text
//!   outside ── deposit ──> available(account) ── fund ──> held(escrow) ── release ──> available(payee)
//!           <─ withdraw ──                     <─ refund ──
//! ```
//!
//! Every event is one transaction of movements from one place to another, so it is balanced as it is
//! written. It names the hash of the event before and is signed by whoever keeps the ledger; whoever
//! has the events comes to the same ledger, signatures of the parties included.
//!
//! Invariants: per asset, what is available and held is what came in less what went out; an escrow that
//! ended holds nothing; what is refused changes nothing. A ledger is a book: that something moved in it
//! is no settlement anywhere else, and [`Backing`] says so.

mod book;
mod event;
mod restore;
pub mod token;

pub use book::Place;
pub use event::{Entry, Event, Movement, SignedEvent};
pub use restore::restore;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec,
    vec::Vec,
};

use thiserror::Error as ThisError;

use self::book::Book;
use crate::{
    did::KamnDid,
    error::Error,
    escrow::{
        Amount, Escrow, EscrowError, Finality, Moved, Receipt, SignedCommand, Terms, is_symbol,
    },
    jcs,
    signers::Signers,
};

/// What the first event has for the hash of the one before.
pub const GENESIS: &str = "GENESIS";

/// Why the ledger refuses something.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum LedgerError {
    /// Less is there than is to move.
    #[error("{available} {asset} are there, {amount} are to move")]
    Insufficient {
        /// The asset.
        asset: String,
        /// What is there.
        available: Amount,
        /// What was asked for.
        amount: Amount,
    },
    /// An escrow that is not in the book, or is already.
    #[error("escrow {id:?} is {why}")]
    Escrow {
        /// Its name.
        id: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A receipt that was used before.
    #[error("receipt {id:?} was used before")]
    ReceiptReplay {
        /// Its name.
        id: String,
    },
    /// Not an asset's symbol.
    #[error("{asset:?} is no symbol of an asset")]
    Asset {
        /// What was given.
        asset: String,
    },
    /// Time that goes backwards.
    #[error("the time {found} is before that of the last event, {last}")]
    Time {
        /// The one given, in milliseconds since 1970.
        found: u64,
        /// The last one.
        last: u64,
    },
    /// Events that are not those this ledger wrote.
    #[error("event {seq} {why}")]
    Chain {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What the escrow says.
    #[error(transparent)]
    Refused(#[from] EscrowError),
    /// Something that does not parse, or a signature that does not fit.
    #[error(transparent)]
    Text(#[from] Error),
    /// Something that is not signed JSON.
    #[error(transparent)]
    Json(#[from] jcs::Error),
}

impl LedgerError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "insufficient_funds",
            Self::Escrow { .. } => "ledger_reference_missing",
            Self::ReceiptReplay { .. } => "receipt_replay",
            Self::Asset { .. } => "asset_invalid",
            Self::Time { .. } => "ledger_time_invalid",
            Self::Chain { .. } => "ledger_chain_invalid",
            Self::Refused(error) => error.reason_code(),
            Self::Text(error) => error.reason_code(),
            Self::Json(error) => error.reason_code(),
        }
    }
}

/// What stands behind the amounts of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Entries of this ledger, at least in part.
    LocalOnly,
    /// Receipts from outside, for all that ever came in.
    ExternallyBacked,
}

impl Backing {
    /// As it is written: the most that may be claimed of a settlement.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::LocalOnly => "local-only",
            Self::ExternallyBacked => "externally-backed",
        }
    }
}

/// What an entry came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T = Event> {
    /// It is in the ledger: the event to sign, store and hand on. Of [`Ledger::propose`], what is to
    /// be taken once that was done.
    Recorded(T),
    /// It was there before; nothing moved again.
    Repeated,
    /// The receipt is not final yet: nothing moved.
    Pending,
    /// The receipt says it failed: nothing moved.
    Rejected,
}

/// An event that a ledger can take, and what that will change: nothing has changed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    event: Event,
    hash: [u8; 32],
    change: book::Change,
    escrow: Option<Escrow>,
}

impl Proposed {
    /// The event, to be signed and stored before it is taken.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// A ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    book: Book,
    escrows: BTreeMap<String, Escrow>,
    receipts: BTreeSet<String>,
    /// Assets of which something came in without a receipt.
    unbacked: BTreeSet<String>,
    next_seq: u64,
    head: Option<[u8; 32]>,
    last_ms: u64,
}

impl Ledger {
    /// A ledger with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `account` can dispose of.
    #[must_use]
    pub fn available(&self, account: &KamnDid, asset: &str) -> Amount {
        self.book.at(&Place::Available(account.clone()), asset)
    }

    /// What an escrow holds.
    #[must_use]
    pub fn held(&self, escrow_id: &str) -> Amount {
        let asset = self.escrows.get(escrow_id);
        asset.map_or(Amount::ZERO, |escrow| {
            self.book
                .at(&Place::Held(escrow_id.into()), &escrow.terms().asset)
        })
    }

    /// An escrow.
    #[must_use]
    pub fn escrow(&self, id: &str) -> Option<&Escrow> {
        self.escrows.get(id)
    }

    /// What stands behind an asset.
    #[must_use]
    pub fn backing(&self, asset: &str) -> Backing {
        if self.unbacked.contains(asset) || self.book.came_in(asset).is_zero() {
            Backing::LocalOnly
        } else {
            Backing::ExternallyBacked
        }
    }

    /// The hash of the last event.
    #[must_use]
    pub fn head(&self) -> Option<&[u8; 32]> {
        self.head.as_ref()
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.next_seq
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next_seq == 0
    }

    /// When the last event was, in milliseconds since 1970.
    #[must_use]
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// The escrows, by name.
    pub fn escrows(&self) -> impl Iterator<Item = &Escrow> {
        self.escrows.values()
    }

    /// What is where: available to accounts and held by escrows, by asset.
    pub fn amounts(&self) -> impl Iterator<Item = (&Place, &str, Amount)> {
        self.book.amounts()
    }

    /// The assets that ever came in, with how much came in and went out.
    pub fn turnover(&self) -> impl Iterator<Item = (&str, Amount, Amount)> {
        self.book.turnover()
    }

    /// Records an entry. The signatures of an escrow's command are checked here.
    pub fn apply(
        &mut self,
        entry: Entry,
        signers: &dyn Signers,
        now_ms: u64,
    ) -> Result<Outcome, LedgerError> {
        Ok(match self.propose(entry, signers, now_ms)? {
            Outcome::Recorded(proposed) => Outcome::Recorded(self.take(proposed)?),
            Outcome::Repeated => Outcome::Repeated,
            Outcome::Pending => Outcome::Pending,
            Outcome::Rejected => Outcome::Rejected,
        })
    }

    /// What recording an entry would come to, without recording it: whoever stores events elsewhere
    /// stores the event first and takes it then. The signatures of an escrow's command are checked here.
    pub fn propose(
        &self,
        entry: Entry,
        signers: &dyn Signers,
        now_ms: u64,
    ) -> Result<Outcome<Proposed>, LedgerError> {
        if now_ms < self.last_ms {
            return Err(LedgerError::Time {
                found: now_ms,
                last: self.last_ms,
            });
        }
        let planned = match &entry {
            Entry::Open(terms) => self.open(terms)?,
            Entry::Deposit { receipt, .. } | Entry::Withdraw { receipt, .. } => {
                match self.receive(receipt.as_ref())? {
                    Some(outcome) => return Ok(outcome),
                    None => self.exchange(&entry)?,
                }
            }
            Entry::Command(signed) => match self.command(signed, signers, now_ms)? {
                Some(planned) => planned,
                None => return Ok(Outcome::Repeated),
            },
        };
        let change = self.book.change(&planned.movements)?;
        let event = Event {
            seq: self.next_seq,
            prev: self.head,
            at_ms: now_ms,
            entry,
            movements: planned.movements,
        };
        Ok(Outcome::Recorded(Proposed {
            hash: event.hash()?,
            event,
            change,
            escrow: planned.escrow,
        }))
    }

    /// Takes what it proposed, unless something else came between.
    pub fn take(&mut self, proposed: Proposed) -> Result<Event, LedgerError> {
        let Proposed {
            event,
            hash,
            change,
            escrow,
        } = proposed;
        if event.seq != self.next_seq || event.prev != self.head {
            return Err(LedgerError::Chain {
                seq: event.seq,
                why: "does not follow: something else came between",
            });
        }
        // All checks are done: from here on nothing can fail.
        self.book.make(change);
        if let Some(escrow) = escrow {
            self.escrows.insert(escrow.id().into(), escrow);
        }
        match &event.entry {
            Entry::Deposit {
                receipt: None,
                asset,
                ..
            } => {
                self.unbacked.insert(asset.clone());
            }
            Entry::Deposit {
                receipt: Some(receipt),
                ..
            }
            | Entry::Withdraw {
                receipt: Some(receipt),
                ..
            } => {
                self.receipts.insert(receipt.id.clone());
            }
            _ => {}
        }
        self.head = Some(hash);
        self.next_seq += 1;
        self.last_ms = event.at_ms;
        Ok(event)
    }

    /// Checks every invariant over all accounts and escrows: `false` means a defect of this program.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        let escrows = self.escrows.values().all(|escrow| {
            let remaining = escrow
                .machine()
                .map_or(Amount::ZERO, |machine| machine.remaining());
            self.held(escrow.id()) == remaining
        });
        escrows && self.book.is_balanced()
    }

    fn open(&self, terms: &Terms) -> Result<Planned, LedgerError> {
        let escrow = Escrow::new(terms.clone())?;
        if self.escrows.contains_key(escrow.id()) {
            return Err(LedgerError::Escrow {
                id: escrow.id().into(),
                why: "there already",
            });
        }
        Ok(Planned {
            movements: Vec::new(),
            escrow: Some(escrow),
        })
    }

    /// What a receipt says against recording; `None` lets it go on.
    fn receive(&self, receipt: Option<&Receipt>) -> Result<Option<Outcome<Proposed>>, LedgerError> {
        let Some(receipt) = receipt else {
            return Ok(None);
        };
        if receipt.id.trim().is_empty() {
            return Err(EscrowError::MissingReceiptEvidence.into());
        }
        if self.receipts.contains(&receipt.id) {
            return Err(LedgerError::ReceiptReplay {
                id: receipt.id.clone(),
            });
        }
        Ok(match receipt.finality {
            Finality::Pending => Some(Outcome::Pending),
            Finality::Failed => Some(Outcome::Rejected),
            Finality::Final => None,
        })
    }

    /// A deposit or a withdrawal.
    fn exchange(&self, entry: &Entry) -> Result<Planned, LedgerError> {
        let (from, to, asset, amount) = match entry {
            Entry::Deposit {
                account,
                asset,
                amount,
                ..
            } => (
                Place::Outside,
                Place::Available(account.clone()),
                asset,
                *amount,
            ),
            Entry::Withdraw {
                account,
                asset,
                amount,
                ..
            } => (
                Place::Available(account.clone()),
                Place::Outside,
                asset,
                *amount,
            ),
            Entry::Open(_) | Entry::Command(_) => return Ok(Planned::default()),
        };
        if !is_symbol(asset) {
            return Err(LedgerError::Asset {
                asset: asset.clone(),
            });
        }
        if amount.is_zero() {
            return Err(EscrowError::ZeroAmount.into());
        }
        let asset = asset.clone();
        Ok(Planned {
            movements: vec![Movement {
                from,
                to,
                asset,
                amount,
            }],
            escrow: None,
        })
    }

    /// What an escrow's command moves; `None` when it was taken before.
    fn command(
        &self,
        signed: &SignedCommand,
        signers: &dyn Signers,
        now_ms: u64,
    ) -> Result<Option<Planned>, LedgerError> {
        let id = &signed.command.escrow_id;
        let escrow = self.escrows.get(id).ok_or_else(|| LedgerError::Escrow {
            id: id.clone(),
            why: "not in the ledger",
        })?;
        let verified = signed.clone().verify(signers, now_ms)?;
        let (next, moved) = escrow.apply(&verified, now_ms)?;
        let terms = next.terms();
        let held = || Place::Held(id.clone());
        let available = |did: &KamnDid| Place::Available(did.clone());
        let movement = |from, to, amount| Movement {
            from,
            to,
            asset: terms.asset.clone(),
            amount,
        };
        let mut movements = match moved {
            Moved::Nothing => return Ok(None),
            Moved::Held(amount) => vec![movement(available(&terms.payer), held(), amount)],
            Moved::Paid { to_payee, to_payer } => vec![
                movement(held(), available(&terms.payee), to_payee),
                movement(held(), available(&terms.payer), to_payer),
            ],
        };
        movements.retain(|movement| !movement.amount.is_zero());
        Ok(Some(Planned {
            movements,
            escrow: Some(next),
        }))
    }
}

/// What an entry will change, once all of it is known to be possible.
#[derive(Default)]
struct Planned {
    movements: Vec<Movement>,
    escrow: Option<Escrow>,
}

#[cfg(test)]
mod tests;
