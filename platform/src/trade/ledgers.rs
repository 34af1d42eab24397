//! Ledgers in the store: read event by event, each checked, and written one event a commit.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use tau_core::session::{Batch, StoreError};
use tau_kamn::{
    AgentDid,
    attest::{Dealing, Dealings},
    ledger::{Entry, Event, Ledger, Outcome, SignedEvent},
    signers::Signers,
};

use super::{ATTEMPTS, Desk, SKEW_MS, Trade, TradeError, rows};
use crate::{Signer, Storage};

/// A ledger, as far as its events hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub(super) name: String,
    pub(super) keeper: AgentDid,
    pub(super) ledger: Ledger,
    /// The first event that does not hold, and why.
    pub(super) stopped: Option<(u64, String)>,
    /// Another event of a number that the ledger has, signed by the same keeper.
    pub(super) fork: Option<SignedEvent>,
}

impl Kept {
    pub(super) fn new(name: &str, keeper: AgentDid) -> Self {
        Self {
            name: name.into(),
            keeper,
            ledger: Ledger::new(),
            stopped: None,
            fork: None,
        }
    }

    /// What it is called here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who writes it.
    #[must_use]
    pub fn keeper(&self) -> &AgentDid {
        &self.keeper
    }

    /// The ledger up to the last event that holds.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The event that makes two heads of it, if somebody showed one.
    #[must_use]
    pub fn fork(&self) -> Option<&SignedEvent> {
        self.fork.as_ref()
    }

    /// Refuses a ledger with two heads, or with an event that does not hold.
    pub fn check(&self) -> Result<(), TradeError> {
        if let Some(fork) = &self.fork {
            return Err(TradeError::Forked {
                name: self.name.clone(),
                seq: fork.event().seq,
            });
        }
        match &self.stopped {
            None => Ok(()),
            Some((seq, why)) => Err(TradeError::Damaged {
                name: self.name.clone(),
                seq: *seq,
                why: why.clone(),
            }),
        }
    }

    /// Takes the next event, or stops there for good.
    fn follow(&mut self, seq: u64, row: &[u8], signers: &dyn Signers) {
        if self.stopped.is_some() {
            return;
        }
        let followed = rows::read_event(row).and_then(|(keeper, signed)| {
            if keeper != self.keeper {
                return Err(TradeError::NotKeeper {
                    name: self.name.clone(),
                    keeper: self.keeper.to_string(),
                });
            }
            let did = self.keeper.as_did();
            Ok(self.ledger.continue_with(&signed, did, signers)?)
        });
        if let Err(error) = followed {
            self.stopped = Some((seq, error.to_string()));
        }
    }
}

impl Trade {
    /// A ledger by its name here.
    pub fn ledger(&self, name: &str) -> Result<&Kept, TradeError> {
        self.ledgers.get(name).ok_or_else(|| TradeError::NoLedger {
            name: name.chars().take(80).collect(),
        })
    }

