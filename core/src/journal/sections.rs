//! An export: sections of JSON lines, each with a header, records or rows, and an end.
//!
//! A section holds one session, what it continues first, or rows of the store by key. The end has
//! the number of its lines and a hash over them, so a file that was cut or changed is told at its
//! line. Format 1 had one section without a header; format 3 has receipts behind the records.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Blobs, Chain, JournalError, Record, blob, sha256_hex};
use crate::{
    json::{self, FromJson, ToJson},
    receipt,
    session::Journal,
};

/// The newest format this code reads.
pub const FORMAT: u32 = SIGNED;
/// The format of a section without receipts, which older versions read too.
pub const PLAIN: u32 = 2;
/// The format of a section with receipts and the logs of the keys they are signed with, behind the
/// records they are about.
pub const SIGNED: u32 = 3;

/// The first line of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "export")]
pub struct Header {
    /// The format of what follows.
    pub format: u32,
}

/// A row of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "row")]
pub struct Row {
    /// Its key.
    pub key: String,
    /// Its value, which is text.
    pub value: String,
}

/// A large content that records refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "blob")]
pub struct BlobLine {
    /// SHA-256 of the content, in lower-case hex.
    pub hash: String,
    /// The content.
    pub content: String,
}

/// The last line of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "end")]
pub struct End {
    /// Records of the last session in it; rows, where there are rows.
    pub records: u64,
    /// SHA-256 of the last record, in lower-case hex; over all rows, where there are rows.
    pub hash: String,
}

impl End {
    /// The end that `line` is, byte for byte.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let end: Self = json::from_slice(line).ok()?;
        let written = end.line();
        (written.strip_suffix(b"\n") == Some(line)).then_some(end)
    }

    /// It as a line of JSON, with the line's end.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

/// A thing as a line of JSON, with the line's end.
fn line(thing: &impl ToJson) -> Vec<u8> {
    let mut line = json::to_vec(thing);
    line.push(b'\n');
    line
}

/// Whether `written` is how `thing` is written, byte for byte.
pub(super) fn is_line(thing: &impl ToJson, written: &[u8]) -> bool {
    json::to_vec(thing) == written
}

/// One session as a section: large contents first, then what it continues, its own records last.
#[must_use]
pub fn session_section(ancestors: &[Journal], journal: &Journal, blobs: &Blobs) -> Vec<u8> {
    section(PLAIN, ancestors, journal, blobs, &[])
}

/// The same with what was signed of it: the lines of key event logs and of receipts, logs first
/// ([`receipt::log_line`], [`receipt::receipt_line`]).
#[must_use]
pub fn signed_section(
    ancestors: &[Journal],
    journal: &Journal,
    blobs: &Blobs,
    signed: &[Vec<u8>],
) -> Vec<u8> {
    section(SIGNED, ancestors, journal, blobs, signed)
}

fn section(
    format: u32,
    ancestors: &[Journal],
    journal: &Journal,
    blobs: &Blobs,
    signed: &[Vec<u8>],
) -> Vec<u8> {
    let mut text = line(&Header { format });
    for (hash, content) in blobs.iter() {
        let (hash, content) = (hash.into(), content.into());
        text.extend_from_slice(&line(&BlobLine { hash, content }));
    }
    for record in ancestors.iter().chain([journal]).flatten() {
        text.extend_from_slice(record);
        text.push(b'\n');
    }
    text.extend(signed.iter().flatten());
    let last = journal.last();
    let end = End {
        records: journal.len() as u64,
        hash: last.map(|record| sha256_hex(record)).unwrap_or_default(),
    };
    text.extend_from_slice(&end.line());
    text
}

/// Rows as a section.
#[must_use]
pub fn rows_section(rows: &[Row]) -> Vec<u8> {
    let mut text = line(&Header { format: PLAIN });
    let mut hash = String::new();
    for row in rows {
        let line = line(row);
        hash = chained(&hash, line.strip_suffix(b"\n").unwrap_or(&line));
        text.extend_from_slice(&line);
    }
    let records = rows.len() as u64;
    text.extend_from_slice(&End { records, hash }.line());
    text
}

/// The hash over rows after another one.
pub(super) fn chained(hash: &str, line: &[u8]) -> String {
    sha256_hex(format!("{hash}{}", sha256_hex(line)).as_bytes())
}

/// Where a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, ToJson)]
#[error("line {line}: {why}")]
pub struct Diverged {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

/// What stands between a header and an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The line of the first record or row, from 1.
    pub first_line: usize,
    /// Contents that the records refer to.
    pub blobs: Blobs,
    /// Sessions, those that others continue first.
    pub journals: Vec<Journal>,
    /// Rows.
    pub rows: Vec<Row>,
    /// How it ends, if it was not cut.
    pub end: Option<End>,
    /// Whether what was signed of its records has begun: none follows.
    is_signed: bool,
    format: u32,
}

/// Reads a file line by line. Nothing of it is to be used before [`Reader::finish`].
#[derive(Debug, Default)]
pub struct Reader {
    sections: Vec<Section>,
    lines: usize,
}

#[derive(Deserialize, FromJson)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

impl Reader {
    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Diverged> {
        self.lines += 1;
        if let Some(signed) = receipt::Line::of(line) {
            return self.signed(signed).map_err(|why| Diverged {
                line: self.lines,
                why,
            });
        }
        self.take(line).map_err(|why| Diverged {
            line: self.lines,
            why,
        })
    }

