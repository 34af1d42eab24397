//! Channels of several agents: made, changed, left, and written to.
//!
//! ```text
//!  State 1 ─ change ─> State 2 ─ …          each sealed for its members, signed by who may change it
//!     └─ digest ─┐        └─ digest ─┐
//!  words ────────┴─> one content, sealed once for all who are in it then ─> an envelope that all get
//! ```
//!
//! Every message has a key of its own, which is sealed for each member's agreement key: there is no
//! key of the channel that would have to be kept, handed out again after a restart, or drawn anew when
//! somebody goes. Who is removed is sealed for no more.
//!
//! Invariants: a message says by which state of the channel it was written, inside of the seal; it is
//! taken only where the same state is known, from who may write there, sealed for nobody but members.
//! A state is taken only from who may make what differs in it. What changes is one commit.

mod content;
mod id;
mod refusal;
mod state;
mod store;
mod take;
mod tell;

pub use id::ChannelId;
pub use refusal::{ChannelRefusal, Over};
pub use state::{Change, MEMBERS_LIMIT, about, kind_of};

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use tau_core::{ids::UnixMillis, safety::Gate};
use tau_kamn::{
    AgentDid,
    channel::{Action, Kind},
    envelope::MessageType,
};

use super::{
    Carrier, Desk, MessageError, Office, Posted, Sent,
    write::{ATTEMPTS, refuse_secret},
};
use crate::{Clock, Entropy, Signer, Storage};
use content::{Content, What};
use state::State;
use store::Kept;
use tell::Telling;

/// The media type of a message to a channel of several agents, and of what changes one.
pub const CHANNEL: &str = "application/kamn-channel-v1";

/// What changes a channel is of use for a day, the longest that a message can be.
const CHANGE_LIFE_MS: u64 = 86_400_000;

/// What is said to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What kind of message it is.
    pub kind: MessageType,
    /// What it says, by name; `text` is what is read first.
    pub body: BTreeMap<String, String>,
    /// The message it answers.
    pub answers: Option<String>,
    /// For how long it is of use; a day at most.
    pub life_ms: u64,
}

impl Words {
    /// A request that says `text`, of use for an hour.
    #[must_use]
    pub fn request(text: &str) -> Self {
        Self {
            kind: MessageType::Request,
            body: BTreeMap::from([(super::write::TEXT.into(), text.into())]),
            answers: None,
            life_ms: 3_600_000,
        }
    }
}

/// What was written to the members of a channel: stored, and waiting to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Which channel.
    pub channel: ChannelId,
    /// One message a member.
    pub sent: Vec<Sent>,
    /// Members that nothing was written to, and why.
    pub skipped: Vec<(AgentDid, MessageError)>,
}

/// A channel as it is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: ChannelId,
    /// How often it was changed, from 1.
    pub number: u64,
    /// What it is for.
    pub kind: Kind,
    /// Who is in it.
    pub members: Vec<Member>,
    /// SHA-256 over members, admins and permissions, in lower-case hex: two who show the same mean the same.
    pub digest: String,
    /// Why this agent is in it no more.
    pub over: Option<Over>,
}

/// A member of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub did: AgentDid,
    /// Whether it may change the channel.
    pub is_admin: bool,
    /// Whether it said that it leaves, and no admin's change has said so yet.
    pub has_left: bool,
}

