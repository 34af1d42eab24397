//! Verifying a chain of records without running it: what was changed after it was written.
//!
//! Each line holds the SHA-256 of the one before. A line that was changed no longer fits the line
//! after it; which of the two it was, the next link tells. The last line is covered where an export
//! ends with its hash, or the store's list of sessions holds it. Who rewrites every line and the
//! hash beside them leaves nothing to find in the chain; the receipts of an agent that signs, where the
//! file has them, are held against it once the chain holds ([`crate::receipt`]).

use alloc::{collections::BTreeSet, format, string::String};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    GENESIS, VERSION,
    sections::{self, BlobLine, End, FORMAT, Header, PLAIN, SIGNED, chained},
    sha256_hex,
};
use crate::{
    json::{self, FromJson, ToJson},
    receipt::{Line, Part, verify::Signatures},
};

/// What came of looking at every link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Verified {
    /// Whether every link holds.
    pub ok: bool,
    /// Lines looked at.
    pub checked: u64,
    /// The first line that was changed, is missing or does not belong.
    pub first_bad: Option<Bad>,
    /// What was signed, where there are receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Signatures>,
}

/// A line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Bad {
    /// Its place, from 1.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

/// What every record of a chain begins with.
#[derive(Deserialize, FromJson)]
struct Link {
    v: u32,
    seq: u64,
    prev: String,
    #[serde(default)]
    forked_from: Option<Fork>,
}

#[derive(Deserialize, FromJson)]
struct Fork {
    hash: String,
}

/// The lines of a file, without their ends, whatever system it was saved on. A last line without an
/// end is taken as it stands.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let is_ended = body.len() < bytes.len();
    let mut lines = body.split(|byte| *byte == b'\n').peekable();
    core::iter::from_fn(move || {
        let line = lines.next()?;
        let has_end = is_ended || lines.peek().is_some();
        let short = line.strip_suffix(b"\r").filter(|_| has_end);
        Some(short.unwrap_or(line))
    })
}

/// Looks at the lines of an export, in order: a fork's own follow those of what it continues.
pub fn verify<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Verified {
    Walk::default().through(lines)
}

/// Looks at the lines of one chain. That what a fork continues is as it was is not looked at.
pub fn verify_alone<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Verified {
    let walk = Walk {
        alone: true,
        ..Walk::default()
    };
    walk.through(lines)
}

impl Walk {
    fn through<'a>(mut self, lines: impl Iterator<Item = &'a [u8]>) -> Verified {
        let mut checked = 0;
        for line in lines {
            checked += 1;
            if let Err(why) = self.step(checked, line) {
                return self.bad(checked, why);
            }
            if let Some((line, why)) = self.elsewhere.take() {
                return self.bad(line, why);
            }
            if let Some(bad) = self.blamed() {
                return bad;
            }
        }
        if let Some((line, why)) = self.suspect.take() {
            return self.bad(line, why);
        }
        if self.is_open && !self.ended {
            return self.bad(checked, "the end is missing after it".into());
        }
        if checked == 0 {
            return self.bad(1, "there is nothing to verify".into());
        }
        Verified {
            ok: true,
            checked,
            first_bad: None,
            signatures: self.signatures,
        }
    }
}

#[derive(Default)]
struct Walk {
    next_seq: u64,
    /// The hash of the last line.
    hash: String,
    /// Whether what a fork continues is elsewhere.
    alone: bool,
    /// Hashes that a fork may continue from.
    known: BTreeSet<String>,
    /// A link that does not hold: the later of its two lines, until the next link tells which.
    suspect: Option<(u64, String)>,
    /// Whether the link after the suspect one held.
    later_holds: Option<bool>,
    ended: bool,
    checked: u64,
    /// Whether the part of the file has a header, and so an end.
    is_open: bool,
    /// Rows of this part, and the hash over them.
    rows: u64,
    rows_hash: String,
    /// The format of this part, and the line that says so.
    format: u32,
    header: u64,
    /// The line of the last record.
    last_record: u64,
    /// The records and receipts of this part, where it has receipts.
    part: Part,
    signatures: Option<Signatures>,
    /// A line before this one that does not hold, as this one shows.
    elsewhere: Option<(u64, String)>,
}

