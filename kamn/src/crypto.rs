//! The primitives that messages are sealed with, as the libraries give them.

use alloc::vec::Vec;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of the tag at the end of a ciphertext.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a nonce of XChaCha20-Poly1305.
pub(crate) const NONCE_BYTES: usize = 24;

/// HKDF-SHA256 (RFC 5869), extract and expand.
pub(crate) fn hkdf<const N: usize>(
    salt: Option<&[u8]>,
    secret: &[u8],
    info: &[u8],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "RFC 5869 ends at 255 blocks") };
    let mut out = Zeroizing::new([0; N]);
    let done = Hkdf::<Sha256>::new(salt, secret).expand(info, out.as_mut_slice());
    debug_assert!(done.is_ok(), "the length was checked above");
    out
}

/// HMAC-SHA256 (RFC 2104).
pub(crate) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    keyed(key, message).finalize().into_bytes().into()
}

/// Whether `tag` is the HMAC-SHA256 of `message`, in the same time whatever differs.
pub(crate) fn hmac_fits(key: &[u8; 32], message: &[u8], tag: &[u8]) -> bool {
    keyed(key, message).verify_slice(tag).is_ok()
}

fn keyed(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    // A key shorter than a block is one that ends in zeros.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    mac.update(message);
    mac
}

/// XChaCha20-Poly1305: the ciphertext with its tag at the end; `None` only beyond 256 GiB.
pub(crate) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    XChaCha20Poly1305::new(&(*key).into())
        .encrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: plaintext,
                aad,
            },
        )
        .ok()
}

/// The plaintext of what [`encrypt`] made, `None` when one bit of anything is another.
pub(crate) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    XChaCha20Poly1305::new(&(*key).into())
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: ciphertext,
                aad,
            },
        )
        .ok()
        .map(Zeroizing::new)
}

/// The first 24 bytes of a hash, as a nonce.
pub(crate) fn nonce_of(hash: &[u8; 32]) -> [u8; NONCE_BYTES] {
    core::array::from_fn(|at| hash[at])
}

/// The `N` bytes from `start`, which must be inside.
pub(crate) fn part<const N: usize>(bytes: &[u8], start: usize) -> Zeroizing<[u8; N]> {
    Zeroizing::new(core::array::from_fn(|at| bytes[start + at]))
}

#[cfg(test)]
mod tests;
