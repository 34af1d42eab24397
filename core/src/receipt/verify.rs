//! Whether receipts are an agent's, one after another, and say what the journal says.
//!
//! Signatures are held against the key that counted when each was made, by the agent's key event log.
//! Of a key that was replaced, its receipts' own dates are believed: each names the one before, so
//! one that was put in later would be in the chain of the keys that came after. Of a key that was
//! revoked, only those from before it may have been lost are believed, and told apart: whoever had the
//! key could date them as they liked.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::Serialize;
use tau_kamn::{bytes::sha256, kel::KeyLog};

use super::{Fact, Receipt};
use crate::{
    ids::{SessionId, UnixMillis},
    json::ToJson,
};

/// Key event logs, by whose they are.
#[derive(Clone, Debug, Default)]
pub struct Logs(Vec<KeyLog>);

impl Logs {
    /// Takes one more. Of two of the same agent, what both know counts.
    pub fn add(&mut self, log: KeyLog) {
        let did = log.unchecked_state().did();
        let mut all = self.0.iter_mut();
        match all.find(|known| known.unchecked_state().did() == did) {
            // A fork is kept in the log itself, and refused where it is asked.
            Some(known) => drop(known.merge(&log)),
            None => self.0.push(log),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &KeyLog> {
        self.0.iter()
    }

    /// The log of `did`.
    #[must_use]
    pub fn get(&self, did: &str) -> Option<&KeyLog> {
        let mut all = self.0.iter();
        all.find(|log| log.unchecked_state().did().as_kamn() == did)
    }
}

/// What was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToJson)]
pub struct Signatures {
    /// Receipts that hold.
    pub receipts: u64,
    /// Calls, approvals and model calls from before the first receipt of their session.
    pub unsigned: u64,
    /// Of the receipts, those of a key that was revoked since, dated before it may have been lost.
    pub revoked: u64,
    /// Whose they are.
    pub by: Vec<String>,
}

impl Signatures {
    /// Adds those of another chain.
    pub fn add(&mut self, other: Self) {
        self.receipts += other.receipts;
        self.unsigned += other.unsigned;
        self.revoked += other.revoked;
        for did in other.by {
            if !self.by.contains(&did) {
                self.by.push(did);
            }
        }
    }
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub why: String,
}

/// A place in a journal or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The journal's record of that number.
    Record(u64),
    /// The receipt of that number.
    Receipt(u64),
}

impl Place {
    fn is(self, why: impl ToString) -> Wrong {
        Wrong {
            place: self,
            why: why.to_string(),
        }
    }
}

/// Holds the stored receipts of `session` against `facts`, which are all that its journal is worth.
///
/// A journal may be older than its first receipt; from that one on everything must have its own.
pub fn check<'a>(
    session: &SessionId,
    facts: impl Iterator<Item = &'a Fact>,
    receipts: impl Iterator<Item = &'a [u8]>,
    logs: &Logs,
) -> Result<Signatures, Wrong> {
    let mut facts = facts.peekable();
    let mut found = Signatures::default();
    let mut prev = None;
    for stored in receipts {
        let place = Place::Receipt(found.receipts);
        let (receipt, is_revoked) = one(session, stored, prev, place, logs)?;
        let seq = receipt.fact.seq;
        while let Some(earlier) = facts.next_if(|fact| fact.seq < seq) {
            if found.receipts > 0 {
                return Err(missing(earlier));
            }
            found.unsigned += 1;
        }
        let Some(fact) = facts.next_if(|fact| fact.seq == seq) else {
            return Err(place.is(format!("record {seq}, which it is about, tells of nothing")));
        };
        compare(&receipt, fact, place, logs)?;
        prev = Some(sha256(stored));
        found.receipts += 1;
        found.revoked += u64::from(is_revoked);
        if !found.by.iter().any(|did| did == receipt.did()) {
            found.by.push(receipt.did().to_string());
        }
    }
    for fact in facts {
        if found.receipts > 0 {
            return Err(missing(fact));
        }
        found.unsigned += 1;
    }
    Ok(found)
}

/// One receipt by itself: its place, and who signed it. Also whether its key was revoked since.
fn one(
    session: &SessionId,
    stored: &[u8],
    prev: Option<[u8; 32]>,
    place: Place,
    logs: &Logs,
) -> Result<(Receipt, bool), Wrong> {
    let wrong = |why: &str| place.is(why);
    let (receipt, signature) = Receipt::read(stored).map_err(|error| place.is(error))?;
    let log = logs.get(receipt.did()).ok_or_else(|| {
        place.is(format!(
            "the key event log of {} is not here",
            receipt.did()
        ))
    })?;
    let state = log.state().map_err(|error| place.is(error))?;
    let at_ms = receipt.at.0;
    let key = state.signing_key_at(&receipt.key, at_ms, at_ms, Some(at_ms));
    let key = key.map_err(|error| place.is(error))?;
    key.verify(&receipt.to_signed(), &signature)
        .map_err(|_| wrong("it is not as it was signed"))?;
    if receipt.session != *session {
        return Err(place.is(format!("it is of session {}", receipt.session)));
    }
    if Place::Receipt(receipt.n) != place {
        return Err(place.is(format!("receipt {} stands in its place", receipt.n)));
    }
    if receipt.prev != prev {
        return Err(wrong("it does not follow the receipt before it"));
    }
    let fragment = receipt.key.split_once('#').map_or("", |(_, name)| name);
    let mut keys = state.keys().iter();
    let entry = keys.find(|entry| entry.fragment == fragment);
    let is_revoked = entry.is_some_and(|entry| entry.revocation.is_some());
    Ok((receipt, is_revoked))
}

/// Whether a receipt says what its record says.
fn compare(receipt: &Receipt, fact: &Fact, place: Place, logs: &Logs) -> Result<(), Wrong> {
    if receipt.fact.record != fact.record {
        return Err(Place::Record(fact.seq).is(format!(
            "it is not the record that receipt {} was signed for: it, or one before it, was changed",
            receipt.n
        )));
    }
    let derived = Receipt {
        fact: fact.clone(),
        at: time_of(fact, &receipt.key, logs),
        ..receipt.clone()
    };
    match derived.to_signed() == receipt.to_signed() {
        true => Ok(()),
        false => Err(place.is(format!("it does not say what record {} says", fact.seq))),
    }
}

/// When a fact is signed with a key: a key that was made since its record was dated is no older.
fn time_of(fact: &Fact, key_id: &str, logs: &Logs) -> UnixMillis {
    let (did, fragment) = key_id.split_once('#').unwrap_or((key_id, ""));
    let state = logs.get(did).map(KeyLog::unchecked_state);
    let entry = state.and_then(|state| {
        let mut keys = state.keys().iter();
        keys.find(|entry| entry.fragment == fragment)
    });
    fact.at
        .max(UnixMillis(entry.map_or(0, |entry| entry.from_ms)))
}

fn missing(fact: &Fact) -> Wrong {
    Place::Record(fact.seq).is(format!(
        "{} {} has no receipt, and what came before it has",
        fact.kind.name(),
        fact.what
    ))
}
