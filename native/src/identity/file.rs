//! The file with the agent's sealed seed and the log of its keys, `identity.json` in Tau's folder.
//!
//! Invariant: log and seed are one file, replaced at once, so that whenever the machine stops the
//! keys that can be derived are those of the log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tau_kamn::{
    kel::{KeyLog, LOG_LIMIT_BYTES},
    keys::KeyTree,
};
use zeroize::Zeroizing;

use super::keeper::Keeper;
use crate::{
    credentials::{
        Holder, Subject,
        seal::{DataKey, Sealed},
    },
    exit::{Error, Exit},
};

/// The format that is written; others are not read.
const VERSION: u32 = 1;
/// A longer file is none.
pub(super) const MOST_BYTES: u64 = LOG_LIMIT_BYTES as u64 + (64 << 10);
/// Bytes of a seed.
pub(super) const SEED_BYTES: usize = 32;

/// What everything derives from. Wiped when dropped.
pub(super) struct Seed(pub(super) Zeroizing<[u8; SEED_BYTES]>);

impl Seed {
    /// The agent's keys.
    pub(super) fn tree(&self) -> KeyTree {
        KeyTree::from_seed(&self.0)
    }
}

/// What the file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    v: u32,
    /// Who has the key to the seed.
    pub(super) key: Keeper,
    /// In base64 within what is sealed.
    seed: Sealed,
    log: Value,
}

/// The same on its way to another home: a passphrase alone opens it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moving {
    /// Format version, under a name that nothing else has.
    tau_identity: u32,
    key: Holder,
    seed: Sealed,
    log: Value,
}

impl Content {
    pub(super) fn new(
        key: Keeper,
        data_key: &DataKey,
        seed: &Seed,
        log: &KeyLog,
    ) -> Result<Self, Error> {
        Ok(Self {
            v: VERSION,
            key,
            seed: seal(data_key, seed, log)?,
            log: to_json(log)?,
        })
    }

    /// Reads the file, and checks the log from its first event on.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, KeyLog), Error> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let of = Subject::Identity;
        let bad = |error: serde_json::Error| of.damaged(&error.to_string());
        let Version { v } = serde_json::from_slice(bytes).map_err(bad)?;
        check_version(of, v)?;
        let content: Self = serde_json::from_slice(bytes).map_err(bad)?;
        let log = from_json(of, &content.log)?;
        Ok((content, log))
    }

    /// The same with a log that goes on from this one.
    pub(super) fn with_log(self, log: &KeyLog) -> Result<Self, Error> {
        let log = to_json(log)?;
        Ok(Self { log, ..self })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_bytes(self)
    }

    /// The seed, which `key` opens.
    pub(super) fn open(&self, key: &DataKey, log: &KeyLog) -> Result<Seed, Error> {
        open(Subject::Identity, key, &self.seed, log)
    }
}

impl Moving {
    pub(super) fn new(seed: &Seed, log: &KeyLog, passphrase: &str) -> Result<Self, Error> {
        let key = DataKey::fresh()?;
        Ok(Self {
            tau_identity: VERSION,
            key: Holder::passphrase(Subject::Moving, &key, passphrase)?,
            seed: seal(&key, seed, log)?,
            log: to_json(log)?,
        })
    }

    /// Whether this JSON means to be one.
    pub(super) fn is(value: &Value) -> bool {
        value.get("tau_identity").is_some()
    }

    /// Reads what another home wrote; `passphrase` is asked for once it is known to be usable.
    pub(super) fn open(
        value: Value,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>, Error>,
    ) -> Result<(Seed, KeyLog), Error> {
        let of = Subject::Moving;
        let bad = |error: serde_json::Error| of.damaged(&error.to_string());
        let version = value["tau_identity"].as_u64();
        let version = version.and_then(|version| u32::try_from(version).ok());
        check_version(of, version.unwrap_or(u32::MAX))?;
        let moving: Self = serde_json::from_value(value).map_err(bad)?;
        let log = from_json(of, &moving.log)?;
        if !moving.key.wants_passphrase() {
            return Err(of.damaged("it is sealed with a keyring of another machine"));
        }
        let key = moving.key.open(of, passphrase)?;
        Ok((open(of, &key, &moving.seed, &log)?, log))
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_bytes(self)
    }
}

