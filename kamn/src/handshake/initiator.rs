//! The side that begins.

use alloc::string::String;
use core::fmt;

use super::{
    Acceptance, Confirmation, HandshakeError, Own, Proposal, Received, best_common, check_parties,
    check_time,
    keys::{Keys, Side, Transcript},
};
use crate::{
    key::{AgreementKey, AgreementSecret},
    ratchet::Session,
};

/// A handshake that this agent proposed.
///
/// Calling order: [`Initiator::new`], sign and send the proposal, [`Initiator::sent`] with the hash of
/// what was signed, [`Initiator::finish`] with the answer, sign and send what that returns.
pub struct Initiator {
    pub(super) me: String,
    pub(super) peer: String,
    pub(super) proposal: Proposal,
    pub(super) started_ms: u64,
    pub(super) proposal_hash: Option<[u8; 32]>,
    /// Gone once the keys are made.
    pub(super) ephemeral: Option<AgreementSecret>,
}

impl Initiator {
    /// A proposal of `me` to `peer`. `ephemeral` and `proposal.nonce` must be fresh and from a
    /// cryptographically secure source; `proposal.ephemeral` becomes the public half.
    #[must_use]
    pub fn new(
        me: &str,
        peer: &str,
        mut proposal: Proposal,
        ephemeral: AgreementSecret,
        now_ms: u64,
    ) -> Self {
        proposal.ephemeral = ephemeral.public_key();
        Self {
            me: me.into(),
            peer: peer.into(),
            proposal,
            started_ms: now_ms,
            proposal_hash: None,
            ephemeral: Some(ephemeral),
        }
    }

    /// The other's DID.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// What to put into the envelope.
    #[must_use]
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// Says what was signed: SHA-256 over the canonical text of the signed envelope.
    pub fn sent(&mut self, proposal_hash: [u8; 32]) -> Result<(), HandshakeError> {
        if self.proposal_hash.is_some() {
            return Err(HandshakeError::OutOfOrder);
        }
        self.proposal_hash = Some(proposal_hash);
        Ok(())
    }

    /// Takes the answer: the session, and the confirmation without which the other has none.
    ///
    /// `own` is this agent's static agreement key, `peer_key` the other's, as his key events have
    /// it. What is refused changes nothing: the true answer may still come.
    pub fn finish<'a>(
        &mut self,
        received: &Received,
        acceptance: &Acceptance,
        own: impl Into<Own<'a>>,
        peer_key: &AgreementKey,
        now_ms: u64,
    ) -> Result<(Session, Confirmation), HandshakeError> {
        let proposal_hash = self.proposal_hash.ok_or(HandshakeError::OutOfOrder)?;
        let ephemeral = self.ephemeral.as_ref().ok_or(HandshakeError::OutOfOrder)?;
        check_time(self.started_ms, now_ms)?;
        check_parties(received, &self.peer, &self.me)?;
        if acceptance.in_reply_to != proposal_hash {
            return Err(HandshakeError::InReplyTo);
        }
        self.check_suite(acceptance)?;
        let transcript = Transcript {
            initiator: &self.me,
            responder: &self.peer,
            channel: &self.proposal.channel_id,
            initiator_ephemeral: &self.proposal.ephemeral,
            responder_ephemeral: &acceptance.ephemeral,
            initiator_nonce: &self.proposal.nonce,
            responder_nonce: &acceptance.nonce,
            proposal_hash: &proposal_hash,
        };
        let keys = Keys::derive(
            transcript.hash(),
            [
                ephemeral.agree(&acceptance.ephemeral)?,
                ephemeral.agree(peer_key)?,
                own.into().agree(&acceptance.ephemeral)?,
            ],
        );
        if !keys.confirms(Side::Responder, &acceptance.confirm) {
            return Err(HandshakeError::Confirmation);
        }
        self.ephemeral = None;
        let session = keys.session(
            Side::Initiator,
            &self.proposal.channel_id,
            &self.me,
            &self.peer,
            now_ms,
        );
        let confirmation = Confirmation {
            in_reply_to: received.hash,
            confirm: keys.confirmation(Side::Initiator),
        };
        Ok((session, confirmation))
    }

    /// The chosen suite must be the best of both signed lists.
    fn check_suite(&self, acceptance: &Acceptance) -> Result<(), HandshakeError> {
        let offered = &self.proposal.suites;
        match best_common(offered, &acceptance.suites) {
            Some(expected) if expected == acceptance.suite => Ok(()),
            Some(expected) => Err(HandshakeError::Downgrade {
                found: acceptance.suite.clone(),
                expected: expected.into(),
            }),
            None => Err(HandshakeError::NoCommonSuite {
                offered: offered.clone(),
            }),
        }
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Initiator({} -> {}, secret key)", self.me, self.peer)
    }
}
