//! Taking a message in: from the cheapest check on, and only the last of them changes anything.

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    ids::UnixMillis,
    message::Letter,
    safety::{Gate, Screened},
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid,
    envelope::{self, Arrival, ENVELOPE_LIMIT_BYTES, MessageType, Received, Verified},
    handshake::{self, Acceptance, Confirmation, HandshakeError, Own, Proposal, Responder},
    jcs::{self, Value},
    kel::{KeyLog, State},
    notice::Notice,
    ratchet::SessionMessage,
    seal::{self, Opener, SealedBody},
};
use zeroize::Zeroizing;

use super::{
    Answer, CHANNEL, ChannelId, Desk, HANDSHAKE, MessageError, Office, PLAIN, Packet, SEALED,
    SESSION, Sent, Status, agreement,
    channel::{self, Going},
    guard::Stored,
    letters, packet, signing, timestamp,
    write::{ATTEMPTS, Parts, TEXT},
};
use crate::{Entropy, Signer, Storage, peers};

/// What came, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// The packet.
    pub bytes: &'a [u8],
    /// From where, as the transport knows it: what comes from one place is counted together.
    pub place: &'a str,
    /// Whether what is replied goes back with the answer. Else it waits to be sent.
    pub answers: bool,
}

/// A message that was taken, this once.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its own id.
    pub id: String,
    /// Who sent it.
    pub from: AgentDid,
    /// The letter's name in the store, if it is one for a session.
    pub name: Option<String>,
    /// The letter.
    pub letter: Option<Letter>,
    /// The channel it came by, if it was one.
    pub channel: Option<String>,
    /// What it says, by name, opened where it was sealed; empty for a step of a handshake, and for what
    /// changed a channel.
    pub body: BTreeMap<String, String>,
    /// What the gate found in it.
    pub screened: Vec<Screened>,
    /// What is replied: the next step of a handshake.
    pub replies: Vec<Sent>,
    /// The envelope, as it was checked.
    pub received: Received,
}

/// A message that was not taken; of one whose signature was checked, who sent it is known.
struct Refusal {
    error: MessageError,
    verified: Option<Box<Verified>>,
}

impl<T: Into<MessageError>> From<T> for Refusal {
    fn from(error: T) -> Self {
        Self {
            error: error.into(),
            verified: None,
        }
    }
}

/// What a body comes to.
struct Opened {
    body: BTreeMap<String, String>,
    is_sealed: bool,
    channel: Option<String>,
    replies: Vec<Sent>,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// Takes a message in, or says why not: what is answered, and what was taken.
    pub async fn answer(
        &self,
        desk: &Desk,
        arrived: Arrived<'_>,
        gate: &Gate,
        now: UnixMillis,
    ) -> (Answer, Result<Taken, MessageError>) {
        match self.take(desk, arrived, gate, now).await {
            Ok(taken) => {
                let mut answer = Answer::took(&taken.id);
                answer.log = Some(self.signer.log().clone());
                if arrived.answers {
                    let replies = taken.replies.iter();
                    answer.replies = replies.map(|sent| sent.envelope().into()).collect();
                }
                (answer, Ok(taken))
            }
            Err(Refusal { error, verified }) => {
                let notice = match &verified {
                    Some(verified) if error.is_refusal() => self
                        .notice(desk, verified, error.reason_code(), now)
                        .await
                        .ok(),
                    _ => None,
                };
                (Answer::refused(&error, notice), Err(error))
            }
        }
    }

    /// Takes a message in that is read from a file or came as a reply.
    pub async fn receive(
        &self,
        desk: &Desk,
        arrived: Arrived<'_>,
        gate: &Gate,
        now: UnixMillis,
    ) -> Result<Taken, MessageError> {
        let taken = self.take(desk, arrived, gate, now).await;
        taken.map_err(|refusal| refusal.error)
    }

    /// Says to the sender, signed, that a message was refused.
    async fn notice(
        &self,
        desk: &Desk,
        refused: &Verified,
        code: &str,
        now: UnixMillis,
    ) -> Result<String, MessageError> {
        let own = self.own()?;
        let notice = Notice::new(refused, code, own.did(), timestamp(now)?)?;
        desk.admit_notice(&notice, now)?;
        let (_, key) = signing(own)?;
        let signature = self.signer.sign(&notice.to_bytes()).await?;
        Ok(notice.signed_with(signature, key)?.to_canonical())
    }

