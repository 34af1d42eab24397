//! One message for several: the content sealed once, its key sealed for each.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use zeroize::Zeroizing;

use super::{
    Opener, Route, SealError, Sealed, SealedBody, Static, check_ref, open_agreed, seal_with,
};
use crate::{
    bytes::{push_lp, sha256},
    crypto::{NONCE_BYTES, decrypt, encrypt, nonce_of},
    error::beginning,
    key::{AgreementKey, AgreementSecret},
};

/// The most recipients of one message: their entries and three others fit a body of 256.
pub const RECIPIENT_LIMIT: usize = 253;

/// Whom a message is sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient<'a> {
    /// The reference, `<did>#key-agreement-N`.
    pub key_ref: &'a str,
    /// The key it names.
    pub key: &'a AgreementKey,
}

/// Seals `plaintext` for every recipient. `cek` and `ephemeral` must be fresh and from a
/// cryptographically secure source.
///
/// Each can open it and sees who else can. None can put another text under the same envelope, since
/// its signature covers the ciphertext.
pub fn seal_for(
    sender_ref: &str,
    nonce: u64,
    sender: &AgreementSecret,
    recipients: &[Recipient<'_>],
    ephemeral: AgreementSecret,
    cek: Zeroizing<[u8; 32]>,
    plaintext: &[u8],
) -> Result<SealedBody, SealError> {
    let mut agreed = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        agreed.push(sender.agree(recipient.key)?);
    }
    let key = sender.public_key();
    let recipients: Vec<_> = recipients
        .iter()
        .zip(&agreed)
        .map(|(recipient, agreed)| {
            let sender = Static { key: &key, agreed };
            (*recipient, sender)
        })
        .collect();
    seal_for_agreed(sender_ref, nonce, &recipients, ephemeral, cek, plaintext)
}

/// [`seal_for`] where the sender's secret key is elsewhere: what it has in common with each recipient
/// stands beside it.
pub fn seal_for_agreed(
    sender_ref: &str,
    nonce: u64,
    recipients: &[(Recipient<'_>, Static<'_>)],
    ephemeral: AgreementSecret,
    cek: Zeroizing<[u8; 32]>,
    plaintext: &[u8],
) -> Result<SealedBody, SealError> {
    if plaintext.is_empty() {
        return Err(SealError::EmptyPlaintext);
    }
    let mut wraps = BTreeMap::new();
    for (recipient, sender) in recipients {
        let route = Route {
            sender_ref,
            recipient_ref: recipient.key_ref,
            nonce,
        };
        let wrap = seal_with(&route, *sender, recipient.key, &ephemeral, cek.as_slice())?;
        wraps.insert(String::from(recipient.key_ref), wrap);
    }
    if wraps.len() != recipients.len() || wraps.is_empty() || wraps.len() > RECIPIENT_LIMIT {
        return Err(SealError::Recipients { found: wraps.len() });
    }
    let (content_nonce, aad) = content(sender_ref, nonce, wraps.keys());
    let ciphertext = encrypt(&cek, &content_nonce, &aad, plaintext).ok_or(SealError::Tag)?;
    Ok(SealedBody {
        sender_ref: sender_ref.into(),
        sealed: Sealed {
            ephemeral: ephemeral.public_key(),
            ciphertext,
        },
        wraps,
    })
}

/// Opens a body as the recipient whose key `recipient_ref` names, whether it was sealed for one or for
/// several.
pub fn open_for(
    recipient_ref: &str,
    nonce: u64,
    recipient: &AgreementSecret,
    sender: &AgreementKey,
    body: &SealedBody,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let opener = Opener {
        key: &recipient.public_key(),
        with_ephemeral: &*recipient.agree(&body.sealed.ephemeral)?,
        with_sender: &*recipient.agree(sender)?,
    };
    open_for_agreed(recipient_ref, nonce, opener, sender, body)
}

/// [`open_for`] where the recipient's secret key is elsewhere.
pub fn open_for_agreed(
    recipient_ref: &str,
    nonce: u64,
    recipient: Opener<'_>,
    sender: &AgreementKey,
    body: &SealedBody,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let route = Route {
        sender_ref: &body.sender_ref,
        recipient_ref,
        nonce,
    };
    if body.wraps.is_empty() {
        return open_agreed(&route, recipient, sender, &body.sealed);
    }
    check_ref(recipient_ref)?;
    let wrap = body
        .wraps
        .get(recipient_ref)
        .ok_or_else(|| SealError::NotRecipient {
            key_ref: beginning(recipient_ref),
        })?;
    let wrapped = Sealed {
        ephemeral: body.sealed.ephemeral,
        ciphertext: wrap.clone(),
    };
    let cek = open_agreed(&route, recipient, sender, &wrapped)?;
    let cek: &[u8; 32] = cek.as_slice().try_into().map_err(|_| SealError::Tag)?;
    let (content_nonce, aad) = content(&body.sender_ref, nonce, body.wraps.keys());
    decrypt(cek, &content_nonce, &aad, &body.sealed.ciphertext).ok_or(SealError::Tag)
}

/// What binds the content to its sender, number and recipients. The key is fresh, so the nonce need
/// not be.
fn content<'a>(
    sender_ref: &str,
    nonce: u64,
    recipient_refs: impl Iterator<Item = &'a String>,
) -> ([u8; NONCE_BYTES], Vec<u8>) {
    let mut aad = Vec::from(b"kamn:several:v1\0");
    push_lp(&mut aad, sender_ref.as_bytes());
    aad.extend_from_slice(&nonce.to_be_bytes());
    for key_ref in recipient_refs {
        push_lp(&mut aad, key_ref.as_bytes());
    }
    let hash = sha256(&[b"kamn:several:nonce:v1:".as_slice(), &aad].concat());
    (nonce_of(&hash), aad)
}
