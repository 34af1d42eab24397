//! The side that answers.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{
    Acceptance, Confirmation, HandshakeError, Own, Proposal, Received, SUITES, best_common,
    check_parties, check_time,
    keys::{Keys, Side, Transcript},
};
use crate::{
    key::{AgreementKey, AgreementSecret},
    ratchet::Session,
};

/// What this agent answers a proposal with.
pub struct Answer<'a> {
    /// This agent.
    pub me: &'a str,
    /// Its static agreement key.
    pub own: Own<'a>,
    /// The proposer's, as his key events have it.
    pub peer_key: &'a AgreementKey,
    /// Fresh, from a cryptographically secure source; wiped here.
    pub ephemeral: AgreementSecret,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// The hash of its newest key event.
    pub kel_head: [u8; 32],
    /// The suites it would take, of those there are.
    pub suites: Vec<String>,
}

/// A proposal that this agent accepted.
///
/// Calling order: [`Responder::accept`], sign and send the acceptance it returns, [`Responder::sent`]
/// with the hash of what was signed, [`Responder::finish`] with the confirmation.
pub struct Responder {
    pub(super) me: String,
    pub(super) peer: String,
    pub(super) channel: String,
    pub(super) started_ms: u64,
    pub(super) acceptance_hash: Option<[u8; 32]>,
    /// Gone once there is a session.
    pub(super) keys: Option<Keys>,
}

impl Responder {
    /// Accepts a proposal. Whether it may be, for this channel and this agent, is the caller's
    /// decision before.
    pub fn accept(
        received: &Received,
        proposal: &Proposal,
        answer: Answer<'_>,
        now_ms: u64,
    ) -> Result<(Self, Acceptance), HandshakeError> {
        check_parties(received, &received.from, answer.me)?;
        let is_real = |suite: &&String| SUITES.contains(&suite.as_str());
        let suites: Vec<String> = answer.suites.iter().filter(is_real).cloned().collect();
        let suite = best_common(&proposal.suites, &suites).ok_or_else(|| {
            HandshakeError::NoCommonSuite {
                offered: proposal.suites.clone(),
            }
        })?;
        let ephemeral = answer.ephemeral;
        let public = ephemeral.public_key();
        let transcript = Transcript {
            initiator: &received.from,
            responder: answer.me,
            channel: &proposal.channel_id,
            initiator_ephemeral: &proposal.ephemeral,
            responder_ephemeral: &public,
            initiator_nonce: &proposal.nonce,
            responder_nonce: &answer.nonce,
            proposal_hash: &received.hash,
        };
        let keys = Keys::derive(
            transcript.hash(),
            [
                ephemeral.agree(&proposal.ephemeral)?,
                answer.own.agree(&proposal.ephemeral)?,
                ephemeral.agree(answer.peer_key)?,
            ],
        );
        let acceptance = Acceptance {
            ephemeral: public,
            nonce: answer.nonce,
            suite: suite.into(),
            suites,
            in_reply_to: received.hash,
            kel_head: answer.kel_head,
            confirm: keys.confirmation(Side::Responder),
        };
        let responder = Self {
            me: answer.me.into(),
            peer: received.from.clone(),
            channel: proposal.channel_id.clone(),
            started_ms: now_ms,
            acceptance_hash: None,
            keys: Some(keys),
        };
        Ok((responder, acceptance))
    }

    /// The other's DID.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Says what was signed: SHA-256 over the canonical text of the signed envelope.
    pub fn sent(&mut self, acceptance_hash: [u8; 32]) -> Result<(), HandshakeError> {
        if self.acceptance_hash.is_some() {
            return Err(HandshakeError::OutOfOrder);
        }
        self.acceptance_hash = Some(acceptance_hash);
        Ok(())
    }

    /// Takes the confirmation: the session. What is refused changes nothing.
    pub fn finish(
        &mut self,
        received: &Received,
        confirmation: &Confirmation,
        now_ms: u64,
    ) -> Result<Session, HandshakeError> {
        let acceptance_hash = self.acceptance_hash.ok_or(HandshakeError::OutOfOrder)?;
        let keys = self.keys.as_ref().ok_or(HandshakeError::OutOfOrder)?;
        check_time(self.started_ms, now_ms)?;
        check_parties(received, &self.peer, &self.me)?;
        if confirmation.in_reply_to != acceptance_hash {
            return Err(HandshakeError::InReplyTo);
        }
        if !keys.confirms(Side::Initiator, &confirmation.confirm) {
            return Err(HandshakeError::Confirmation);
        }
        let session = keys.session(Side::Responder, &self.channel, &self.me, &self.peer, now_ms);
        self.keys = None;
        Ok(session)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({} <- {}, secret keys)", self.me, self.peer)
    }
}
