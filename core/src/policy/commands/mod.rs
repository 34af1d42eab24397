//! Which programs a shell command may start.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What was set explicitly about commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Commands {
    /// The only commands that run without a question, when there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Commands that never run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}
