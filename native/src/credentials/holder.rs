//! Who holds the data key: a passphrase, from which a key that seals it is derived, or the keyring
//! of the system.
//!
//! Invariant: nothing that is stored beside the data opens it.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    keyring,
    seal::{DataKey, KEY_BYTES, Sealed, random},
};
use crate::exit::{Error, Exit};

/// What Argon2id is given: above the least that OWASP names (19 MiB, 2 passes, 1 lane), and the
/// memory and passes that RFC 9106 recommends where memory is short.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// More is not worked through, whatever a file asks for.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const SALT_BYTES: usize = 16;

/// What is sealed with a data key: which words a person is told, and that no key of one opens another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The credential store.
    Credentials,
    /// The agent's identity in this home.
    Identity,
    /// An identity on its way to another home.
    Moving,
}

impl Subject {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credential store",
            Self::Identity => "agent's identity",
            Self::Moving => "exported identity",
        }
    }

    fn domain(self) -> &'static str {
        match self {
            Self::Credentials => "tau credentials key",
            Self::Identity => "tau identity key",
            Self::Moving => "tau moving identity key",
        }
    }

    /// It is not as it was written.
    pub(crate) fn damaged(self, how: &str) -> Error {
        let error = Error::new(Exit::Store, format!("the {} is damaged", self.name())).cause(how);
        error.hint(match self {
            Self::Credentials => {
                "take the file back from a copy, or remove it and store the values anew"
            }
            Self::Identity => "take the file back from a copy: without it the agent cannot sign",
            Self::Moving => "export it again from the home it is in",
        })
    }

    fn wrong(self) -> Error {
        let message = format!("the passphrase of the {} is wrong", self.name());
        Error::new(Exit::Auth, message).hint(match self {
            Self::Credentials => {
                "try again; without it the values cannot be had back, only stored anew"
            }
            Self::Identity => "try again; without it the agent cannot sign any more",
            Self::Moving => "try again, or export it anew from the home it is in",
        })
    }
}

/// How the data key is come by, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "held_by", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Holder {
    /// It is sealed with a key derived from a passphrase.
    Passphrase {
        kdf: Kdf,
        sealed: Sealed,
        /// Over the two above, without a key: tells damage from a wrong passphrase.
        sum: String,
    },
    /// The keyring has it under this account.
    Keyring {
        account: String,
        /// Opens with the right key.
        check: Sealed,
    },
}

/// How a key is derived from a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kdf {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Base64, 16 bytes.
    salt: String,
}

impl Holder {
    /// Seals `key` with `passphrase`.
    pub(crate) fn passphrase(of: Subject, key: &DataKey, passphrase: &str) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt)?;
        let kdf = Kdf {
            algorithm: "argon2id".into(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: STANDARD.encode(salt),
        };
        let outer = kdf.derive(of, passphrase)?;
        let text = Zeroizing::new(STANDARD.encode(key.bytes()));
        let sealed = outer.seal(&kdf.beside(of)?, text.as_bytes())?;
        let sum = sum(&kdf, &sealed)?;
        Ok(Self::Passphrase { kdf, sealed, sum })
    }

    /// Has the keyring keep `key`.
    pub(crate) fn keyring(key: &DataKey) -> Result<Self, Error> {
        let mut id = [0; 8];
        random(&mut id)?;
        let account: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        keyring::put(&account, key.bytes())?;
        Ok(Self::Keyring {
            check: key.seal(account.as_bytes(), b"check")?,
            account,
        })
    }

    /// Whether a passphrase opens it.
    pub(crate) fn wants_passphrase(&self) -> bool {
        matches!(self, Self::Passphrase { .. })
    }

    /// What holds the key, in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::Keyring { .. } => "keyring",
        }
    }

    /// The data key. `passphrase` is asked for one only where it is needed.
    pub(crate) fn open(
        &self,
        of: Subject,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>, Error>,
    ) -> Result<DataKey, Error> {
        match self {
            Self::Passphrase {
                kdf,
                sealed,
                sum: told,
            } => {
                if sum(kdf, sealed)? != *told {
                    return Err(of.damaged("the part that holds its key was altered"));
                }
                let outer = kdf.derive(of, &passphrase()?)?;
                let bytes = outer
                    .open(&kdf.beside(of)?, sealed)
                    .ok_or_else(|| of.wrong())?;
                let bytes = STANDARD.decode(&*bytes).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| of.damaged("its key is none"))?;
                DataKey::from_bytes(&bytes).ok_or_else(|| of.damaged("its key is none"))
            }
            Self::Keyring { account, check } => {
                let bytes = keyring::get(account)?;
                DataKey::from_bytes(&bytes)
                    .filter(|key| key.open(account.as_bytes(), check).is_some())
                    .ok_or_else(|| of.damaged("the key in the keyring is not the one of this file"))
            }
        }
    }

    /// Forgets what is kept outside the file, once another holder has taken its place.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        match self {
            Self::Passphrase { .. } => Ok(()),
            Self::Keyring { account, .. } => keyring::remove(account),
        }
    }
}

