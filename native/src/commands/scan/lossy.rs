//! A text made of bytes that may not be UTF-8, and its way back to them.

use serde_json::{Map, Value};

/// The text, with U+FFFD for what is not UTF-8.
pub(super) struct Lossy {
    pub(super) text: String,
    /// After each replacement: how far the text has come, and the bytes.
    replaced: Vec<(usize, usize)>,
    invalid: Option<usize>,
}

impl Lossy {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => {
                return Self {
                    text,
                    replaced: Vec::new(),
                    invalid: None,
                };
            }
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(bytes.len() + 64);
        let mut replaced = Vec::new();
        let mut invalid = None;
        let mut read = 0;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            read += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                invalid.get_or_insert(read);
                text.push(char::REPLACEMENT_CHARACTER);
                read += chunk.invalid().len();
                replaced.push((text.len(), read));
            }
        }
        Self {
            text,
            replaced,
            invalid,
        }
    }

    /// The first byte that is no UTF-8.
    pub(super) fn invalid(&self) -> Option<usize> {
        self.invalid
    }

    /// The byte as it came that `at` of the text stands for.
    pub(super) fn original(&self, at: usize) -> usize {
        let after = self.replaced.partition_point(|(text, _)| *text <= at);
        let (text, read) = match after.checked_sub(1) {
            Some(last) => self.replaced[last],
            None => (0, 0),
        };
        let plain = read + (at - text);
        // Within a replacement there is nothing to point at: its bytes begin here or end there.
        match self.replaced.get(after) {
            Some((end, read)) if at + char::REPLACEMENT_CHARACTER.len_utf8() > *end => {
                plain.min(*read)
            }
            _ => plain,
        }
    }

    /// Moves the places in an answer to the bytes as they came, and says that they were not UTF-8.
    pub(super) fn correct(&self, told: &mut Map<String, Value>) {
        if self.invalid.is_none() {
            return;
        }
        told.insert("lossy".into(), true.into());
        let findings = told.get_mut("findings").and_then(Value::as_array_mut);
        for finding in findings.into_iter().flatten() {
            for end in ["start", "end"] {
                if let Some(at) = finding[end].as_u64() {
                    finding[end] = self.original(at as usize).into();
                }
            }
        }
    }
}
