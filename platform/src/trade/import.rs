//! Taking in what others handed over.
//!
//! Logs come first: without them no signature can be checked. A ledger is taken as far as it goes on from
//! what is here, all of its new events or none; an event that differs from one that is here, by the same
//! keeper's signature, is kept as proof that his ledger has two heads.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{ids::UnixMillis, order, session::Batch};
use tau_kamn::{
    AgentDid,
    attest::SignedAttestation,
    escrow::EscrowError,
    kel::KeyLog,
    ledger::{Ledger, SignedEvent},
    signers::Signers,
};

use super::{Kept, LedgerFile, Trade, TradeError, TrustFile, attestations::Uncounted, rows};
use crate::{
    Storage,
    peers::{self, Learned, LogError},
};

/// Events that are written at a time.
const PAGE: usize = 256;

/// What taking in a ledger brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it is called here.
    pub ledger: String,
    /// How many of its events are new.
    pub new: u64,
    /// How many there are.
    pub events: u64,
}

/// What taking in a file of attestations brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Agents whose logs are new, or grew.
    pub learned: Vec<AgentDid>,
    /// Agents whose logs contradict what is known: no key of theirs is believed any more.
    pub forked: Vec<AgentDid>,
    /// Ledgers that were taken in.
    pub ledgers: Vec<Imported>,
    /// Ledgers that were not: what their keepers call them, and why not.
    pub refused_ledgers: Vec<Uncounted>,
    /// Attestations that are admitted now.
    pub admitted: Vec<String>,
    /// How many were admitted before.
    pub known: usize,
    /// Those that do not count, and why.
    pub refused: Vec<Uncounted>,
}

