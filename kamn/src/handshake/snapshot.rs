//! A handshake put away and taken up again, under a key of the store's: between two messages, an agent
//! may be another process.

use alloc::{string::String, vec::Vec};

use zeroize::Zeroizing;

use super::{HandshakeError, Initiator, Proposal, Responder, keys::Keys};
use crate::{
    bytes::push_lp,
    crypto::NONCE_BYTES,
    key::AgreementSecret,
    ratchet::snapshot::{Reader, opened, sealed},
};

const INITIATOR: &[u8] = b"kamn-initiator-snapshot-v1\0";
const RESPONDER: &[u8] = b"kamn-responder-snapshot-v1\0";

impl Initiator {
    /// The handshake whose proposal was sent, sealed under the key of the store it is put into. `nonce`
    /// must be random and never come again under that key.
    ///
    /// Fails before [`Initiator::sent`] and after the handshake is finished.
    pub fn snapshot(
        &self,
        store_key: &[u8; 32],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, HandshakeError> {
        let hash = self.proposal_hash.ok_or(HandshakeError::OutOfOrder)?;
        let ephemeral = self.ephemeral.as_ref().ok_or(HandshakeError::OutOfOrder)?;
        let mut plain = Zeroizing::new(Vec::new());
        let proposal = &self.proposal;
        let suites = proposal.suites.join(" ");
        for text in [
            &self.me,
            &self.peer,
            &proposal.channel_id,
            &proposal.channel_type,
            &suites,
        ] {
            push_lp(&mut plain, text.as_bytes());
        }
        plain.extend_from_slice(&self.started_ms.to_be_bytes());
        for bytes in [
            &hash,
            &*ephemeral.to_bytes(),
            &proposal.nonce,
            &proposal.permissions_digest,
            &proposal.kel_head,
        ] {
            plain.extend_from_slice(bytes);
        }
        sealed(store_key, nonce, INITIATOR, &plain).ok_or(HandshakeError::Snapshot)
    }

    /// The handshake as it was when [`Initiator::snapshot`] was called.
    pub fn restore(store_key: &[u8; 32], snapshot: &[u8]) -> Result<Self, HandshakeError> {
        let plain = opened(store_key, INITIATOR, snapshot).ok_or(HandshakeError::Snapshot)?;
        let mut reader = Reader(&plain);
        initiator(&mut reader)
            .filter(|_| reader.0.is_empty())
            .ok_or(HandshakeError::Snapshot)
    }
}

fn initiator(reader: &mut Reader<'_>) -> Option<Initiator> {
    let (me, peer) = (reader.text()?, reader.text()?);
    let (channel_id, channel_type) = (reader.text()?, reader.text()?);
    let suites = reader.text()?.split(' ').map(String::from).collect();
    let started_ms = reader.number()?;
    let proposal_hash = Some(reader.take()?);
    let ephemeral = AgreementSecret::from_bytes(&*reader.secret()?);
    let proposal = Proposal {
        channel_id,
        channel_type,
        ephemeral: ephemeral.public_key(),
        nonce: reader.take()?,
        suites,
        permissions_digest: reader.take()?,
        kel_head: reader.take()?,
    };
    Some(Initiator {
        me,
        peer,
        proposal,
        started_ms,
        proposal_hash,
        ephemeral: Some(ephemeral),
    })
}

impl Responder {
    /// The handshake whose acceptance was sent, sealed likewise.
    ///
    /// Fails before [`Responder::sent`] and after the handshake is finished.
    pub fn snapshot(
        &self,
        store_key: &[u8; 32],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, HandshakeError> {
        let hash = self.acceptance_hash.ok_or(HandshakeError::OutOfOrder)?;
        let keys = self.keys.as_ref().ok_or(HandshakeError::OutOfOrder)?;
        let mut plain = Zeroizing::new(Vec::new());
        for text in [&self.me, &self.peer, &self.channel] {
            push_lp(&mut plain, text.as_bytes());
        }
        plain.extend_from_slice(&self.started_ms.to_be_bytes());
        for bytes in [
            &hash,
            &keys.transcript,
            &*keys.initiator_to_responder,
            &*keys.responder_to_initiator,
            &*keys.confirm_initiator,
            &*keys.confirm_responder,
        ] {
            plain.extend_from_slice(bytes);
        }
        sealed(store_key, nonce, RESPONDER, &plain).ok_or(HandshakeError::Snapshot)
    }

    /// The handshake as it was when [`Responder::snapshot`] was called.
    pub fn restore(store_key: &[u8; 32], snapshot: &[u8]) -> Result<Self, HandshakeError> {
        let plain = opened(store_key, RESPONDER, snapshot).ok_or(HandshakeError::Snapshot)?;
        let mut reader = Reader(&plain);
        responder(&mut reader)
            .filter(|_| reader.0.is_empty())
            .ok_or(HandshakeError::Snapshot)
    }
}

fn responder(reader: &mut Reader<'_>) -> Option<Responder> {
    let (me, peer, channel) = (reader.text()?, reader.text()?, reader.text()?);
    let started_ms = reader.number()?;
    let acceptance_hash = Some(reader.take()?);
    let keys = Keys {
        transcript: reader.take()?,
        initiator_to_responder: reader.secret()?,
        responder_to_initiator: reader.secret()?,
        confirm_initiator: reader.secret()?,
        confirm_responder: reader.secret()?,
    };
    Some(Responder {
        me,
        peer,
        channel,
        started_ms,
        acceptance_hash,
        keys: Some(keys),
    })
}
