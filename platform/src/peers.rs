//! Other agents: `peer/<did>` in the store holds the key event log that one showed.
//!
//! First contact is trust on first use of a name that proves its key; a name that is bound to no key
//! is refused by [`KeyLog`] itself. Invariant: what was seen of an agent is never unseen. A log that
//! contradicts the one that is known is kept beside it, and from then on no key of this agent is
//! believed.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use tau_core::session::Range;
use tau_kamn::{AgentDid, kel::KeyLog};

pub use crate::kept_log::{Learned, LogError};
use crate::{Storage, kept_log, own_log};

/// Where logs of other agents are.
pub(crate) const PREFIX: &str = "peer/";
/// Rows that are read at a time: a log may be as long as a megabyte.
const PAGE: u32 = 16;
/// So many other agents are remembered: more are told by strangers alone.
pub const PEERS_LIMIT: u32 = 4_096;

/// Where the log of `did` is kept.
#[must_use]
pub fn key(did: &AgentDid) -> String {
    format!("{PREFIX}{}", did.as_kamn())
}

/// What is known of `did`: the agent of this store itself, or another. It may fork.
pub async fn get(storage: &impl Storage, did: &AgentDid) -> Result<Option<KeyLog>, LogError> {
    match own_log::load(storage).await? {
        Some(own) if own.unchecked_state().did() == did => Ok(Some(own)),
        _ => kept_log::get(storage, &key(did)).await,
    }
}

/// Remembers what `log` says beyond what is known of its agent, and gives what is known then.
///
/// A log of the agent of this store itself goes where its own is.
pub async fn learn(storage: &impl Storage, log: &KeyLog) -> Result<(KeyLog, Learned), LogError> {
    let did = log.unchecked_state().did();
    if let Some(own) = own_log::load(storage).await?
        && own.unchecked_state().did() == did
    {
        return own_log::keep(storage, log).await;
    }
    let key = key(did);
    if storage.get(key.clone()).await?.is_none() && count(storage).await? >= PEERS_LIMIT {
        return Err(LogError::Full { limit: PEERS_LIMIT });
    }
    kept_log::learn(storage, &key, log).await
}

/// Every other agent, in the order of their names. One whose log is damaged says so.
pub async fn list(
    storage: &impl Storage,
) -> Result<Vec<(String, Result<KeyLog, LogError>)>, LogError> {
    let mut all = Vec::new();
    let mut range = Range::prefix(PREFIX, PAGE);
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(all);
        };
        range.start = format!("{last}\0");
        for (key, bytes) in &page {
            if let Some(did) = name(key) {
                all.push((did.into(), kept_log::read(key, bytes)));
            }
        }
    }
}

/// Forgets an agent; says whether it was known. What it shows next is first contact again.
pub async fn forget(storage: &impl Storage, did: &AgentDid) -> Result<bool, LogError> {
    Ok(kept_log::forget(storage, &key(did)).await?)
}

/// The logs of those of `dids` that are known: what tells whose signature counts
/// ([`tau_kamn::signers::Signers`]). A damaged one is an error, not a stranger.
pub async fn known<'a>(
    storage: &impl Storage,
    dids: impl IntoIterator<Item = &'a AgentDid>,
) -> Result<BTreeMap<AgentDid, KeyLog>, LogError> {
    let mut known = BTreeMap::new();
    for did in dids {
        if !known.contains_key(did)
            && let Some(log) = get(storage, did).await?
        {
            known.insert(did.clone(), log);
        }
    }
    Ok(known)
}

/// The logs of all agents that are known, the one of this store among them. One that is damaged is
/// left out: nothing is believed of it.
pub async fn everyone(storage: &impl Storage) -> Result<BTreeMap<AgentDid, KeyLog>, LogError> {
    let logs = list(storage).await?.into_iter();
    let logs = logs.filter_map(|(_, log)| log.ok());
    let own = own_log::load(storage).await?;
    Ok(logs
        .chain(own)
        .map(|log| (log.unchecked_state().did().clone(), log))
        .collect())
}

async fn count(storage: &impl Storage) -> Result<u32, LogError> {
    let mut count = 0;
    let mut range = Range::prefix(PREFIX, PAGE);
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(count);
        };
        range.start = format!("{last}\0");
        let names = page.iter().filter(|(key, _)| name(key).is_some()).count();
        count += u32::try_from(names).unwrap_or(u32::MAX);
    }
}

/// Whose log is at `key`; `None` for a row that only says that one grew.
fn name(key: &str) -> Option<&str> {
    let did = key.strip_prefix(PREFIX)?;
    (!did.contains('/')).then_some(did)
}

#[cfg(test)]
mod tests;
