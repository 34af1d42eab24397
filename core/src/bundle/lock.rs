//! The lock of a sealed bundle: what its first line says of who can open it.
//!
//! The content's key is sealed for each recipient, or under a key that follows from a passphrase. The
//! line is authenticated beside every part, so no byte of it can be another.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tau_kamn::{
    AgreementKey,
    bytes::{push_lp, sha256},
    jcs::{self, Fields, Object, Value},
    seal::{SealedBody, pieces::PieceKey},
};
use zeroize::Zeroizing;

use super::{
    BundleError, LINE_LIMIT_BYTES, Place, Reason,
    manifest::{check_version, version},
};

/// What parts are authenticated under.
const DOMAIN: &[u8] = b"kamn:bundle:sealed:v1\0";
/// What a content's key is sealed with a passphrase under.
const WRAP_DOMAIN: &[u8] = b"kamn:bundle:passphrase:v1\0";
const SALT_BYTES: usize = 16;
/// A bundle from elsewhere cannot have a machine work for hours: 1 GiB.
const MEMORY_LIMIT_KIB: u64 = 1 << 20;
const PASSES_LIMIT: u64 = 64;
const LANES_LIMIT: u64 = 16;

/// Who can open a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Agents, each with its agreement key.
    Recipients(Recipients),
    /// Whoever knows a passphrase.
    Passphrase {
        /// How a key is made of it.
        kdf: Kdf,
        /// The content's key, sealed with that.
        wrap: Vec<u8>,
    },
}

/// A content's key, sealed for agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    /// The author, who sealed it.
    pub did: String,
    /// The author's agreement key, which the manifest has to confirm.
    pub sender: AgreementKey,
    /// The key, sealed.
    pub body: SealedBody,
}

/// How a key is made of a passphrase: Argon2id (RFC 9106).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kdf {
    /// So that the same passphrase gives another key elsewhere.
    pub salt: [u8; SALT_BYTES],
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes that can be filled at the same time.
    pub lanes: u32,
}

/// The key of a bundle's content, and the line it belongs to. Wiped when dropped.
#[derive(Debug)]
pub struct ContentKey {
    key: PieceKey,
    line: [u8; 32],
}

impl Lock {
    /// Locks with a key that follows from a passphrase by `kdf`. `content` is fresh.
    pub fn by_passphrase(
        kdf: Kdf,
        derived: Zeroizing<[u8; 32]>,
        content: &[u8; 32],
    ) -> Result<Self, BundleError> {
        let wrap = PieceKey::new(derived).seal(0, WRAP_DOMAIN, content);
        Ok(Self::Passphrase {
            kdf,
            wrap: wrap.map_err(BundleError::lock)?,
        })
    }

    /// The content's key, of a key that follows from a passphrase by this lock's [`Kdf`].
    pub fn open_by_passphrase(
        &self,
        derived: Zeroizing<[u8; 32]>,
    ) -> Result<Zeroizing<[u8; 32]>, BundleError> {
        let Self::Passphrase { wrap, .. } = self else {
            return Err(BundleError::lock(Reason::Order(
                "it is sealed for agents, not with a passphrase",
            )));
        };
        let content = PieceKey::new(derived)
            .open(0, WRAP_DOMAIN, wrap)
            .map_err(BundleError::lock)?;
        to_key(&content)
    }

    /// The keys that open it; none where it is a passphrase.
    #[must_use]
    pub fn key_refs(&self) -> BTreeSet<String> {
        match self {
            Self::Passphrase { .. } => BTreeSet::new(),
            Self::Recipients(Recipients { body, .. }) => body.wraps.keys().cloned().collect(),
        }
    }

