//! Protection. What the policy protects is never written by a tool, however it is spelled or
//! reached: asked here with the path that links led to.

use tau_core::policy::Paths;

use super::output::Fault;

/// Fails when `real`, a path from the workspace, is protected; `path` is how the call named it.
pub(super) fn refuse_protected(paths: &Paths, path: &str, real: &str) -> Result<(), Fault> {
    match paths.protection(real, true, false) {
        None => Ok(()),
        Some(rule) => Err(Fault::denied(format!("{path} is protected"))
            .cause(format!("{rule}; no tool writes there"))
            .hint("leave it as it is, and tell the person what should be changed and why")),
    }
}
