//! The corpora: rows of text with what is known of each.
//!
//! Invariant: a row that cannot be read is an error naming its file and line; none is left out.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use std::{fs, path::Path};

/// A text and what it is.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Whether something is to be found.
    pub(crate) is_hit: bool,
    pub(crate) tier: String,
    /// The kind of attack, or whose secret it is.
    pub(crate) family: String,
    pub(crate) source: String,
    pub(crate) licence: String,
}

#[derive(Deserialize)]
struct Injection {
    id: String,
    text: String,
    label: String,
    family: String,
    tier: String,
    source: String,
    licence: String,
}

#[derive(Deserialize)]
struct Secret {
    id: String,
    text_b64: String,
    label: String,
    vendor: Option<String>,
    tier: String,
    source: String,
    licence: String,
}

#[derive(Deserialize)]
struct Address {
    id: String,
    url: String,
    expect: String,
    why: String,
    source: String,
    licence: String,
}

/// Attacks on a model and texts that are none.
pub(crate) fn injections(directory: &Path) -> Result<Vec<Row>, String> {
    read(directory, "injection.jsonl", |row: Injection| {
        Ok(Row {
            id: row.id,
            text: row.text,
            is_hit: one_of(&row.label, "attack", "benign")?,
            tier: row.tier,
            family: row.family,
            source: row.source,
            licence: row.licence,
        })
    })
}

/// Texts with secrets and texts without.
pub(crate) fn secrets(directory: &Path) -> Result<Vec<Row>, String> {
    read(directory, "secrets.b64.jsonl", |row: Secret| {
        let bytes = BASE64_STANDARD.decode(&row.text_b64);
        Ok(Row {
            id: row.id,
            text: String::from_utf8_lossy(&bytes.map_err(|error| error.to_string())?).into_owned(),
            is_hit: one_of(&row.label, "secret", "clean")?,
            tier: row.tier,
            family: row.vendor.unwrap_or_else(|| "none".into()),
            source: row.source,
            licence: row.licence,
        })
    })
}

/// Addresses that are refused and addresses that are not.
pub(crate) fn addresses(directory: &Path) -> Result<Vec<Row>, String> {
    read(directory, "ssrf.jsonl", |row: Address| {
        Ok(Row {
            id: row.id,
            text: row.url,
            is_hit: one_of(&row.expect, "block", "allow")?,
            tier: row.expect,
            family: kind_of_address(&row.why),
            source: row.source,
            licence: row.licence,
        })
    })
}

/// The reason without the address it is about.
fn kind_of_address(why: &str) -> String {
    let why = why.rsplit_once(": ").map_or(why, |(_, why)| why);
    why.split(' ')
        .take(2)
        .filter(|word| !word.contains(['.', ':']))
        .collect::<Vec<_>>()
        .join(" ")
}

fn one_of(label: &str, yes: &str, no: &str) -> Result<bool, String> {
    match label {
        label if label == yes => Ok(true),
        label if label == no => Ok(false),
        label => Err(format!("label {label:?} is neither {yes} nor {no}")),
    }
}

fn read<T: for<'a> Deserialize<'a>>(
    directory: &Path,
    name: &str,
    into: impl Fn(T) -> Result<Row, String>,
) -> Result<Vec<Row>, String> {
    let file = directory.join(name);
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let rows = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(index, line)| {
        let row = serde_json::from_str(line).map_err(|error| error.to_string());
        row.and_then(&into)
            .map_err(|error| format!("{} line {}: {error}", file.display(), index + 1))
    })
    .collect()
}
