//! The pieces of one file, sealed under one key that is used for nothing else.
//!
//! Each piece is XChaCha20-Poly1305 with its number as the nonce. That is safe because a key seals
//! one file: the same number is never used twice under it. What a piece is called and which file it
//! belongs to is authenticated beside it, so pieces change neither places nor files.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::SealError;
use crate::crypto::{NONCE_BYTES, TAG_BYTES, decrypt, encrypt};

/// Bytes that a sealed piece has more than an open one.
pub const OVERHEAD_BYTES: usize = TAG_BYTES;

/// The key of one file. Wiped when dropped; never shown.
pub struct PieceKey(Zeroizing<[u8; 32]>);

impl PieceKey {
    /// The key of these bytes: fresh ones from a cryptographically secure source, for what is sealed.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be sealed themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals the piece `number`; the caller gives each number of a file once.
    pub fn seal(&self, number: u64, beside: &[u8], piece: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(&self.0, &nonce(number), beside, piece).ok_or(SealError::Tag)
    }

    /// Opens what [`PieceKey::seal`] made of that number beside the same.
    pub fn open(&self, number: u64, beside: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut piece = decrypt(&self.0, &nonce(number), beside, sealed).ok_or(SealError::Tag)?;
        Ok(core::mem::take(&mut *piece))
    }
}

impl fmt::Debug for PieceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PieceKey(secret)")
    }
}

fn nonce(number: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[NONCE_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_opens_in_its_place_alone() {
        let key = PieceKey::new(Zeroizing::new([7; 32]));
        let sealed = key.seal(3, b"name", b"what it says").unwrap();
        assert_eq!(sealed.len(), 12 + OVERHEAD_BYTES);
        assert_eq!(key.open(3, b"name", &sealed).unwrap(), b"what it says");
        let other = PieceKey::new(Zeroizing::new([8; 32]));
        for refused in [
            key.open(4, b"name", &sealed),
            key.open(3, b"other", &sealed),
            key.open(3, b"name", &sealed[1..]),
            other.open(3, b"name", &sealed),
        ] {
            assert_eq!(refused, Err(SealError::Tag));
        }
        // An empty piece is one, too: its tag says that it is empty.
        let empty = key.seal(4, b"", b"").unwrap();
        assert_eq!(key.open(4, b"", &empty).unwrap(), b"");
    }
}