    /// A receipt, or the log of a key: verified by [`super::verify`], and nothing that is taken over.
    fn signed(&mut self, _: receipt::Line<'_>) -> Result<(), String> {
        let last = self.sections.last_mut();
        let open = last.filter(|last| last.end.is_none() && last.format >= SIGNED);
        match open {
            Some(section) if !section.journals.is_empty() => {
                section.is_signed = true;
                Ok(())
            }
            _ => Err("a receipt stands where none can".into()),
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let kind: Kind =
            json::from_slice(line).map_err(|error| format!("this is no record: {error}"))?;
        let unreadable = |error: json::Error| format!("not readable: {error}");
        if kind.kind == "export" {
            let header: Header = json::from_slice(line).map_err(unreadable)?;
            if header.format == 0 || header.format > FORMAT {
                let found = header.format;
                return Err(format!(
                    "it has format {found}, this Tau reads up to {FORMAT}"
                ));
            }
            if self.sections.last().is_some_and(|last| last.end.is_none()) {
                return Err("the part before it has no end: the file was cut".into());
            }
            self.sections.push(Section {
                first_line: self.lines + 1,
                format: header.format,
                ..Section::default()
            });
            return Ok(());
        }
        if self.sections.is_empty() {
            self.sections.push(Section {
                first_line: self.lines,
                format: 1,
                ..Section::default()
            });
        }
        let Some(section) = self.sections.last_mut().filter(|last| last.end.is_none()) else {
            return Err("something follows the last line".into());
        };
        match (kind.kind.as_str(), section.journals.last_mut()) {
            ("end", _) => section.end = Some(json::from_slice(line).map_err(unreadable)?),
            ("row", None) if section.format > 1 => {
                section
                    .rows
                    .push(json::from_slice(line).map_err(unreadable)?);
            }
            ("blob", None) if section.format > 1 && section.rows.is_empty() => {
                let blob: BlobLine = json::from_slice(line).map_err(unreadable)?;
                let added = section.blobs.add(&blob.hash, blob.content.into_bytes());
                added.map_err(|error| error.to_string())?;
                section.first_line += 1;
            }
            ("created", _) if section.rows.is_empty() && !section.is_signed => {
                section.journals.push(alloc::vec![line.to_vec()]);
            }
            _ if section.is_signed => {
                return Err("a record stands behind what was signed of those before".into());
            }
            (_, Some(journal)) => journal.push(line.to_vec()),
            (_, None) => return Err("a session begins with its creation".into()),
        }
        Ok(())
    }

    /// All of it, with every link checked.
    pub fn finish(self) -> Result<Vec<Section>, Diverged> {
        for section in &self.sections {
            section.check(self.lines)?;
        }
        Ok(self.sections)
    }
}

impl Section {
    fn check(&self, lines: usize) -> Result<(), Diverged> {
        let mut first_line = self.first_line;
        for journal in &self.journals {
            check_links(journal, first_line, self.end.as_ref())?;
            self.check_contents(journal, first_line)?;
            first_line += journal.len();
        }
        let Some(end) = &self.end else {
            let line = lines.max(1);
            return match self.format {
                1 => Ok(()),
                _ => Err(Diverged {
                    line,
                    why: "the end is missing: the file was cut".into(),
                }),
            };
        };
        let (records, hash) = match self.journals.last() {
            Some(journal) => {
                let last = journal.last();
                let hash = last.map(|last| sha256_hex(last)).unwrap_or_default();
                (journal.len(), hash)
            }
            None => {
                let rows = self.rows.iter();
                let hash = rows.fold(String::new(), |hash, row| {
                    chained(&hash, &json::to_vec(row))
                });
                (self.rows.len(), hash)
            }
        };
        if end.records == records as u64 && end.hash == hash {
            return Ok(());
        }
        let last = first_line + self.rows.len();
        let (line, why) = match (end.records == records as u64, self.journals.is_empty()) {
            (true, false) => (
                last - 1,
                "the record was changed: its hash is not the one in the last line".into(),
            ),
            (true, true) => (last, "a row before it was changed".into()),
            (false, _) => (
                last.saturating_sub(1).max(1),
                format!(
                    "{records} records are here, the last line tells of {}",
                    end.records
                ),
            ),
        };
        Err(Diverged { line, why })
    }
}

impl Section {
    /// Whether all that the records refer to is here.
    fn check_contents(&self, journal: &Journal, first_line: usize) -> Result<(), Diverged> {
        for (place, record) in journal.iter().enumerate() {
            for hash in blob::referred(record) {
                if !self.blobs.has(&hash) {
                    return Err(Diverged {
                        line: first_line + place,
                        why: format!("it refers to the content {hash}, which is missing"),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Checks numbers and links, and says which of two records was changed when they do not fit.
fn check_links(journal: &Journal, first_line: usize, end: Option<&End>) -> Result<(), Diverged> {
    let mut chain = Chain::default();
    for (place, bytes) in journal.iter().enumerate() {
        let line = first_line + place;
        match chain.read(bytes) {
            Ok(_) => {}
            Err(JournalError::Broken { .. }) => {
                // If the next record still fits this one, this one is as it was written.
                let next = journal.get(place + 1);
                let intact = match next {
                    Some(next) => links_to(next, bytes),
                    None => end.is_some_and(|end| end.hash == sha256_hex(bytes)),
                };
                let line = if intact && place > 0 { line - 1 } else { line };
                let why = "the record was changed after it was written".into();
                return Err(Diverged { line, why });
            }
            Err(error) => {
                return Err(Diverged {
                    line,
                    why: error.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn links_to(next: &[u8], bytes: &[u8]) -> bool {
    Record::read(next).is_ok_and(|next| next.prev == sha256_hex(bytes))
}
