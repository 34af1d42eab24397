//! Channels: who is in one, and who may do what there.
//!
//! A channel is checked as a whole before it exists and after every change. Invariants: a direct
//! channel has exactly its two, both admins, for ever; there is always an admin; an admin is a member;
//! what is refused names actor, action and rule, and changes nothing.

mod permission;
mod retention;

pub use permission::{Action, Permissions, Rule};
pub use retention::Retention;

use alloc::{collections::BTreeSet, string::String};

use thiserror::Error as ThisError;

use crate::{did::AgentDid, did_doc::channel_fragment};

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Two agents.
    Direct,
    /// Any number.
    Group,
    /// Few who speak, many who listen.
    Broadcast {
        /// Of what.
        topic: String,
    },
    /// Those who work at a task.
    Task {
        /// Which.
        task_id: String,
    },
    /// Those who offer and look for work.
    Marketplace {
        /// Which market.
        market_scope: String,
    },
    /// Those who decide on something.
    Governance {
        /// On what.
        proposal_scope: String,
    },
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Direct => "Direct",
            Self::Group => "Group",
            Self::Broadcast { .. } => "Broadcast",
            Self::Task { .. } => "Task",
            Self::Marketplace { .. } => "Marketplace",
            Self::Governance { .. } => "Governance",
        }
    }

    /// How many members it has at least.
    #[must_use]
    pub fn least_members(&self) -> usize {
        match self {
            Self::Group | Self::Broadcast { .. } => 1,
            Self::Direct | Self::Task { .. } | Self::Marketplace { .. } => 2,
            Self::Governance { .. } => 3,
        }
    }

    fn metadata(&self) -> Option<&str> {
        match self {
            Self::Direct | Self::Group => None,
            Self::Broadcast { topic } => Some(topic),
            Self::Task { task_id } => Some(task_id),
            Self::Marketplace { market_scope } => Some(market_scope),
            Self::Governance { proposal_scope } => Some(proposal_scope),
        }
    }
}

/// Why a channel refuses something.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum ChannelError {
    /// A channel that cannot be.
    #[error("the channel is refused: {why}")]
    Shape {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Too few.
    #[error("a {kind} channel has at least {expected} members, not {found}")]
    Members {
        /// The kind.
        kind: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Somebody who may not.
    #[error("{actor} may not {} here: {} only", action.name(), rule)]
    Unauthorized {
        /// Who.
        actor: String,
        /// What.
        action: Action,
        /// Who may.
        rule: &'static str,
    },
    /// Something that is so already, or not so.
    #[error("{did} {why}")]
    Member {
        /// Who.
        did: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl ChannelError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "channel_invalid",
            Self::Members { .. } => "channel_members_insufficient",
            Self::Unauthorized { .. } => "channel_unauthorized",
            Self::Member { .. } => "channel_member_invalid",
        }
    }
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    id: String,
    kind: Kind,
    members: BTreeSet<AgentDid>,
    admins: BTreeSet<AgentDid>,
    permissions: Permissions,
    retention: Retention,
}

