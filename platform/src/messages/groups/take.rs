//! Taking what came by a channel: words of its members, and what changes it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use tau_core::{ids::UnixMillis, session::Batch};
use tau_kamn::{
    AgentDid, KamnDid,
    channel::Action,
    envelope::{Envelope, Received},
    jcs::Value,
    kel::{self, KeyLog},
    seal::SealedBody,
};

use super::{
    ChannelId, ChannelRefusal, MEMBERS_LIMIT, Over,
    content::{self, Content, What},
    state::State,
    store::{self, Kept},
    unknown,
};
use crate::{
    Entropy, Signer, Storage,
    messages::{MessageError, Office},
    peers::{self, LogError},
};

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// What a message that came by `channel` says, opened; nothing, if it changed the channel, which goes
    /// into `batch`.
    pub(in super::super) async fn open_by_channel(
        &self,
        received: &Received,
        channel: &ChannelId,
        peer: &kel::State,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<BTreeMap<String, String>, MessageError> {
        let envelope = received.envelope();
        let from = &envelope.from;
        let sealed = SealedBody::from_entries(&envelope.body)?;
        let wrapped: BTreeSet<_> = sealed.wraps.keys().collect();
        if wrapped != envelope.recipient_keys.iter().collect() {
            return Err(ChannelRefusal::Recipients.into());
        }
        let plaintext = self.open_bytes(received, peer, now).await?;
        let content = Content::read(&plaintext)?;
        if content.channel != *channel {
            let peer = from.as_kamn();
            return Err(MessageError::Channel { peer });
        }
        let known = store::load(self.storage, channel).await?;
        match content.what {
            What::Words {
                number,
                digest,
                body,
            } => {
                let kept = known.ok_or_else(|| unknown(channel.as_str()))?;
                kept.check_open()?;
                check_words(&kept, envelope, number, &digest)?;
                // Taken by what is known of the channel now, or not at all.
                kept.hold(batch);
                Ok(body)
            }
            What::State { state, logs } => {
                self.take_state(known, state, logs, envelope, batch).await?;
                Ok(BTreeMap::new())
            }
            What::Removed { number } => {
                let mut kept = known.ok_or_else(|| unknown(channel.as_str()))?;
                kept.check_author(from, Action::Remove)?;
                let known = kept.state.number;
                if number <= known {
                    let found = number;
                    return Err(ChannelRefusal::Stale { found, known }.into());
                }
                if kept.over.is_none() {
                    kept.over = Some(Over::Removed);
                    kept.keep(batch)?;
                }
                Ok(BTreeMap::new())
            }
            What::Leaves { since } => {
                let mut kept = known.ok_or_else(|| unknown(channel.as_str()))?;
                kept.check_open()?;
                let known = kept.state.number;
                if since > known {
                    let found = since;
                    return Err(ChannelRefusal::Ahead { found, known }.into());
                }
                kept.check_author(from, Action::Read)?;
                if kept.state.members.get(from) != Some(&since) {
                    let found = since;
                    return Err(ChannelRefusal::Stale { found, known }.into());
                }
                kept.left.insert(from.clone(), since);
                kept.keep(batch)?;
                Ok(BTreeMap::new())
            }
        }
    }

    async fn take_state(
        &self,
        known: Option<Kept>,
        state: State,
        logs: Vec<Value>,
        envelope: &Envelope,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let from = &envelope.from;
        let me = self.me()?;
        let Some(mine) = state.members.get(&me).copied() else {
            let why = "this agent is not in it";
            return Err(ChannelRefusal::Form { why }.into());
        };
        check_recipients(envelope, &state)?;
        let kept = match known {
            None => {
                let rules = state.rules()?;
                rules
                    .authorize(from, Action::Configure)
                    .map_err(ChannelRefusal::from)?;
                store::check_room(self.storage, from).await?;
                Kept::begin(state, from)
            }
            Some(mut kept) => {
                kept.check_present(from)?;
                kept.state.check_next(&state, from)?;
                if kept.over.is_some() {
                    // Only who is asked in anew comes back.
                    if kept
                        .state
                        .members
                        .get(&me)
                        .is_some_and(|since| *since >= mine)
                    {
                        kept.check_open()?;
                    }
                    kept.over = None;
                }
                if kept.state == state {
                    return self.learn_members(&state, logs, &me).await;
                }
                kept.follow(state);
                kept
            }
        };
        self.learn_members(&kept.state, logs, &me).await?;
        Ok(kept.keep(batch)?)
    }

    /// Remembers the keys of members, which prove themselves. One whose keys contradict what is known is
    /// no reason to refuse what the others are told.
    async fn learn_members(
        &self,
        state: &State,
        logs: Vec<Value>,
        me: &AgentDid,
    ) -> Result<(), MessageError> {
        for value in logs.into_iter().take(MEMBERS_LIMIT) {
            let log = KeyLog::from_value(value)?;
            let did = log.unchecked_state().did();
            if did == me || !state.members.contains_key(did) {
                continue;
            }
            if let Err(LogError::Store(error)) = peers::learn(self.storage, &log).await {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

impl Kept {
    /// Whether `from` is in the channel and may do that there.
    fn check_author(&self, from: &AgentDid, action: Action) -> Result<(), ChannelRefusal> {
        self.check_present(from)?;
        Ok(self.state.rules()?.authorize(from, action)?)
    }

    fn check_present(&self, from: &AgentDid) -> Result<(), ChannelRefusal> {
        match self.left.contains_key(from) {
            true => Err(ChannelRefusal::Gone {
                did: from.as_kamn(),
            }),
            false => Ok(()),
        }
    }
}

/// Whether words may be taken: written by who may write there, by the state that is known here, for
/// nobody but members.
fn check_words(
    kept: &Kept,
    envelope: &Envelope,
    number: u64,
    digest: &str,
) -> Result<(), ChannelRefusal> {
    let (found, known) = (number, kept.state.number);
    if found > known {
        return Err(ChannelRefusal::Ahead { found, known });
    }
    kept.check_author(&envelope.from, Action::Send)?;
    if found < known {
        return Err(ChannelRefusal::Stale { found, known });
    }
    if digest != content::digest(&kept.state)? {
        return Err(ChannelRefusal::Conflict { number });
    }
    check_recipients(envelope, &kept.state)
}

fn check_recipients(envelope: &Envelope, state: &State) -> Result<(), ChannelRefusal> {
    let is_member = |did: &KamnDid| {
        let did = AgentDid::try_from(did.clone());
        did.is_ok_and(|did| state.members.contains_key(&did))
    };
    match envelope.to.iter().all(is_member) {
        true => Ok(()),
        false => Err(ChannelRefusal::Recipients),
    }
}