fn check_version(of: Subject, found: u32) -> Result<(), Error> {
    if found == VERSION {
        return Ok(());
    }
    let name = of.name();
    let message = format!("the {name} has format {found}, and this Tau reads {VERSION}");
    Err(Error::new(Exit::Store, message).hint("use the Tau that wrote it, or a newer one"))
}

/// What is sealed together with a seed: it opens as no other agent's.
fn beside(log: &KeyLog) -> Vec<u8> {
    let did = log.unchecked_state().did().as_kamn();
    format!("tau identity seed 1 {did}").into_bytes()
}

fn seal(key: &DataKey, seed: &Seed, log: &KeyLog) -> Result<Sealed, Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = Zeroizing::new(STANDARD.encode(seed.0.as_slice()));
    key.seal(&beside(log), text.as_bytes())
}

fn open(of: Subject, key: &DataKey, sealed: &Sealed, log: &KeyLog) -> Result<Seed, Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let altered = || of.damaged("its seed was altered, or is another agent's");
    let text = key.open(&beside(log), sealed).ok_or_else(altered)?;
    let bytes = STANDARD.decode(&*text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| altered())?;
    let mut seed = Seed(Zeroizing::new([0; SEED_BYTES]));
    if bytes.len() != SEED_BYTES {
        return Err(altered());
    }
    seed.0.copy_from_slice(&bytes);
    Ok(seed)
}

fn to_json(log: &KeyLog) -> Result<Value, Error> {
    serde_json::from_str(&log.to_value().to_canonical())
        .map_err(|error| Error::internal(error.to_string()))
}

fn from_json(of: Subject, log: &Value) -> Result<KeyLog, Error> {
    KeyLog::read(log.to_string().as_bytes())
        .map_err(|error| of.damaged(&format!("the log of its keys: {error}")))
}

fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| Error::internal(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_kamn::time::Timestamp;

    fn seed(byte: u8) -> Seed {
        Seed(Zeroizing::new([byte; SEED_BYTES]))
    }

    fn log(byte: u8) -> KeyLog {
        let made = Timestamp::from_unix_ms(1_000).unwrap();
        KeyLog::of_tree("tau", &seed(byte).tree(), made).unwrap()
    }

    /// The exit code that something ends with.
    fn exit<T>(result: Result<T, Error>) -> Option<Exit> {
        result.err().map(|error| error.exit)
    }

    #[test]
    fn a_moving_identity_opens_with_its_passphrase_and_is_nobody_elses() {
        let passphrase = "four words of mine";
        let given = |text: &str| {
            let text = Zeroizing::new(text.to_owned());
            || Ok(text)
        };
        let moving = Moving::new(&seed(1), &log(1), passphrase).unwrap();
        let value: Value = serde_json::from_slice(&moving.to_bytes().unwrap()).unwrap();
        assert!(Moving::is(&value));
        let (opened, its_log) = Moving::open(value.clone(), given(passphrase)).unwrap();
        assert_eq!((&*opened.0, its_log), (&[1; SEED_BYTES], log(1)));

        let wrong = Moving::open(value.clone(), given("four words of yours"));
        assert_eq!(exit(wrong), Some(Exit::Auth));
        let mut other = value.clone();
        other["log"] = to_json(&log(2)).unwrap();
        let wrong = Moving::open(other, given(passphrase));
        assert_eq!(exit(wrong), Some(Exit::Store));
        let mut newer = value.clone();
        newer["tau_identity"] = 2.into();
        let error = Moving::open(newer, given(passphrase)).err().unwrap();
        assert!(error.message.contains("format 2"), "{error:?}");
        let mut altered = value;
        altered["log"]["events"][0]["seq"] = 1.into();
        assert_eq!(
            exit(Moving::open(altered, given(passphrase))),
            Some(Exit::Store)
        );
    }

    #[test]
    fn a_file_of_another_format_is_named_as_such() {
        let newer = br#"{"v":7,"key":{},"seed":{},"log":{}}"#;
        let error = Content::parse(newer).err().unwrap();
        assert!(error.message.contains("format 7"), "{error:?}");
        for damaged in [&b""[..], b"{}", b"[]", br#"{"v":1}"#, b"\xff"] {
            assert_eq!(exit(Content::parse(damaged)), Some(Exit::Store));
        }
    }
}
