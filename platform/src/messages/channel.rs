//! Sessions of two: shaken hands over, kept sealed in the store, and never put back.
//!
//! ```text
//!  channel-key            what the rows below are sealed under, of no use without the agent's own key
//!  channel/<did>/state    the session with that agent
//!  channel/<did>/<n>      that it changed the n-th time
//!  handshake/<did>        a handshake that goes on with that agent
//! ```
//!
//! Invariant: each change is a row that must not exist when it is written, so that no two processes
//! seal with the same key, and none opens what the other did. A rotation of the agent's agreement key
//! ends every session: what was sealed before opens no more, and hands are shaken again.

use alloc::{format, string::String, vec::Vec};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tau_core::{
    ids::UnixMillis,
    json::{self, FromJson, ToJson},
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid, AgreementKey,
    bytes::sha256,
    channel::{Kind, Permissions},
    handshake::{Initiator, Responder, TIMEOUT_MS},
    ratchet::Session,
};
use zeroize::Zeroizing;

use super::{MessageError, Office, agreement};
use crate::{Entropy, Signer, Storage};

const KEY: &str = "channel-key";
const VERSION: u32 = 1;
/// So many rows stay that say a session changed.
const LAG: u64 = 256;

/// What two agents call their own channel, whoever began.
pub(super) fn direct(a: &AgentDid, b: &AgentDid) -> String {
    let (a, b) = (a.as_kamn(), b.as_kamn());
    match a < b {
        true => format!("channel:direct:{a}|{b}"),
        false => format!("channel:direct:{b}|{a}"),
    }
}

/// What may be done in it, as both must mean it.
pub(super) fn permissions() -> [u8; 32] {
    Permissions::of(&Kind::Direct).digest()
}

#[derive(FromJson, ToJson)]
struct KeyRow {
    v: u32,
    /// A key whose secret half nobody has.
    ephemeral: String,
    /// The agent's key that it was agreed on with.
    agreement: String,
}

#[derive(FromJson, ToJson)]
struct StateRow {
    v: u32,
    changes: u64,
    session: String,
}

#[derive(FromJson, ToJson)]
struct HandshakeRow {
    v: u32,
    initiator: bool,
    started: UnixMillis,
    state: String,
}

/// A session in the store.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) session: Session,
    changes: u64,
}

/// A handshake in the store.
#[derive(Debug)]
pub(super) enum Going {
    /// This agent proposed.
    Initiator(Initiator),
    /// This agent answered.
    Responder(Responder),
}

/// What rows are sealed under, once it was asked for.
pub(super) struct StoreKey {
    bytes: Zeroizing<[u8; 32]>,
    /// To be stored with the first row under it.
    row: Option<(String, Vec<u8>)>,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// What rows are sealed under.
    pub(super) async fn store_key(&self) -> Result<StoreKey, MessageError> {
        let (own_ref, own) = agreement(self.own()?)?;
        let stored = self.storage.get(KEY.into()).await?;
        let stored = stored.and_then(|bytes| json::from_slice::<KeyRow>(&bytes).ok());
        let usable = stored.filter(|row| row.v == VERSION && row.agreement == own_ref);
        let known = usable.and_then(|row| AgreementKey::from_multikey(&row.ephemeral).ok());
        let (ephemeral, row) = match known {
            Some(ephemeral) => (ephemeral, None),
            None => {
                let ephemeral = self.ephemeral()?.public_key();
                let row = json::to_vec(&KeyRow {
                    v: VERSION,
                    ephemeral: ephemeral.to_multikey(),
                    agreement: own_ref,
                });
                (ephemeral, Some((KEY.into(), row)))
            }
        };
        let agreed = self.signer.agree(&ephemeral).await?;
        let mut bytes = Zeroizing::new(Vec::from(b"tau-channel-key-v1\0"));
        bytes.extend_from_slice(agreed.as_slice());
        bytes.extend_from_slice(&ephemeral.to_bytes());
        bytes.extend_from_slice(&own.to_bytes());
        Ok(StoreKey {
            bytes: Zeroizing::new(sha256(&bytes)),
            row,
        })
    }

    /// The session with `peer`, if there is one that opens.
    pub(super) async fn session(
        &self,
        key: &StoreKey,
        peer: &AgentDid,
    ) -> Result<Option<Kept>, MessageError> {
        let Some(row) = self.state_row(peer).await? else {
            return Ok(None);
        };
        let sealed = URL_SAFE_NO_PAD.decode(&row.session).unwrap_or_default();
        // Sealed under a key that is gone, it is gone.
        Ok(Session::restore(&key.bytes, &sealed)
            .ok()
            .map(|session| Kept {
                session,
                changes: row.changes,
            }))
    }

