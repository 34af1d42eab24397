//! Who holds the key that an identity's seed is sealed with: those who hold the credentials' key, or,
//! where neither is there, a file that only its permissions protect.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};
use zeroize::Zeroizing;

use crate::{
    credentials::{
        Holder, KeptBy, Subject, ask, keyring,
        seal::{DataKey, Sealed, random},
        unlock,
    },
    exit::Error,
    home::Home,
    private_file::PrivateFile,
    ui::Ui,
};

/// A longer file holds no key.
const MOST_BYTES: u64 = 1024;
const WITHOUT: &str = "goes on without signing";

/// How the key is come by, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Keeper {
    /// A file beside it.
    File(InFile),
    /// A passphrase or the keyring.
    Held(Holder),
}

/// A key in a file that its owner alone may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InFile {
    held_by: InFileTag,
    /// What its file is called after; 16 hex digits.
    account: String,
    /// Opens with the right key.
    check: Sealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InFileTag {
    File,
}

/// What keeps somebody who can read the folder from being the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protection {
    /// A passphrase.
    Passphrase,
    /// The keyring of the system.
    Keyring,
    /// Nothing but the permissions of files.
    File,
}

impl Protection {
    /// Said of where the key is.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Passphrase => "sealed with a passphrase",
            Self::Keyring => "sealed, its key is in the system's keyring",
            Self::File => {
                "protected by file permissions alone: whoever can read Tau's folder can sign as this agent"
            }
        }
    }

    /// What to do about it.
    pub(crate) fn hint(self) -> Option<&'static str> {
        (self == Self::File)
            .then_some("`tau identity rekey --passphrase` (or --keyring) seals it for real")
    }
}

impl Keeper {
    /// A fresh key, held as `wanted`; without a wish by a passphrase that the environment gives, else
    /// by the keyring if one answers, else by a file. Nobody is asked without a wish. `changing` is
    /// whether there is a passphrase already.
    pub(super) fn fresh(
        home: &Home,
        wanted: Option<KeptBy>,
        changing: bool,
        ui: Ui,
    ) -> Result<(DataKey, Self), Error> {
        let key = DataKey::fresh()?;
        let of = Subject::Identity;
        let keeper = match wanted {
            Some(KeptBy::Passphrase) => {
                let passphrase = ask::new_passphrase(of, ui, changing)?;
                Self::Held(Holder::passphrase(of, &key, &passphrase)?)
            }
            Some(KeptBy::Keyring) => Self::Held(Holder::keyring(&key)?),
            None => Self::unasked(home, &key, ui)?,
        };
        Ok((key, keeper))
    }

    fn unasked(home: &Home, key: &DataKey, ui: Ui) -> Result<Self, Error> {
        let of = Subject::Identity;
        match ask::given()? {
            Some(passphrase) if ask::long_enough(&passphrase).is_ok() => {
                return Holder::passphrase(of, key, &passphrase).map(Self::Held);
            }
            Some(_) => ui.warn("TAU_PASSPHRASE is too short to seal the agent's identity with"),
            None => {}
        }
        if keyring::is_there()
            && let Ok(holder) = Holder::keyring(key)
        {
            return Ok(Self::Held(holder));
        }
        let mut id = [0; 8];
        random(&mut id)?;
        let account: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(key.bytes())));
        key_file(home, &account).create(text.as_bytes())?;
        Ok(Self::File(InFile {
            held_by: InFileTag::File,
            check: key.seal(account.as_bytes(), b"check")?,
            account,
        }))
    }

    /// The key; `None` where a passphrase is needed and nobody gives it.
    pub(super) fn unlock(&self, home: &Home, ui: Ui) -> Result<Option<DataKey>, Error> {
        let of = Subject::Identity;
        let file = match self {
            Self::Held(holder) => return unlock(of, holder, WITHOUT, ui),
            Self::File(file) => file,
        };
        let is_name = file.account.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name || file.account.len() != 16 {
            return Err(of.damaged("it names no file for its key"));
        }
        let place = key_file(home, &file.account);
        let missing = || of.damaged(&format!("{} is missing", place.path().display()));
        let bytes = Zeroizing::new(place.read(MOST_BYTES)?.ok_or_else(missing)?);
        let key = STANDARD.decode(bytes.trim_ascii()).map(Zeroizing::new);
        key.ok()
            .and_then(|key| DataKey::from_bytes(&key))
            .filter(|key| key.open(file.account.as_bytes(), &file.check).is_some())
            .ok_or_else(|| of.damaged("the key beside it is not its own"))
            .map(Some)
    }

    /// What protects the key.
    pub(super) fn protection(&self) -> Protection {
        match self {
            Self::File(_) => Protection::File,
            Self::Held(holder) if holder.wants_passphrase() => Protection::Passphrase,
            Self::Held(_) => Protection::Keyring,
        }
    }

    /// Forgets what is kept outside of the identity's own file, once another has taken its place.
    pub(super) fn forget(&self, home: &Home) -> Result<(), Error> {
        match self {
            Self::Held(holder) => holder.forget(),
            Self::File(file) => match fs::remove_file(key_path(home, &file.account)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::internal(
                    "the file with the key that was used before could not be removed",
                )
                .cause(error)),
                _ => Ok(()),
            },
        }
    }
}

fn key_path(home: &Home, account: &str) -> PathBuf {
    home.root().join(format!("identity-{account}.key"))
}

fn key_file(home: &Home, account: &str) -> PrivateFile {
    PrivateFile::new(home, key_path(home, account))
}
