//! What a call aims at: what it would reach outside, by its tool's own word on its arguments.

use alloc::{format, string::String};
use serde_json::Value;

use super::Seen;
use crate::{
    egress,
    policy::{
        Action, Policy, Refusal,
        commands::{self, Script},
    },
    tool::{ToolClass, ToolSpec, Touch, notice::Leaving},
};

/// Longer commands are not named in a rule: nobody would read it.
const COMMAND_LIMIT_CHARS: usize = 160;

/// Whether there are rules about files and commands in this build.
const HAS_WORKSPACE: bool = cfg!(feature = "workspace");

/// What a call would reach.
pub(super) struct Aim {
    /// What a yes that lasts covers; without one there is only a yes to the call.
    pub(super) rule: Option<String>,
    /// What a rule about this very aim says, and which.
    pub(super) said: Option<(Action, String)>,
    /// Where what was read could go.
    to: Option<String>,
    /// What of the person's own the call reads by itself.
    reads: Option<String>,
}

impl Aim {
    /// Fails where the call must not run, whoever says yes.
    pub(super) fn of(tool: &ToolSpec, arguments: &Value, policy: &Policy) -> Result<Self, Refusal> {
        Self::of_call(tool, arguments, policy, HAS_WORKSPACE)
    }

    /// What cannot be looked at must not run: without rules about files and commands, nothing that
    /// names one does.
    fn of_call(
        tool: &ToolSpec,
        arguments: &Value,
        policy: &Policy,
        has_workspace: bool,
    ) -> Result<Self, Refusal> {
        let mut aim = Self {
            rule: Some(tool.name.clone()),
            said: None,
            to: matches!(tool.class, ToolClass::Network | ToolClass::Execute)
                .then(|| tool.name.clone()),
            // A program opens files on its own: what it sends need not have been read before.
            reads: (tool.class == ToolClass::Execute)
                .then(|| format!("whatever {} opens", tool.name)),
        };
        let text = |argument: &str| arguments[argument].as_str();
        for touch in &tool.touches {
            match touch {
                Touch::Url { argument, method } => {
                    let method = method.as_deref().and_then(text).unwrap_or("GET");
                    let url = text(argument).unwrap_or_default();
                    aim.requests(tool, url, &method.to_ascii_uppercase(), policy)?;
                }
                Touch::Command { .. } | Touch::Path { .. } if !has_workspace => {
                    return Err(no_workspace(tool));
                }
                Touch::Command { argument } => {
                    aim.starts(tool, text(argument).unwrap_or_default(), policy)?;
                }
                Touch::Path { argument, writes } => {
                    // A path that is not given is the workspace itself.
                    policy
                        .paths
                        .decide(text(argument).unwrap_or("."), *writes)?;
                }
            }
        }
        Ok(aim)
    }

    fn requests(
        &mut self,
        tool: &ToolSpec,
        url: &str,
        method: &str,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        let target = egress::parse(url)?;
        egress::decide(&target, &policy.http.rules())?;
        let origin = target.origin();
        self.rule = Some(format!("{} {method} {origin}", tool.name));
        self.to = Some(format!("{method} {origin}"));
        Ok(())
    }

    fn starts(&mut self, tool: &ToolSpec, command: &str, policy: &Policy) -> Result<(), Refusal> {
        let script = Script::parse(command);
        for written in script.writes() {
            policy.paths.decide_written(&written)?;
        }
        self.said = match policy.commands.decide(policy.preset, &script) {
            commands::Verdict::Unset => None,
            commands::Verdict::Allow { rule } => Some((Action::Allow, rule)),
            commands::Verdict::Ask { reason } => Some((Action::Ask, reason)),
            commands::Verdict::Refuse(refusal) => return Err(refusal),
        };
        let command = command.trim();
        let is_short = command.chars().count() <= COMMAND_LIMIT_CHARS;
        self.rule = (is_short && !command.contains(char::is_control))
            .then(|| format!("{}: {command}", tool.name));
        self.to = script
            .may_leave()
            .then(|| format!("whatever is reached by {}", script.programs().join(", ")));
        Ok(())
    }

    /// What leaves, when others' words were read, and something of the person's own was or would be.
    pub(super) fn leaving(&self, seen: &Seen) -> Option<Leaving> {
        Some(Leaving {
            private: seen.private.clone().or_else(|| self.reads.clone())?,
            untrusted: seen.untrusted.clone()?,
            to: self.to.clone()?,
        })
    }
}

fn no_workspace(tool: &ToolSpec) -> Refusal {
    Refusal {
        rule: "no workspace".into(),
        reason: format!(
            "{} needs files or programs, and there are none here",
            tool.name
        ),
        hint: Some("do it with another tool, or say what is left undone".into()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use serde_json::json;

    use super::*;
    use crate::{policy::Preset, tool::http};

    #[test]
    fn without_rules_about_files_and_commands_nothing_that_names_one_runs() {
        let policy = Policy::preset(Preset::Permissive);
        let web = http::spec();
        let arguments = json!({"url": "https://example.com/", "path": "notes.md", "command": "ls"});
        assert!(Aim::of_call(&web, &arguments, &policy, false).is_ok());
        for touch in [
            Touch::Path {
                argument: "path".into(),
                writes: false,
            },
            Touch::Command {
                argument: "command".into(),
            },
        ] {
            let tool = ToolSpec {
                touches: vec![touch],
                ..web.clone()
            };
            assert!(Aim::of_call(&tool, &arguments, &policy, true).is_ok());
            let refused = Aim::of_call(&tool, &arguments, &policy, false);
            assert_eq!(
                refused.err().map(|refusal| refusal.rule),
                Some("no workspace".into())
            );
        }
    }
}
