//! Why something of a channel of several agents is refused.

use alloc::string::String;

use tau_kamn::{channel::ChannelError, jcs};
use thiserror::Error;

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