    /// Ledgers whose first event cannot be read, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.unreadable.iter();
        all.map(|(name, why)| (name.as_str(), why.as_str()))
    }

    /// All ledgers, by name.
    pub fn ledgers(&self) -> impl Iterator<Item = &Kept> {
        self.ledgers.values()
    }

    /// The ledger that has an escrow: one that this agent keeps before a copy of another's.
    pub fn ledger_of(&self, escrow_id: &str) -> Result<&Kept, TradeError> {
        let has = |kept: &&Kept| kept.ledger.escrow(escrow_id).is_some();
        let own = |kept: &&Kept| Some(&kept.keeper) == self.own.as_ref();
        let all = || self.ledgers.values().filter(has);
        all()
            .find(own)
            .or_else(|| all().next())
            .ok_or_else(|| TradeError::NoEscrow {
                id: escrow_id.chars().take(80).collect(),
            })
    }

    /// Records an entry in a ledger of this agent's own; the ledger begins with its first entry.
    ///
    /// The event is stored before it counts. Dropping the future leaves it stored or not, and the next
    /// reader sees which.
    pub async fn record<S: Storage, G: Signer>(
        &mut self,
        name: &str,
        entry: Entry,
        desk: &Desk<'_, S, G>,
    ) -> Result<Outcome<Event>, TradeError> {
        rows::check_name(name)?;
        let own = self.writes(desk);
        for _ in 0..ATTEMPTS {
            self.follow_ledger(name, desk.storage).await?;
            let kept = self.ledgers.entry(name.into());
            let kept = &*kept.or_insert_with(|| Kept::new(name, own.clone()));
            if kept.keeper != own {
                return Err(TradeError::NotKeeper {
                    name: name.into(),
                    keeper: kept.keeper.to_string(),
                });
            }
            kept.check()?;
            let at_ms = present(desk.now.0, kept.ledger.last_ms())?;
            let proposed = match kept.ledger.propose(entry.clone(), &self.known, at_ms)? {
                Outcome::Recorded(proposed) => proposed,
                Outcome::Repeated => return Ok(Outcome::Repeated),
                Outcome::Pending => return Ok(Outcome::Pending),
                Outcome::Rejected => return Ok(Outcome::Rejected),
            };
            let event = proposed.event().clone();
            let (signature, key) = desk.sign(&event.to_sign()?).await?;
            let row = rows::event_key(name, event.seq);
            let signed = event.signed(signature, &key)?;
            let batch = Batch {
                require_absent: vec![row.clone()],
                put: vec![(row, rows::event_row(&own, &signed)?)],
                ..Batch::default()
            };
            match desk.storage.commit(batch).await {
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
                Ok(()) => {}
            }
            if let Some(kept) = self.ledgers.get_mut(name) {
                return Ok(Outcome::Recorded(kept.ledger.take(proposed)?));
            }
        }
        Err(TradeError::Contended { name: name.into() })
    }

    /// The signed events of a ledger, as they are stored.
    pub async fn events<S: Storage>(
        &self,
        name: &str,
        storage: &S,
    ) -> Result<Vec<SignedEvent>, TradeError> {
        let count = self.ledger(name)?.ledger.len();
        let mut events = Vec::new();
        let mut failed = None;
        rows::scan(storage, rows::events_from(name, 0), |key, row| {
            let seq = rows::parse_event_key(key).map(|(_, seq)| seq);
            // What came since, or does not hold, is not part of what was read.
            if failed.is_some() || seq.is_none_or(|seq| seq >= count) {
                return;
            }
            match rows::read_event(row) {
                Ok((_, signed)) => events.push(signed),
                Err(error) => failed = Some(error),
            }
        })
        .await?;
        failed.map_or(Ok(events), Err)
    }

    pub(super) async fn read_ledgers<S: Storage>(&mut self, storage: &S) -> Result<(), TradeError> {
        let all = rows::all(rows::LEDGERS);
        rows::scan(storage, all, |key, row| self.follow(key, row)).await?;
        for kept in self.ledgers.values_mut() {
            let mut fork = None;
            rows::scan(storage, rows::forks_of(&kept.name), |_, row| {
                let read = rows::read_event(row).ok().map(|(_, signed)| signed);
                fork = fork.take().or(read);
            })
            .await?;
            kept.fork = fork;
        }
        Ok(())
    }

    /// Reads what others wrote to a ledger since it was last read.
    async fn follow_ledger<S: Storage>(
        &mut self,
        name: &str,
        storage: &S,
    ) -> Result<(), TradeError> {
        let from = self.ledgers.get(name).map_or(0, |kept| kept.ledger.len());
        let news = rows::events_from(name, from);
        rows::scan(storage, news, |key, row| self.follow(key, row)).await?;
        match self.unreadable.get(name) {
            None => Ok(()),
            Some(why) => Err(TradeError::Damaged {
                name: name.into(),
                seq: 0,
                why: why.clone(),
            }),
        }
    }

    /// Takes a row of a ledger. One whose first row cannot be read is nobody's, and is named.
    fn follow(&mut self, key: &str, row: &[u8]) {
        let Some((name, seq)) = rows::parse_event_key(key) else {
            return;
        };
        if self.unreadable.contains_key(name) {
            return;
        }
        if !self.ledgers.contains_key(name) {
            match rows::read_event(row) {
                Ok((keeper, _)) => {
                    self.ledgers.insert(name.into(), Kept::new(name, keeper));
                }
                Err(error) => {
                    self.unreadable.insert(name.into(), error.to_string());
                }
            }
        }
        if let Some(kept) = self.ledgers.get_mut(name) {
            kept.follow(seq, row, &self.known);
        }
    }
}

/// Who dealt with whom, by every ledger that holds. Of several that have an escrow, the one that knows
/// how its dispute ended.
impl Dealings for Trade {
    fn dealing(&self, reference: &str) -> Option<Dealing> {
        let sound = self.ledgers.values().filter(|kept| kept.check().is_ok());
        let dealings = sound.filter_map(|kept| kept.ledger.dealing(reference));
        dealings.reduce(|a, b| if a.lost.is_some() { a } else { b })
    }
}

/// The time of the next event: a ledger's time never goes back, and clocks are never quite alike.
fn present(now_ms: u64, last_ms: u64) -> Result<u64, TradeError> {
    if now_ms.saturating_add(SKEW_MS) < last_ms {
        return Err(TradeError::Clock { now_ms, last_ms });
    }
    Ok(now_ms.max(last_ms))
}
