//! The secret half of an X25519 key, and what two parties agree on with it.

use core::fmt;

use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::AgreementKey;
use crate::error::Error;

/// A key that agrees on secrets. Wiped when dropped; never copied, shown or serialised.
pub struct AgreementSecret(StaticSecret);

impl AgreementSecret {
    /// The key of 32 bytes, which must come from a cryptographically secure source. They are clamped
    /// when they are used, as RFC 7748 has it.
    ///
    /// Wiping `bytes` is the caller's business.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// Its bytes, to be sealed and put away.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> AgreementKey {
        AgreementKey(x25519_dalek::PublicKey::from(&self.0).to_bytes())
    }

    /// What this key and `other` have in common. Fails where `other` is of small order, which would
    /// make the result the same for every secret: all zero.
    pub fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, Error> {
        let shared = self
            .0
            .diffie_hellman(&x25519_dalek::PublicKey::from(other.to_bytes()));
        if !shared.was_contributory() {
            return Err(Error::PublicKey {
                what: "X25519",
                why: "of small order",
            });
        }
        Ok(Zeroizing::new(*shared.as_bytes()))
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementSecret(secret of {:?})", self.public_key())
    }
}
