//! Making a bundle: signed by the agent, and sealed where that is asked for.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    bundle::{
        BundleError, ContentKey, Draft, Kdf, Left, Listed, Lock, Manifest, PartName, Recipients,
        Writer,
    },
    ids::UnixMillis,
};
use tau_kamn::{
    AgreementKey, AgreementSecret,
    kel::KeyLog,
    seal::{Opener, Recipient, SealError, Static, open_for_agreed, seal_for_agreed},
    time::Timestamp,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Entropy, EntropyError, Signer, SignerError};

/// The number of a content's key among what was sealed with one fresh key: there is no other.
const NONCE: u64 = 1;

/// How a bundle is sealed.
#[derive(Debug)]
pub enum Seal {
    /// Not at all: it is signed and can be read by anyone.
    Open,
    /// With a key that follows from a passphrase by `kdf`.
    Passphrase {
        /// How.
        kdf: Kdf,
        /// The key.
        derived: Zeroizing<[u8; 32]>,
    },
    /// For the agents of these logs.
    Agents(Vec<KeyLog>),
}

/// Why no bundle was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MakeError {
    /// It is not one.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The agent does not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// It cannot be sealed.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// An agent it is to be sealed for has no key for that.
    #[error("{did} has no agreement key that counts: {why}")]
    Recipient {
        /// Which.
        did: String,
        /// Why.
        why: String,
    },
    /// The clock is wrong.
    #[error("{0}")]
    Clock(String),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// A bundle that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Makes a bundle of `parts`, in order. Those that `since` or what it was made since has as they are
/// stay out.
pub async fn make(
    signer: &impl Signer,
    parts: Vec<(PartName, Vec<u8>)>,
    since: Option<&Manifest>,
    seal: Seal,
    entropy: &impl Entropy,
    now: UnixMillis,
) -> Result<Made, MakeError> {
    let created =
        Timestamp::from_unix_ms(now.0).map_err(|error| MakeError::Clock(error.to_string()))?;
    let (mut listed, mut contents, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for (name, content) in parts {
        let part = Listed::of(name, &content);
        if since.is_some_and(|since| has(since, &part)) {
            let Listed { name, sha256, .. } = part;
            unchanged.push(Left { name, sha256 });
        } else {
            listed.push(part);
            contents.push(content);
        }
    }
    let locked = lock(signer, seal, entropy).await?;
    let sealed_for: BTreeSet<String> = match &locked {
        Some((lock, _)) => lock.key_refs(),
        None => BTreeSet::new(),
    };
    let draft = Draft {
        log: signer.log().clone(),
        created,
        base: since.map(|since| *since.id()),
        sealed_for,
        parts: listed,
        unchanged,
    };
    let signature = signer.sign(&draft.to_signed_bytes()?).await?;
    let manifest = draft.signed(signature)?;
    let (mut writer, mut bytes) = match locked {
        None => Writer::open(&manifest)?,
        Some((lock, key)) => Writer::sealed(&manifest, &lock, key)?,
    };
    for content in contents {
        bytes.extend_from_slice(&writer.part(&content)?);
    }
    Ok(Made { manifest, bytes })
}

fn has(since: &Manifest, part: &Listed) -> bool {
    let is_same = |name: &PartName, sha256: &[u8; 32]| *name == part.name && *sha256 == part.sha256;
    let draft = since.draft();
    draft
        .parts
        .iter()
        .any(|had| is_same(&had.name, &had.sha256))
        || draft
            .unchanged
            .iter()
            .any(|had| is_same(&had.name, &had.sha256))
}

async fn lock(
    signer: &impl Signer,
    seal: Seal,
    entropy: &impl Entropy,
) -> Result<Option<(Lock, ContentKey)>, MakeError> {
    let fresh = || -> Result<Zeroizing<[u8; 32]>, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(bytes)
    };
    let (lock, content) = match seal {
        Seal::Open => return Ok(None),
        Seal::Passphrase { kdf, derived } => {
            let content = fresh()?;
            (Lock::by_passphrase(kdf, derived, &content)?, content)
        }
        Seal::Agents(logs) => {
            let content = fresh()?;
            let ephemeral = AgreementSecret::from_bytes(&*fresh()?);
            let lock = for_agents(signer, &logs, ephemeral, fresh()?, content.as_slice()).await?;
            (lock, content)
        }
    };
    let key = ContentKey::new(content, &lock);
    Ok(Some((lock, key)))
}

async fn for_agents(
    signer: &impl Signer,
    logs: &[KeyLog],
    ephemeral: AgreementSecret,
    wrapping: Zeroizing<[u8; 32]>,
    content: &[u8],
) -> Result<Lock, MakeError> {
    let (did, sender_ref, sender) = agreement(signer.log())?;
    let mut recipients = Vec::new();
    for log in logs {
        let (_, key_ref, key) = agreement(log)?;
        let agreed = signer.agree(&key).await?;
        recipients.push((key_ref, key, agreed));
    }
    let each: Vec<_> = recipients
        .iter()
        .map(|(key_ref, key, agreed)| {
            let key_of_sender = Static {
                key: &sender,
                agreed,
            };
            (Recipient { key_ref, key }, key_of_sender)
        })
        .collect();
    let body = seal_for_agreed(&sender_ref, NONCE, &each, ephemeral, wrapping, content)?;
    Ok(Lock::Recipients(Recipients { did, sender, body }))
}

/// Whose log it is, and the agreement key that counts now with its name.
fn agreement(log: &KeyLog) -> Result<(String, String, AgreementKey), MakeError> {
    let did = log.unchecked_state().did().as_kamn();
    let missing = |why: String| MakeError::Recipient {
        did: did.clone(),
        why,
    };
    let state = log.state().map_err(|error| missing(error.to_string()))?;
    let Some((fragment, key)) = state.current_agreement() else {
        return Err(missing("it was revoked".into()));
    };
    Ok((did.clone(), format!("{did}#{fragment}"), *key))
}

/// The content's key, opened by `signer`.
pub(super) async fn open(
    signer: &impl Signer,
    lock: &Lock,
) -> Result<ContentKey, super::ReadError> {
    let Lock::Recipients(recipients) = lock else {
        return Err(super::ReadError::Passphrase);
    };
    let (did, key_ref, key) = match agreement(signer.log()) {
        Ok(own) => own,
        Err(error) => return Err(super::ReadError::Key(error.to_string())),
    };
    if !recipients.body.wraps.contains_key(&key_ref) {
        let all = recipients.body.wraps.keys();
        let is_older = all
            .into_iter()
            .any(|key_ref| key_ref.starts_with(&format!("{did}#")));
        return Err(match is_older {
            true => super::ReadError::Key("it was sealed for a key that was replaced since".into()),
            false => super::ReadError::NotForUs { did },
        });
    }
    let failed = |error: SignerError| super::ReadError::Key(error.to_string());
    let with_ephemeral = signer
        .agree(&recipients.body.sealed.ephemeral)
        .await
        .map_err(failed)?;
    let with_sender = signer.agree(&recipients.sender).await.map_err(failed)?;
    let opener = Opener {
        key: &key,
        with_ephemeral: &with_ephemeral,
        with_sender: &with_sender,
    };
    let opened = open_for_agreed(
        &key_ref,
        NONCE,
        opener,
        &recipients.sender,
        &recipients.body,
    );
    let opened = opened.map_err(|error| super::ReadError::Key(error.to_string()))?;
    Ok(ContentKey::of_opened(&opened, lock)?)
}
