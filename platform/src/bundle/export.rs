//! What of a store goes into a bundle, as parts.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    bundle::{BundleError, Kind, PartName, carried},
    ids::SessionId,
    journal::sections::{Row, rows_section},
    json::{self, Value},
    memory::{Memory, Scope},
    policy::Policy,
    session::{Range, StoreError},
};
use tau_kamn::AgentDid;
use thiserror::Error;

use crate::{
    Storage,
    open::{self, OpenError},
    peers::{self, LogError},
    transfer::{self, TransferError},
};

/// Rows asked for at once.
const PAGE: u32 = 512;

/// What of a store is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Sessions, with their receipts.
    pub sessions: Vec<SessionId>,
    /// Memories of these scopes.
    pub scopes: Vec<Scope>,
}

/// Why there are no parts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExportError {
    /// A session cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Which sessions others continue cannot be read.
    #[error(transparent)]
    Sessions(#[from] TransferError),
    /// The log of who signed a receipt cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A name that no part can have.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// Every scope that has entries.
pub async fn scopes(storage: &impl Storage) -> Result<Vec<Scope>, StoreError> {
    let mut scopes = Vec::new();
    let mut range = Range::prefix("memory/", 1);
    loop {
        let rows = storage.scan(range.clone()).await?;
        let segment = rows.first().and_then(|(key, _)| key.split('/').nth(1));
        let Some(segment) = segment else {
            return Ok(scopes);
        };
        // Behind everything that begins so: the character after the slash.
        range.start = format!("memory/{segment}0");
        scopes.extend(scope_of(segment));
    }
}

/// The scope whose keys have that segment.
pub(super) fn scope_of(segment: &str) -> Option<Scope> {
    let named = match segment.split_once('-') {
        Some((kind, name)) => format!("{kind}:{name}"),
        None => segment.into(),
    };
    let scope: Scope = named.parse().ok()?;
    (scope.segment() == segment).then_some(scope)
}

/// The parts of a store that are wanted. `told` hears of each.
pub async fn parts(
    storage: &impl Storage,
    wanted: &Wanted,
    mut told: impl FnMut(&PartName, usize),
) -> Result<Vec<(PartName, Vec<u8>)>, ExportError> {
    let mut parts = Vec::new();
    let mut put = |name: PartName, content: Vec<u8>| {
        told(&name, content.len());
        parts.push((name, content));
    };
    // What others continue comes first, so that they find it when they are taken over.
    let mut ordered = transfer::sessions_in_order(storage).await?;
    ordered.retain(|id| wanted.sessions.contains(id));
    // One that the list lacks is told when it is opened.
    let unlisted = wanted.sessions.iter().filter(|id| !ordered.contains(id));
    let unlisted: Vec<SessionId> = unlisted.cloned().collect();
    for id in ordered.iter().chain(&unlisted) {
        let session = open::load(storage, id).await?.export();
        put(PartName::new(Kind::Session, &id.0)?, session);
        let receipts = receipts(storage, id).await?;
        if !receipts.is_empty() {
            let name = PartName::new(Kind::Receipts, &id.0)?;
            put(name, rows_section(&receipts));
        }
    }
    for scope in &wanted.scopes {
        let mut entries = Vec::new();
        for row in rows(storage, &scope.key("")).await? {
            let entry = Memory::read(row.value.as_bytes());
            let entry = entry.map_err(|error| StoreError::Corrupt {
                detail: format!("{}: {error}", row.key),
            })?;
            entries.push(entry);
        }
        if let Some((name, content)) = memory_part(scope, entries)? {
            put(name, content);
        }
    }
    Ok(parts)
}

/// The receipts of a session, how far they are, and the logs of those who signed them: what they are
/// verified by elsewhere.
async fn receipts(storage: &impl Storage, id: &SessionId) -> Result<Vec<Row>, ExportError> {
    let receipts = rows(storage, &receipt_key(id, "")).await?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
    let head = storage.get(head_key(id)).await?.and_then(text);
    let (Some(head), false) = (head, receipts.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut dids: Vec<AgentDid> = Vec::new();
    for row in &receipts {
        let signed: Option<Value> = json::from_str(&row.value).ok();
        let key = signed
            .as_ref()
            .and_then(|signed| signed.get("key")?.as_str());
        let did = key.and_then(|key| AgentDid::parse_any(key.split('#').next()?).ok());
        dids.extend(did.filter(|did| !dids.contains(did)));
    }
    // A log that is not known here is no more known there.
    let logs = peers::known(storage, &dids).await?;
    let mut all: Vec<Row> = logs
        .values()
        .map(|log| Row {
            key: peers::key(log.unchecked_state().did()),
            value: log.to_value().to_canonical(),
        })
        .collect();
    all.push(Row {
        key: head_key(id),
        value: head,
    });
    all.extend(receipts);
    Ok(all)
}

/// Where a receipt of a session is.
pub(super) fn receipt_key(id: &SessionId, number: &str) -> String {
    format!("receipt/{id}/{number}")
}

/// Where it is told how far the receipts of a session are.
pub(super) fn head_key(id: &SessionId) -> String {
    format!("receipt-head/{id}")
}

/// Entries of a scope as a part; none where there are none. What was forgotten stays behind.
pub fn memory_part(
    scope: &Scope,
    entries: impl IntoIterator<Item = Memory>,
) -> Result<Option<(PartName, Vec<u8>)>, BundleError> {
    let live = entries.into_iter().filter(Memory::is_live);
    let mut rows: Vec<Row> = live
        .map(|entry| Row {
            key: scope.key(&entry.id),
            value: json::to_string(&entry),
        })
        .collect();
    // The same entries are the same part, whatever order they came in.
    tau_core::order::sort_by(&mut rows, |a, b| a.key < b.key);
    if rows.is_empty() {
        return Ok(None);
    }
    let name = PartName::new(Kind::Memory, &scope.segment())?;
    Ok(Some((name, rows_section(&rows))))
}

/// A policy as a part: what another home can be stricter by.
pub fn policy_part(policy: &Policy) -> Result<(PartName, Vec<u8>), BundleError> {
    let name = PartName::new(Kind::Policy, "agent")?;
    Ok((name, json::to_vec(&carried(policy))))
}

async fn rows(storage: &impl Storage, prefix: &str) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    let mut range = Range::prefix(prefix, PAGE);
    loop {
        let page = storage.scan(range.clone()).await?;
        let is_last = page.len() < PAGE as usize;
        if let Some((last, _)) = page.last() {
            range.start = format!("{last}\0");
        }
        for (key, value) in page {
            let value = String::from_utf8(value).map_err(|_| StoreError::Corrupt {
                detail: format!("the value of {key} is no text"),
            })?;
            rows.push(Row {
                key: key.to_string(),
                value,
            });
        }
        if is_last {
            return Ok(rows);
        }
    }
}