impl Kdf {
    fn derive(&self, of: Subject, passphrase: &str) -> Result<DataKey, Error> {
        let usable = self.algorithm == "argon2id"
            && self.memory_kib <= MOST_MEMORY_KIB
            && self.passes <= MOST_PASSES;
        let salt = STANDARD.decode(&self.salt).ok().filter(|_| usable);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let (Some(salt), Ok(params)) = (salt, params) else {
            return Err(of.damaged("it asks for a key derivation that is not known"));
        };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut *bytes)
            .map_err(|error| of.damaged(&error.to_string()))?;
        DataKey::from_bytes(&*bytes).ok_or_else(|| Error::internal("a derived key is too short"))
    }

    fn beside(&self, of: Subject) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&(of.domain(), 1, self))
            .map_err(|error| Error::internal(error.to_string()))
    }
}

fn sum(kdf: &Kdf, sealed: &Sealed) -> Result<String, Error> {
    let bytes = serde_json::to_vec(&(kdf, sealed));
    let bytes = bytes.map_err(|error| Error::internal(error.to_string()))?;
    let digest = Sha256::digest(bytes);
    Ok(digest.iter().take(8).map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(passphrase: &str) -> impl FnOnce() -> Result<Zeroizing<String>, Error> {
        let passphrase = Zeroizing::new(passphrase.to_owned());
        || Ok(passphrase)
    }

    #[test]
    fn a_wrong_passphrase_and_an_altered_file_are_told_apart() {
        let key = DataKey::fresh().unwrap();
        let holder = Holder::passphrase(Subject::Credentials, &key, "correct horse").unwrap();
        assert_eq!(
            holder
                .open(Subject::Credentials, given("correct horse"))
                .map(|k| k.bytes().to_vec())
                .ok(),
            Some(key.bytes().to_vec())
        );
        let error = holder
            .open(Subject::Credentials, given("wrong horse"))
            .err()
            .unwrap();
        assert_eq!(error.exit, Exit::Auth);
        // What opens one thing opens no other, even with the passphrase.
        let error = holder
            .open(Subject::Identity, given("correct horse"))
            .err()
            .unwrap();
        assert_eq!(error.exit, Exit::Auth);

        let text = serde_json::to_string(&holder).unwrap();
        let salt = text.find("salt").unwrap() + 8;
        for at in [
            salt,
            text.find("nonce").unwrap() + 9,
            text.find("data").unwrap() + 9,
        ] {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let holder: Holder = serde_json::from_slice(&altered).unwrap();
            let error = holder
                .open(Subject::Credentials, given("correct horse"))
                .err()
                .unwrap();
            assert_eq!(error.exit, Exit::Store, "{error:?}");
        }
    }

    #[test]
    fn a_file_cannot_ask_for_more_memory_than_there_is() {
        let mut kdf = Kdf {
            algorithm: "argon2id".into(),
            memory_kib: MOST_MEMORY_KIB + 1,
            passes: 1,
            lanes: 1,
            salt: STANDARD.encode([7; SALT_BYTES]),
        };
        assert!(kdf.derive(Subject::Credentials, "p").is_err());
        kdf.memory_kib = 64;
        assert!(kdf.derive(Subject::Credentials, "p").is_ok());
        kdf.passes = u32::MAX;
        assert!(kdf.derive(Subject::Credentials, "p").is_err());
        kdf.algorithm = "md5".into();
        assert!(kdf.derive(Subject::Credentials, "p").is_err());
    }
}
