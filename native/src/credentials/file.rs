//! The file with the sealed values, `credentials.json` in Tau's folder.
//!
//! Invariant: nothing is asked of a person while it is locked.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{damaged, holder::Holder, seal::Sealed};
use crate::{
    exit::{Error, Exit},
    home::Home,
    private_file::{Held, PrivateFile},
};

/// The format that is written; others are not read.
const VERSION: u32 = 1;
/// A longer file is none.
const MOST_BYTES: u64 = 16 << 20;

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    v: u32,
    /// Who has the key to all below.
    pub(super) key: Holder,
    /// By name.
    pub(super) entries: BTreeMap<String, Entry>,
}

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The only origin it is sent to, as [`tau_core::credential::Scope`] writes it.
    pub(super) host: String,
    /// The only header it is put into; any, without one. In lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    pub(super) created_ms: u64,
    /// Not sealed in: it changes without the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) used_ms: Option<u64>,
    pub(super) fingerprint: String,
    pub(super) sealed: Sealed,
}

impl Entry {
    /// What is sealed together with the value of `name`: it opens for nothing else.
    pub(super) fn beside(
        name: &str,
        host: &str,
        header: Option<&str>,
        created_ms: u64,
        fingerprint: &str,
    ) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&(
            "tau credential",
            VERSION,
            name,
            host,
            header,
            created_ms,
            fingerprint,
        ))
        .map_err(|error| Error::internal(error.to_string()))
    }
}

impl Content {
    /// Without entries.
    pub(super) fn new(key: Holder) -> Self {
        Self {
            v: VERSION,
            key,
            entries: BTreeMap::new(),
        }
    }

    /// Read from `text`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let bad = |error: serde_json::Error| damaged(&error.to_string());
        let Version { v } = serde_json::from_str(text).map_err(bad)?;
        if v != VERSION {
            return Err(Error::new(
                Exit::Store,
                format!("the credential store has format {v}, and this Tau reads {VERSION}"),
            )
            .hint("use the Tau that wrote it, or a newer one"));
        }
        serde_json::from_str(text).map_err(bad)
    }
}

/// Where the file is.
#[derive(Clone, Debug)]
pub(super) struct Place(PrivateFile);

impl Place {
    /// In `home`.
    pub(super) fn of(home: &Home) -> Self {
        Self(PrivateFile::new(home, home.credentials_file()))
    }

    /// The file's text; `None` when there is none.
    pub(super) fn read(&self) -> Result<Option<String>, Error> {
        let bytes = self.0.read(MOST_BYTES)?;
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|_| damaged("it is not text"))
    }

    /// Waits until no other process changes the file.
    pub(super) fn hold(&self) -> Result<Held, Error> {
        self.0.hold()
    }

    /// Replaces the file.
    pub(super) fn write(&self, held: &Held, content: &Content) -> Result<(), Error> {
        let mut text = serde_json::to_string_pretty(content)
            .map_err(|error| Error::internal(error.to_string()))?;
        text.push('\n');
        self.0.write(held, text.as_bytes())
    }
}
