//! The lines of an exported session: journals, one after another, and the end.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

use super::{
    super::{Chain, JournalError, Record, sha256_hex},
    Diverged,
};
use crate::{
    json::{self, FromJson, ToJson},
    session::Journal,
};

/// The last line of an exported session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "end")]
pub struct End {
    /// Records of the last session in the file.
    pub records: u64,
    /// SHA-256 of its last record, in lower-case hex.
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
        let mut line = json::to_vec(self);
        line.push(b'\n');
        line
    }
}

/// The journals of a file, each beginning with its creation, and the last line.
pub(super) fn split<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<Journal>, Option<End>), Diverged> {
    #[derive(Deserialize, FromJson)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let mut journals: Vec<Journal> = Vec::new();
    let mut end = None;
    for (number, line) in lines.into_iter().enumerate() {
        let diverged = |why: String| Diverged {
            line: number + 1,
            why,
        };
        if end.is_some() {
            return Err(diverged("something follows the last line".into()));
        }
        let kind: Kind = json::from_slice(line)
            .map_err(|error| diverged(format!("this is no record: {error}")))?;
        match (kind.kind.as_str(), journals.last_mut()) {
            ("end", _) => {
                let read = json::from_slice(line);
                end = Some(read.map_err(|error| diverged(format!("not readable: {error}")))?);
            }
            ("created", _) => journals.push(alloc::vec![line.to_vec()]),
            (_, Some(journal)) => journal.push(line.to_vec()),
            (_, None) => return Err(diverged("a session begins with its creation".into())),
        }
    }
    Ok((journals, end))
}

/// Checks numbers and links, and says which of two records was changed when they do not fit.
pub(super) fn check_links(
    journal: &Journal,
    first_line: usize,
    end: Option<&End>,
) -> Result<(), Diverged> {
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
