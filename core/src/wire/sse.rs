//! Server-sent events (WHATWG HTML, section 9.2, "Parsing an event stream"), incrementally.
//!
//! Bytes in, frames out; never more than [`FRAME_LIMIT_BYTES`] are kept. Lines end in LF, CR or
//! CRLF. A byte order mark before the first line is the caller's to remove.
//!
//! Two departures from the standard, both because models are not browsers: the last event counts
//! even if the blank line after it is missing (the caller decides whether it is whole), and a
//! field named `error` is an event of that name (llama.cpp before 2025 sent errors so).

use alloc::vec::Vec;
use core::mem;

use super::{
    FRAME_LIMIT_BYTES, Frame, WireError,
    table::{Situation, settle},
};

/// The state between two pieces of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parser {
    /// The line so far.
    line: Vec<u8>,
    /// The last line ended in CR, so an LF right after it is part of that end.
    after_cr: bool,
    /// The event so far.
    event: Frame,
    has_data: bool,
}

impl Parser {
    /// The next whole event; `None` when `bytes` are used up.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, WireError> {
        loop {
            if mem::take(&mut self.after_cr) {
                match bytes.first() {
                    Some(b'\n') => *bytes = bytes.get(1..).unwrap_or_default(),
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.keep(bytes)?;
                *bytes = &[];
                return Ok(None);
            };
            let (line, rest) = bytes.split_at(end);
            self.keep(line)?;
            self.after_cr = rest.first() == Some(&b'\r');
            *bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                if let Some(frame) = self.dispatch() {
                    return Ok(Some(frame));
                }
            } else {
                self.field();
            }
        }
    }

    /// The event that was not ended by a blank line.
    pub(super) fn last(&mut self) -> Option<Frame> {
        if !self.line.is_empty() {
            self.field();
        }
        self.dispatch()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let held = self.line.len() + self.event.data.len();
        if held.saturating_add(bytes.len()) > FRAME_LIMIT_BYTES {
            settle(Situation::OverLimit, Default::default)?;
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Frame> {
        let frame = mem::take(&mut self.event);
        mem::take(&mut self.has_data).then_some(frame)
    }

    fn field(&mut self) {
        let line = mem::take(&mut self.line);
        let mut halves = line.splitn(2, |b| *b == b':');
        let name = halves.next().unwrap_or_default();
        let value = halves.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.data(value),
            b"event" => self.event.name = value.to_vec(),
            b"error" => {
                self.event.name = b"error".to_vec();
                self.data(value);
            }
            // A comment has an empty name; `id` and `retry` are for reconnecting, which would
            // pay for the answer twice.
            _ => {}
        }
    }

    fn data(&mut self, value: &[u8]) {
        if self.has_data {
            self.event.data.push(b'\n');
        }
        self.has_data = true;
        self.event.data.extend_from_slice(value);
    }
}
