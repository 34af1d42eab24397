//! Credentials by handle: sealed on the disk, put into a request as it leaves, taken out of what
//! comes back.
//!
//! Invariants: a value is never an argument, never shown and never stored unsealed; the key to the
//! values is not beside them. What a model, a tool, a page or a log sees is the name.
//!
//! `docs/design/credentials.md` says what this protects against, and what not.

pub(crate) mod ask;
mod file;
mod guard;
mod holder;
pub(crate) mod keyring;
pub(crate) mod seal;
mod vault;

pub(crate) use guard::Guarded;
pub(crate) use holder::{Holder, Subject};
pub(crate) use vault::{Keys, Vault, unlock};

use serde::Serialize;
use tau_core::{
    credential::{self, LEAST_BYTES, Scope},
    ids::UnixMillis,
    tool::dispatch,
};
use zeroize::Zeroizing;

use crate::{exit::Error, home::Home, private_file::Held, ui::Ui};
use file::{Content, Entry, Place};
use seal::DataKey;

/// What is sealed here.
const OF: Subject = Subject::Credentials;
/// A longer value fits into no header that servers take.
const MOST_BYTES: usize = 8 * 1024;

/// Who is to hold the store's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptBy {
    /// The keyring of the system.
    Keyring,
    /// A passphrase.
    Passphrase,
}

/// What a person says of who is to hold the key.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Keeper {
    /// The system's keyring holds the key.
    #[arg(long, conflicts_with = "passphrase")]
    keyring: bool,
    /// A passphrase holds the key.
    #[arg(long)]
    passphrase: bool,
}

impl Keeper {
    pub(crate) fn wanted(self) -> Option<KeptBy> {
        match (self.keyring, self.passphrase) {
            (true, _) => Some(KeptBy::Keyring),
            (_, true) => Some(KeptBy::Passphrase),
            _ => None,
        }
    }
}

/// What may be known of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) header: Option<String>,
    pub(crate) created_ms: u64,
    pub(crate) used_ms: Option<u64>,
    pub(crate) fingerprint: String,
}

/// The store on the disk. Looking at it needs no key.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    place: Place,
}

impl Store {
    /// The one in `home`, which need not be there yet.
    pub(crate) fn of(home: &Home) -> Self {
        Self {
            place: Place::of(home),
        }
    }

    /// What is stored, by name.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, Error> {
        let content = self.content()?;
        let entries = content.map(|content| content.entries).unwrap_or_default();
        Ok(entries.into_iter().map(listed).collect())
    }

    /// One of them.
    pub(crate) fn find(&self, name: &str) -> Result<Listed, Error> {
        let all = self.list()?;
        let found = all.iter().find(|one| one.name == name).cloned();
        found.ok_or_else(|| unknown(name, all.iter().map(|one| one.name.as_str())))
    }

    /// What holds the key, in a word; `None` while there is no store.
    pub(crate) fn kept_by(&self) -> Result<Option<&'static str>, Error> {
        Ok(self.content()?.map(|content| content.key.name()))
    }

    /// Takes `names` out, all or none. Needs no key: whoever can write the file can do so anyway.
    pub(crate) fn remove(&self, names: &[String]) -> Result<(), Error> {
        if let Some(name) = names.first()
            && self.content()?.is_none()
        {
            return Err(unknown(name, [].into_iter()));
        }
        let held = self.place.hold()?;
        let mut content = self.content()?.ok_or_else(gone)?;
        for name in names {
            if content.entries.remove(name).is_none() {
                return Err(unknown(name, content.entries.keys().map(String::as_str)));
            }
        }
        self.place.write(&held, &content)
    }

    /// The store with its key, made if there is none yet. `wanted` says who is to hold the key of a
    /// new one.
    pub(crate) fn open(&self, wanted: Option<KeptBy>, ui: Ui) -> Result<Opened, Error> {
        let content = match self.content()? {
            Some(content) => content,
            None => self.begin(wanted, ui)?,
        };
        if let Some(wanted) = wanted
            && wanted.name() != content.key.name()
        {
            return Err(Error::usage(format!(
                "the store's key is held by a {}, not by a {}",
                content.key.name(),
                wanted.name()
            ))
            .hint(format!(
                "`tau secret rekey --{}` changes that",
                wanted.name()
            )));
        }
        let key = content.key.open(OF, || ask::passphrase(OF, ui))?;
        Ok(Opened {
            place: self.place.clone(),
            holder: content.key,
            key,
        })
    }

    fn begin(&self, wanted: Option<KeptBy>, ui: Ui) -> Result<Content, Error> {
        let kept_by = match wanted {
            Some(kept_by) => kept_by,
            None if ask::given()?.is_some() => KeptBy::Passphrase,
            None if keyring::is_there() => KeptBy::Keyring,
            None => {
                ui.note("no keyring answers here: the credential store gets a passphrase");
                KeptBy::Passphrase
            }
        };
        let (_, holder) = new_key(kept_by, false, ui)?;
        let held = self.place.hold()?;
        // Another process may have been first: what it made is taken.
        if let Some(content) = self.content()? {
            holder.forget()?;
            return Ok(content);
        }
        let content = Content::new(holder);
        self.place.write(&held, &content)?;
        Ok(content)
    }

    fn content(&self) -> Result<Option<Content>, Error> {
        let text = self.place.read()?;
        text.map(|text| Content::parse(&text)).transpose()
    }
}