    async fn take(
        &self,
        desk: &Desk,
        arrived: Arrived<'_>,
        gate: &Gate,
        now: UnixMillis,
    ) -> Result<Taken, Refusal> {
        desk.admit_place(arrived.place, now)
            .map_err(MessageError::from)?;
        let packet = Packet::read(arrived.bytes)?;
        let from = packet::envelope(&packet)?.envelope().from.clone();
        let me = self.me()?;
        if from == me {
            return Err(MessageError::from(envelope::Error::Forbidden {
                actor: from.as_kamn(),
                action: "send",
                rule: "an agent does not write to itself".into(),
            })
            .into());
        }
        let arrival = Arrival {
            recipient: me.as_did(),
            channel: None,
            now_ms: now.0,
            anchor_ms: None,
        };
        let log = self.log_with(&from, packet.log.as_ref()).await?;
        let logs = BTreeMap::from_iter(log.map(|log| (from.clone(), log)));
        let text = packet.message.as_bytes();
        let verified = envelope::verify(text, arrival, &logs).map_err(MessageError::from)?;
        let result = async {
            desk.admit_sender(&from, &verified.envelope().id, now)?;
            if let Some(shown) = logs.get(&from).filter(|_| packet.log.is_some()) {
                peers::learn(self.storage, shown).await?;
            }
            let peer = logs.get(&from).map(KeyLog::state);
            let peer = peer.ok_or(MessageError::Busy)??;
            let _turn = desk.turn().await;
            self.admit(&verified, arrival, peer, arrived.answers, gate, now)
                .await
        };
        result.await.map_err(|error| Refusal {
            error,
            verified: Some(Box::new(verified)),
        })
    }

    /// What is known of an agent's keys with what it shows now. A log that contradicts what is known is
    /// kept at once: nothing of that agent is believed any more.
    async fn log_with(
        &self,
        from: &AgentDid,
        shown: Option<&KeyLog>,
    ) -> Result<Option<KeyLog>, MessageError> {
        let known = peers::get(self.storage, from).await?;
        let shown = shown.filter(|log| log.unchecked_state().did() == from);
        Ok(match (known, shown) {
            (Some(mut known), Some(shown)) => {
                if known.merge(shown).is_err() {
                    peers::learn(self.storage, shown).await?;
                }
                Some(known)
            }
            (known, shown) => known.or_else(|| shown.cloned()),
        })
    }

