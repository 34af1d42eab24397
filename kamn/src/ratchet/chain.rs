//! A chain of keys: each is used for one message, and tells nothing of those before it.
//!
//! ```text
//!   mk  = HMAC(ck, 01)      HKDF(no salt, mk, "kamn-msg-v1", 56) = key ‖ nonce
//!   ck' = HMAC(ck, 02)
//! ```

use alloc::{collections::BTreeMap, vec::Vec};

use zeroize::Zeroizing;

use super::RatchetError;
use crate::crypto::{decrypt, encrypt, hkdf, hmac, part};

/// How many keys of messages that have not come are kept, and how far a message may be ahead.
pub(crate) const SKIP_LIMIT: usize = 256;
const INFO: &[u8] = b"kamn-msg-v1";

pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// The sending end.
pub(crate) struct SendChain {
    key: Secret,
    next: u64,
}

impl SendChain {
    /// Whose first message is number `next`.
    pub(crate) fn new(key: Secret, next: u64) -> Self {
        Self { key, next }
    }

    /// The number of the next message.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The key from which the next message and all after it follow.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// The ciphertext of the next message. Its key is gone afterwards.
    pub(crate) fn seal(
        &mut self,
        aad: impl FnOnce(u64) -> Vec<u8>,
        plaintext: &[u8],
    ) -> Result<(u64, Vec<u8>), RatchetError> {
        let counter = self.next;
        let after = counter.checked_add(1).ok_or(RatchetError::Exhausted)?;
        let (key, next_key) = step(&self.key);
        let (key, nonce) = material(&key);
        let ciphertext =
            encrypt(&key, &nonce, &aad(counter), plaintext).ok_or(RatchetError::Tag)?;
        (self.key, self.next) = (next_key, after);
        Ok((counter, ciphertext))
    }
}

/// The receiving end: takes each message once, in whatever order they come.
pub(crate) struct ReceiveChain {
    key: Secret,
    next: u64,
    /// Keys of messages that others overtook.
    skipped: BTreeMap<u64, Secret>,
}

impl ReceiveChain {
    /// Whose first message is number `next`.
    pub(crate) fn new(key: Secret, next: u64) -> Self {
        Self {
            key,
            next,
            skipped: BTreeMap::new(),
        }
    }

    pub(super) fn restored(key: Secret, next: u64, skipped: BTreeMap<u64, Secret>) -> Self {
        Self { key, next, skipped }
    }

    pub(super) fn parts(&self) -> (&Secret, u64, &BTreeMap<u64, Secret>) {
        (&self.key, self.next, &self.skipped)
    }

    /// The plaintext of message `counter`. Nothing changes unless it opens.
    pub(crate) fn open(
        &mut self,
        counter: u64,
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RatchetError> {
        if counter < self.next {
            let key = self
                .skipped
                .get(&counter)
                .ok_or(RatchetError::Replay { counter })?;
            let plaintext = open_with(key, aad, ciphertext)?;
            self.skipped.remove(&counter);
            return Ok(plaintext);
        }
        let ahead = counter - self.next;
        if ahead > SKIP_LIMIT as u64 {
            return Err(RatchetError::TooFar { ahead });
        }
        let after = counter.checked_add(1).ok_or(RatchetError::Exhausted)?;
        let mut passed = Vec::new();
        let (mut message_key, mut chain_key) = step(&self.key);
        for number in self.next..counter {
            let (next_message_key, next_chain_key) = step(&chain_key);
            passed.push((
                number,
                core::mem::replace(&mut message_key, next_message_key),
            ));
            chain_key = next_chain_key;
        }
        let plaintext = open_with(&message_key, aad, ciphertext)?;
        self.skipped.extend(passed);
        // What is lost for good must not end the session: the oldest keys go.
        while self.skipped.len() > SKIP_LIMIT {
            self.skipped.pop_first();
        }
        (self.key, self.next) = (chain_key, after);
        Ok(plaintext)
    }
}

fn open_with(
    message_key: &Secret,
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, RatchetError> {
    let (key, nonce) = material(message_key);
    decrypt(&key, &nonce, aad, ciphertext).ok_or(RatchetError::Tag)
}

/// The key of one message, and the chain's next.
fn step(chain_key: &Secret) -> (Secret, Secret) {
    (
        Zeroizing::new(hmac(chain_key, &[1])),
        Zeroizing::new(hmac(chain_key, &[2])),
    )
}

fn material(message_key: &Secret) -> (Secret, Zeroizing<[u8; 24]>) {
    let bytes = hkdf::<56>(None, message_key.as_slice(), INFO);
    (part(bytes.as_slice(), 0), part(bytes.as_slice(), 32))
}

#[cfg(test)]
pub(super) fn first_two_keys(chain_key: Secret) -> [(Secret, Zeroizing<[u8; 24]>); 2] {
    let (first, next) = step(&chain_key);
    [material(&first), material(&step(&next).0)]
}
