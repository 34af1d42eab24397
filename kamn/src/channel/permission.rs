//! Who may do what in a channel.

use alloc::collections::BTreeSet;

use super::Kind;
use crate::{
    bytes::sha256,
    did::AgentDid,
    jcs::{Object, Value},
};

/// What can be done in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Say something.
    Send,
    /// Read what was said.
    Read,
    /// Bring somebody in.
    Invite,
    /// Put somebody out.
    Remove,
    /// Change admins, permissions and retention.
    Configure,
}

impl Action {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Invite => "invite",
            Self::Remove => "remove",
            Self::Configure => "configure",
        }
    }
}

/// Who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, members or not.
    All,
    /// Members.
    Members,
    /// Admins.
    Admins,
    /// These, who need not be members.
    Allowlist(BTreeSet<AgentDid>),
}

impl Rule {
    /// As it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Members => "members",
            Self::Admins => "admins",
            Self::Allowlist(_) => "allowlist",
        }
    }

    pub(super) fn lets(
        &self,
        actor: &AgentDid,
        members: &BTreeSet<AgentDid>,
        admins: &BTreeSet<AgentDid>,
    ) -> bool {
        match self {
            Self::All => true,
            Self::Members => members.contains(actor),
            Self::Admins => admins.contains(actor),
            Self::Allowlist(allowed) => allowed.contains(actor),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Allowlist(allowed) => allowed.iter().map(AgentDid::as_kamn).collect(),
            rule => rule.name().into(),
        }
    }
}

/// A rule for each action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Who may say something.
    pub send: Rule,
    /// Who may read.
    pub read: Rule,
    /// Who may bring somebody in.
    pub invite: Rule,
    /// Who may put somebody out.
    pub remove: Rule,
    /// Who may change admins, permissions and retention.
    pub configure: Rule,
}

impl Permissions {
    /// Those a kind of channel begins with: members send and read, admins do the rest; broadcasts are
    /// sent by admins, and everybody reads a market.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        let send = match kind {
            Kind::Broadcast { .. } => Rule::Admins,
            _ => Rule::Members,
        };
        let read = match kind {
            Kind::Marketplace { .. } => Rule::All,
            _ => Rule::Members,
        };
        Self {
            send,
            read,
            invite: Rule::Admins,
            remove: Rule::Admins,
            configure: Rule::Admins,
        }
    }

    /// The rule for an action.
    #[must_use]
    pub fn rule(&self, action: Action) -> &Rule {
        match action {
            Action::Send => &self.send,
            Action::Read => &self.read,
            Action::Invite => &self.invite,
            Action::Remove => &self.remove,
            Action::Configure => &self.configure,
        }
    }

    /// SHA-256 over the rules: two who shake hands over a channel see that they mean the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut object = Object::new();
        for (action, rule) in self.rules() {
            object.set(action.name(), rule.to_value());
        }
        sha256(Value::from(object).to_canonical().as_bytes())
    }

    /// An allowlist of nobody is a mistake: it would close the channel for good.
    pub(super) fn are_whole(&self) -> bool {
        self.rules()
            .iter()
            .all(|(_, rule)| !matches!(rule, Rule::Allowlist(allowed) if allowed.is_empty()))
    }

    fn rules(&self) -> [(Action, &Rule); 5] {
        [
            Action::Send,
            Action::Read,
            Action::Invite,
            Action::Remove,
            Action::Configure,
        ]
        .map(|action| (action, self.rule(action)))
    }
}