impl Trade {
    /// Learns key logs, and reads everything again in their light.
    pub async fn learn<S: Storage>(
        &mut self,
        logs: &[KeyLog],
        storage: &S,
    ) -> Result<Taken, TradeError> {
        let mut taken = Taken::default();
        for log in logs {
            let did = log.unchecked_state().did().clone();
            match peers::learn(storage, log).await {
                Ok((_, Learned::First | Learned::News { .. })) => taken.learned.push(did),
                Ok((_, Learned::Known)) => {}
                Ok((_, Learned::Fork { .. })) => taken.forked.push(did),
                // Full is full: what its agents signed is then refused by name.
                Err(LogError::Full { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        *self = Self::open(storage).await?;
        Ok(taken)
    }

    /// Takes in a ledger. Its keeper's log must be known.
    pub async fn import_ledger<S: Storage>(
        &mut self,
        file: &LedgerFile,
        storage: &S,
    ) -> Result<Imported, TradeError> {
        let name = rows::name_here(&file.name, &file.keeper, self.own.as_ref());
        let stored = match self.ledgers.contains_key(&name) {
            true => self.events(&name, storage).await?,
            false => Vec::new(),
        };
        let mut pairs = stored.iter().zip(&file.events);
        let differs = pairs.find(|(here, there)| here.event() != there.event());
        if let Some((here, other)) = differs {
            if other.event().seq != here.event().seq {
                return Err(TradeError::Damaged {
                    name,
                    seq: other.event().seq,
                    why: "the file's events are not in their order".into(),
                });
            }
            return Err(self.fork(&name, file, other, storage).await?);
        }
        if let Some(kept) = self.ledgers.get(&name) {
            kept.check()?;
        }
        let fresh = || Kept::new(&name, file.keeper.clone());
        let mut kept = self.ledgers.get(&name).cloned().unwrap_or_else(fresh);
        let news = file.events.get(stored.len()..).unwrap_or_default();
        for signed in news {
            let keeper = file.keeper.as_did();
            let followed = kept.ledger.continue_with(signed, keeper, &self.known);
            followed.map_err(|error| TradeError::Damaged {
                name: name.clone(),
                seq: signed.event().seq,
                why: error.to_string(),
            })?;
        }
        // A file may be older than what is here; one that is not must end where it says.
        let is_older = file.events.len() < stored.len();
        if !is_older && kept.ledger.head() != file.head.as_ref() {
            return Err(TradeError::Damaged {
                name,
                seq: kept.ledger.len(),
                why: "the last event is not the one the file names".into(),
            });
        }
        write(storage, &name, &file.keeper, news).await?;
        let events = kept.ledger.len();
        self.ledgers.insert(name.clone(), kept);
        Ok(Imported {
            ledger: name,
            new: news.len() as u64,
            events,
        })
    }

    /// Takes in all that another's scores are computed from, each thing by itself.
    pub async fn import_trust<S: Storage>(
        &mut self,
        file: &TrustFile,
        storage: &S,
        now: UnixMillis,
    ) -> Result<Taken, TradeError> {
        let mut taken = self.learn(&file.logs, storage).await?;
        for ledger in &file.ledgers {
            match self.import_ledger(ledger, storage).await {
                Ok(imported) => taken.ledgers.push(imported),
                Err(error @ (TradeError::Store(_) | TradeError::Log(_))) => return Err(error),
                Err(error) => taken.refused_ledgers.push(Uncounted {
                    id: rows::name_here(&ledger.name, &ledger.keeper, self.own.as_ref()),
                    reason_code: error.reason_code(),
                    why: error.to_string(),
                }),
            }
        }
        let mut all: Vec<&SignedAttestation> =
            file.attestations.iter().map(|one| &one.signed).collect();
        // In the order of their heights, so that none shuts out another of the same file.
        let place = |signed: &SignedAttestation| {
            let attestation = signed.attestation();
            (attestation.height, attestation.created.unix_ms())
        };
        order::sort_by(&mut all, |a, b| place(a) < place(b));
        for signed in all {
            let id = signed.id()?;
            match self.admit(signed.clone(), storage, now).await {
                Ok(true) => taken.admitted.push(id),
                Ok(false) => taken.known += 1,
                Err(error @ (TradeError::Store(_) | TradeError::Log(_))) => return Err(error),
                Err(error) => taken.refused.push(Uncounted {
                    id,
                    reason_code: error.reason_code(),
                    why: error.to_string(),
                }),
            }
        }
        Ok(taken)
    }

    /// What another computes his scores from, checked and computed again, without a store.
    ///
    /// When each attestation came is the exporter's word; all else is proved by the file itself.
    pub fn of_export(file: TrustFile) -> Result<Self, TradeError> {
        let mut trade = Self::default();
        for log in file.logs {
            let did = log.unchecked_state().did().clone();
            trade.known.insert(did, log);
        }
        for ledger in file.ledgers {
            let name = rows::name_here(&ledger.name, &ledger.keeper, None);
            let mut kept = Kept::new(&name, ledger.keeper.clone());
            kept.ledger = Ledger::new();
            for signed in &ledger.events {
                let keeper = ledger.keeper.as_did();
                let followed = kept.ledger.continue_with(signed, keeper, &trade.known);
                followed.map_err(|error| TradeError::Damaged {
                    name: name.clone(),
                    seq: signed.event().seq,
                    why: error.to_string(),
                })?;
            }
            trade.ledgers.insert(name, kept);
        }
        trade.count_all(file.attestations)?;
        Ok(trade)
    }

    /// Keeps another event of a number that is here, if the keeper signed it, and says what that means.
    async fn fork<S: Storage>(
        &mut self,
        name: &str,
        file: &LedgerFile,
        other: &SignedEvent,
        storage: &S,
    ) -> Result<TradeError, TradeError> {
        let (seq, at_ms) = (other.event().seq, other.event().at_ms);
        let keeper = file.keeper.as_did();
        let key = self.known.signing_key(keeper, at_ms, at_ms);
        let key = key.ok_or_else(|| EscrowError::UnknownSigner {
            did: file.keeper.as_kamn(),
        })?;
        other.verify(&key)?;
        let row = rows::fork_key(name, seq);
        if storage.get(row.clone()).await?.is_none() {
            let batch = Batch {
                put: Vec::from([(row, rows::event_row(&file.keeper, other)?)]),
                ..Batch::default()
            };
            storage.commit(batch).await?;
        }
        if let Some(kept) = self.ledgers.get_mut(name) {
            kept.fork = Some(other.clone());
        }
        Ok(TradeError::Forked {
            name: name.into(),
            seq,
        })
    }
}

/// Writes events that were checked. Cut off, what is written is the beginning of the ledger.
async fn write<S: Storage>(
    storage: &S,
    name: &str,
    keeper: &AgentDid,
    events: &[SignedEvent],
) -> Result<(), TradeError> {
    for page in events.chunks(PAGE) {
        let mut batch = Batch::default();
        for signed in page {
            let key = rows::event_key(name, signed.event().seq);
            batch.require_absent.push(key.clone());
            batch.put.push((key, rows::event_row(keeper, signed)?));
        }
        storage.commit(batch).await?;
    }
    Ok(())
}
