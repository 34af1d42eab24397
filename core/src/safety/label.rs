//! Labels: what a piece of content is, whatever it says.
//!
//! A label is never taken off while the content is in sight of the model. Detectors may miss an
//! attack; where content came from is known for certain, and decides about what may leave.

use crate::json::{FromJson, ToJson};
use serde::{Deserialize, Serialize};

/// What content is, by where it came from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson,
)]
#[serde(default, deny_unknown_fields)]
pub struct Labels {
    /// It is the person's own: files, memories, the screen.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub private: bool,
    /// Somebody else may have written it, so it may hold orders.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub untrusted: bool,
    /// It came over the network.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub external: bool,
}

impl Labels {
    /// Tau's own words.
    pub const NONE: Self = Self {
        private: false,
        untrusted: false,
        external: false,
    };
    /// Files of the workspace and what programs print: the person's, with words of others in them.
    pub const WORKSPACE: Self = Self {
        private: true,
        untrusted: true,
        external: false,
    };
    /// Pages and answers from the network.
    pub const EXTERNAL: Self = Self {
        private: false,
        untrusted: true,
        external: true,
    };

    /// What another agent wrote to this one: between the two, by somebody else, over the network.
    pub const LETTER: Self = Self {
        private: true,
        untrusted: true,
        external: true,
    };

    /// What content made of both is.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            private: self.private || other.private,
            untrusted: self.untrusted || other.untrusted,
            external: self.external || other.external,
        }
    }

    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}
