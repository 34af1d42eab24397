//! How many calls a minute.
//!
//! A call over the limit is refused with the time after which it may be repeated, or put off until
//! then, as the policy says.

use serde::{Deserialize, Serialize};

/// What is done with a call over the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenExceeded {
    /// It waits until it may run.
    Defer,
    /// It is refused, with the time to wait.
    Refuse,
}

/// What was set explicitly about rates; the rest is the preset's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Tool calls of every class, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// Calls that reach the network, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_per_minute: Option<u32>,
    /// Calls that start programs, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_per_minute: Option<u32>,
    /// What is done with a call over the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_exceeded: Option<WhenExceeded>,
}