impl KeptBy {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Passphrase => "passphrase",
        }
    }
}

/// The store and its key, for as long as one command needs it.
pub(crate) struct Opened {
    place: Place,
    holder: Holder,
    key: DataKey,
}

impl Opened {
    /// Asks for a value: unseen at a terminal, else all of stdin.
    pub(crate) fn ask(&self, name: &str, ui: Ui) -> Result<Zeroizing<String>, Error> {
        check_value(ask::value(ui, name)?)
    }

    /// Stores `value` as `name`, in the place of what was called so; says whether something was.
    pub(crate) fn put(
        &self,
        name: &str,
        scope: &Scope,
        header: Option<&str>,
        value: &str,
        now: UnixMillis,
    ) -> Result<bool, Error> {
        let entry = seal(&self.key, name, scope.to_string(), header, value, now)?;
        let (held, mut content) = self.hold()?;
        let replaced = content.entries.insert(name.to_owned(), entry).is_some();
        self.place.write(&held, &content)?;
        Ok(replaced)
    }

    /// Stores a new value for `name`; host and header stay.
    pub(crate) fn rotate(&self, name: &str, value: &str, now: UnixMillis) -> Result<(), Error> {
        let (held, mut content) = self.hold()?;
        let Some(old) = content.entries.get_mut(name) else {
            return Err(unknown(name, content.entries.keys().map(String::as_str)));
        };
        // Host and header are what they were only if they still belong to the value before.
        open(&self.key, name, old)?;
        *old = seal(
            &self.key,
            name,
            old.host.clone(),
            old.header.as_deref(),
            value,
            now,
        )?;
        self.place.write(&held, &content)
    }

    /// Seals everything anew with a fresh key, held as `wanted` or as before.
    pub(crate) fn rekey(self, wanted: Option<KeptBy>, ui: Ui) -> Result<usize, Error> {
        let kept_by = wanted.unwrap_or(match self.holder.wants_passphrase() {
            true => KeptBy::Passphrase,
            false => KeptBy::Keyring,
        });
        let (key, holder) = new_key(kept_by, true, ui)?;
        let (held, mut content) = self.hold()?;
        for (name, entry) in &mut content.entries {
            let value = open(&self.key, name, entry)?;
            let created = UnixMillis(entry.created_ms);
            let header = entry.header.as_deref();
            let fresh = seal(&key, name, entry.host.clone(), header, &value, created)?;
            *entry = Entry {
                used_ms: entry.used_ms,
                ..fresh
            };
        }
        content.key = holder;
        self.place.write(&held, &content)?;
        self.holder.forget()?;
        Ok(content.entries.len())
    }

