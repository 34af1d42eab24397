//! Sending what waits: to where the other agent takes messages, again and again until it says that it
//! took it, or its time is over.
//!
//! Invariant: an attempt whose answer was lost is no reason to write another message. The same one is
//! sent again; that it was taken before is then an answer as good as any.

use alloc::{
    collections::VecDeque,
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    ids::UnixMillis,
    policy::{Policy, http::HttpLimits},
    safety::Gate,
    tool::http::Failure,
};
use tau_kamn::{AgentDid, notice::Notice};
use thiserror::Error;

use super::{
    Answer, Arrived, Desk, MessageError, Office, PACKET_LIMIT_BYTES, Packet, Refused, Sent, Status,
    letters,
};
use crate::{Clock, Entropy, HttpTool, Outbound, Signer, Storage, peers};

/// The longest pause between two attempts.
const PAUSE_LIMIT_MS: u64 = 300_000;
const PAUSE_MS: u64 = 1_000;
/// Messages of one handshake that follow one another.
const STEPS: usize = 8;

/// Brings packets to other agents' inboxes.
pub trait Carrier {
    /// Brings `body` to `url`, or asks there who takes messages, without one; gives what is answered,
    /// at most [`super::PACKET_LIMIT_BYTES`].
    async fn carry(&self, url: String, body: Option<Vec<u8>>) -> Result<Vec<u8>, CarryError>;
}

/// A packet that did not arrive, or of which that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct CarryError {
    /// Why.
    pub reason: String,
    /// Whether it may arrive later.
    pub is_passing: bool,
}

/// Brings packets over HTTP, where the policy lets requests go.
#[derive(Debug)]
pub struct Post<O, C> {
    tool: HttpTool<O, C>,
    limits: HttpLimits,
}

impl<O: Outbound, C: Clock> Post<O, C> {
    /// Within `policy`.
    pub fn new(outbound: O, clock: C, policy: &Policy) -> Self {
        let limits = policy.http.limits(policy.preset);
        Self {
            tool: HttpTool::new(outbound, clock, Vec::new()),
            limits: limits.lowered(None, Some(PACKET_LIMIT_BYTES as u64)),
        }
    }
}

impl<O: Outbound, C: Clock> Carrier for Post<O, C> {
    async fn carry(&self, url: String, body: Option<Vec<u8>>) -> Result<Vec<u8>, CarryError> {
        let sent = self
            .tool
            .message(&url, body.as_deref(), self.limits.clone());
        let (_, bytes) = sent.await.map_err(|failure| CarryError {
            reason: match (&failure, failure.to_json()["hint"].as_str()) {
                (Failure::Refused(_), Some(hint)) => format!("{}; {hint}", failure.reason()),
                _ => failure.reason(),
            },
            is_passing: !matches!(failure, Failure::Refused(_)),
        })?;
        Ok(bytes)
    }
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The message as it stands.
    pub sent: Sent,
    /// Why it was refused, as a code.
    pub reason_code: Option<String>,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// Remembers the agent that takes messages at `url`, and gives its name.
    pub async fn meet(&self, url: &str, carrier: &impl Carrier) -> Result<AgentDid, MessageError> {
        let unknown = |peer: String| MessageError::NoAddress { peer };
        let bytes = carrier.carry(url.into(), None).await;
        let bytes =
            bytes.map_err(|error| unknown(alloc::format!("the agent at {url}: {error}")))?;
        let log = Answer::read(&bytes)?.log;
        let log = log.ok_or_else(|| unknown(alloc::format!("the agent at {url}")))?;
        peers::learn(self.storage, &log).await?;
        let did = log.state()?.did().clone();
        letters::keep_address(self.storage, &did, url).await?;
        Ok(did)
    }

    /// Says where an agent takes messages.
    pub async fn address(&self, of: &AgentDid, url: &str) -> Result<(), MessageError> {
        letters::keep_address(self.storage, of, url).await
    }

    /// Keeps that a message was handed over in another way: it is not sent.
    pub async fn hand_over(&self, mut sent: Sent) -> Result<Sent, MessageError> {
        sent.status = Status::Handed;
        sent.keep(self.storage).await?;
        Ok(sent)
    }

    /// Sends a message once, and every step of a handshake that follows from the answer. What was not
    /// taken waits for [`Office::flush`].
    pub async fn post(
        &self,
        sent: Sent,
        desk: &Desk,
        gate: &Gate,
        carrier: &impl Carrier,
        clock: &impl Clock,
    ) -> Result<Posted, MessageError> {
        let mut queue = VecDeque::new();
        let first = self
            .attempt(sent, &mut queue, desk, gate, carrier, clock)
            .await?;
        for _ in 0..STEPS {
            let Some(next) = queue.pop_front() else { break };
            let posted = self.attempt(next, &mut queue, desk, gate, carrier, clock);
            posted.await?;
        }
        Ok(first)
    }

