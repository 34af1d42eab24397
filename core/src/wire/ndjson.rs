//! JSON values one after another: a body that is one object, however it is broken into lines, and
//! newline-delimited JSON (<https://github.com/ndjson/ndjson-spec>), incrementally.
//!
//! A value is found by counting brackets outside strings, so that it needs no line of its own.
//! Whether it is valid is the caller's to find out. Never more than [`FRAME_LIMIT_BYTES`] are kept.

use alloc::vec::Vec;
use core::mem;

use super::{
    FRAME_LIMIT_BYTES, Frame, WireError,
    table::{Situation, settle},
};

/// The state between two pieces of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parser {
    value: Vec<u8>,
    brackets: Brackets,
}

/// Counts brackets of JSON text that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brackets {
    depth: u64,
    in_string: bool,
    escaped: bool,
    opened: bool,
}

impl Brackets {
    /// Takes the next byte; true if it closed the outermost bracket.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        if mem::take(&mut self.escaped) {
            return false;
        }
        match byte {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => {
                self.depth = self.depth.saturating_add(1);
                self.opened = true;
            }
            b'}' | b']' if !self.in_string => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Whether a bracket was opened and all are closed.
    pub(super) fn is_whole(&self) -> bool {
        self.opened && self.depth == 0
    }

    /// Whether a bracket is open.
    pub(super) fn is_open(&self) -> bool {
        self.depth > 0
    }
}

impl Parser {
    /// The next value; `None` when `bytes` are used up.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, WireError> {
        if self.value.is_empty() {
            let start = bytes.iter().position(|b| !b.is_ascii_whitespace());
            *bytes = bytes
                .get(start.unwrap_or(bytes.len())..)
                .unwrap_or_default();
        }
        let Some(first) = self.value.first().or(bytes.first()).copied() else {
            return Ok(None);
        };
        // What begins with no bracket is a line, which will not be an object.
        let bracketed = matches!(first, b'{' | b'[');
        let brackets = &mut self.brackets;
        let end = bytes.iter().position(|b| match bracketed {
            true => brackets.take(*b),
            false => *b == b'\n',
        });
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if self.value.len().saturating_add(taken) > FRAME_LIMIT_BYTES {
            settle(Situation::OverLimit, Default::default)?;
        }
        let (part, rest) = bytes.split_at(taken);
        self.value.extend_from_slice(part);
        *bytes = rest;
        Ok(end.and_then(|_| self.last()))
    }

    /// The value that was not ended.
    pub(super) fn last(&mut self) -> Option<Frame> {
        self.brackets = Brackets::default();
        let data = mem::take(&mut self.value);
        (!data.is_empty()).then(|| Frame {
            name: Vec::new(),
            data,
        })
    }
}
