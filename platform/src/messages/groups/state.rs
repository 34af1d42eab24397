//! What a channel of several agents is: its name, its members and who may do what, as numbered states.
//!
//! Invariant: a state follows another only if everything in which they differ was up to whoever made it,
//! by the state that is known here; what is refused changes nothing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::fmt;

use tau_kamn::{
    AgentDid,
    bytes::{hex, sha256},
    channel::{Action, Channel, ChannelError, Kind},
    jcs::{self, Fields, Integer, Object, Value},
};
use thiserror::Error;

/// How many members a channel has at most: what each needs fits the envelope that all get.
pub const MEMBERS_LIMIT: usize = 32;
/// How many channels one agent may have this one in, and how many there are in all.
pub(super) const OF_ONE_LIMIT: usize = 15;
pub(super) const CHANNELS_LIMIT: usize = 256;

const PREFIX: &str = "channel:group:";
const NAME_LIMIT_BYTES: usize = 32;
const MARK_BYTES: usize = 16;
const ABOUT_LIMIT_BYTES: usize = 128;

/// Why something of a channel is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChannelRefusal {
    /// Who may do what there says no.
    #[error(transparent)]
    Rule(#[from] ChannelError),
    /// What is no channel's id, or what was told is no state of one.
    #[error("no channel: {why}")]
    Form {
        /// What is wrong with it.
        why: &'static str,
    },
    /// What was told of a channel is not what it must be.
    #[error("no channel: {0}")]
    Json(#[from] jcs::Error),
    /// A channel that is not known here.
    #[error("no channel {channel:?} is known here")]
    Unknown {
        /// Its id or name.
        channel: String,
    },
    /// A name that several channels have.
    #[error("several channels are called {channel:?}: say which by its id")]
    Ambiguous {
        /// The name.
        channel: String,
    },
    /// A channel that this agent is not in any more.
    #[error("{channel} is over here: this agent {}", over.told())]
    Over {
        /// Which.
        channel: String,
        /// Why.
        over: Over,
    },
    /// A member who left.
    #[error("{did} left the channel")]
    Gone {
        /// Who.
        did: String,
    },
    /// Who wrote knows less than is known here.
    #[error("it was written by state {found} of the channel, and {known} is known here")]
    Stale {
        /// The state it was written by.
        found: u64,
        /// The one known here.
        known: u64,
    },
    /// Who wrote knows more than is known here.
    #[error("it was written by state {found} of the channel, and only {known} is known here yet")]
    Ahead {
        /// The state it was written by.
        found: u64,
        /// The one known here.
        known: u64,
    },
    /// Two different states have one number.
    #[error("state {number} of the channel is another one here")]
    Conflict {
        /// The number.
        number: u64,
    },
    /// It was sealed for somebody who is no member, or for others than it says.
    #[error("the message is for others than the members of the channel")]
    Recipients,
    /// This agent is in as many channels as it can be.
    #[error("{limit} channels {of}, and no more are taken")]
    Full {
        /// Whose.
        of: &'static str,
        /// How many.
        limit: usize,
    },
    /// Nobody is there to hear it.
    #[error("no member can be written to")]
    Nobody,
    /// The last admin does not leave.
    #[error("nobody else could change the channel: make another member an admin first")]
    LastAdmin,
}

impl ChannelRefusal {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Rule(error) => error.reason_code(),
            Self::Form { .. } | Self::Json(_) => "channel_invalid",
            Self::Unknown { .. } => "channel_unknown",
            Self::Ambiguous { .. } => "channel_ambiguous",
            Self::Over { .. } => "channel_over",
            Self::Gone { .. } => "channel_member_left",
            Self::Stale { .. } => "channel_state_stale",
            Self::Ahead { .. } => "channel_state_unknown",
            Self::Conflict { .. } => "channel_state_conflict",
            Self::Recipients => "channel_recipients_mismatch",
            Self::Full { .. } => "channels_full",
            Self::Nobody => "channel_empty",
            Self::LastAdmin => "channel_last_admin",
        }
    }

    /// Whether the same message may be taken later: once the channel, or its next state, is known here.
    pub(in super::super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Ahead { .. })
    }
}