impl Walk {
    fn step(&mut self, number: u64, line: &[u8]) -> Result<(), String> {
        self.checked = number;
        if let Some(signed) = Line::of(line).filter(|_| !self.ended && self.is_open) {
            return self.signed(number, signed);
        }
        let read: Result<Value, _> = json::from_slice(line);
        let kind = read.as_ref().ok().and_then(|tree| tree["type"].as_str());
        match kind {
            Some("export") => return self.begin(number, line),
            Some("blob") if !self.ended && self.next_seq == 0 => return Self::content(line),
            Some("row") if !self.ended && self.next_seq == 0 => {
                self.rows += 1;
                self.rows_hash = chained(&self.rows_hash, line);
                return Ok(());
            }
            _ => {}
        }
        if self.ended {
            return Err("it stands after the end".into());
        }
        if let Some(end) = (kind == Some("end")).then(|| End::read(line)).flatten() {
            self.ended = true;
            if self.rows > 0 {
                return match (end.records, &end.hash) == (self.rows, &self.rows_hash) {
                    true => Ok(()),
                    false => Err("a row before it was changed or is missing".into()),
                };
            }
            if end.records != self.next_seq {
                return Err(format!(
                    "the end speaks of {} records, {} came",
                    end.records, self.next_seq
                ));
            }
            if self.suspect.is_some() {
                self.later_holds = Some(end.hash == self.hash);
            } else if end.hash != self.hash {
                // Nothing comes after the end that could tell.
                self.elsewhere = Some((self.last_record, "the last record was changed".into()));
            } else {
                self.check_signed();
            }
            return Ok(());
        }
        let not_a_record = |error| format!("it is not a record: {error}");
        let mut tree = read.map_err(not_a_record)?;
        if self.format >= SIGNED && self.part.has_logs() {
            return Err("a record stands behind what was signed of those before".into());
        }
        if self.format >= SIGNED {
            self.part.record(number, &tree, line);
        }
        let link = Link::from_json(&mut tree).map_err(not_a_record)?;
        if link.v > VERSION {
            return Err(format!("it has format version {}, a later one", link.v));
        }
        let begins = link.seq == 0 && link.prev == GENESIS;
        if begins && self.next_seq > 0 && self.suspect.is_none() {
            self.next_seq = 0;
        }
        let before = if self.next_seq == 0 {
            GENESIS
        } else {
            &self.hash
        };
        let holds = link.prev == before;
        if link.seq != self.next_seq {
            return Err(format!("record {} is missing before it", self.next_seq));
        }
        if self.suspect.is_some() {
            self.later_holds = Some(holds);
        } else if !holds {
            self.suspect = Some((number, "it was changed after the next was written".into()));
        } else if let Some(fork) = link.forked_from
            && !self.alone
            && !self.known.contains(&fork.hash)
        {
            return Err("it continues a session that is not what it was, or not here".into());
        }
        self.next_seq += 1;
        self.last_record = number;
        self.hash = sha256_hex(line);
        self.known.insert(self.hash.clone());
        Ok(())
    }

    /// A content is what its name says.
    fn content(line: &[u8]) -> Result<(), String> {
        let blob: BlobLine =
            json::from_slice(line).map_err(|error| format!("it is no content: {error}"))?;
        // One content can be written in two ways, of which Tau writes one.
        match sha256_hex(blob.content.as_bytes()) == blob.hash && sections::is_line(&blob, line) {
            true => Ok(()),
            false => Err("the content was changed after it was written".into()),
        }
    }

    /// A key event log or a receipt.
    fn signed(&mut self, number: u64, signed: Line<'_>) -> Result<(), String> {
        if self.format < SIGNED {
            let why = "its format has no receipts, and one follows".into();
            self.elsewhere = Some((self.header, why));
            return Ok(());
        }
        match signed {
            Line::Log(log) => self.part.log(log),
            Line::Receipt(receipt) => self.part.receipt(number, receipt),
        }
    }

    /// Holds the receipts of this part against its records, which are as they were written.
    fn check_signed(&mut self) {
        if self.format < SIGNED {
            return;
        }
        if !self.part.has_logs() {
            let why = "its format has receipts, and no key event log follows".into();
            self.elsewhere = Some((self.header, why));
            return;
        }
        match core::mem::take(&mut self.part).check() {
            Ok(found) => self.signatures.get_or_insert_default().add(found),
            Err(wrong) => self.elsewhere = Some(wrong),
        }
    }

