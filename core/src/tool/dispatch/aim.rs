//! What a call aims at: what it would reach outside, by its tool's own word on its arguments.

use alloc::{format, string::String};
use serde_json::Value;

use super::Seen;
use crate::tool::{ToolClass, ToolSpec, Touch, notice::Leaving};

/// Longer commands are not named in a rule: nobody would read it.
const COMMAND_LIMIT_CHARS: usize = 160;

/// What a call would reach.
pub(super) struct Aim {
    /// What a yes that lasts covers; without one there is only a yes to the call.
    pub(super) rule: Option<String>,
    /// Where what was read could go.
    to: Option<String>,
}

impl Aim {
    pub(super) fn of(tool: &ToolSpec, arguments: &Value) -> Self {
        let text = |argument: &str| arguments[argument].as_str();
        let mut aim = Self {
            rule: Some(tool.name.clone()),
            to: matches!(tool.class, ToolClass::Network | ToolClass::Execute)
                .then(|| tool.name.clone()),
        };
        for touch in &tool.touches {
            match touch {
                Touch::Url { argument, method } => {
                    let origin = text(argument).and_then(origin_of);
                    let method = method.as_deref().and_then(text).unwrap_or("GET");
                    aim.rule = origin
                        .as_ref()
                        .map(|origin| format!("{} {} {origin}", tool.name, method.to_uppercase()));
                    aim.to = Some(match origin {
                        Some(origin) => format!("{} {origin}", method.to_uppercase()),
                        None => text(argument).unwrap_or_default().into(),
                    });
                }
                Touch::Command { argument } => {
                    let command = text(argument).unwrap_or_default().trim();
                    let is_short = command.chars().count() <= COMMAND_LIMIT_CHARS;
                    aim.rule = (is_short && !command.contains(char::is_control))
                        .then(|| format!("{}: {command}", tool.name));
                    aim.to = may_leave(command).then(|| format!("whatever `{command}` reaches"));
                }
                Touch::Path { .. } => {}
            }
        }
        aim
    }

    /// What leaves, when both of the person's own and of others' words was read.
    pub(super) fn leaving(&self, seen: &Seen) -> Option<Leaving> {
        Some(Leaving {
            private: seen.private.clone()?,
            untrusted: seen.untrusted.clone()?,
            to: self.to.clone()?,
        })
    }
}

fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', '\\']).next()?;
    Some(format!(
        "{}://{}",
        scheme.to_lowercase(),
        host.to_lowercase()
    ))
}

fn may_leave(_command: &str) -> bool {
    true
}
