//! Sealed messages without a session: for one recipient, or for several.
//!
//! ```text
//!   z   = X25519(e, R) ‖ X25519(S, R)             e: fresh for this message, S: the sender's static key
//!   key = HKDF-SHA256(salt v3, z, info v3 ‖ both key references ‖ E ‖ S ‖ R)
//!   one recipient:  ciphertext = XChaCha20-Poly1305(key, plaintext)
//!   several:        ciphertext = XChaCha20-Poly1305(random CEK, plaintext), the CEK sealed for each
//! ```
//!
//! Invariants: a message can be opened by a holder of `R` alone, and only under the references, nonce
//! and keys it was sealed with; nothing of a plaintext is returned before its tag has been checked.
//! Whoever opens it knows that a holder of `S` sealed it, and could have sealed it himself: what tells
//! third parties who sent it is the signature over the envelope around it. A nonce may come again only
//! with another ephemeral key; refusing a message that was seen before is the guard's business.

mod body;
pub mod pieces;
mod several;
pub mod v2;

pub use body::SealedBody;
pub use several::{
    RECIPIENT_LIMIT, Recipient, open_for, open_for_agreed, seal_for, seal_for_agreed,
};

use alloc::{format, string::String, vec::Vec};
use core::fmt;
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use crate::{
    bytes::{push_lp, sha256},
    crypto::{NONCE_BYTES, decrypt, encrypt, hkdf, nonce_of},
    error::{Error, beginning},
    key::{AgreementKey, AgreementSecret},
};

/// What an envelope's `encryption.algorithm` says.
pub const ALGORITHM: &str = "X25519-XChaCha20-Poly1305";

/// The mark every reference to an agreement key has.
const KEY_REF_MARK: &str = "#key-agreement";
const KEY_REF_LIMIT_BYTES: usize = 512;
const SALT: &[u8] = b"kamn:direct-message:aead-key:hkdf-salt:v3";
const INFO: &[u8] = b"kamn:direct-message:aead-key:hkdf-info:v3";

/// Why a message is not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum SealError {
    /// There is nothing to seal.
    #[error("an empty plaintext is not sealed")]
    EmptyPlaintext,
    /// Nonces begin at one.
    #[error("nonce 0 is not used")]
    ZeroNonce,
    /// A reference that names no agreement key.
    #[error("{key_ref:?} is no reference to an agreement key")]
    KeyRef {
        /// The beginning of what was given.
        key_ref: String,
    },
    /// A key that is refused.
    #[error(transparent)]
    Key(#[from] Error),
    /// Key, nonce, references or ciphertext are not those it was sealed with.
    #[error("the message does not open: another key, nonce or sender, or changed bytes")]
    Tag,
    /// Nobody, too many, or the same twice.
    #[error("{found} recipients: 1 to {RECIPIENT_LIMIT} different ones are sealed for")]
    Recipients {
        /// How many different ones there are.
        found: usize,
    },
    /// The message was not sealed for this key.
    #[error("the message was not sealed for {key_ref:?}")]
    NotRecipient {
        /// The beginning of the reference.
        key_ref: String,
    },
    /// An envelope's body that is no sealed one.
    #[error("body entry {entry:?}: {why}")]
    Body {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The algorithm is none that is offered.
    #[error("algorithm {found:?} is not {ALGORITHM}")]
    Algorithm {
        /// The beginning of what was given.
        found: String,
    },
}

impl SealError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::EmptyPlaintext => "empty_plaintext",
            Self::ZeroNonce => "nonce_invalid",
            Self::KeyRef { .. } => "key_ref_invalid",
            Self::Key(error) => error.reason_code(),
            Self::Tag => "decryption_failed",
            Self::Recipients { .. } => "recipients_invalid",
            Self::NotRecipient { .. } => "not_a_recipient",
            Self::Body { .. } => "sealed_body_invalid",
            Self::Algorithm { .. } => "encryption_algorithm_unsupported",
        }
    }
}

/// Between which keys a message goes, and its number: what is authenticated beside the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The sender's static agreement key, `<did>#key-agreement-N`.
    pub sender_ref: &'a str,
    /// The recipient's, likewise.
    pub recipient_ref: &'a str,
    /// The nonce of the envelope, from 1.
    pub nonce: u64,
}

/// A message sealed for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The public half of the key made for this message.
    pub ephemeral: AgreementKey,
    /// The ciphertext, its 16-byte tag at the end.
    pub ciphertext: Vec<u8>,
}

/// Seals `plaintext` for the holder of `recipient`.
///
/// `ephemeral` must be fresh and from a cryptographically secure source; it is wiped here. Fails on an
/// empty plaintext, nonce 0, a reference without `#key-agreement`, or a recipient key of small order.
pub fn seal(
    route: &Route<'_>,
    sender: &AgreementSecret,
    recipient: &AgreementKey,
    ephemeral: AgreementSecret,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    let sender = Static {
        key: &sender.public_key(),
        agreed: &*sender.agree(recipient)?,
    };
    seal_agreed(route, sender, recipient, ephemeral, plaintext)
}

