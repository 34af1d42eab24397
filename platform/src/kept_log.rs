//! A key event log in a store: read, and brought further by what somebody shows.
//!
//! Invariant: what was kept is never lost to another writer, a fork above all. A log only grows, and
//! each growth leaves a row `<key>/<n>` that the next writer from the same beginning finds: of two
//! that would overwrite each other one reads again.

use alloc::{format, string::String, vec, vec::Vec};
use tau_core::session::{Batch, Range, StoreError};
use tau_kamn::kel::{self, EVENTS_LIMIT, KeyLog};
use thiserror::Error;

use crate::Storage;

/// Others may write at the same time: so often it is tried again.
const ATTEMPTS: u32 = 32;
/// The value of a row that says a log grew.
const GREW: &[u8] = br#"{"v":1}"#;

/// Why a log was not read or not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is no log.
    #[error("the key event log at {key} is damaged: {why}")]
    Damaged {
        /// Where.
        key: String,
        /// What is wrong with it.
        why: kel::Error,
    },
    /// The log is not taken.
    #[error(transparent)]
    Refused(#[from] kel::Error),
    /// So many other agents are known that no further one is remembered.
    #[error("{limit} other agents are known, and no more are remembered")]
    Full {
        /// How many.
        limit: u32,
    },
}

impl LogError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store_failed",
            Self::Damaged { .. } => "log_damaged",
            Self::Refused(error) => error.reason_code(),
            Self::Full { .. } => "peers_full",
        }
    }
}

/// What a log that was shown brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Nothing was known of this agent: its name, which is bound to its key, is believed from now on.
    First,
    /// So many events are new.
    News {
        /// How many.
        events: u32,
    },
    /// All of it was known.
    Known,
    /// It contradicts what is known: both are kept, and no key of this agent is believed any more.
    Fork {
        /// The number of both events.
        seq: u32,
    },
}

/// The log at `key`.
pub(crate) async fn get(storage: &impl Storage, key: &str) -> Result<Option<KeyLog>, LogError> {
    let stored = storage.get(key.into()).await?;
    stored.map(|bytes| read(key, &bytes)).transpose()
}

/// Reads the log that was stored at `key`.
pub(crate) fn read(key: &str, bytes: &[u8]) -> Result<KeyLog, LogError> {
    KeyLog::read(bytes).map_err(|why| LogError::Damaged {
        key: key.into(),
        why,
    })
}

/// Adds to the log at `key` what `shown` says beyond it. Gives the log as it is kept now.
pub(crate) async fn learn(
    storage: &impl Storage,
    key: &str,
    shown: &KeyLog,
) -> Result<(KeyLog, Learned), LogError> {
    let mut attempt = 0;
    loop {
        let kept = get(storage, key).await?;
        let (log, learned) = match &kept {
            None => (shown.clone(), first(shown)),
            Some(kept) => merged(kept, shown)?,
        };
        if kept.as_ref() == Some(&log) {
            return Ok((log, learned));
        }
        let grew = match &kept {
            None => key.into(),
            Some(kept) => format!("{key}/{:04}", size(kept)),
        };
        let mut batch = Batch {
            require_absent: vec![grew.clone()],
            put: vec![(key.into(), log.to_value().to_canonical().into_bytes())],
            ..Batch::default()
        };
        if kept.is_some() {
            batch.put.push((grew, GREW.into()));
        }
        match storage.commit(batch).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok((log, learned)),
        }
    }
}

/// Removes the log at `key`; says whether there was one.
pub(crate) async fn forget(storage: &impl Storage, key: &str) -> Result<bool, StoreError> {
    if storage.get(key.into()).await?.is_none() {
        return Ok(false);
    }
    let limit = u32::try_from(EVENTS_LIMIT).unwrap_or(u32::MAX) + 1;
    let grown = Range::prefix(&format!("{key}/"), limit);
    let grown = storage.scan(grown).await?.into_iter().map(|(key, _)| key);
    let delete: Vec<String> = grown.chain([key.into()]).collect();
    let batch = Batch {
        delete,
        ..Batch::default()
    };
    storage.commit(batch).await?;
    Ok(true)
}

fn first(shown: &KeyLog) -> Learned {
    match shown.fork() {
        None => Learned::First,
        Some(fork) => Learned::Fork {
            seq: fork.event().seq,
        },
    }
}

fn merged(kept: &KeyLog, shown: &KeyLog) -> Result<(KeyLog, Learned), LogError> {
    let mut log = kept.clone();
    match log.merge(shown) {
        Err(kel::Error::Fork { seq }) => Ok((log, Learned::Fork { seq })),
        Err(error) => Err(error.into()),
        Ok(()) => {
            let events = log.events().len() - kept.events().len();
            let learned = match u32::try_from(events).unwrap_or(u32::MAX) {
                0 => Learned::Known,
                events => Learned::News { events },
            };
            Ok((log, learned))
        }
    }
}

/// What grows whenever a log does.
fn size(log: &KeyLog) -> usize {
    log.events().len() + usize::from(log.fork().is_some())
}
