//! What both sides of a handshake compute.

use alloc::{string::String, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    bytes::{push_lp, sha256},
    crypto::{hkdf, hmac, hmac_fits, part},
    key::AgreementKey,
    ratchet::{Session, chain::Secret},
};

/// Everything that both have seen.
pub(super) struct Transcript<'a> {
    pub(super) initiator: &'a str,
    pub(super) responder: &'a str,
    pub(super) channel: &'a str,
    pub(super) initiator_ephemeral: &'a AgreementKey,
    pub(super) responder_ephemeral: &'a AgreementKey,
    pub(super) initiator_nonce: &'a [u8; 32],
    pub(super) responder_nonce: &'a [u8; 32],
    /// SHA-256 over the canonical text of the signed proposal.
    pub(super) proposal_hash: &'a [u8; 32],
}

impl Transcript<'_> {
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::from(b"kamn-hs-v1\0");
        for text in [self.initiator, self.responder, self.channel] {
            push_lp(&mut bytes, text.as_bytes());
        }
        bytes.extend_from_slice(&self.initiator_ephemeral.to_bytes());
        bytes.extend_from_slice(&self.responder_ephemeral.to_bytes());
        bytes.extend_from_slice(self.initiator_nonce);
        bytes.extend_from_slice(self.responder_nonce);
        bytes.extend_from_slice(self.proposal_hash);
        sha256(&bytes)
    }
}

/// Which of the two somebody is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Initiator,
    Responder,
}

/// What a handshake gives.
pub(super) struct Keys {
    pub(super) transcript: [u8; 32],
    pub(super) initiator_to_responder: Secret,
    pub(super) responder_to_initiator: Secret,
    pub(super) confirm_initiator: Secret,
    pub(super) confirm_responder: Secret,
}

impl Keys {
    /// `secrets` are DH(e_i, e_r), DH(e_i, S_r) and DH(S_i, e_r).
    pub(super) fn derive(transcript: [u8; 32], secrets: [Secret; 3]) -> Self {
        let mut ikm = Zeroizing::new([0; 96]);
        for (into, secret) in ikm.chunks_exact_mut(32).zip(&secrets) {
            into.copy_from_slice(secret.as_slice());
        }
        let bytes = hkdf::<128>(Some(&transcript), ikm.as_slice(), b"kamn-hs-v1 keys");
        let bytes = bytes.as_slice();
        Self {
            transcript,
            initiator_to_responder: part(bytes, 0),
            responder_to_initiator: part(bytes, 32),
            confirm_initiator: part(bytes, 64),
            confirm_responder: part(bytes, 96),
        }
    }

    /// What `side` shows the other.
    pub(super) fn confirmation(&self, side: Side) -> [u8; 32] {
        hmac(self.confirm_key(side), &self.transcript)
    }

    /// Whether `tag` is what `side` shows.
    pub(super) fn confirms(&self, side: Side, tag: &[u8; 32]) -> bool {
        hmac_fits(self.confirm_key(side), &self.transcript, tag)
    }

    /// The session as `side` has it.
    pub(super) fn session(
        &self,
        side: Side,
        channel: &str,
        me: &str,
        peer: &str,
        now_ms: u64,
    ) -> Session {
        let (send, receive) = match side {
            Side::Initiator => (&self.initiator_to_responder, &self.responder_to_initiator),
            Side::Responder => (&self.responder_to_initiator, &self.initiator_to_responder),
        };
        Session::new(
            String::from(channel),
            me.into(),
            peer.into(),
            now_ms,
            send.clone(),
            receive.clone(),
        )
    }

    fn confirm_key(&self, side: Side) -> &Secret {
        match side {
            Side::Initiator => &self.confirm_initiator,
            Side::Responder => &self.confirm_responder,
        }
    }
}
