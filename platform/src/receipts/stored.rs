//! Receipts as they are stored: for an export, and held against the journals they are about.

use alloc::{format, string::String, vec::Vec};
use tau_core::{
    ids::SessionId,
    order,
    receipt::{
        self, Head, Receipt, Tracker, head_key, log_line, receipt_line,
        verify::{Logs, Place, Signatures, Wrong, check},
    },
    session::{Journal, Range, StoreError},
};
use tau_kamn::AgentDid;

use super::PAGE;
use crate::{kept_log::LogError, open::Stored, peers, storage::Storage};

/// What the keys of heads begin with ([`head_key`]).
const HEADS: &str = "receipt-head/";

/// The receipts of one session, oldest first.
pub async fn of_session(
    storage: &impl Storage,
    session: &SessionId,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let range = receipt::range(session, all.len() as u64, PAGE);
        let rows = storage.scan(range).await?;
        let is_last = rows.len() < PAGE as usize;
        all.extend(rows.into_iter().map(|(_, stored)| stored));
        if is_last {
            return Ok(all);
        }
    }
}

/// Holds the receipts of a session against its records, as both are stored: what was signed, or what
/// does not hold.
pub async fn verify_session(
    storage: &impl Storage,
    session: &SessionId,
    journal: &Journal,
) -> Result<Result<Signatures, Wrong>, LogError> {
    let receipts = of_session(storage, session).await?;
    let logs = logs_of(storage, &receipts).await?;
    let mut tracker = Tracker::default();
    // A line that is no record is found by whoever checks the chain.
    let told = journal.iter().filter_map(|line| tracker.take(line).ok());
    let facts: Vec<_> = told.filter_map(|told| told.fact).collect();
    let stored = receipts.iter().map(Vec::as_slice);
    let found = check(session, facts.iter(), stored, &logs);
    let head = storage.get(head_key(session)).await?;
    let head = head.and_then(|head| Head::read(&head).ok());
    let count = receipts.len() as u64;
    if found.is_ok() && head.unwrap_or_default().next() != count {
        return Ok(Err(Wrong {
            place: Place::Receipt(count),
            why: "it is missing, or the end that is kept beside the receipts was changed".into(),
        }));
    }
    Ok(found)
}

/// The sessions that have receipts.
pub async fn sessions_with_receipts(storage: &impl Storage) -> Result<Vec<SessionId>, StoreError> {
    let mut all = Vec::new();
    let mut range = Range::prefix(HEADS, PAGE);
    loop {
        let rows = storage.scan(range.clone()).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        range.start = format!("{last}\0");
        let names = rows.iter().filter_map(|(key, _)| key.strip_prefix(HEADS));
        all.extend(names.map(|name| SessionId(name.into())));
    }
}

/// The lines of an export that sign for what it holds: key event logs first, then receipts, those of
/// what it continues first. Empty where nothing was signed.
pub async fn export(
    storage: &impl Storage,
    session: &SessionId,
    stored: &Stored,
) -> Result<Vec<Vec<u8>>, LogError> {
    let mut receipts = Vec::new();
    for (id, records) in sessions(session, stored) {
        for row in of_session(storage, &id).await? {
            // What its fork does not continue is not in the file either.
            let is_here = |receipt: &Receipt| receipt.fact.seq < records;
            if Receipt::read(&row).map_or(true, |(receipt, _)| is_here(&receipt)) {
                receipts.push(row);
            }
        }
    }
    let logs = logs_of(storage, &receipts).await?;
    let mut lines: Vec<Vec<u8>> = logs.iter().map(log_line).collect();
    lines.extend(receipts.iter().map(|stored| receipt_line(stored)));
    Ok(lines)
}

/// The sessions of an export and how many records of each are in it, its own last.
fn sessions(session: &SessionId, stored: &Stored) -> Vec<(SessionId, u64)> {
    let mut all = Vec::new();
    for journal in &stored.ancestors {
        let created = journal.first().and_then(|first| name_of(first));
        all.extend(created.map(|id| (id, journal.len() as u64)));
    }
    all.push((session.clone(), stored.journal.len() as u64));
    all
}

/// The session that begins with that record.
fn name_of(created: &[u8]) -> Option<SessionId> {
    let record: tau_core::json::Value = tau_core::json::from_slice(created).ok()?;
    record["session"].as_str().map(|id| SessionId(id.into()))
}

/// The logs of all who signed, as far as they are known here.
async fn logs_of(storage: &impl Storage, receipts: &[Vec<u8>]) -> Result<Logs, LogError> {
    let read = receipts.iter().filter_map(|row| Receipt::read(row).ok());
    let mut dids: Vec<String> = read.map(|(receipt, _)| receipt.did().into()).collect();
    order::sort_by(&mut dids, |a, b| a < b);
    dids.dedup();
    let mut logs = Logs::default();
    for did in dids {
        let Ok(did) = AgentDid::parse_any(&did) else {
            continue;
        };
        if let Some(log) = peers::get(storage, &did).await? {
            logs.add(log);
        }
    }
    Ok(logs)
}
