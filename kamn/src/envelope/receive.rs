//! Taking an envelope in, check after check.

use alloc::{collections::BTreeMap, format};

use super::{Envelope, Error, SignedEnvelope};
use crate::{
    did::{AgentDid, KamnDid},
    guard::{self, Delivery, GuardStore},
    kel::{KeyLog, State},
    proof::Purpose,
};

/// Whoever knows the key event logs of agents.
pub trait Resolver {
    /// The log of that agent, if it is known.
    fn resolve(&self, did: &AgentDid) -> Option<&KeyLog>;
}

impl Resolver for BTreeMap<AgentDid, KeyLog> {
    fn resolve(&self, did: &AgentDid) -> Option<&KeyLog> {
        self.get(did)
    }
}

/// Where and when an envelope arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who got it.
    pub recipient: &'a KamnDid,
    /// The channel it came through, if it was one.
    pub channel: Option<&'a str>,
    /// When, in milliseconds since 1970.
    pub now_ms: u64,
    /// When this very envelope was seen first, if that was earlier and written down; see
    /// [`State::signing_key_at`].
    pub anchor_ms: Option<u64>,
}

/// An envelope whose sender signed it, with a key that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(SignedEnvelope);

/// An envelope that passed every check, this once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received(Verified);

impl SignedEnvelope {
    /// Checks the signature with the keys its sender has at `now_ms`, and had.
    pub fn verify(
        self,
        sender: &State,
        now_ms: u64,
        anchor_ms: Option<u64>,
    ) -> Result<Verified, Error> {
        if sender.did() != &self.envelope.from {
            let did = self.envelope.from.as_kamn();
            return Err(Error::Unresolved { did });
        }
        // The key must have counted when the message was made and when it was signed.
        let options = self.proven.options();
        let active_at =
            |made_ms| sender.signing_key_at(&options.method, made_ms, now_ms, anchor_ms);
        active_at(self.envelope.created.unix_ms())?;
        let key = active_at(options.created.unix_ms())?;
        self.proven.verify(key, Purpose::Authentication)?;
        Ok(Verified(self))
    }
}

impl Verified {
    /// What was sent, with its proof.
    #[must_use]
    pub fn signed(&self) -> &SignedEnvelope {
        &self.0
    }

    /// What it says.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        self.0.envelope()
    }

    /// Takes it once: the last of the checks of [`receive`], and the one that remembers.
    pub fn admit(
        self,
        arrival: Arrival<'_>,
        guard: &mut dyn GuardStore,
    ) -> Result<Received, Error> {
        guard.admit(&delivery(self.envelope(), arrival), arrival.now_ms)?;
        Ok(Received(self))
    }
}

impl Received {
    /// What was sent, and by whom.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.0
    }

    /// What it says.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        self.0.envelope()
    }
}

/// Takes in what arrived, or says why not.
///
/// `permit` is the rule of the channel; the guard comes last, and it alone remembers anything.
pub fn receive(
    text: &[u8],
    arrival: Arrival<'_>,
    resolver: &dyn Resolver,
    permit: &dyn Fn(&Verified) -> Result<(), Error>,
    guard: &mut dyn GuardStore,
) -> Result<Received, Error> {
    let verified = verify(text, arrival, resolver)?;
    permit(&verified)?;
    verified.admit(arrival, guard)
}

/// The part of [`receive`] that changes nothing: everything before the rule of the channel. For
/// whoever has to wait for something in between.
pub fn verify(
    text: &[u8],
    arrival: Arrival<'_>,
    resolver: &dyn Resolver,
) -> Result<Verified, Error> {
    let signed = SignedEnvelope::read(text)?;
    let envelope = signed.envelope();
    if !envelope.to.contains(arrival.recipient) {
        let recipient = arrival.recipient.as_kamn();
        return Err(Error::NotAddressed { recipient });
    }
    let delivery = delivery(envelope, arrival);
    guard::check_window(delivery.created_ms, delivery.expires_ms, arrival.now_ms)?;
    let log = resolver.resolve(&envelope.from);
    let log = log.ok_or_else(|| Error::Unresolved {
        did: envelope.from.as_kamn(),
    })?;
    signed.verify(log.state()?, arrival.now_ms, arrival.anchor_ms)
}

fn delivery(envelope: &Envelope, arrival: Arrival<'_>) -> Delivery {
    // Marked, so that no channel can be called like a recipient.
    let lane = match arrival.channel {
        Some(channel) => format!("in {channel}"),
        None => format!("to {}", arrival.recipient),
    };
    Delivery {
        message_id: envelope.id.clone(),
        sender: envelope.from.as_kamn(),
        lane,
        nonce: envelope.nonce.get().unsigned_abs(),
        created_ms: envelope.created.unix_ms(),
        expires_ms: envelope.expires.unix_ms(),
    }
}