    /// Another part of the file.
    fn begin(&mut self, number: u64, line: &[u8]) -> Result<(), String> {
        let header: Header =
            json::from_slice(line).map_err(|error| format!("it is not a header: {error}"))?;
        if header.format > FORMAT {
            let found = header.format;
            return Err(format!("it has format {found}, a later one"));
        }
        if header.format < PLAIN || !sections::is_line(&header, line) {
            return Err("it is not written as a header is".into());
        }
        if self.checked > 1 && !self.ended {
            return Err("the part before it has no end".into());
        }
        self.ended = false;
        self.is_open = true;
        (self.format, self.header) = (header.format, number);
        self.part = Part::default();
        (self.next_seq, self.rows) = (0, 0);
        self.rows_hash.clear();
        Ok(())
    }

    /// The line to blame, once the link after the broken one was seen.
    fn blamed(&mut self) -> Option<Verified> {
        let later_holds = self.later_holds?;
        let (line, why) = self.suspect.take()?;
        Some(if later_holds && line > 1 {
            self.bad(line - 1, why)
        } else {
            self.bad(line, "its link to the record before was changed".into())
        })
    }

    fn bad(&self, line: u64, why: String) -> Verified {
        Verified {
            ok: false,
            checked: self.checked,
            first_bad: Some(Bad { line, why }),
            signatures: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{EffectId, UnixMillis},
        journal::{Body, Chain},
    };
    use alloc::vec::Vec;

    fn chain(records: u64) -> Vec<Vec<u8>> {
        let mut chain = Chain::default();
        let mut lines: Vec<Vec<u8>> = (0..records)
            .map(|n| {
                let body = Body::SummaryGivenUp {
                    effect: EffectId(n),
                };
                chain.append(body, UnixMillis(1_000 + n)).1
            })
            .collect();
        let end = End {
            records,
            hash: chain.hash,
        };
        let line = end.line();
        lines.push(line.strip_suffix(b"\n").unwrap_or(&line).to_vec());
        lines
    }

    fn check(lines: &[Vec<u8>]) -> Verified {
        verify(lines.iter().map(Vec::as_slice))
    }

    #[test]
    fn ends_of_lines_are_no_part_of_them() {
        let of = |text: &'static str| lines(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of("a\nb\n"), [b"a", b"b"]);
        assert_eq!(of("a\r\nb\r\n"), [b"a", b"b"]);
        assert_eq!(of("a\nb"), [b"a", b"b"]);
        // A last line's end that was changed is no end.
        assert_eq!(of("a\nb\r"), [&b"a"[..], b"b\r"]);
    }

    #[test]
    fn a_whole_chain_holds() {
        let verified = check(&chain(5));
        assert!(verified.ok, "{verified:?}");
        assert_eq!(verified.checked, 6);
    }

    #[test]
    fn any_changed_byte_of_a_record_is_found_at_its_line() {
        for line in 0..5 {
            for place in 0..chain(5)[line].len() {
                let mut lines = chain(5);
                // A bit that keeps every character printable, and is no change of case in hex.
                lines[line][place] ^= 1;
                let bad = check(&lines).first_bad.map(|bad| bad.line);
                let line = line as u64 + 1;
                assert_eq!(bad, Some(line), "byte {place}");
            }
        }
    }

    #[test]
    fn a_record_taken_out_put_in_or_moved_is_found() {
        for edit in [
            |lines: &mut Vec<Vec<u8>>| drop(lines.remove(2)),
            |lines: &mut Vec<Vec<u8>>| lines.swap(1, 2),
            |lines: &mut Vec<Vec<u8>>| lines.insert(2, lines[2].clone()),
            |lines: &mut Vec<Vec<u8>>| lines.truncate(0),
        ] {
            let mut lines = chain(5);
            edit(&mut lines);
            assert!(!check(&lines).ok);
        }
        let mut lines = chain(5);
        lines.remove(4);
        assert_eq!(check(&lines).first_bad.map(|bad| bad.line), Some(5));
    }
}
