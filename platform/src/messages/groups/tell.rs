//! Telling the members of a channel: one content, sealed once, and a row of the outbox for each.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use tau_core::{
    ids::UnixMillis,
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid,
    envelope::MessageType,
    kel::KeyLog,
    seal::{self, Recipient, Static},
};
use zeroize::Zeroizing;

use super::{
    CHANGE_LIFE_MS, CHANNEL, ChannelRefusal, Round,
    content::{self, Content, What},
    store::Kept,
};
use crate::{
    Entropy, Signer, Storage,
    messages::{MessageError, Office, Status, agreement, write::Parts},
};

/// What is told to some members.
pub(super) struct Telling {
    pub(super) to: Vec<AgentDid>,
    pub(super) kind: MessageType,
    pub(super) content: Content,
    pub(super) answers: Option<String>,
    pub(super) life_ms: u64,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// What is known of the keys of an agent that can be written to.
    pub(super) async fn usable_log(&self, did: &AgentDid) -> Result<KeyLog, MessageError> {
        let log = self.log_of(did).await?;
        agreement(log.state()?)?;
        Ok(log)
    }

    /// What the channel is now, for all others in it, with everybody's keys as far as they fit.
    pub(super) async fn of_state(
        &self,
        kept: &Kept,
        me: &AgentDid,
    ) -> Result<Telling, MessageError> {
        let to = kept.others(me);
        // Who came last is whom the others do not know.
        let mut newest: Vec<_> = to.iter().collect();
        newest.sort_by_key(|did| core::cmp::Reverse(kept.state.members.get(*did)));
        let mut logs = Vec::new();
        for did in newest {
            match self.usable_log(did).await {
                Ok(log) => logs.push(log),
                Err(error) if error.is_refusal() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Telling {
            kind: MessageType::StatusUpdate,
            content: Content {
                channel: kept.state.id.clone(),
                what: What::State {
                    state: kept.state.clone(),
                    logs: content::fitting(&logs),
                },
            },
            to,
            answers: None,
            life_ms: CHANGE_LIFE_MS,
        })
    }

    /// Stores the channel as it is now with all that is told of it, at once; `None` where another process
    /// changed it meanwhile.
    pub(super) async fn keep_round(
        &self,
        kept: &mut Kept,
        tellings: Vec<Telling>,
        now: UnixMillis,
    ) -> Result<Option<Round>, MessageError> {
        let mut batch = Batch::default();
        let mut round = Round {
            channel: kept.state.id.clone(),
            sent: Vec::new(),
            skipped: Vec::new(),
        };
        for telling in &tellings {
            kept.sent += 1;
            self.tell(telling, kept.sent, &mut round, now, &mut batch)
                .await?;
            let is_said = matches!(telling.content.what, What::Words { .. });
            if is_said && round.sent.is_empty() {
                return Err(ChannelRefusal::Nobody.into());
            }
        }
        kept.keep(&mut batch)?;
        match self.storage.commit(batch).await {
            Ok(()) => Ok(Some(round)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Seals one content for all that can be written to, and adds a message for each to `batch`.
    async fn tell(
        &self,
        telling: &Telling,
        nonce: u64,
        round: &mut Round,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let mut logs = Vec::new();
        let mut numbers = Vec::new();
        for did in &telling.to {
            let usable = match self.usable_log(did).await {
                Ok(log) => self.next_number(did, now).await.map(|number| (log, number)),
                Err(error) => Err(error),
            };
            match usable {
                Ok((log, number)) => {
                    logs.push(log);
                    numbers.push((did, number));
                }
                Err(error) if error.is_refusal() => round.skipped.push((did.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        if logs.is_empty() {
            return Ok(());
        }
        let plaintext = telling.content.to_bytes()?;
        let parts = Parts {
            peers: logs.iter().map(KeyLog::state).collect::<Result<_, _>>()?,
            kind: telling.kind,
            content_type: CHANNEL,
            body: self.sealed_for_all(&logs, nonce, &plaintext).await?,
            thread: Some(telling.content.channel.as_str().into()),
            answers: telling.answers.clone(),
            number: nonce,
            life_ms: telling.life_ms,
        };
        let signed = self.sign(parts, now).await?;
        for (did, number) in numbers {
            let sent = self.stored(did, &signed, number, Status::Waiting, now, batch);
            round.sent.push(sent);
        }
        Ok(())
    }

    pub(super) async fn sealed_for_all(
        &self,
        logs: &[KeyLog],
        nonce: u64,
        plaintext: &[u8],
    ) -> Result<BTreeMap<String, String>, MessageError> {
        let (sender_ref, own) = agreement(self.own()?)?;
        let mut keys = Vec::new();
        for log in logs {
            let (key_ref, key) = agreement(log.state()?)?;
            let agreed = self.signer.agree(key).await?;
            keys.push((key_ref, key, agreed));
        }
        let recipients: Vec<_> = keys
            .iter()
            .map(|(key_ref, key, agreed)| {
                let recipient = Recipient { key_ref, key };
                let sender = Static { key: own, agreed };
                (recipient, sender)
            })
            .collect();
        let cek = Zeroizing::new(self.random::<32>()?);
        let ephemeral = self.ephemeral()?;
        let sealed =
            seal::seal_for_agreed(&sender_ref, nonce, &recipients, ephemeral, cek, plaintext)?;
        Ok(sealed.to_entries())
    }
}
