//! Receipts in a file, after the records they are about, with the logs of the keys.
//!
//! Each stands in its line byte for byte as it is stored: `{"type":"receipt","receipt":…}`, and
//! `{"type":"key_log","log":…}` before them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;
use tau_kamn::kel::KeyLog;

use super::{
    Fact, Receipt, Tracker,
    verify::{Logs, Place, Signatures, check},
};
use crate::ids::SessionId;

const LOG: &[u8] = br#"{"type":"key_log","log":"#;
const RECEIPT: &[u8] = br#"{"type":"receipt","receipt":"#;

/// A key event log as a line, with the line's end.
#[must_use]
pub fn log_line(log: &KeyLog) -> Vec<u8> {
    [LOG, log.to_value().to_canonical().as_bytes(), b"}\n"].concat()
}

/// A stored receipt as a line, with the line's end.
#[must_use]
pub fn receipt_line(stored: &[u8]) -> Vec<u8> {
    [RECEIPT, stored, b"}\n"].concat()
}

/// A line that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A key event log, as it is stored.
    Log(&'a [u8]),
    /// A receipt, as it is stored.
    Receipt(&'a [u8]),
}

impl<'a> Line<'a> {
    /// What a line without its end holds.
    pub(crate) fn of(line: &'a [u8]) -> Option<Self> {
        let within = |before| line.strip_prefix(before)?.strip_suffix(b"}");
        let log = within(LOG).map(Self::Log);
        log.or_else(|| within(RECEIPT).map(Self::Receipt))
    }
}

/// What one part of a file holds, for [`check`].
#[derive(Debug, Default)]
pub(crate) struct Part {
    sessions: Vec<OfSession>,
    logs: Logs,
    has_logs: bool,
}

#[derive(Debug)]
struct OfSession {
    id: SessionId,
    tracker: Tracker,
    /// The line of its first record.
    first_line: u64,
    facts: Vec<Fact>,
    /// Stored receipts and the lines they are in.
    receipts: Vec<(u64, Vec<u8>)>,
}

impl Part {
    /// Takes the record of that line.
    pub(crate) fn record(&mut self, number: u64, record: &Value, line: &[u8]) {
        if record["type"] == "created" {
            self.sessions.push(OfSession {
                id: SessionId(record["session"].as_str().unwrap_or_default().into()),
                tracker: Tracker::default(),
                first_line: number,
                facts: Vec::new(),
                receipts: Vec::new(),
            });
        }
        if let Some(last) = self.sessions.last_mut() {
            last.facts.extend(last.tracker.record(record, line));
        }
    }

    /// Takes a key event log.
    pub(crate) fn log(&mut self, stored: &[u8]) -> Result<(), String> {
        let log = KeyLog::read(stored).map_err(|error| error.to_string())?;
        if log.to_value().to_canonical().as_bytes() != stored {
            return Err("it is not written as a key event log is".into());
        }
        self.logs.add(log);
        self.has_logs = true;
        Ok(())
    }

    /// Takes a receipt of one of its sessions.
    pub(crate) fn receipt(&mut self, number: u64, stored: &[u8]) -> Result<(), String> {
        let (receipt, _) = Receipt::read(stored).map_err(|error| error.to_string())?;
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.id == receipt.session);
        let session = session.ok_or("it is of a session that is not here")?;
        session.receipts.push((number, stored.to_vec()));
        Ok(())
    }

    /// Whether there are key event logs, and so receipts to be looked for.
    pub(crate) fn has_logs(&self) -> bool {
        self.has_logs
    }

    /// Holds all of it against each other. The error is the first line that does not hold.
    pub(crate) fn check(&self) -> Result<Signatures, (u64, String)> {
        let mut all = Signatures::default();
        for session in &self.sessions {
            let receipts = session.receipts.iter().map(|(_, stored)| stored.as_slice());
            let found = check(&session.id, session.facts.iter(), receipts, &self.logs);
            all.add(found.map_err(|wrong| (session.line(wrong.place), wrong.why))?);
        }
        Ok(all)
    }
}

impl OfSession {
    fn line(&self, place: Place) -> u64 {
        match place {
            Place::Record(seq) => self.first_line + seq,
            Place::Receipt(n) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                self.receipts
                    .get(n)
                    .map_or(self.first_line, |(line, _)| *line)
            }
        }
    }
}
