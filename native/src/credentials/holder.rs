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

/// How the data key is come by, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "held_by", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Holder {
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
pub(super) struct Kdf {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Base64, 16 bytes.
    salt: String,
}

impl Holder {
    /// Seals `key` with `passphrase`.
    pub(super) fn passphrase(key: &DataKey, passphrase: &str) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt)?;
        let kdf = Kdf {
            algorithm: "argon2id".into(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: STANDARD.encode(salt),
        };
        let outer = kdf.derive(passphrase)?;
        let text = Zeroizing::new(STANDARD.encode(key.bytes()));
        let sealed = outer.seal(&kdf.beside()?, text.as_bytes())?;
        let sum = sum(&kdf, &sealed)?;
        Ok(Self::Passphrase { kdf, sealed, sum })
    }

    /// Has the keyring keep `key`.
    pub(super) fn keyring(key: &DataKey) -> Result<Self, Error> {
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
    pub(super) fn wants_passphrase(&self) -> bool {
        matches!(self, Self::Passphrase { .. })
    }

    /// What holds the key, in a word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::Keyring { .. } => "keyring",
        }
    }

    /// The data key. `passphrase` is asked for one only where it is needed.
    pub(super) fn open(
        &self,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>, Error>,
    ) -> Result<DataKey, Error> {
        match self {
            Self::Passphrase {
                kdf,
                sealed,
                sum: told,
            } => {
                if sum(kdf, sealed)? != *told {
                    return Err(damaged("the part that holds its key was altered"));
                }
                let outer = kdf.derive(&passphrase()?)?;
                let bytes = outer.open(&kdf.beside()?, sealed).ok_or_else(wrong)?;
                let bytes = STANDARD.decode(&*bytes).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| damaged("its key is none"))?;
                DataKey::from_bytes(&bytes).ok_or_else(|| damaged("its key is none"))
            }
            Self::Keyring { account, check } => {
                let bytes = keyring::get(account)?;
                DataKey::from_bytes(&bytes)
                    .filter(|key| key.open(account.as_bytes(), check).is_some())
                    .ok_or_else(|| damaged("the key in the keyring is not the one of this file"))
            }
        }
    }

    /// Forgets what is kept outside the file, once another holder has taken its place.
    pub(super) fn forget(&self) -> Result<(), Error> {
        match self {
            Self::Passphrase { .. } => Ok(()),
            Self::Keyring { account, .. } => keyring::remove(account),
        }
    }
}

impl Kdf {
    fn derive(&self, passphrase: &str) -> Result<DataKey, Error> {
        let usable = self.algorithm == "argon2id"
            && self.memory_kib <= MOST_MEMORY_KIB
            && self.passes <= MOST_PASSES;
        let salt = STANDARD.decode(&self.salt).ok().filter(|_| usable);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let (Some(salt), Ok(params)) = (salt, params) else {
            return Err(damaged("it asks for a key derivation that is not known"));
        };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut *bytes)
            .map_err(|error| damaged(&error.to_string()))?;
        DataKey::from_bytes(&*bytes).ok_or_else(|| Error::internal("a derived key is too short"))
    }

    fn beside(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&("tau credentials key", 1, self))
            .map_err(|error| Error::internal(error.to_string()))
    }
}

fn sum(kdf: &Kdf, sealed: &Sealed) -> Result<String, Error> {
    let bytes = serde_json::to_vec(&(kdf, sealed));
    let bytes = bytes.map_err(|error| Error::internal(error.to_string()))?;
    let digest = Sha256::digest(bytes);
    Ok(digest.iter().take(8).map(|b| format!("{b:02x}")).collect())
}

fn wrong() -> Error {
    Error::new(
        Exit::Auth,
        "the passphrase of the credential store is wrong",
    )
    .hint("try again; without it the values cannot be had back, only stored anew")
}

/// The file is not as it was written.
pub(super) fn damaged(how: &str) -> Error {
    Error::new(Exit::Store, "the credential store is damaged")
        .cause(how)
        .hint("take the file back from a copy, or remove it and store the values anew")
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
        let holder = Holder::passphrase(&key, "correct horse").unwrap();
        assert_eq!(
            holder
                .open(given("correct horse"))
                .map(|k| k.bytes().to_vec())
                .ok(),
            Some(key.bytes().to_vec())
        );
        let error = holder.open(given("wrong horse")).err().unwrap();
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
            let error = holder.open(given("correct horse")).err().unwrap();
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
        assert!(kdf.derive("p").is_err());
        kdf.memory_kib = 64;
        assert!(kdf.derive("p").is_ok());
        kdf.passes = u32::MAX;
        assert!(kdf.derive("p").is_err());
        kdf.algorithm = "md5".into();
        assert!(kdf.derive("p").is_err());
    }
}
