//! Receipts with every commit: what a batch of records is worth is signed and stored with it.
//!
//! Invariants:
//! - A record and its receipt are stored together or not at all.
//! - An agent that signs does nothing that it cannot sign: where its keys do not count, or fail, the
//!   commit fails, and with it the session. Before a call runs or a model is asked, its keys are
//!   looked at, so that nothing is done first and found unsigned afterwards.
//! - A session that has receipts goes on with its agent's keys only: without any, nothing more is
//!   done in it. One without receipts needs none.

mod stored;

pub use stored::{export, of_session, sessions_with_receipts, verify_session};

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    ids::SessionId,
    journal,
    receipt::{Fact, Head, Told, Tracker, head_key, key},
    session::{Batch, StoreError},
};
use tau_kamn::kel::{KeyLog, State};

use crate::{own_log, peers, signer::Signer, storage::Storage};

/// Records read at once.
const PAGE: u32 = 512;
/// How far the receipts of the session that is being driven are. One for each session.
#[derive(Debug, Default)]
pub struct Receipts(Option<Open>);

#[derive(Debug)]
struct Open {
    session: SessionId,
    tracker: Tracker,
    /// None before the first receipt.
    head: Option<Head>,
    /// The agent's log in the store, as it was looked at last, and where it is.
    log: Option<Vec<u8>>,
    log_key: String,
    /// Whether a signature of this process was verified.
    is_proven: bool,
}

impl Receipts {
    /// Stores `batch` with the receipts of what it tells, signed by `signer`.
    ///
    /// Fails with [`StoreError::Unsigned`] where that cannot be; nothing is stored then.
    pub async fn commit<K: Signer>(
        &mut self,
        storage: &impl Storage,
        signer: Option<&K>,
        batch: Batch,
    ) -> Result<(), StoreError> {
        // Whatever goes wrong: what was not stored is not what the next receipt follows.
        let open = self.0.take();
        let Some((session, first)) = batch.put.iter().find_map(|(key, _)| record_of(key)) else {
            self.0 = open;
            return storage.commit(batch).await;
        };
        let mut open = match open.filter(|open| open.session == session) {
            Some(open) => open,
            None => Open::load(storage, session, first, signer.is_some()).await?,
        };
        let mut batch = batch;
        match signer {
            Some(signer) => open.sign(storage, signer, &mut batch).await?,
            None if open.head.is_some() => open.refuse(&batch)?,
            None => {}
        }
        storage.commit(batch).await?;
        self.0 = Some(open);
        Ok(())
    }
}

impl Open {
    /// The chain of `session` as it is stored, before the record of number `first`.
    async fn load(
        storage: &impl Storage,
        session: SessionId,
        first: u64,
        signs: bool,
    ) -> Result<Self, StoreError> {
        let stored = storage.get(head_key(&session)).await?;
        let head = stored.map(|stored| Head::read(&stored)).transpose();
        let head = head.map_err(|detail| StoreError::Corrupt { detail })?;
        let mut open = Self {
            session,
            tracker: Tracker::default(),
            head,
            log: None,
            log_key: own_log::KEY.into(),
            is_proven: false,
        };
        let mut next = open.head.as_ref().map_or(0, Head::from);
        while signs && next < first {
            let limit = u32::try_from(first - next).map_or(PAGE, |left| left.min(PAGE));
            let range = journal::range(&open.session, next, limit);
            let rows = storage.scan(range).await?;
            if rows.is_empty() {
                break;
            }
            next += rows.len() as u64;
            for (_, line) in rows {
                open.take(&line)?;
            }
        }
        Ok(open)
    }

    fn take(&mut self, line: &[u8]) -> Result<Told, StoreError> {
        self.tracker
            .take(line)
            .map_err(|error| StoreError::Corrupt {
                detail: format!(
                    "a record of session {} is not readable: {error}",
                    self.session
                ),
            })
    }

