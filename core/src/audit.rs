//! The audit log: what was decided outside of a session, one hash-chained line after another.
//!
//! What a session decides stands in its journal. A tool or a request that a person calls directly
//! has no session, and its decisions stand here: `audit/<seq>`, each line with the SHA-256 of the one
//! before, and `audit-head` with the hash of the last.

use alloc::{format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    ids::UnixMillis,
    journal::{GENESIS, VERSION, replay::End, sha256_hex},
    json::{self, FromJson, ToJson},
    session::{Batch, Range},
};

/// Where the log's head is stored.
pub const HEAD: &str = "audit-head";

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Decision {
    /// The tool that was called.
    pub tool: String,
    /// The call's digest; see [`crate::tool::notice::digest`].
    pub digest: String,
    /// What was decided.
    pub verdict: Decided,
    /// The rule that decided.
    pub rule: String,
    /// Why, where it was refused or asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a decision was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// It ran.
    Run,
    /// A person said yes to it.
    Approved,
    /// A person said no to it, or nobody was there to ask.
    Denied,
    /// The policy refused it.
    Refused,
}

/// The log's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Head {
    v: u32,
    next: u64,
    hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            v: VERSION,
            next: 0,
            hash: GENESIS.into(),
        }
    }
}

#[derive(Serialize, ToJson)]
struct Line<'a> {
    v: u32,
    seq: u64,
    at: UnixMillis,
    prev: &'a str,
    #[serde(flatten)]
    decision: &'a Decision,
}

impl Head {
    /// The head as it is stored; the beginning of a log where nothing is.
    pub fn read(stored: Option<&[u8]>) -> Result<Self, String> {
        match stored {
            None => Ok(Self::default()),
            Some(bytes) => json::from_slice(bytes)
                .map_err(|error| format!("the head of the audit log cannot be read: {error}")),
        }
    }

    /// Adds a decision: what is to be stored, at once. Its place must be free, so two writers cannot
    /// write the same line.
    pub fn append(&mut self, decision: &Decision, at: UnixMillis) -> Batch {
        let line = Line {
            v: VERSION,
            seq: self.next,
            at,
            prev: &self.hash,
            decision,
        };
        let bytes = json::to_vec(&line);
        let place = key(self.next);
        self.next += 1;
        self.hash = sha256_hex(&bytes);
        let head = json::to_vec(self);
        Batch {
            require_absent: [place.clone()].into(),
            put: [(place, bytes), (HEAD.into(), head)].into(),
            ..Batch::default()
        }
    }

    /// What the log must end with.
    #[must_use]
    pub fn end(&self) -> End {
        End {
            records: self.next,
            hash: self.hash.clone(),
        }
    }
}

/// Where a line is stored.
fn key(seq: u64) -> String {
    format!("audit/{seq:010}")
}

/// All lines from `seq` on.
#[must_use]
pub fn range(seq: u64, limit: u32) -> Range {
    Range {
        start: key(seq),
        end: "audit/\u{7f}".into(),
        limit,
    }
}

/// The lines of a log with its end, as [`crate::journal::verify::verify`] reads them.
#[must_use]
pub fn with_end(mut lines: Vec<Vec<u8>>, head: &Head) -> Vec<Vec<u8>> {
    let mut end = head.end().line();
    end.pop();
    lines.push(end);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::verify::verify;
    use alloc::{vec, vec::Vec};

    fn decision(verdict: Decided) -> Decision {
        Decision {
            tool: "http".into(),
            digest: "00".into(),
            verdict,
            rule: "network = ask (balanced)".into(),
            reason: String::new(),
        }
    }

    fn log() -> (Head, Vec<Vec<u8>>) {
        let mut head = Head::default();
        let lines = [Decided::Run, Decided::Refused, Decided::Approved]
            .map(|verdict| {
                let at = UnixMillis(1_000);
                let batch = head.append(&decision(verdict), at);
                head = Head::read(Some(&batch.put[1].1)).unwrap();
                batch.put[0].1.clone()
            })
            .into();
        (head, lines)
    }

    #[test]
    fn a_log_verifies_until_a_line_is_changed_or_cut_off() {
        let (head, lines) = log();
        let check = |lines: Vec<Vec<u8>>| {
            let lines = with_end(lines, &head);
            verify(lines.iter().map(Vec::as_slice))
        };
        assert!(check(lines.clone()).ok);
        let mut changed = lines.clone();
        changed[1] = String::from_utf8(changed[1].clone())
            .unwrap()
            .replace("refused", "run")
            .into_bytes();
        assert_eq!(check(changed).first_bad.map(|bad| bad.line), Some(2));
        assert!(!check(lines[..2].to_vec()).ok);
        assert!(!check(vec![]).ok);
    }
}