    /// Sends everything that is due; gives how each went, and when the next is due.
    pub async fn flush(
        &self,
        desk: &Desk,
        gate: &Gate,
        carrier: &impl Carrier,
        clock: &impl Clock,
    ) -> Result<(Vec<Posted>, Option<UnixMillis>), MessageError> {
        let mut posted = Vec::new();
        let now = clock.now();
        for sent in letters::outbox(self.storage).await? {
            let is_due = sent.status == Status::Waiting && sent.next <= now;
            let to = sent.to.parse::<AgentDid>().ok();
            // Where its agent listens may be said later.
            let has_address = match to.filter(|_| is_due) {
                Some(to) => letters::address(self.storage, &to).await?.is_some(),
                None => false,
            };
            if has_address {
                posted.push(self.post_one(&sent, desk, gate, carrier, clock).await?);
            }
        }
        let waiting = letters::outbox(self.storage).await?;
        let waiting = waiting.iter().filter(|sent| sent.status == Status::Waiting);
        Ok((posted, waiting.map(|sent| sent.next).min()))
    }

    /// Sends one message of several: where that agent's answer is refused here, the others go on.
    pub(super) async fn post_one(
        &self,
        sent: &Sent,
        desk: &Desk,
        gate: &Gate,
        carrier: &impl Carrier,
        clock: &impl Clock,
    ) -> Result<Posted, MessageError> {
        match self.post(sent.clone(), desk, gate, carrier, clock).await {
            Err(error) if error.is_refusal() => {
                let mut sent = sent.clone();
                let reason_code = Some(error.reason_code().into());
                if matches!(error, MessageError::NoAddress { .. }) {
                    sent.why = Some(error.to_string());
                } else {
                    sent.attempts += 1;
                    later(&mut sent, true, error.to_string(), clock.now());
                    sent.keep(self.storage).await?;
                }
                Ok(Posted { sent, reason_code })
            }
            posted => posted,
        }
    }

    async fn attempt(
        &self,
        mut sent: Sent,
        queue: &mut VecDeque<Sent>,
        desk: &Desk,
        gate: &Gate,
        carrier: &impl Carrier,
        clock: &impl Clock,
    ) -> Result<Posted, MessageError> {
        let to = sent.to.parse::<AgentDid>();
        let to = to.map_err(|error| MessageError::Value { error })?;
        if clock.now() > sent.expires {
            sent.status = Status::Expired;
            sent.keep(self.storage).await?;
            return Ok(Posted {
                sent,
                reason_code: Some("expired".into()),
            });
        }
        let url = letters::address(self.storage, &to).await?;
        let url = url.ok_or_else(|| MessageError::NoAddress { peer: to.as_kamn() })?;
        let packet = Packet::of(sent.envelope().into(), self.signer.log()).to_bytes();
        let was_sent = sent.attempts > 0;
        sent.attempts += 1;
        let answered = match carrier.carry(url.clone(), Some(packet)).await {
            Ok(bytes) => Answer::read(&bytes).map_err(|error| CarryError {
                reason: error.to_string(),
                is_passing: true,
            }),
            Err(error) => Err(error),
        };
        let now = clock.now();
        let mut reason_code = None;
        match answered {
            Err(error) => later(&mut sent, error.is_passing, error.reason, now),
            Ok(answer) => {
                if let Some(log) = answer.log.filter(|log| log.unchecked_state().did() == &to) {
                    peers::learn(self.storage, &log).await?;
                }
                match answer.refused {
                    None if answer.taken.as_ref() == Some(&sent.id) => {
                        (sent.status, sent.why) = (Status::Taken, None);
                    }
                    None => later(&mut sent, true, "the answer is about nothing".into(), now),
                    Some(refused) if was_sent && refused.reason_code == "replay" => {
                        (sent.status, sent.why) = (Status::Taken, None);
                    }
                    Some(refused) => {
                        reason_code = Some(refused.reason_code.clone());
                        let is_passing = refused.is_passing;
                        let why = self.told(&refused, &sent, &to, now).await?;
                        later(&mut sent, is_passing, why, now);
                    }
                }
                for reply in answer.replies {
                    let arrived = Arrived {
                        bytes: reply.as_bytes(),
                        place: &url,
                        answers: false,
                    };
                    let taken = self.receive(desk, arrived, gate, now).await?;
                    queue.extend(taken.replies);
                }
            }
        }
        sent.keep(self.storage).await?;
        Ok(Posted { sent, reason_code })
    }

    /// A refusal in words, and whether the other agent signed it.
    async fn told(
        &self,
        refused: &Refused,
        sent: &Sent,
        to: &AgentDid,
        now: UnixMillis,
    ) -> Result<String, MessageError> {
        let said = alloc::format!("{}: {}", refused.reason_code, refused.reason);
        let said: String = said.chars().take(512).filter(|c| !c.is_control()).collect();
        let log = self.log_of(to).await?;
        let is_signed = refused.notice.as_ref().is_some_and(|text| {
            let state = log.state().ok();
            let notice = state.and_then(|state| Notice::read(text.as_bytes(), state, now.0).ok());
            notice.is_some_and(|notice| {
                notice.message_id() == sent.id && notice.code() == refused.reason_code
            })
        });
        Ok(match is_signed {
            true => said,
            false => alloc::format!("{said} (not signed)"),
        })
    }
}

fn later(sent: &mut Sent, is_passing: bool, why: String, now: UnixMillis) {
    sent.why = Some(why);
    if !is_passing {
        sent.status = Status::Refused;
        return;
    }
    let doubled = sent.attempts.saturating_sub(1).min(16);
    let pause_ms = (PAUSE_MS << doubled).min(PAUSE_LIMIT_MS);
    sent.next = now.plus(pause_ms);
}
