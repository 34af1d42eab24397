//! A session put away and taken up again, under a key of the store's.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use zeroize::Zeroizing;

use super::{
    RatchetError, Session,
    chain::{ReceiveChain, SKIP_LIMIT, Secret, SendChain},
};
use crate::{
    bytes::push_lp,
    crypto::{NONCE_BYTES, decrypt, encrypt},
};

const AAD: &[u8] = b"kamn-session-snapshot-v1\0";

impl Session {
    /// The session, sealed under the key of the store it is put into. `nonce` must be random and
    /// never come again under that key.
    pub fn snapshot(
        &self,
        store_key: &[u8; 32],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, RatchetError> {
        let mut plain = Zeroizing::new(Vec::new());
        for text in [&self.channel, &self.me, &self.peer] {
            push_lp(&mut plain, text.as_bytes());
        }
        plain.extend_from_slice(&self.established_ms.to_be_bytes());
        plain.extend_from_slice(&self.send.next().to_be_bytes());
        plain.extend_from_slice(self.send.key().as_slice());
        let (key, next, skipped) = self.receive.parts();
        plain.extend_from_slice(&next.to_be_bytes());
        plain.extend_from_slice(key.as_slice());
        for (counter, key) in skipped {
            plain.extend_from_slice(&counter.to_be_bytes());
            plain.extend_from_slice(key.as_slice());
        }
        sealed(store_key, nonce, AAD, &plain).ok_or(RatchetError::Snapshot)
    }

    /// The session as it was when [`Session::snapshot`] was called.
    pub fn restore(store_key: &[u8; 32], snapshot: &[u8]) -> Result<Self, RatchetError> {
        let plain = opened(store_key, AAD, snapshot).ok_or(RatchetError::Snapshot)?;
        Reader(&plain).session().ok_or(RatchetError::Snapshot)
    }
}

/// A snapshot: its nonce, and the ciphertext.
pub(crate) fn sealed(
    store_key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut snapshot = Vec::from(nonce);
    snapshot.extend_from_slice(&encrypt(store_key, nonce, aad, plain)?);
    Some(snapshot)
}

/// What [`sealed`] put away.
pub(crate) fn opened(
    store_key: &[u8; 32],
    aad: &[u8],
    snapshot: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = snapshot.split_first_chunk::<NONCE_BYTES>()?;
    decrypt(store_key, nonce, aad, ciphertext)
}

/// Takes what was put away, piece after piece.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn session(mut self) -> Option<Session> {
        let (channel, me, peer) = (self.text()?, self.text()?, self.text()?);
        let established_ms = self.number()?;
        let next = self.number()?;
        let send = SendChain::new(self.secret()?, next);
        let next = self.number()?;
        let key = self.secret()?;
        let mut skipped = BTreeMap::new();
        while !self.0.is_empty() {
            let counter = self.number()?;
            skipped.insert(counter, self.secret()?);
        }
        let is_whole = skipped.len() <= SKIP_LIMIT && skipped.keys().all(|number| *number < next);
        is_whole.then(|| Session {
            channel,
            me,
            peer,
            established_ms,
            send,
            receive: ReceiveChain::restored(key, next, skipped),
        })
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn secret(&mut self) -> Option<Secret> {
        self.take().map(Zeroizing::new)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = usize::try_from(u32::from_be_bytes(self.take()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.into()).ok()
    }
}
