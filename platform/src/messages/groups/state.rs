//! What a channel of several agents is: its name, its members and who may do what, as numbered states.
//!
//! Invariant: a state follows another only if everything in which they differ was up to whoever made it,
//! by the state that is known here; what is refused changes nothing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use tau_kamn::{
    AgentDid,
    bytes::{hex, sha256},
    channel::{Action, Channel, Kind},
    jcs::{Fields, Integer, Object, Value},
};

use super::{ChannelId, ChannelRefusal, id::is_bound};

/// How many members a channel has at most: what each needs fits the envelope that all get.
pub const MEMBERS_LIMIT: usize = 32;
const ABOUT_LIMIT_BYTES: usize = 128;

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
