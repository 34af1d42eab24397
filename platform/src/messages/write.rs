//! Writing a message: sealed, numbered, signed and stored before it leaves.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use tau_core::{
    ids::UnixMillis,
    json,
    safety::{Severity, secrets},
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid,
    envelope::{self, Envelope, MessageType, SignedEnvelope},
    handshake::{self, Initiator, Proposal},
    jcs::{Integer, Object, Value},
    kel::{KeyLog, State},
    seal::{self, Route, SealedBody, Static},
};
use zeroize::Zeroizing;

use super::{
    HANDSHAKE, MessageError, Office, PLAIN, SEALED, SESSION, Sent, Status, agreement,
    channel::{self, Going, StoreKey},
    letters, signing, timestamp,
};
use crate::{Entropy, Signer, Storage, peers};

/// Others may write at the same time: so often it is tried again.
pub(super) const ATTEMPTS: u32 = 8;
/// The name of the entry of a body that is what is said.
pub(super) const TEXT: &str = "text";

/// Who can read a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whoever carries it.
    Plain,
    /// Its recipient alone, and whoever takes the recipient's key later.
    Sealed,
    /// The two of a session alone, also if a key is taken later.
    Session,
}

/// A message that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// To whom.
    pub to: AgentDid,
    /// What kind of message it is.
    pub kind: MessageType,
    /// What it says, by name; `text` is what is read first.
    pub body: BTreeMap<String, String>,
    /// The message it answers.
    pub answers: Option<String>,
    /// For how long it is of use; a day at most.
    pub life_ms: u64,
    /// Who can read it on its way.
    pub way: Way,
}

impl Draft {
    /// A request that says `text`, of use for an hour.
    #[must_use]
    pub fn request(to: AgentDid, text: &str, way: Way) -> Self {
        Self {
            to,
            kind: MessageType::Request,
            body: BTreeMap::from([(TEXT.into(), text.into())]),
            answers: None,
            life_ms: 3_600_000,
            way,
        }
    }
}

/// A message that is stored and can leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// As it is stored.
    pub sent: Sent,
    /// The signed envelope.
    pub signed: SignedEnvelope,
}