    /// The file as it is now, and nobody else changes it.
    fn hold(&self) -> Result<(Held, Content), Error> {
        let held = self.place.hold()?;
        let text = self.place.read()?.ok_or_else(gone)?;
        let content = Content::parse(&text)?;
        if content.key != self.holder {
            return Err(Error::usage("the store was given another key meanwhile").hint("try again"));
        }
        Ok((held, content))
    }
}

fn new_key(kept_by: KeptBy, changing: bool, ui: Ui) -> Result<(DataKey, Holder), Error> {
    let key = DataKey::fresh()?;
    let holder = match kept_by {
        KeptBy::Keyring => Holder::keyring(&key)?,
        KeptBy::Passphrase => {
            let passphrase = ask::new_passphrase(OF, ui, changing)?;
            Holder::passphrase(OF, &key, &passphrase)?
        }
    };
    Ok((key, holder))
}

fn seal(
    key: &DataKey,
    name: &str,
    host: String,
    header: Option<&str>,
    value: &str,
    created: UnixMillis,
) -> Result<Entry, Error> {
    let fingerprint = key.fingerprint(value)?;
    let beside = Entry::beside(name, &host, header, created.0, &fingerprint)?;
    Ok(Entry {
        sealed: key.seal(&beside, value.as_bytes())?,
        host,
        header: header.map(str::to_owned),
        created_ms: created.0,
        used_ms: None,
        fingerprint,
    })
}

/// The value of an entry.
fn open(key: &DataKey, name: &str, entry: &Entry) -> Result<Zeroizing<String>, Error> {
    let Entry {
        host,
        header,
        created_ms,
        fingerprint,
        sealed,
        ..
    } = entry;
    let beside = Entry::beside(name, host, header.as_deref(), *created_ms, fingerprint)?;
    let altered = || damaged(&format!("the entry {name} was altered"));
    let bytes = key.open(&beside, sealed).ok_or_else(altered)?;
    let value = std::str::from_utf8(&bytes).map_err(|_| altered())?;
    Ok(Zeroizing::new(value.to_owned()))
}

fn listed((name, entry): (String, Entry)) -> Listed {
    Listed {
        name,
        host: entry.host,
        header: entry.header,
        created_ms: entry.created_ms,
        used_ms: entry.used_ms,
        fingerprint: entry.fingerprint,
    }
}

/// Whether `value` can go into a header, and be kept out of what comes back.
fn check_value(value: Zeroizing<String>) -> Result<Zeroizing<String>, Error> {
    let trimmed = value.trim();
    let wrong = |why: String| Err(Error::usage(why).hint("nothing was stored"));
    if trimmed.is_empty() {
        return wrong("the value is empty".into());
    }
    if trimmed.len() < LEAST_BYTES {
        return wrong(format!(
            "the value has fewer than {LEAST_BYTES} bytes: it could not be told from other text"
        ));
    }
    if trimmed.len() > MOST_BYTES {
        return wrong(format!("the value is longer than {MOST_BYTES} bytes"));
    }
    if !trimmed.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return wrong("the value has line ends or other characters that no header takes".into());
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::usage(format!("there is no credential {name:?}"));
    match dispatch::nearest(name, known) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("`tau secret list` names them, `tau secret set` stores one"),
    }
}

/// The file is not as it was written.
fn damaged(how: &str) -> Error {
    OF.damaged(how)
}

fn gone() -> Error {
    Error::usage("the credential store is gone").hint("another process removed it: try again")
}

/// Whether `name` can name a credential.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    match credential::is_name(name) {
        true => Ok(()),
        false => Err(Error::usage(format!("{name:?} cannot name a credential"))
            .hint("letters, digits, dots, hyphens and underscores, such as github")),
    }
}