    /// Adds the receipts of what `batch` tells.
    async fn sign<K: Signer>(
        &mut self,
        storage: &impl Storage,
        signer: &K,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let mut facts = Vec::new();
        let mut acts = false;
        for (key, line) in &batch.put {
            if record_of(key).is_some() {
                let told = self.take(line)?;
                facts.extend(told.fact);
                acts |= told.acts;
            }
        }
        if facts.is_empty() && !acts {
            return Ok(());
        }
        self.refresh(storage, signer.log(), batch).await?;
        let state = signer.log().state().map_err(unsigned)?;
        if state.current_signing().is_none() {
            return Err(unsigned(
                "the agent has no key to sign with: it was revoked",
            ));
        }
        let mut head = self.head.clone().unwrap_or_default();
        for fact in facts {
            let (place, stored) = self.receipt(signer, state, &head, fact).await?;
            head.follow(&stored, self.tracker.from());
            batch.require_absent.push(place.clone());
            batch.put.push((place, stored));
            self.head = Some(head.clone());
        }
        if let Some(head) = &self.head {
            batch.put.push((head_key(&self.session), head.to_bytes()));
        }
        Ok(())
    }

    /// The next receipt, as it is stored, and where.
    async fn receipt<K: Signer>(
        &mut self,
        signer: &K,
        state: &State,
        head: &Head,
        fact: Fact,
    ) -> Result<(String, Vec<u8>), StoreError> {
        let receipt = head.receipt(&self.session, fact, state);
        let receipt = receipt.ok_or_else(|| unsigned("the agent has no key to sign with"))?;
        let text = receipt.to_signed();
        let signature = signer.sign(&text).await.map_err(unsigned)?;
        if !self.is_proven {
            // Once: keys that sign something else would leave a chain that nobody can verify.
            let (_, key) = state.current_signing().ok_or_else(|| unsigned("no key"))?;
            key.verify(&text, &signature).map_err(unsigned)?;
            self.is_proven = true;
        }
        Ok((key(&self.session, receipt.n), receipt.stored(&signature)))
    }

    /// Makes sure that the log in the store, by which receipts are verified, knows the key that signs
    /// now: another process may have changed the agent's keys.
    async fn refresh(
        &mut self,
        storage: &impl Storage,
        own: &KeyLog,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let state = own.unchecked_state();
        loop {
            let stored = storage.get(self.log_key.clone()).await?;
            let Some(stored) = stored else {
                batch.require_absent.push(self.log_key.clone());
                let text = own.to_value().to_canonical().into_bytes();
                batch.put.push((self.log_key.clone(), text));
                return Ok(());
            };
            if self.log.as_ref() == Some(&stored) {
                return Ok(());
            }
            let kept = KeyLog::read(&stored).map_err(unsigned)?;
            if kept.unchecked_state().did() != state.did() && self.log_key == own_log::KEY {
                // The store is another agent's, which knows this one among others.
                self.log_key = peers::key(state.did());
                continue;
            }
            if kept.state().map_err(unsigned)?.current_signing() != state.current_signing() {
                return Err(unsigned(
                    "the agent's keys were changed meanwhile, and this process has those of before",
                ));
            }
            self.log = Some(stored);
            return Ok(());
        }
    }

    /// Refuses what would have to be signed, where nobody signs.
    fn refuse(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (key, line) in &batch.put {
            if record_of(key).is_none() {
                continue;
            }
            let told = self.take(line)?;
            if told.acts || told.fact.is_some() {
                return Err(unsigned(format!(
                    "session {} has receipts, and the agent's keys are not here",
                    self.session
                )));
            }
        }
        Ok(())
    }
}

/// The session and the number of the record with that key.
fn record_of(key: &str) -> Option<(SessionId, u64)> {
    let (session, rest) = key.strip_prefix("session/")?.split_once('/')?;
    let seq = rest.strip_prefix("journal/")?.parse().ok()?;
    Some((SessionId(session.into()), seq))
}

fn unsigned(why: impl ToString) -> StoreError {
    StoreError::Unsigned {
        detail: why.to_string(),
    }
}

#[cfg(test)]
mod tests;