/// What is signed, but for what every message has.
pub(super) struct Parts<'a> {
    pub(super) peers: Vec<&'a State>,
    pub(super) kind: MessageType,
    pub(super) content_type: &'a str,
    pub(super) body: BTreeMap<String, String>,
    pub(super) thread: Option<String>,
    pub(super) answers: Option<String>,
    pub(super) number: u64,
    pub(super) life_ms: u64,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// Writes a message: what comes out is stored, and waits to be sent.
    pub async fn write(&self, draft: Draft, now: UnixMillis) -> Result<Outgoing, MessageError> {
        for text in draft.body.values() {
            refuse_secret(text)?;
        }
        let log = self.log_of(&draft.to).await?;
        for _ in 0..ATTEMPTS {
            let number = self.next_number(&draft.to, now).await?;
            let (signed, mut batch) = self.seal_up(&draft, log.state()?, number, now).await?;
            let sent = self.stored(&draft.to, &signed, number, Status::Waiting, now, &mut batch);
            match self.storage.commit(batch).await {
                Ok(()) => return Ok(Outgoing { sent, signed }),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MessageError::Busy)
    }

    /// Writes the proposal of a session to `peer`.
    pub async fn propose(
        &self,
        peer: &AgentDid,
        now: UnixMillis,
    ) -> Result<Outgoing, MessageError> {
        let log = self.log_of(peer).await?;
        let me = self.me()?;
        let key = self.store_key().await?;
        if self.handshake(&key, peer, now).await?.is_some() {
            let peer = peer.as_kamn();
            return Err(handshake::HandshakeError::Pending { peer }.into());
        }
        for _ in 0..ATTEMPTS {
            let number = self.next_number(peer, now).await?;
            let ephemeral = self.ephemeral()?;
            let proposal = Proposal {
                channel_id: channel::direct(&me, peer),
                channel_type: "Direct".into(),
                ephemeral: ephemeral.public_key(),
                nonce: self.random()?,
                suites: handshake::suites(),
                permissions_digest: channel::permissions(),
                kel_head: *self.own()?.head(),
            };
            let (from, to) = (me.to_string(), peer.to_string());
            let mut initiator = Initiator::new(&from, &to, proposal, ephemeral, now.0);
            let parts = Parts {
                peers: vec![log.state()?],
                kind: MessageType::Proposal,
                content_type: HANDSHAKE,
                body: initiator.proposal().to_entries(),
                thread: None,
                answers: None,
                number,
                life_ms: handshake::TIMEOUT_MS,
            };
            let signed = self.sign(parts, now).await?;
            initiator.sent(signed.hash())?;
            let mut batch = Batch::default();
            let going = Going::Initiator(initiator);
            self.keep_handshake(&key, &going, peer, now, &mut batch)?;
            let sent = self.stored(peer, &signed, number, Status::Waiting, now, &mut batch);
            match self.storage.commit(batch).await {
                Ok(()) => return Ok(Outgoing { sent, signed }),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MessageError::Busy)
    }

    /// What is known of an agent's keys.
    pub(super) async fn log_of(&self, did: &AgentDid) -> Result<KeyLog, MessageError> {
        let known = peers::get(self.storage, did).await?;
        Ok(known.ok_or_else(|| envelope::Error::Unresolved { did: did.as_kamn() })?)
    }

    /// The number of the next message to an agent.
    pub(super) async fn next_number(
        &self,
        to: &AgentDid,
        now: UnixMillis,
    ) -> Result<u64, MessageError> {
        let number = letters::newest(self.storage, to).await? + 1;
        let old = match number.checked_sub(letters::KEPT) {
            Some(old) => letters::out(self.storage, to, old).await?,
            None => None,
        };
        match old {
            Some(old) if old.status == Status::Waiting && now <= old.expires => {
                Err(MessageError::OutboxFull {
                    peer: to.as_kamn(),
                    limit: letters::KEPT,
                })
            }
            _ => Ok(number),
        }
    }

    async fn seal_up(
        &self,
        draft: &Draft,
        peer: &State,
        number: u64,
        now: UnixMillis,
    ) -> Result<(SignedEnvelope, Batch), MessageError> {
        let mut batch = Batch::default();
        let mut thread = None;
        let plaintext = Zeroizing::new(to_plaintext(&draft.body));
        let (content_type, body) = match draft.way {
            Way::Plain => (PLAIN, draft.body.clone()),
            Way::Sealed => (SEALED, self.sealed(peer, number, &plaintext).await?),
            Way::Session => {
                let key = self.store_key().await?;
                let body = self.under_session(&key, draft, &plaintext, now, &mut batch);
                thread = Some(channel::direct(&self.me()?, &draft.to));
                (SESSION, body.await?)
            }
        };
        let parts = Parts {
            peers: vec![peer],
            kind: draft.kind,
            content_type,
            body,
            thread,
            answers: draft.answers.clone(),
            number,
            life_ms: draft.life_ms,
        };
        Ok((self.sign(parts, now).await?, batch))
    }

    async fn sealed(
        &self,
        peer: &State,
        number: u64,
        plaintext: &[u8],
    ) -> Result<BTreeMap<String, String>, MessageError> {
        let (sender_ref, own) = agreement(self.own()?)?;
        let (recipient_ref, theirs) = agreement(peer)?;
        let agreed = self.signer.agree(theirs).await?;
        let route = Route {
            sender_ref: &sender_ref,
            recipient_ref: &recipient_ref,
            nonce: number,
        };
        let sender = Static {
            key: own,
            agreed: &agreed,
        };
        let sealed = seal::seal_agreed(&route, sender, theirs, self.ephemeral()?, plaintext)?;
        let body = SealedBody {
            sender_ref,
            sealed,
            wraps: BTreeMap::new(),
        };
        Ok(body.to_entries())
    }

    async fn under_session(
        &self,
        key: &StoreKey,
        draft: &Draft,
        plaintext: &[u8],
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<BTreeMap<String, String>, MessageError> {
        let kept = self.session(key, &draft.to).await?;
        let mut kept = kept.ok_or_else(|| MessageError::NoSession {
            peer: draft.to.as_kamn(),
        })?;
        let message = kept.session.seal(now.0, plaintext)?;
        self.keep_session(key, &kept, &draft.to, batch)?;
        Ok(message.to_entries())
    }

    /// The envelope, signed by this agent.
    pub(super) async fn sign(
        &self,
        parts: Parts<'_>,
        now: UnixMillis,
    ) -> Result<SignedEnvelope, MessageError> {
        let own = self.own()?;
        let (fragment, key) = signing(own)?;
        let keys = parts.peers.iter().map(|peer| Ok(agreement(peer)?.0));
        let recipient_keys = keys.collect::<Result<_, MessageError>>()?;
        let to = parts.peers.iter().map(|peer| peer.did().as_did().clone());
        let created = timestamp(now)?;
        let nonce = Integer::try_from(parts.number).map_err(envelope::Error::from)?;
        let envelope = Envelope {
            id: self.id()?,
            from: own.did().clone(),
            to: to.collect(),
            created,
            expires: timestamp(now.plus(parts.life_ms))?,
            thread_id: parts.thread,
            parent_id: parts.answers,
            nonce,
            message_type: parts.kind,
            priority: "Normal".into(),
            content_type: parts.content_type.into(),
            recipient_keys,
            body: parts.body,
            attachments: Vec::new(),
        };
        let unsigned = envelope.unsigned(fragment, created)?;
        let signature = self.signer.sign(&unsigned.to_bytes()).await?;
        Ok(unsigned.signed_with(signature, key)?)
    }

    /// Adds a message to `batch`, as the newest to `to`.
    pub(super) fn stored(
        &self,
        to: &AgentDid,
        signed: &SignedEnvelope,
        number: u64,
        status: Status,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Sent {
        let envelope = signed.envelope();
        let sent = Sent {
            v: 1,
            to: to.as_kamn(),
            id: envelope.id.clone(),
            number,
            created: UnixMillis(envelope.created.unix_ms()),
            expires: UnixMillis(envelope.expires.unix_ms()),
            attempts: 0,
            next: now,
            status,
            why: None,
            envelope: signed.to_canonical(),
        };
        batch.require_absent.push(sent.key());
        batch.put.push((sent.key(), json::to_vec(&sent)));
        batch.put.push(letters::newest_row(to, number));
        if let Some(old) = number.checked_sub(letters::KEPT) {
            batch.delete.push(letters::out_key(to, old));
        }
        sent
    }
}

/// What is sealed of a body.
fn to_plaintext(body: &BTreeMap<String, String>) -> Vec<u8> {
    let object = body.iter().fold(Object::new(), |object, (name, text)| {
        object.with(name, text.as_str())
    });
    Value::from(object).to_canonical().into_bytes()
}

/// Nothing that gives access to something leaves, sealed or not.
pub(super) fn refuse_secret(text: &str) -> Result<(), MessageError> {
    let found = secrets::scan(text);
    match found.iter().find(|f| f.severity >= Severity::Medium) {
        None => Ok(()),
        Some(finding) => Err(MessageError::Secret {
            family: finding.family.to_string(),
        }),
    }
}
