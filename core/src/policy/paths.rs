//! Which paths no tool may write.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What was set explicitly about protected paths; Tau's own files always are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// Globs of paths that no tool may write, beside Tau's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// Globs of paths that may be written although they would be protected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unprotect: Vec<String>,
}
