//! What is stored: an event of a ledger a row, an attestation a row.
//!
//! ```text
//! ledger/<name>/<seq>        {"v":1,"keeper":"kamn:did:agent:…","event":{…,"sig":"z…"}}
//! ledger-fork/<name>/<seq>   the same: another event of that number, by the same keeper
//! attestation/<id>           {"v":1,"seen_ms":…,"attestation":{…,"sig":"z…"}}
//! ```
//!
//! A ledger of another's bears his name: `main@alice--keyh-…`.

use alloc::{format, string::String, vec::Vec};
use tau_core::session::{Range, StoreError};
use tau_kamn::{
    AgentDid,
    attest::{Admitted, SignedAttestation},
    jcs::{self, Fields, Integer, Object},
    ledger::SignedEvent,
};

use super::TradeError;
use crate::Storage;

/// Where events are.
pub(super) const LEDGERS: &str = "ledger/";
/// Where attestations are.
pub(super) const ATTESTATIONS: &str = "attestation/";
/// Where the other heads of ledgers are.
const FORKS: &str = "ledger-fork/";
/// Bytes of a row: an event has texts of a few hundred bytes each.
const ROW_LIMIT_BYTES: usize = 1 << 16;
/// Rows that are read at a time.
const PAGE: u32 = 256;
/// Behind every number.
const END: &str = "~";

pub(super) fn event_key(name: &str, seq: u64) -> String {
    format!("{LEDGERS}{name}/{seq:012}")
}

pub(super) fn fork_key(name: &str, seq: u64) -> String {
    format!("{FORKS}{name}/{seq:012}")
}

pub(super) fn attestation_key(id: &str) -> String {
    format!("{ATTESTATIONS}{id}")
}

/// Every event of `name` from `seq` on.
pub(super) fn events_from(name: &str, seq: u64) -> Range {
    Range {
        start: event_key(name, seq),
        end: format!("{LEDGERS}{name}/{END}"),
        limit: PAGE,
    }
}

/// Every other head of `name`.
pub(super) fn forks_of(name: &str) -> Range {
    Range::prefix(&format!("{FORKS}{name}/"), PAGE)
}

/// The ledger and the number that a key names.
pub(super) fn parse_event_key(key: &str) -> Option<(&str, u64)> {
    let (name, seq) = key.strip_prefix(LEDGERS)?.rsplit_once('/')?;
    Some((name, seq.parse().ok()?))
}

/// Whether an agent can call a ledger of its own so.
pub(super) fn check_name(name: &str) -> Result<(), TradeError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=32).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(TradeError::Name {
            name: name.chars().take(80).collect(),
        }),
    }
}

/// What the ledger that `keeper` calls `name` is called here.
pub(super) fn name_here(name: &str, keeper: &AgentDid, own: Option<&AgentDid>) -> String {
    match own == Some(keeper) {
        true => name.into(),
        false => format!("{name}@{}", keeper.as_did().id()),
    }
}

/// What its keeper calls a ledger.
pub(super) fn name_there(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Hands every row of `range` to `each`, in order.
pub(super) async fn scan<S: Storage>(
    storage: &S,
    mut range: Range,
    mut each: impl FnMut(&str, &[u8]),
) -> Result<(), StoreError> {
    range.limit = PAGE;
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        range.start = format!("{last}\0");
        page.iter().for_each(|(key, value)| each(key, value));
    }
}

/// Every key of a prefix.
pub(super) fn all(prefix: &str) -> Range {
    Range::prefix(prefix, PAGE)
}

/// An event as it is stored.
pub(super) fn event_row(keeper: &AgentDid, signed: &SignedEvent) -> Result<Vec<u8>, TradeError> {
    let row = Object::new()
        .with("v", 1_u32)
        .with("keeper", keeper.as_kamn())
        .with("event", signed.to_value()?);
    Ok(jcs::Value::from(row).to_canonical().into_bytes())
}

/// Reads an event as it is stored.
pub(super) fn read_event(row: &[u8]) -> Result<(AgentDid, SignedEvent), TradeError> {
    let mut fields = Fields::of("ledger row", jcs::parse(row, ROW_LIMIT_BYTES)?)?;
    check_version("the ledger's row", fields.unsigned("v")?)?;
    let keeper = fields.string("keeper")?.parse()?;
    let signed = SignedEvent::from_value(fields.value("event")?)?;
    fields.end()?;
    Ok((keeper, signed))
}

/// An attestation as it is stored.
pub(super) fn attestation_row(admitted: &Admitted) -> Result<Vec<u8>, TradeError> {
    let row = admitted_object(admitted)?.with("v", 1_u32);
    Ok(jcs::Value::from(row).to_canonical().into_bytes())
}

/// Reads an attestation as it is stored.
pub(super) fn read_attestation(row: &[u8]) -> Result<Admitted, TradeError> {
    let mut fields = Fields::of("attestation row", jcs::parse(row, ROW_LIMIT_BYTES)?)?;
    check_version("the attestation's row", fields.unsigned("v")?)?;
    read_admitted(fields)
}

/// An attestation and when it came.
pub(super) fn admitted_object(admitted: &Admitted) -> Result<Object, TradeError> {
    Ok(Object::new()
        .with("seen_ms", Integer::try_from(admitted.seen_ms)?)
        .with("attestation", admitted.signed.to_value()?))
}

/// Reads what [`admitted_object`] writes.
pub(super) fn read_admitted(mut fields: Fields) -> Result<Admitted, TradeError> {
    let seen_ms = fields.unsigned("seen_ms")?;
    let signed = SignedAttestation::from_value(fields.value("attestation")?)?;
    fields.end()?;
    Ok(Admitted { signed, seen_ms })
}

/// Refuses what a later version wrote.
pub(super) fn check_version(what: &'static str, found: u64) -> Result<(), TradeError> {
    match found {
        1 => Ok(()),
        _ => Err(TradeError::Version { what, found }),
    }
}
