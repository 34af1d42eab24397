//! Reading a bundle to its end: verified, opened, and what is wanted of it kept.

use alloc::{string::String, vec::Vec};
use tau_core::{
    bundle::{BundleError, ContentKey, Kdf, Limits, Lock, Manifest, Next, Part, PartName, Reader},
    session::StoreError,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::seal::open;
use crate::Signer;

/// A bundle that was read to its end, every byte of it as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its manifest.
    pub manifest: Manifest,
    /// What was wanted of it, in order.
    pub parts: Vec<Part>,
    /// Whether it was sealed.
    pub was_sealed: bool,
}

/// Why a bundle was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is not whole, or not what its author signed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The file did not give it.
    #[error("{0}")]
    File(String),
    /// It is sealed with a passphrase, and there is none.
    #[error("it is sealed with a passphrase")]
    Passphrase,
    /// It is sealed for other agents.
    #[error("it is not sealed for {did}")]
    NotForUs {
        /// Who would read it.
        did: String,
    },
    /// It is sealed for agents, and there is none here.
    #[error("it is sealed for agents, and this home has no identity")]
    NoIdentity,
    /// The agent's key does not open it.
    #[error("the agent's key does not open it: {0}")]
    Key(String),
}

impl ReadError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Bundle(error) => error.reason_code(),
            Self::File(_) => "bundle_unreadable",
            Self::Passphrase => "bundle_passphrase_missing",
            Self::NotForUs { .. } => "not_a_recipient",
            Self::NoIdentity => "identity_missing",
            Self::Key(_) => "decryption_failed",
        }
    }

    /// The part that is to blame, in words.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Bundle(error) => Some(alloc::format!("{}", error.place)),
            _ => None,
        }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::File(alloc::format!("{error}"))
    }
}

/// Reads a bundle that `next` gives piece by piece, in the end an empty one. A sealed one is opened
/// by `signer`, or with the key that `derive` makes of a passphrase. Parts that are not `wanted` are
/// verified and let go; `told` hears of each part.
pub async fn read(
    mut next: impl FnMut() -> Result<Vec<u8>, ReadError>,
    signer: Option<&impl Signer>,
    mut derive: impl FnMut(&Kdf) -> Result<Zeroizing<[u8; 32]>, ReadError>,
    limits: Limits,
    wanted: impl Fn(&PartName) -> bool,
    mut told: impl FnMut(&PartName, usize),
) -> Result<Whole, ReadError> {
    let mut reader = Reader::new(limits);
    let mut manifest = None;
    let mut parts = Vec::new();
    let mut was_sealed = false;
    loop {
        match reader.next()? {
            Next::More => {
                let piece = next()?;
                if piece.is_empty() {
                    reader.finish()?;
                    return Err(ReadError::File("it ended where it began".into()));
                }
                reader.push(&piece);
            }
            Next::Locked(lock) => {
                was_sealed = true;
                let key = match (&*lock, signer) {
                    (Lock::Passphrase { kdf, .. }, _) => {
                        let content = lock.open_by_passphrase(derive(kdf)?)?;
                        ContentKey::new(content, &lock)
                    }
                    (Lock::Recipients(_), Some(signer)) => open(signer, &lock).await?,
                    (Lock::Recipients(_), None) => return Err(ReadError::NoIdentity),
                };
                reader.unlock(key)?;
            }
            Next::Manifest(read) => manifest = Some(*read),
            Next::Part(part) => {
                told(&part.name, part.content.len());
                if wanted(&part.name) {
                    parts.push(part);
                }
            }
            Next::End => {
                let piece = next()?;
                if !piece.is_empty() {
                    reader.push(&piece);
                    continue;
                }
                reader.finish()?;
                let Some(manifest) = manifest else {
                    return Err(ReadError::File("it has no manifest".into()));
                };
                return Ok(Whole {
                    manifest,
                    parts,
                    was_sealed,
                });
            }
        }
    }
}