/// A sender's static agreement key whose secret half is elsewhere.
#[derive(Clone, Copy)]
pub struct Static<'a> {
    /// The public half.
    pub key: &'a AgreementKey,
    /// What it has in common with the recipient's key.
    pub agreed: &'a [u8; 32],
}

impl fmt::Debug for Static<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Static({:?}, secret)", self.key)
    }
}

/// [`seal`] where the sender's secret key is elsewhere.
pub fn seal_agreed(
    route: &Route<'_>,
    sender: Static<'_>,
    recipient: &AgreementKey,
    ephemeral: AgreementSecret,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    if plaintext.is_empty() {
        return Err(SealError::EmptyPlaintext);
    }
    let ciphertext = seal_with(route, sender, recipient, &ephemeral, plaintext)?;
    Ok(Sealed {
        ephemeral: ephemeral.public_key(),
        ciphertext,
    })
}

/// Opens what [`seal`] made on this route. `sender` is the key that `sender_ref` names, as the
/// sender's document has it.
pub fn open(
    route: &Route<'_>,
    recipient: &AgreementSecret,
    sender: &AgreementKey,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    check_route(route)?;
    let opener = Opener {
        key: &recipient.public_key(),
        with_ephemeral: &*recipient.agree(&sealed.ephemeral)?,
        with_sender: &*recipient.agree(sender)?,
    };
    open_agreed(route, opener, sender, sealed)
}

/// A recipient's static agreement key whose secret half is elsewhere.
#[derive(Clone, Copy)]
pub struct Opener<'a> {
    /// The public half.
    pub key: &'a AgreementKey,
    /// What it has in common with the key made for the message.
    pub with_ephemeral: &'a [u8; 32],
    /// What it has in common with the sender's static key.
    pub with_sender: &'a [u8; 32],
}

impl fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?}, secrets)", self.key)
    }
}

/// [`open`] where the recipient's secret key is elsewhere.
pub fn open_agreed(
    route: &Route<'_>,
    recipient: Opener<'_>,
    sender: &AgreementKey,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    check_route(route)?;
    let public = [
        sealed.ephemeral.to_bytes(),
        sender.to_bytes(),
        recipient.key.to_bytes(),
    ];
    let key = key_of(
        route,
        recipient.with_ephemeral,
        recipient.with_sender,
        &public,
    );
    decrypt(&key, &nonce24(route), &aad(route), &sealed.ciphertext).ok_or(SealError::Tag)
}

/// The ciphertext alone: several recipients share one ephemeral key.
fn seal_with(
    route: &Route<'_>,
    sender: Static<'_>,
    recipient: &AgreementKey,
    ephemeral: &AgreementSecret,
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    check_route(route)?;
    let public = [
        ephemeral.public_key().to_bytes(),
        sender.key.to_bytes(),
        recipient.to_bytes(),
    ];
    let key = key_of(route, &*ephemeral.agree(recipient)?, sender.agreed, &public);
    encrypt(&key, &nonce24(route), &aad(route), plaintext).ok_or(SealError::Tag)
}

fn key_of(
    route: &Route<'_>,
    ephemeral: &[u8; 32],
    fixed: &[u8; 32],
    public: &[[u8; 32]; 3],
) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 64]);
    secret[..32].copy_from_slice(ephemeral);
    secret[32..].copy_from_slice(fixed);
    let mut info = Vec::from(INFO);
    push_lp(&mut info, route.sender_ref.as_bytes());
    push_lp(&mut info, route.recipient_ref.as_bytes());
    for key in public {
        push_lp(&mut info, key);
    }
    hkdf(Some(SALT), secret.as_slice(), &info)
}

fn check_route(route: &Route<'_>) -> Result<(), SealError> {
    check_ref(route.sender_ref)?;
    check_ref(route.recipient_ref)?;
    if route.nonce == 0 {
        return Err(SealError::ZeroNonce);
    }
    Ok(())
}

/// A reference is separated from the next by `|` and a zero byte, so it has neither.
fn check_ref(key_ref: &str) -> Result<(), SealError> {
    let is_usable = key_ref.len() <= KEY_REF_LIMIT_BYTES
        && key_ref
            .split_once(KEY_REF_MARK)
            .is_some_and(|(did, _)| !did.is_empty())
        && key_ref.bytes().all(|b| b.is_ascii_graphic() && b != b'|');
    if is_usable {
        Ok(())
    } else {
        Err(SealError::KeyRef {
            key_ref: beginning(key_ref),
        })
    }
}

fn nonce24(route: &Route<'_>) -> [u8; NONCE_BYTES] {
    let parts: [&[u8]; 6] = [
        b"kamn:direct-message:nonce:v2:",
        route.sender_ref.as_bytes(),
        &[0],
        route.recipient_ref.as_bytes(),
        &[0],
        &route.nonce.to_le_bytes(),
    ];
    nonce_of(&sha256(&parts.concat()))
}

fn aad(route: &Route<'_>) -> Vec<u8> {
    format!(
        "X25519|XChaCha20-Poly1305|{}|{}|{}",
        route.sender_ref, route.recipient_ref, route.nonce
    )
    .into_bytes()
}

#[cfg(test)]
mod tests;