    /// The line it is, with the line's end.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let object = Object::new().with("agent_bundle", version());
        let object = match self {
            Self::Recipients(Recipients { did, sender, body }) => {
                let mut entries = Object::new();
                for (name, value) in body.to_entries() {
                    entries.set(&name, value);
                }
                object
                    .with("did", did.as_str())
                    .with("sender", sender.to_multikey())
                    .with("lock", entries)
            }
            Self::Passphrase { kdf, wrap } => {
                let argon2id = Object::new()
                    .with("salt", URL_SAFE_NO_PAD.encode(kdf.salt))
                    .with("memory_kib", kdf.memory_kib)
                    .with("passes", kdf.passes)
                    .with("lanes", kdf.lanes);
                let lock = Object::new()
                    .with("argon2id", argon2id)
                    .with("wrap", URL_SAFE_NO_PAD.encode(wrap));
                object.with("lock", lock)
            }
        };
        let mut line = Value::from(object).to_canonical().into_bytes();
        line.push(b'\n');
        line
    }

    /// Whether that line is a lock, and not a manifest.
    pub(super) fn is_one(value: &Value) -> bool {
        let object = value.as_object();
        object.is_some_and(|object| object.get("lock").is_some())
    }

    /// Reads the line, without its end.
    pub fn read(line: &[u8]) -> Result<Self, BundleError> {
        let value = jcs::parse(line, LINE_LIMIT_BYTES).map_err(BundleError::lock)?;
        let mut fields = Fields::of("lock", value).map_err(BundleError::lock)?;
        check_version(&mut fields).map_err(BundleError::lock)?;
        let json = |error: jcs::Error| BundleError::lock(error);
        let lock = match fields.optional_string("did").map_err(json)? {
            Some(did) => {
                let sender = fields.string("sender").map_err(json)?;
                let sender = AgreementKey::from_multikey(&sender)
                    .map_err(|_| wrong("sender", "is no agreement key"))?;
                let body = body(fields.fields("lock", "lock").map_err(json)?)?;
                if body.wraps.is_empty() {
                    return Err(wrong("lock", "is for nobody"));
                }
                Self::Recipients(Recipients { did, sender, body })
            }
            None => passphrase(fields.fields("lock", "lock").map_err(json)?)?,
        };
        fields.end().map_err(json)?;
        let mut written = lock.to_line();
        written.pop();
        match written == line {
            true => Ok(lock),
            false => Err(BundleError::lock(Reason::NotCanonical)),
        }
    }
}

fn body(fields: Fields) -> Result<SealedBody, BundleError> {
    let mut entries = BTreeMap::new();
    for (name, value) in fields.rest() {
        let Some(value) = value.as_str() else {
            return Err(wrong("lock", "holds something other than texts"));
        };
        entries.insert(name, value.into());
    }
    SealedBody::from_entries(&entries).map_err(BundleError::lock)
}

fn passphrase(mut fields: Fields) -> Result<Lock, BundleError> {
    let json = |error: jcs::Error| BundleError::lock(error);
    let wrap = fields.string("wrap").map_err(json)?;
    let mut kdf = fields.fields("argon2id", "argon2id").map_err(json)?;
    fields.end().map_err(json)?;
    let salt = bytes("salt", &kdf.string("salt").map_err(json)?)?;
    let salt = salt.try_into();
    let mut number = |name, limit| {
        let found = kdf.unsigned(name).map_err(json)?;
        let fits = u32::try_from(found).ok();
        let fits = fits.filter(|found| (1..=limit).contains(&u64::from(*found)));
        fits.ok_or_else(|| wrong(name, "is more work than is done for a file"))
    };
    let lock = Lock::Passphrase {
        kdf: Kdf {
            salt: salt.map_err(|_| wrong("salt", "has not 16 bytes"))?,
            memory_kib: number("memory_kib", MEMORY_LIMIT_KIB)?,
            passes: number("passes", PASSES_LIMIT)?,
            lanes: number("lanes", LANES_LIMIT)?,
        },
        wrap: bytes("wrap", &wrap)?,
    };
    kdf.end().map_err(json)?;
    Ok(lock)
}

impl ContentKey {
    /// The key of what follows `lock`.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>, lock: &Lock) -> Self {
        Self {
            key: PieceKey::new(bytes),
            line: sha256(&lock.to_line()),
        }
    }

    /// The key that opened a body made for it.
    pub fn of_opened(opened: &[u8], lock: &Lock) -> Result<Self, BundleError> {
        Ok(Self::new(to_key(opened)?, lock))
    }

    pub(super) fn seal(
        &self,
        number: u64,
        place: &Place,
        part: &[u8],
    ) -> Result<Vec<u8>, BundleError> {
        let sealed = self.key.seal(number, &self.beside(place), part);
        sealed.map_err(|error| at(place, error))
    }

    pub(super) fn open(
        &self,
        number: u64,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Vec<u8>, BundleError> {
        let opened = self.key.open(number, &self.beside(place), sealed);
        opened.map_err(|error| at(place, error))
    }

    fn beside(&self, place: &Place) -> Vec<u8> {
        let mut beside = Vec::from(DOMAIN);
        push_lp(&mut beside, &self.line);
        push_lp(&mut beside, alloc::format!("{place}").as_bytes());
        beside
    }
}

fn at(place: &Place, error: tau_kamn::seal::SealError) -> BundleError {
    BundleError {
        place: place.clone(),
        reason: error.into(),
    }
}

fn to_key(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, BundleError> {
    let key: Result<[u8; 32], _> = bytes.try_into();
    key.map(Zeroizing::new)
        .map_err(|_| wrong("lock", "seals something other than a key"))
}

fn bytes(what: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| wrong(what, "is not base64url without padding"))
}

fn wrong(member: &'static str, why: &str) -> BundleError {
    let why = why.into();
    BundleError::lock(Reason::Member { member, why })
}