impl<S: Storage, K: Signer, E: Entropy> Office<'_, S, K, E> {
    /// Makes a channel of this agent and `members`, whose keys must be known here.
    pub async fn begin_channel(
        &self,
        name: &str,
        kind: Kind,
        members: &[AgentDid],
        now: UnixMillis,
    ) -> Result<Round, MessageError> {
        let me = self.me()?;
        for member in members {
            self.usable_log(member).await?;
        }
        store::check_room(self.storage, &me).await?;
        for _ in 0..ATTEMPTS {
            let id = ChannelId::new(&me, name, self.random()?)?;
            let state = State::begin(id, kind.clone(), &me, members)?;
            let mut kept = Kept::begin(state, &me);
            let tellings = Vec::from([self.of_state(&kept, &me).await?]);
            if let Some(round) = self.keep_round(&mut kept, tellings, now).await? {
                return Ok(round);
            }
        }
        Err(MessageError::Busy)
    }

    /// Changes a channel, as far as that is up to this agent, and tells its members.
    pub async fn change_channel(
        &self,
        id: &ChannelId,
        change: &Change,
        now: UnixMillis,
    ) -> Result<Round, MessageError> {
        let me = self.me()?;
        if *change == Change::Remove(me.clone()) {
            return self.leave_channel(id, now).await;
        }
        for _ in 0..ATTEMPTS {
            let mut kept = self.open_kept(id).await?;
            let next = kept.state.changed(&me, change, &kept.left)?;
            if let Change::Invite(member) = change {
                self.usable_log(member).await?;
            }
            let number = next.number;
            kept.follow(next);
            let mut tellings = Vec::from([self.of_state(&kept, &me).await?]);
            if let Change::Remove(member) = change {
                tellings.push(Telling {
                    to: Vec::from([member.clone()]),
                    kind: MessageType::Revocation,
                    content: Content {
                        channel: id.clone(),
                        what: What::Removed { number },
                    },
                    answers: None,
                    life_ms: CHANGE_LIFE_MS,
                });
            }
            if let Some(round) = self.keep_round(&mut kept, tellings, now).await? {
                return Ok(round);
            }
        }
        Err(MessageError::Busy)
    }

    /// Leaves a channel, which needs nobody's yes: nothing of it is taken any more.
    pub async fn leave_channel(
        &self,
        id: &ChannelId,
        now: UnixMillis,
    ) -> Result<Round, MessageError> {
        let me = self.me()?;
        for _ in 0..ATTEMPTS {
            let mut kept = self.open_kept(id).await?;
            let others = kept.others(&me);
            let is_admin = |did: &&AgentDid| kept.state.admins.contains(*did);
            if is_admin(&&me) && !others.is_empty() && !others.iter().any(|did| is_admin(&did)) {
                return Err(ChannelRefusal::LastAdmin.into());
            }
            let since = kept.state.members.get(&me).copied().unwrap_or_default();
            kept.over = Some(Over::Left);
            let telling = Telling {
                to: others,
                kind: MessageType::StatusUpdate,
                content: Content {
                    channel: id.clone(),
                    what: What::Leaves { since },
                },
                answers: None,
                life_ms: CHANGE_LIFE_MS,
            };
            let tellings = Vec::from([telling]);
            if let Some(round) = self.keep_round(&mut kept, tellings, now).await? {
                return Ok(round);
            }
        }
        Err(MessageError::Busy)
    }

    /// Forgets a channel that is over.
    pub async fn forget_channel(&self, id: &ChannelId) -> Result<(), MessageError> {
        let kept = store::load(self.storage, id).await?;
        let kept = kept.ok_or_else(|| unknown(id.as_str()))?;
        match kept.over {
            Some(_) => store::forget(self.storage, &kept).await,
            None => Err(ChannelRefusal::Form {
                why: "it is left before it is forgotten",
            }
            .into()),
        }
    }

    /// Writes to all members of a channel: one content, sealed once, in one envelope that all get.
    pub async fn write_to_channel(
        &self,
        id: &ChannelId,
        words: &Words,
        now: UnixMillis,
    ) -> Result<Round, MessageError> {
        for text in words.body.values() {
            refuse_secret(text)?;
        }
        let me = self.me()?;
        for _ in 0..ATTEMPTS {
            let mut kept = self.open_kept(id).await?;
            let rules = kept.state.rules()?;
            rules
                .authorize(&me, Action::Send)
                .map_err(ChannelRefusal::from)?;
            let telling = Telling {
                to: kept.others(&me),
                kind: words.kind,
                content: Content {
                    channel: id.clone(),
                    what: What::Words {
                        number: kept.state.number,
                        digest: content::digest(&kept.state)?,
                        body: words.body.clone(),
                    },
                },
                answers: words.answers.clone(),
                life_ms: words.life_ms,
            };
            if telling.to.is_empty() {
                return Err(ChannelRefusal::Nobody.into());
            }
            let tellings = Vec::from([telling]);
            if let Some(round) = self.keep_round(&mut kept, tellings, now).await? {
                return Ok(round);
            }
        }
        Err(MessageError::Busy)
    }

    /// The channels of several agents that are known here, in the order of their ids.
    pub async fn group_channels(&self) -> Result<Vec<Standing>, MessageError> {
        let all = store::all(self.storage).await?;
        Ok(all.iter().map(standing).collect::<Result<_, _>>()?)
    }

    /// The channel of that id or name; of several with one name the one that is not over.
    pub async fn group_channel(&self, name: &str) -> Result<Standing, MessageError> {
        let all = store::all(self.storage).await?;
        let is_called = |kept: &&Kept| {
            let id = &kept.state.id;
            id.as_str() == name || id.name() == name
        };
        let mut found: Vec<_> = all.iter().filter(is_called).collect();
        if found.len() > 1 {
            let open = |kept: &&&Kept| kept.over.is_none();
            let is_one = found.iter().filter(open).count() == 1;
            found.retain(|kept| !is_one || kept.over.is_none());
        }
        match found.as_slice() {
            [] => Err(unknown(name)),
            [one] => Ok(standing(one)?),
            _ => Err(ChannelRefusal::Ambiguous {
                channel: name.into(),
            }
            .into()),
        }
    }

    /// Sends what was written to members, each once; what became of one is nothing to the others. What
    /// was not taken waits for [`Office::flush`].
    pub async fn post_all(
        &self,
        round: &Round,
        desk: &Desk,
        gate: &Gate,
        carrier: &impl Carrier,
        clock: &impl Clock,
    ) -> Result<Vec<Posted>, MessageError> {
        let mut posted = Vec::new();
        for sent in &round.sent {
            posted.push(self.post_one(sent, desk, gate, carrier, clock).await?);
        }
        Ok(posted)
    }

    async fn open_kept(&self, id: &ChannelId) -> Result<Kept, MessageError> {
        let kept = store::load(self.storage, id).await?;
        let kept = kept.ok_or_else(|| unknown(id.as_str()))?;
        kept.check_open()?;
        Ok(kept)
    }
}

impl Kept {
    /// Whom this agent writes to.
    fn others(&self, me: &AgentDid) -> Vec<AgentDid> {
        let members: BTreeSet<_> = self.state.members.keys().collect();
        let others = members
            .into_iter()
            .filter(|did| *did != me && !self.left.contains_key(*did));
        others.cloned().collect()
    }
}

fn standing(kept: &Kept) -> Result<Standing, ChannelRefusal> {
    let state = &kept.state;
    let members = state.members.keys().map(|did| Member {
        did: did.clone(),
        is_admin: state.admins.contains(did),
        has_left: kept.left.contains_key(did),
    });
    Ok(Standing {
        id: state.id.clone(),
        number: state.number,
        kind: state.kind.clone(),
        members: members.collect(),
        digest: content::digest(state)?,
        over: kept.over,
    })
}

fn unknown(channel: &str) -> MessageError {
    let channel = String::from(channel);
    ChannelRefusal::Unknown { channel }.into()
}

#[cfg(test)]
mod tests;
