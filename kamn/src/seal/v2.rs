//! The sealing KAMN has had so far, for messages of those who still use it.
//!
//! One key between two static keys, in both directions, for ever: whoever learns either secret reads
//! everything, also what was sent before. New messages are sealed with [`super::seal`]. Neither the
//! keys derived from one seed that all share nor the nonces made of a counter alone (version 1) are
//! here: with the latter, two messages give away the difference of their plaintexts.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Route, SealError, aad, check_route, nonce24};
use crate::{
    crypto::{decrypt, encrypt, hkdf},
    key::{AgreementKey, AgreementSecret},
};

const SALT: &[u8] = b"kamn:direct-message:aead-key:hkdf-salt:v2";
const INFO: &[u8] = b"kamn:direct-message:aead-key:hkdf-info:v2";

/// Seals for a recipient who reads version 2 alone. The caller must never use a nonce of a route twice:
/// the key is always the same.
pub fn seal(
    route: &Route<'_>,
    sender: &AgreementSecret,
    recipient: &AgreementKey,
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    check_route(route)?;
    if plaintext.is_empty() {
        return Err(SealError::EmptyPlaintext);
    }
    let key = key_of(&*sender.agree(recipient)?);
    encrypt(&key, &nonce24(route), &aad(route), plaintext).ok_or(SealError::Tag)
}

/// Opens ciphertext and tag, the tag at the end.
pub fn open(
    route: &Route<'_>,
    recipient: &AgreementSecret,
    sender: &AgreementKey,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    check_route(route)?;
    let key = key_of(&*recipient.agree(sender)?);
    decrypt(&key, &nonce24(route), &aad(route), ciphertext).ok_or(SealError::Tag)
}

fn key_of(shared: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    hkdf(Some(SALT), shared, INFO)
}
