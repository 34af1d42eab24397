//! Sealing with the data key: XChaCha20-Poly1305, a fresh random nonce each time.
//!
//! Invariant: the key is wiped with its value, and has no `Debug`.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tau_platform::Entropy;
use tau_target_native::SystemEntropy;
use zeroize::Zeroizing;

use crate::exit::Error;

/// Of a key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// A sealed value's length tells only in which of these steps its own lies.
const STEP_BYTES: usize = 64;

/// Something sealed, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// Base64, 24 bytes.
    nonce: String,
    /// Base64: the ciphertext with its tag.
    data: String,
}

/// The key that everything in the store is sealed with.
pub(crate) struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// One that nobody has.
    pub(crate) fn fresh() -> Result<Self, Error> {
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        random(&mut *key.0)?;
        Ok(key)
    }

    /// One that was kept elsewhere; `None` when it is not as long as a key.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// Its bytes, to be kept where nobody else reads them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Seals `plain`, which ends in no zero byte, together with what must stay beside it.
    pub(crate) fn seal(&self, beside: &[u8], plain: &[u8]) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let mut padded = Zeroizing::new(Vec::with_capacity(plain.len() + STEP_BYTES));
        padded.extend_from_slice(plain);
        padded.resize(plain.len().next_multiple_of(STEP_BYTES), 0);
        let payload = Payload {
            msg: &padded,
            aad: beside,
        };
        let data = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let data = data.map_err(|_| Error::internal("a value could not be sealed"))?;
        Ok(Sealed {
            nonce: STANDARD.encode(nonce),
            data: STANDARD.encode(data),
        })
    }

    /// What was sealed; `None` if it was with another key, or it or what is beside it was altered.
    pub(crate) fn open(&self, beside: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = STANDARD.decode(&sealed.nonce).ok()?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let data = STANDARD.decode(&sealed.data).ok()?;
        let payload = Payload {
            msg: &data,
            aad: beside,
        };
        let plain = self.cipher().decrypt(&XNonce::from(nonce), payload).ok()?;
        let mut plain = Zeroizing::new(plain);
        let end = plain.iter().rposition(|byte| *byte != 0);
        plain.truncate(end.map_or(0, |end| end + 1));
        Some(plain)
    }

    /// Tells one value from another. Without the data key it says nothing about the value, not even
    /// to whoever tries values.
    pub(crate) fn fingerprint(&self, value: &str) -> Result<String, Error> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0);
        let mut mac = mac.map_err(|error| Error::internal(error.to_string()))?;
        mac.update(b"tau credential fingerprint\0");
        mac.update(value.as_bytes());
        let tag = mac.finalize().into_bytes();
        Ok(tag
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// Fills `bytes` with what nobody can guess.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Error> {
    SystemEntropy
        .fill(bytes)
        .map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_beside_the_same_and_never_otherwise() {
        let key = DataKey::fresh().unwrap();
        for plain in ["12345678", &"x".repeat(64), &"y".repeat(200)] {
            let sealed = key.seal(b"a", plain.as_bytes()).unwrap();
            assert_eq!(
                key.open(b"a", &sealed).unwrap().as_slice(),
                plain.as_bytes()
            );
            assert!(key.open(b"b", &sealed).is_none());
            assert!(DataKey::fresh().unwrap().open(b"a", &sealed).is_none());
            assert_ne!(key.seal(b"a", plain.as_bytes()).unwrap(), sealed);
            let mut data = STANDARD.decode(&sealed.data).unwrap();
            assert_eq!((data.len() - 16) % STEP_BYTES, 0);
            for at in 0..data.len() {
                data[at] ^= 1;
                let altered = Sealed {
                    data: STANDARD.encode(&data),
                    ..sealed.clone()
                };
                assert!(key.open(b"a", &altered).is_none());
                data[at] ^= 1;
            }
        }
    }

    #[test]
    fn a_fingerprint_needs_the_key() {
        let (one, other) = (DataKey::fresh().unwrap(), DataKey::fresh().unwrap());
        let of = |key: &DataKey, value: &str| key.fingerprint(value).unwrap();
        assert_eq!(of(&one, "value-1"), of(&one, "value-1"));
        assert_ne!(of(&one, "value-1"), of(&one, "value-2"));
        assert_ne!(of(&one, "value-1"), of(&other, "value-1"));
        assert_eq!(of(&one, "value-1").len(), 8);
    }
}
