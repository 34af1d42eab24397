//! All keys of an agent from one seed, so that one secret is kept and the others are made again.
//!
//! HKDF-SHA256 with the salt `kamn:key-tree:v1` and the role and number as info: keys of different
//! roles or numbers tell nothing about each other.

use alloc::format;
use core::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::{AgreementSecret, SigningKey};

const SALT: &[u8] = b"kamn:key-tree:v1";

/// The keys of one agent. Wiped when dropped; never copied, shown or serialised.
pub struct KeyTree(Zeroizing<[u8; 32]>);

impl KeyTree {
    /// The keys that follow from `seed`, which must come from a cryptographically secure source.
    ///
    /// Wiping `seed` is the caller's business.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*seed))
    }

    /// The identity key of that number: 0 is the one of the inception, to which the DID is bound.
    #[must_use]
    pub fn identity(&self, number: u32) -> SigningKey {
        SigningKey::from_seed(&self.derive("identity", number))
    }

    /// The key that signs messages as `#keys-<number>`; the first is 1.
    #[must_use]
    pub fn signing(&self, number: u32) -> SigningKey {
        SigningKey::from_seed(&self.derive("signing", number))
    }

    /// The key that agrees on secrets as `#key-agreement-<number>`; the first is 1.
    #[must_use]
    pub fn agreement(&self, number: u32) -> AgreementSecret {
        AgreementSecret::from_bytes(&self.derive("agreement", number))
    }

    fn derive(&self, role: &str, number: u32) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info = format!("{role}:{number}");
        let tree = Hkdf::<Sha256>::new(Some(SALT), self.0.as_slice());
        let made = tree.expand(info.as_bytes(), key.as_mut_slice());
        debug_assert!(made.is_ok(), "32 bytes are less than HKDF's limit");
        key
    }
}

impl fmt::Debug for KeyTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTree(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_seed_are_those_of_the_check_values() {
        let cases = [
            (
                0x11,
                "z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD",
                "z6MkjdJotaSUcWDQGprX2hXYrE6osHdwofL8E2LSPdhrE11J",
                "z6LScrEE7WZjLt95KqjHs9n8rvwH5xNef2X1mgu4AFsJbWej",
            ),
            (
                0x22,
                "z6MkuCapRGjZKicf96KZYhZrqR7us7SpfmDsL43Vx8NwqF2q",
                "z6Mku2t4XsiqSbsWvvoWF7Spf1P8Fo8J2jzDbgTSKq3kHgS4",
                "z6LSobnhQVrS25ahvroBvVoMk2xJ5Z6ttq8YGfEy2LW46cA2",
            ),
        ];
        for (byte, identity, signing, agreement) in cases {
            let tree = KeyTree::from_seed(&[byte; 32]);
            assert_eq!(tree.identity(0).public_key().to_multikey(), identity);
            assert_eq!(tree.signing(1).public_key().to_multikey(), signing);
            assert_eq!(tree.agreement(1).public_key().to_multikey(), agreement);
            assert_ne!(tree.identity(1).public_key(), tree.signing(1).public_key());
        }
    }

    #[test]
    fn tree_shows_no_secret() {
        let shown = format!("{:?}", KeyTree::from_seed(&[0x5a; 32]));
        assert_eq!(shown, "KeyTree(secret)");
    }
}