/// Why this agent is not in a channel any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It left.
    Left,
    /// It was removed.
    Removed,
}

impl Over {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Removed => "removed",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Removed => "was removed",
        }
    }
}

/// A change that one of those who may makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody comes in.
    Invite(AgentDid),
    /// Somebody is put out.
    Remove(AgentDid),
    /// A member may change the channel from now on.
    AddAdmin(AgentDid),
    /// An admin may not any more, and stays a member.
    RemoveAdmin(AgentDid),
    /// Nothing changes, but all are told how it is: for who missed it, and where two changed it at once.
    Announce,
}

/// The id of a channel: who made it, what it is called, and a mark that no other has.
///
/// Nothing but letters, digits, `-` and `_` of a foreign agent's choice is in it, so that it can stand
/// where Tau's own words do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(String);

impl ChannelId {
    pub(super) fn new(
        creator: &AgentDid,
        name: &str,
        mark: [u8; MARK_BYTES / 2],
    ) -> Result<Self, ChannelRefusal> {
        Self::parse(&format!("{PREFIX}{creator}:{name}:{}", hex(&mark)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ChannelRefusal> {
        let why = "an id is channel:group:DID:NAME:MARK, its name 1 to 32 of a-z 0-9 - _";
        let form = ChannelRefusal::Form { why };
        let mut parts = text
            .strip_prefix(PREFIX)
            .unwrap_or_default()
            .rsplitn(3, ':');
        let (mark, name, creator) = (parts.next(), parts.next(), parts.next());
        let is_name = |name: &str| {
            let is_legible =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            (1..=NAME_LIMIT_BYTES).contains(&name.len()) && name.bytes().all(is_legible)
        };
        let is_mark = |mark: &str| {
            let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            mark.len() == MARK_BYTES && mark.bytes().all(is_digit)
        };
        let is_creator = |did: &str| did.parse::<AgentDid>().is_ok_and(|did| is_bound(&did));
        let is_whole = mark.is_some_and(is_mark)
            && name.is_some_and(is_name)
            && creator.is_some_and(is_creator);
        match is_whole {
            true => Ok(Self(text.into())),
            false => Err(form),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its maker called it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit(':').nth(1).unwrap_or_default()
    }

    /// Who made it.
    #[must_use]
    pub fn creator(&self) -> &str {
        let mut parts = self.0.rsplitn(3, ':');
        let creator = parts.nth(2).unwrap_or_default();
        creator.strip_prefix(PREFIX).unwrap_or_default()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A channel as it was with one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) id: ChannelId,
    /// From 1; each change counts.
    pub(super) number: u64,
    pub(super) kind: Kind,
    /// Who is in it, and since which number.
    pub(super) members: BTreeMap<AgentDid, u64>,
    pub(super) admins: BTreeSet<AgentDid>,
}

impl State {
    pub(super) fn begin(
        id: ChannelId,
        kind: Kind,
        creator: &AgentDid,
        members: &[AgentDid],
    ) -> Result<Self, ChannelRefusal> {
        let members = members.iter().chain([creator]);
        let state = Self {
            id,
            number: 1,
            kind,
            members: members.map(|did| (did.clone(), 1)).collect(),
            admins: BTreeSet::from([creator.clone()]),
        };
        state.rules()?;
        Ok(state)
    }

    /// Who may do what in it, which also says whether it can be.
    pub(super) fn rules(&self) -> Result<Channel, ChannelRefusal> {
        let form = |why| Err(ChannelRefusal::Form { why });
        let about = about(&self.kind).unwrap_or_default();
        if about.len() > ABOUT_LIMIT_BYTES || about.chars().any(char::is_control) {
            return form("what it is about is at most 128 bytes of a line");
        }
        if self.members.len() > MEMBERS_LIMIT {
            return form("it has more than 32 members");
        }
        if !self.members.keys().all(is_bound) {
            return form("a member's name proves no key");
        }
        if self.number == 0 || self.members.values().any(|since| *since > self.number) {
            return form("a member came later than it is");
        }
        let Some(first) = self.admins.first() else {
            return form("it has no admin");
        };
        let members = self.members.keys().cloned().collect::<BTreeSet<_>>();
        if !self.admins.is_subset(&members) {
            return form("an admin is no member");
        }
        let mut rules = Channel::new(self.id.as_str(), self.kind.clone(), first, members)?;
        for admin in self.admins.iter().skip(1) {
            rules = rules.add_admin(first, admin)?;
        }
        Ok(rules)
    }

    /// The next state, by a change of `actor`. Who `left` is not in it any more.
    pub(super) fn changed(
        &self,
        actor: &AgentDid,
        change: &Change,
        left: &BTreeMap<AgentDid, u64>,
    ) -> Result<Self, ChannelRefusal> {
        let mut next = self.clone();
        for did in left.keys() {
            next.members.remove(did);
            next.admins.remove(did);
        }
        let rules = next.rules()?;
        match change {
            Change::Invite(did) => drop(rules.invite(actor, did)?),
            // Who left is out already: what remains is to say so.
            Change::Remove(did) if left.contains_key(did) => {
                rules.authorize(actor, Action::Remove)?;
            }
            Change::Remove(did) => drop(rules.remove(actor, did)?),
            Change::AddAdmin(did) => drop(rules.add_admin(actor, did)?),
            Change::RemoveAdmin(did) => drop(rules.remove_admin(actor, did)?),
            Change::Announce => rules.authorize(actor, Action::Configure)?,
        }
        next.number += 1;
        match change {
            Change::Invite(did) => drop(next.members.insert(did.clone(), next.number)),
            Change::Remove(did) => {
                next.members.remove(did);
                next.admins.remove(did);
            }
            Change::AddAdmin(did) => drop(next.admins.insert(did.clone())),
            Change::RemoveAdmin(did) => drop(next.admins.remove(did)),
            Change::Announce => {}
        }
        next.rules()?;
        Ok(next)
    }

    /// Whether `next`, as `actor` tells it, may follow: everything in which it differs is up to `actor`.
    pub(super) fn check_next(&self, next: &Self, actor: &AgentDid) -> Result<(), ChannelRefusal> {
        if next.id != self.id || next.kind != self.kind {
            let why = "it is another one than is known here";
            return Err(ChannelRefusal::Form { why });
        }
        let known = self.number;
        if next.number < known {
            let found = next.number;
            return Err(ChannelRefusal::Stale { found, known });
        }
        if next.number == known {
            return match next == self {
                true => Ok(()),
                false => Err(ChannelRefusal::Conflict { number: known }),
            };
        }
        next.rules()?;
        let rules = self.rules()?;
        let same = |did: &AgentDid, since: &u64, of: &Self| of.members.get(did) == Some(since);
        let has_new = next
            .members
            .iter()
            .any(|(did, since)| !same(did, since, self));
        let has_lost = self
            .members
            .iter()
            .any(|(did, since)| !same(did, since, next));
        if has_new {
            rules.authorize(actor, Action::Invite)?;
        }
        if has_lost {
            rules.authorize(actor, Action::Remove)?;
        }
        if self.admins != next.admins || !(has_new || has_lost) {
            rules.authorize(actor, Action::Configure)?;
        }
        Ok(())
    }

    /// What two mean who mean the same: members, admins and permissions, by one number.
    pub(super) fn digest(&self) -> Result<[u8; 32], ChannelRefusal> {
        let object = self.to_object()?;
        let permissions = hex(&self.rules()?.permissions().digest());
        let object = object.with("permissions", permissions);
        Ok(sha256(Value::from(object).to_canonical().as_bytes()))
    }

    pub(super) fn to_object(&self) -> Result<Object, ChannelRefusal> {
        let mut members = Object::new();
        for (did, since) in &self.members {
            members.set(&did.as_kamn(), Integer::try_from(*since)?);
        }
        let admins: Value = self.admins.iter().map(AgentDid::as_kamn).collect();
        Ok(Object::new()
            .with("id", self.id.as_str())
            .with("number", Integer::try_from(self.number)?)
            .with("kind", self.kind.name())
            .with_optional("about", about(&self.kind))
            .with("members", members)
            .with("admins", admins))
    }

    /// Reads a state, of which nothing is believed yet but that it can be one.
    pub(super) fn from_value(value: Value) -> Result<Self, ChannelRefusal> {
        let mut fields = Fields::of("channel", value)?;
        let id = ChannelId::parse(&fields.string("id")?)?;
        let number = fields.unsigned("number")?;
        let kind = kind_of(&fields.string("kind")?, fields.optional_string("about")?)?;
        let members = dids(fields.value("members")?)?;
        let admins = fields.strings("admins")?;
        fields.end()?;
        let found = admins.len();
        let admins: BTreeSet<_> = admins
            .iter()
            .map(|did| agent(did))
            .collect::<Result<_, _>>()?;
        if admins.len() != found {
            let why = "an admin is named twice";
            return Err(ChannelRefusal::Form { why });
        }
        let state = Self {
            id,
            number,
            kind,
            members,
            admins,
        };
        state.rules()?;
        Ok(state)
    }
}

/// The kind of that name, of those that a home keeps: two have a channel of their own, and what
/// everybody may read is not sealed for members.
pub fn kind_of(name: &str, about: Option<String>) -> Result<Kind, ChannelRefusal> {
    let form = |why| ChannelRefusal::Form { why };
    let needed = || {
        about
            .clone()
            .ok_or_else(|| form("what it is about is not said"))
    };
    let kind = match name {
        "Group" => Kind::Group,
        "Broadcast" => Kind::Broadcast { topic: needed()? },
        "Task" => Kind::Task { task_id: needed()? },
        "Governance" => Kind::Governance {
            proposal_scope: needed()?,
        },
        _ => return Err(form("its kind is not Group, Broadcast, Task or Governance")),
    };
    match (&kind, &about) {
        (Kind::Group, Some(_)) => Err(form("a group is about nothing in particular")),
        _ => Ok(kind),
    }
}

/// What a channel of that kind is about.
#[must_use]
pub fn about(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::Direct | Kind::Group => None,
        Kind::Broadcast { topic } => Some(topic),
        Kind::Task { task_id } => Some(task_id),
        Kind::Marketplace { market_scope } => Some(market_scope),
        Kind::Governance { proposal_scope } => Some(proposal_scope),
    }
}

/// Agents, and a number of each.
pub(super) fn dids(value: Value) -> Result<BTreeMap<AgentDid, u64>, ChannelRefusal> {
    let form = ChannelRefusal::Form {
        why: "its members are no agents with their numbers",
    };
    let Value::Object(object) = value else {
        return Err(form);
    };
    let members: Vec<_> = object.into_iter().collect();
    members
        .into_iter()
        .map(|(did, since)| match since {
            Value::Integer(since) => {
                let since = since.unsigned().ok_or_else(|| form.clone())?;
                Ok((agent(&did)?, since))
            }
            _ => Err(form.clone()),
        })
        .collect()
}

pub(super) fn agent(did: &str) -> Result<AgentDid, ChannelRefusal> {
    did.parse().map_err(|_| ChannelRefusal::Form {
        why: "a member is no agent",
    })
}

fn is_bound(did: &AgentDid) -> bool {
    did.fingerprint().is_some()
}