    async fn admit(
        &self,
        verified: &Verified,
        arrival: Arrival<'_>,
        peer: &State,
        answers: bool,
        gate: &Gate,
        now: UnixMillis,
    ) -> Result<Taken, MessageError> {
        let envelope = verified.envelope();
        let from = &envelope.from;
        let channel = channel::direct(&self.me()?, from);
        let thread = envelope.thread_id.as_deref().unwrap_or_default();
        let channel = match envelope.content_type.as_str() {
            SESSION if thread == channel => Some(thread),
            SESSION => {
                let peer = from.as_kamn();
                return Err(MessageError::NoSession { peer });
            }
            CHANNEL => {
                ChannelId::parse(thread)?;
                Some(thread)
            }
            _ => None,
        };
        let arrival = Arrival { channel, ..arrival };
        for _ in 0..ATTEMPTS {
            let stored = Stored::load(self.storage, from).await?;
            let admitted = stored.admit(verified.clone(), arrival)?;
            let (received, mut batch) = (admitted.received, admitted.batch);
            let opened = self.open(&received, peer, answers, now, &mut batch).await?;
            let mut taken = Taken {
                id: envelope.id.clone(),
                from: from.clone(),
                name: None,
                letter: None,
                channel: opened.channel,
                body: opened.body,
                screened: Vec::new(),
                replies: opened.replies,
                received,
            };
            if !taken.body.is_empty() {
                let text = text_of(&taken.body);
                let (sealed, channel) = (opened.is_sealed, taken.channel.as_deref());
                let (letter, screened) =
                    Letter::of(&taken.received, channel, text, sealed, gate, now);
                let rows = letters::in_rows(self.storage, from, admitted.number, &letter).await?;
                extend(&mut batch, rows);
                taken.name = Some(format!("{}/{:012}", from.as_kamn(), admitted.number));
                (taken.letter, taken.screened) = (Some(letter), screened);
            }
            match self.storage.commit(batch).await {
                Ok(()) => return Ok(taken),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MessageError::Busy)
    }

    /// Opens a body, as its media type says; what changes by that goes into `batch`.
    async fn open(
        &self,
        received: &Received,
        peer: &State,
        answers: bool,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<Opened, MessageError> {
        let envelope = received.envelope();
        let of = |body, is_sealed, channel| Opened {
            body,
            is_sealed,
            channel,
            replies: Vec::new(),
        };
        match envelope.content_type.as_str() {
            SEALED => {
                let plaintext = self.open_bytes(received, peer, now).await?;
                Ok(of(from_plaintext(&plaintext)?, true, None))
            }
            SESSION => {
                let key = self.store_key().await?;
                let kept = self.session(&key, &envelope.from).await?;
                let mut kept = kept.ok_or_else(|| MessageError::NoSession {
                    peer: envelope.from.as_kamn(),
                })?;
                let message = SessionMessage::from_entries(&envelope.body)?;
                let plaintext = kept.session.open(now.0, &message)?;
                self.keep_session(&key, &kept, &envelope.from, batch)?;
                let channel = kept.session.channel().to_string();
                Ok(of(from_plaintext(&plaintext)?, true, Some(channel)))
            }
            CHANNEL => {
                let id = ChannelId::parse(envelope.thread_id.as_deref().unwrap_or_default())?;
                let opened = self.open_by_channel(received, &id, peer, now, batch);
                Ok(of(opened.await?, true, Some(id.as_str().into())))
            }
            HANDSHAKE => {
                let reply = self.shake(received, peer, answers, now, batch).await?;
                Ok(Opened {
                    replies: reply.into_iter().collect(),
                    ..of(BTreeMap::new(), false, None)
                })
            }
            PLAIN | "application/json" | "text/markdown" => {
                Ok(of(envelope.body.clone(), false, None))
            }
            other => Err(MessageError::ContentType {
                found: other.chars().take(80).collect(),
            }),
        }
    }

    /// What was sealed for this agent, by an agreement key of its sender.
    pub(super) async fn open_bytes(
        &self,
        received: &Received,
        peer: &State,
        now: UnixMillis,
    ) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        let envelope = received.envelope();
        let body = SealedBody::from_entries(&envelope.body)?;
        let created_ms = envelope.created.unix_ms();
        let theirs = peer.agreement_key_at(&body.sender_ref, created_ms, now.0, None)?;
        let (own_ref, own) = agreement(self.own()?)?;
        let with_ephemeral = self.signer.agree(&body.sealed.ephemeral).await?;
        let with_sender = self.signer.agree(theirs).await?;
        let opener = Opener {
            key: own,
            with_ephemeral: &with_ephemeral,
            with_sender: &with_sender,
        };
        let nonce = envelope.nonce.get().unsigned_abs();
        let plaintext = seal::open_for_agreed(&own_ref, nonce, opener, theirs, &body)?;
        Ok(plaintext)
    }

    /// The next step of a handshake, and what is replied.
    async fn shake(
        &self,
        received: &Received,
        peer: &State,
        answers: bool,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<Option<Sent>, MessageError> {
        let envelope = received.envelope();
        let from = &envelope.from;
        let facts = handshake::Received::of(received, envelope.message_type)?;
        let key = self.store_key().await?;
        let going = self.handshake(&key, from, now).await?;
        let (kind, entries, going) = match (envelope.message_type, going) {
            (MessageType::Proposal, going) => {
                // Where both began, the proposal of the DID that sorts first stands.
                let gives_way = match &going {
                    None => true,
                    Some(Going::Initiator(_)) => from.as_kamn() < self.me()?.as_kamn(),
                    Some(Going::Responder(_)) => false,
                };
                if !gives_way {
                    let peer = from.as_kamn();
                    return Err(HandshakeError::Pending { peer }.into());
                }
                let (responder, acceptance) = self.accept(&facts, received, peer, now).await?;
                let going = Going::Responder(responder);
                (
                    MessageType::Acceptance,
                    acceptance.to_entries(),
                    Some(going),
                )
            }
            (MessageType::Acceptance, Some(Going::Initiator(mut initiator))) => {
                let acceptance = Acceptance::from_entries(&envelope.body)?;
                check_head(peer, &acceptance.kel_head)?;
                let agreed = self.signer.agree(&acceptance.ephemeral).await?;
                let (_, theirs) = agreement(peer)?;
                let own = Own::Agreed(&agreed);
                let (session, confirmation) =
                    initiator.finish(&facts, &acceptance, own, theirs, now.0)?;
                let kept = self.begun(session, from).await?;
                self.keep_session(&key, &kept, from, batch)?;
                (MessageType::StatusUpdate, confirmation.to_entries(), None)
            }
            (MessageType::StatusUpdate, Some(Going::Responder(mut responder))) => {
                let confirmation = Confirmation::from_entries(&envelope.body)?;
                let session = responder.finish(&facts, &confirmation, now.0)?;
                let kept = self.begun(session, from).await?;
                self.keep_session(&key, &kept, from, batch)?;
                batch.delete.push(channel::handshake_key(from));
                return Ok(None);
            }
            _ => return Err(HandshakeError::OutOfOrder.into()),
        };
        let number = self.next_number(from, now).await?;
        let parts = Parts {
            peers: Vec::from([peer]),
            kind,
            content_type: HANDSHAKE,
            body: entries,
            thread: None,
            answers: Some(envelope.id.clone()),
            number,
            life_ms: handshake::TIMEOUT_MS,
        };
        let signed = self.sign(parts, now).await?;
        match going {
            Some(Going::Responder(mut responder)) => {
                responder.sent(signed.hash())?;
                let going = Going::Responder(responder);
                self.keep_handshake(&key, &going, from, now, batch)?;
            }
            _ => batch.delete.push(channel::handshake_key(from)),
        }
        let status = match answers {
            true => Status::Handed,
            false => Status::Waiting,
        };
        Ok(Some(self.stored(from, &signed, number, status, now, batch)))
    }

    async fn accept(
        &self,
        facts: &handshake::Received,
        received: &Received,
        peer: &State,
        now: UnixMillis,
    ) -> Result<(Responder, Acceptance), MessageError> {
        let envelope = received.envelope();
        let proposal = Proposal::from_entries(&envelope.body)?;
        let me = self.me()?;
        check_head(peer, &proposal.kel_head)?;
        let is_ours = proposal.channel_id == channel::direct(&me, &envelope.from)
            && proposal.channel_type == "Direct"
            && proposal.permissions_digest == channel::permissions();
        if !is_ours {
            let peer = envelope.from.as_kamn();
            return Err(MessageError::Channel { peer });
        }
        let agreed = self.signer.agree(&proposal.ephemeral).await?;
        let (_, theirs) = agreement(peer)?;
        let answer = handshake::Answer {
            me: &me.to_string(),
            own: Own::Agreed(&agreed),
            peer_key: theirs,
            ephemeral: self.ephemeral()?,
            nonce: self.random()?,
            kel_head: *self.own()?.head(),
            suites: handshake::suites(),
        };
        Ok(Responder::accept(facts, &proposal, answer, now.0)?)
    }
}

/// The other goes by the keys that are known here.
fn check_head(peer: &State, head: &[u8; 32]) -> Result<(), MessageError> {
    match peer.head() == head {
        true => Ok(()),
        false => Err(MessageError::KelHead {
            peer: peer.did().as_kamn(),
        }),
    }
}

fn from_plaintext(plaintext: &[u8]) -> Result<BTreeMap<String, String>, MessageError> {
    let refused = |why| MessageError::Body { why };
    let value = jcs::parse(plaintext, ENVELOPE_LIMIT_BYTES)
        .map_err(|_| refused("does not hold what a message says"))?;
    let Value::Object(object) = value else {
        return Err(refused("does not hold what a message says"));
    };
    let entries = object.into_iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(refused("holds an entry that is no text")),
    });
    let body: BTreeMap<_, _> = entries.collect::<Result<_, _>>()?;
    match body.is_empty() {
        true => Err(refused("is empty")),
        false => Ok(body),
    }
}

/// What a body says, for who reads it: its text first, then every other entry under its name.
fn text_of(body: &BTreeMap<String, String>) -> String {
    let others = body.iter().filter(|(name, _)| *name != TEXT);
    let others = others.map(|(name, text)| format!("{name}: {text}"));
    let lines: Vec<String> = body.get(TEXT).cloned().into_iter().chain(others).collect();
    lines.join("\n")
}

fn extend(batch: &mut Batch, rows: Batch) {
    batch.require_absent.extend(rows.require_absent);
    batch.put.extend(rows.put);
    batch.delete.extend(rows.delete);
}
