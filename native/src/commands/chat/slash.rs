//! What a message that begins with a slash means.

use tau_core::{policy::Preset, tool::dispatch};

/// A command typed in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slash {
    /// `/help`
    Help,
    /// `/session`
    Session,
    /// `/model`
    Model,
    /// `/tools`
    Tools,
    /// `/policy`, and the preset it is changed to.
    Policy(Option<Preset>),
    /// `/compact`
    Compact,
    /// `/undo`
    Undo,
    /// `/redo`
    Redo,
    /// `/quit`
    Quit,
}

/// What `/help` says.
pub(super) const HELP: &str = "\
/session           this session's name, turns and tokens
/model             the models that are asked, in order
/tools             the tools offered, and what the policy does about each
/policy [PRESET]   what the agent may do; permissive, balanced, strict or hardened
/compact           summarise the conversation so far
/undo, /redo       go back behind the last turn, and forth again (what tools did stays done)
/quit              leave (Ctrl-D, too); `tau chat --continue` takes it up again
Ctrl-C interrupts an answer. A message of several lines: Alt-Enter, a backslash at
the end of a line, or an open ``` block.";

const NAMES: [&str; 10] = [
    "help", "session", "model", "tools", "policy", "compact", "undo", "redo", "quit", "exit",
];

/// Reads a message that begins with a slash; the error says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Slash, String> {
    let mut words = text.trim_start_matches('/').split_whitespace();
    let name = words.next().unwrap_or_default();
    let argument = words.next();
    let command = match (name, argument) {
        ("policy", argument) => {
            let preset = argument.map(str::parse).transpose();
            Slash::Policy(
                preset.map_err(|error: tau_core::policy::UnknownPreset| error.to_string())?,
            )
        }
        ("help" | "", None) => Slash::Help,
        ("session", None) => Slash::Session,
        ("model", None) => Slash::Model,
        ("tools", None) => Slash::Tools,
        ("compact", None) => Slash::Compact,
        ("undo", None) => Slash::Undo,
        ("redo", None) => Slash::Redo,
        ("quit" | "exit", None) => Slash::Quit,
        (name, Some(_)) if NAMES.contains(&name) => {
            return Err(format!("/{name} takes nothing after it"));
        }
        (name, _) => {
            return Err(match dispatch::nearest(name, NAMES.into_iter()) {
                Some(near) => format!("there is no /{name}; did you mean /{near}?"),
                None => format!("there is no /{name}; /help lists what there is"),
            });
        }
    };
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_slips_are_told() {
        assert_eq!(read("/help"), Ok(Slash::Help));
        assert_eq!(read("/policy"), Ok(Slash::Policy(None)));
        assert_eq!(
            read("/policy strict"),
            Ok(Slash::Policy(Some(Preset::Strict)))
        );
        assert_eq!(read("/exit"), Ok(Slash::Quit));
        assert_eq!(
            read("/sesion"),
            Err("there is no /sesion; did you mean /session?".into())
        );
        assert!(read("/policy lax").unwrap_err().contains("lax"));
        assert_eq!(
            read("/quit now"),
            Err("/quit takes nothing after it".into())
        );
    }
}
