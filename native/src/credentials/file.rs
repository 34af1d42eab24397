//! The file with the sealed values, `credentials.json` in Tau's folder.
//!
//! Invariants: readable by its owner alone; a reader sees it as it was before or after a change,
//! never between, whenever the machine stops; two processes change it one after the other. Nothing
//! is asked of a person while it is locked.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    holder::{Holder, damaged},
    seal::Sealed,
};
use crate::{
    exit::{Error, Exit},
    home::Home,
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
pub(super) struct Place {
    home: Home,
    file: PathBuf,
}

/// Held while the file is changed; the lock ends with it, and with the process.
pub(super) struct Held {
    _lock: File,
}

impl Place {
    /// In `home`.
    pub(super) fn of(home: &Home) -> Self {
        Self {
            file: home.credentials_file(),
            home: home.clone(),
        }
    }

    /// The file's text; `None` when there is none.
    pub(super) fn read(&self) -> Result<Option<String>, Error> {
        let mut text = String::new();
        let read =
            File::open(&self.file).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(damaged("it is not text"))
            }
            Err(error) => Err(self.unusable("read", &error)),
        }
    }

    /// Waits until no other process changes the file.
    pub(super) fn hold(&self) -> Result<Held, Error> {
        self.home.make()?;
        let lock = self.file.with_extension("lock");
        let held = private(&lock, false).and_then(|file| file.lock().map(|()| file));
        match held {
            Ok(file) => Ok(Held { _lock: file }),
            Err(error) => Err(self.unusable("locked", &error)),
        }
    }

    /// Replaces the file: written beside it, brought to the disk, then renamed.
    pub(super) fn write(&self, _: &Held, content: &Content) -> Result<(), Error> {
        let mut text = serde_json::to_string_pretty(content)
            .map_err(|error| Error::internal(error.to_string()))?;
        text.push('\n');
        self.replace(text.as_bytes())
            .map_err(|error| self.unusable("written", &error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.file.with_extension("json.new");
        let mut file = private(&fresh, true)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&fresh, &self.file)?;
        sync_folder(self.home.root())
    }

    fn unusable(&self, what: &str, error: &io::Error) -> Error {
        Error::new(
            Exit::Store,
            format!("{} cannot be {what}", self.file.display()),
        )
        .cause(error)
        .hint("look at the folder's permissions and at the room on the disk")
    }
}

/// Opens a file for writing that nobody else reads, made when it is missing.
fn private(path: &Path, empty: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path)?;
        // One that was there keeps the permissions it had.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// A rename is not on the disk before its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
