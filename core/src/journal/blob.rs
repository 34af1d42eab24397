//! Large contents, stored once by hash.
//!
//! A text or a picture of more than [`LARGE_BYTES`] stands in a record as `blob:sha256:<hash>`, and
//! once in the store at [`key`], however many sessions, forks and copies refer to it. The chain
//! covers the hash, the hash the content: a content that is missing or was changed is told by name.
//! Whatever looks like such a reference is stored so itself, so that no text can be taken for one.
//! Journals that were written before this have their contents in the records, and are read as ever.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Body, JournalError, sha256_hex};
use crate::message::{Image, Message, Part, ToolResult};

/// Bytes from which on a content is stored by itself.
pub const LARGE_BYTES: usize = 8 * 1024;

/// What a reference begins with; 64 hex digits follow.
const PREFIX: &str = "blob:sha256:";

/// The key of the content with that hash.
#[must_use]
pub fn key(hash: &str) -> String {
    format!("blob/{hash}")
}

/// Contents by hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blobs {
    texts: BTreeMap<String, String>,
}

impl Blobs {
    /// Takes a content that was stored as `hash`.
    pub fn add(&mut self, hash: &str, content: Vec<u8>) -> Result<(), JournalError> {
        let altered = || JournalError::AlteredContent { hash: hash.into() };
        if sha256_hex(&content) != hash {
            return Err(altered());
        }
        let text = String::from_utf8(content).map_err(|_| altered())?;
        self.texts.insert(hash.into(), text);
        Ok(())
    }

    /// Whether the content with that hash is among them.
    #[must_use]
    pub fn has(&self, hash: &str) -> bool {
        self.texts.contains_key(hash)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(hash, text)| (hash.as_str(), text.as_str()))
    }
}

/// The hashes that a record's bytes refer to.
#[must_use]
pub fn referred(record: &[u8]) -> Vec<String> {
    let Ok(text) = core::str::from_utf8(record) else {
        return Vec::new();
    };
    // A quote before it in JSON: the text begins with it.
    let places = text.split("\"blob:sha256:").skip(1);
    let hashes = places.filter_map(|rest| {
        let hash = rest.get(..64)?;
        (rest.get(64..65)? == "\"" && is_hash(hash)).then(|| hash.to_string())
    });
    hashes.collect()
}

/// Whether `stored`, as a record has it, is `text` or stands for it.
#[must_use]
pub fn stands_for(stored: &str, text: &str) -> bool {
    stored == text || hash_of(stored).is_some_and(|hash| hash == sha256_hex(text.as_bytes()))
}

/// Takes large contents out of a record; they are put back by [`attach`].
pub(super) fn detach(body: &mut Body) -> Blobs {
    let mut blobs = Blobs::default();
    for text in texts(body) {
        if text.len() > LARGE_BYTES || hash_of(text).is_some() {
            let hash = sha256_hex(text.as_bytes());
            let reference = format!("{PREFIX}{hash}");
            blobs
                .texts
                .insert(hash, core::mem::replace(text, reference));
        }
    }
    blobs
}

/// Puts contents back into a record. The error is the hash of one that is not there.
pub(super) fn attach(body: &mut Body, blobs: &Blobs) -> Result<(), String> {
    for text in texts(body) {
        if let Some(hash) = hash_of(text) {
            *text = blobs.texts.get(hash).ok_or(hash)?.clone();
        }
    }
    Ok(())
}

/// The hash of a text that is a reference.
fn hash_of(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|hash| is_hash(hash))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The contents of a record.
fn texts(body: &mut Body) -> Vec<&mut String> {
    match body {
        Body::Prompt { message, .. }
        | Body::Delivered { message, .. }
        | Body::Answer { message, .. }
        | Body::Compacted { message, .. }
        | Body::Squashed { message, .. } => of_message(message),
        Body::ToolFinished { result, .. } => of_result(result),
        Body::Imported { entries, .. } => entries
            .iter_mut()
            .flat_map(|entry| of_message(&mut entry.message))
            .collect(),
        _ => Vec::new(),
    }
}

fn of_message(message: &mut Message) -> Vec<&mut String> {
    let mut texts = Vec::new();
    for part in &mut message.parts {
        match part {
            Part::Text { text } | Part::Thinking { text, .. } => texts.push(text),
            Part::Image(Image { data, .. }) => texts.push(data),
            Part::ToolResult(result) => texts.extend(of_result(result)),
            // What the model wrote of a call is shown, and small.
            Part::ToolCall(_) => {}
        }
    }
    texts
}

fn of_result(result: &mut ToolResult) -> Vec<&mut String> {
    let images = result.images.iter_mut().map(|image| &mut image.data);
    [&mut result.text].into_iter().chain(images).collect()
}