impl Channel {
    /// A channel with the permissions of its kind. The creator is member and admin; in a direct
    /// channel both are admins.
    pub fn new(
        id: &str,
        kind: Kind,
        creator: &AgentDid,
        mut members: BTreeSet<AgentDid>,
    ) -> Result<Self, ChannelError> {
        members.insert(creator.clone());
        let admins = match kind {
            Kind::Direct => members.clone(),
            _ => BTreeSet::from([creator.clone()]),
        };
        let channel = Self {
            id: id.into(),
            permissions: Permissions::of(&kind),
            kind,
            members,
            admins,
            retention: Retention::Forever,
        };
        channel.check()?;
        Ok(channel)
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Who is in it.
    #[must_use]
    pub fn members(&self) -> &BTreeSet<AgentDid> {
        &self.members
    }

    /// Who runs it.
    #[must_use]
    pub fn admins(&self) -> &BTreeSet<AgentDid> {
        &self.admins
    }

    /// Who may do what.
    #[must_use]
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// How long messages stay.
    #[must_use]
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Lets `actor` do something, or says why not.
    pub fn authorize(&self, actor: &AgentDid, action: Action) -> Result<(), ChannelError> {
        let rule = self.permissions.rule(action);
        if rule.lets(actor, &self.members, &self.admins) {
            Ok(())
        } else {
            Err(ChannelError::Unauthorized {
                actor: actor.as_kamn(),
                action,
                rule: rule.name(),
            })
        }
    }

    /// The channel with another member.
    pub fn invite(&self, actor: &AgentDid, member: &AgentDid) -> Result<Self, ChannelError> {
        self.authorize(actor, Action::Invite)?;
        self.changed(|next| {
            if next.members.insert(member.clone()) {
                Ok(())
            } else {
                Err(refused(member, "is a member"))
            }
        })
    }

    /// The channel without a member, who is no admin any more either.
    pub fn remove(&self, actor: &AgentDid, member: &AgentDid) -> Result<Self, ChannelError> {
        self.authorize(actor, Action::Remove)?;
        self.changed(|next| {
            if !next.members.remove(member) {
                return Err(refused(member, "is no member"));
            }
            next.admins.remove(member);
            Ok(())
        })
    }

    /// The channel with another admin, who is a member.
    pub fn add_admin(&self, actor: &AgentDid, admin: &AgentDid) -> Result<Self, ChannelError> {
        self.authorize(actor, Action::Configure)?;
        self.changed(|next| {
            if !next.members.contains(admin) {
                return Err(refused(admin, "is no member"));
            }
            if next.admins.insert(admin.clone()) {
                Ok(())
            } else {
                Err(refused(admin, "is an admin"))
            }
        })
    }

    /// The channel with an admin less, who stays a member.
    pub fn remove_admin(&self, actor: &AgentDid, admin: &AgentDid) -> Result<Self, ChannelError> {
        self.authorize(actor, Action::Configure)?;
        self.changed(|next| {
            if next.admins.remove(admin) {
                Ok(())
            } else {
                Err(refused(admin, "is no admin"))
            }
        })
    }

    /// The channel with other permissions and retention.
    pub fn configure(
        &self,
        actor: &AgentDid,
        permissions: Permissions,
        retention: Retention,
    ) -> Result<Self, ChannelError> {
        self.authorize(actor, Action::Configure)?;
        let mut next = self.clone();
        (next.permissions, next.retention) = (permissions, retention);
        next.check()?;
        Ok(next)
    }

    /// Whether `provider` may list something here: a market of which it is a member.
    pub fn check_listing(&self, provider: &AgentDid) -> Result<(), ChannelError> {
        if !matches!(self.kind, Kind::Marketplace { .. }) {
            return Err(ChannelError::Shape {
                why: "listings need a marketplace",
            });
        }
        if self.members.contains(provider) {
            Ok(())
        } else {
            Err(refused(provider, "is no member"))
        }
    }

    /// What follows the DID in the name of this channel's key: legible characters of the id, and a part
    /// of its hash, so that no two ids have one fragment.
    #[must_use]
    pub fn fragment(&self) -> String {
        channel_fragment(&self.id)
    }

    /// Changes of members are for all kinds but direct channels.
    fn changed(
        &self,
        change: impl FnOnce(&mut Self) -> Result<(), ChannelError>,
    ) -> Result<Self, ChannelError> {
        if self.kind == Kind::Direct {
            return Err(ChannelError::Shape {
                why: "a direct channel keeps its two members",
            });
        }
        let mut next = self.clone();
        change(&mut next)?;
        next.check()?;
        Ok(next)
    }

    fn check(&self) -> Result<(), ChannelError> {
        let shape = |why| Err(ChannelError::Shape { why });
        if self.id.trim().is_empty() || self.id.len() > 256 {
            return shape("its name is blank or too long");
        }
        if self
            .kind
            .metadata()
            .is_some_and(|text| text.trim().is_empty())
        {
            return shape("what it is about is blank");
        }
        let found = self.members.len();
        let expected = self.kind.least_members();
        if found < expected {
            return Err(ChannelError::Members {
                kind: self.kind.name(),
                expected,
                found,
            });
        }
        if self.kind == Kind::Direct && found != 2 {
            return shape("a direct channel has exactly two members");
        }
        if self.admins.is_empty() {
            return shape("it has no admin");
        }
        if !self.admins.is_subset(&self.members) {
            return shape("an admin is no member");
        }
        if !self.permissions.are_whole() {
            return shape("an allowlist is empty");
        }
        if !self.retention.is_possible() {
            return shape("it keeps no message at all");
        }
        Ok(())
    }
}

fn refused(did: &AgentDid, why: &'static str) -> ChannelError {
    ChannelError::Member {
        did: did.as_kamn(),
        why,
    }
}

#[cfg(test)]
mod tests;