    async fn state_row(&self, peer: &AgentDid) -> Result<Option<StateRow>, MessageError> {
        let at = state_key(peer);
        let Some(bytes) = self.storage.get(at.clone()).await? else {
            return Ok(None);
        };
        let row: StateRow = json::from_slice(&bytes).map_err(|error| MessageError::Damaged {
            key: at,
            why: format!("{error}"),
        })?;
        Ok(Some(row))
    }

    /// Adds to `batch` that the session is what it is now.
    pub(super) fn keep_session(
        &self,
        key: &StoreKey,
        kept: &Kept,
        peer: &AgentDid,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let changes = kept.changes + 1;
        let snapshot = kept.session.snapshot(&key.bytes, &self.random()?)?;
        let row = json::to_vec(&StateRow {
            v: VERSION,
            changes,
            session: URL_SAFE_NO_PAD.encode(snapshot),
        });
        let change = |number: u64| format!("channel/{}/{number:012}", peer.as_kamn());
        batch.require_absent.push(change(changes));
        batch.put.push((change(changes), br#"{"v":1}"#.to_vec()));
        batch.put.push((state_key(peer), row));
        batch.put.extend(key.row.clone());
        if let Some(old) = changes.checked_sub(LAG) {
            batch.delete.push(change(old));
        }
        Ok(())
    }

    /// A session that was just made, in the place of one there was.
    pub(super) async fn begun(
        &self,
        session: Session,
        peer: &AgentDid,
    ) -> Result<Kept, MessageError> {
        let before = self.state_row(peer).await?;
        Ok(Kept {
            session,
            changes: before.map_or(0, |row| row.changes),
        })
    }

    /// The handshake that goes on with `peer`; one that took too long, or does not open, is none.
    pub(super) async fn handshake(
        &self,
        key: &StoreKey,
        peer: &AgentDid,
        now: UnixMillis,
    ) -> Result<Option<Going>, MessageError> {
        let Some(bytes) = self.storage.get(handshake_key(peer)).await? else {
            return Ok(None);
        };
        let Ok(row) = json::from_slice::<HandshakeRow>(&bytes) else {
            return Ok(None);
        };
        if row.v != VERSION || now.since(row.started) > TIMEOUT_MS {
            return Ok(None);
        }
        let sealed = URL_SAFE_NO_PAD.decode(&row.state).unwrap_or_default();
        Ok(match row.initiator {
            true => Initiator::restore(&key.bytes, &sealed)
                .ok()
                .map(Going::Initiator),
            false => Responder::restore(&key.bytes, &sealed)
                .ok()
                .map(Going::Responder),
        })
    }

    /// Adds to `batch` that a handshake goes on.
    pub(super) fn keep_handshake(
        &self,
        key: &StoreKey,
        going: &Going,
        peer: &AgentDid,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let nonce = self.random()?;
        let (initiator, snapshot) = match going {
            Going::Initiator(initiator) => (true, initiator.snapshot(&key.bytes, &nonce)?),
            Going::Responder(responder) => (false, responder.snapshot(&key.bytes, &nonce)?),
        };
        let row = json::to_vec(&HandshakeRow {
            v: VERSION,
            initiator,
            started: now,
            state: URL_SAFE_NO_PAD.encode(snapshot),
        });
        batch.put.push((handshake_key(peer), row));
        batch.put.extend(key.row.clone());
        Ok(())
    }

    /// Whether there is a session with `peer` that opens.
    pub async fn has_channel(&self, peer: &AgentDid) -> Result<bool, MessageError> {
        let key = self.store_key().await?;
        Ok(self.session(&key, peer).await?.is_some())
    }

    /// With whom this agent has a session that opens, and what the two call it.
    pub async fn channels(&self) -> Result<Vec<(AgentDid, String)>, MessageError> {
        let key = self.store_key().await?;
        let mut found = Vec::new();
        let rows = peers_with_state(self.storage).await?;
        for did in rows.iter().filter_map(|did| did.parse::<AgentDid>().ok()) {
            if let Some(kept) = self.session(&key, &did).await? {
                let channel = kept.session.channel().into();
                found.push((did, channel));
            }
        }
        Ok(found)
    }
}

async fn peers_with_state(storage: &impl Storage) -> Result<Vec<String>, StoreError> {
    use tau_core::session::Range;
    let mut found = Vec::new();
    let mut range = Range::prefix("channel/", 64);
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(found);
        };
        range.start = format!("{last}\0");
        let names = page.iter().filter_map(|(key, _)| {
            let did = key.strip_prefix("channel/")?.strip_suffix("/state")?;
            Some(String::from(did))
        });
        found.extend(names);
    }
}

fn state_key(peer: &AgentDid) -> String {
    format!("channel/{}/state", peer.as_kamn())
}

pub(super) fn handshake_key(peer: &AgentDid) -> String {
    format!("handshake/{}", peer.as_kamn())
}
