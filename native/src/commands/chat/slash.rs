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
    /// `/branch`, and the name of one that begins here.
    Branch(Option<String>),
    /// `/switch WHERE`
    Switch(String),
    /// `/merge WHERE`, or in short.
    Merge(String, bool),
    /// `/bookmark NAME`
    Bookmark(String),
    /// `/rename TITLE`
    Rename(String),
    /// `/graph`
    Graph,
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
/branch [NAME]     the branches; with a name, begin one here
/switch WHERE      go on from a branch, a bookmark or an entry
/merge WHERE       bring in what was said on another branch; /squash WHERE does it in short
/bookmark NAME     give this place a name
/rename TITLE      give the session a name
/graph             all entries, on all branches
/quit              leave (Ctrl-D, too); `tau chat --continue` takes it up again
Ctrl-C interrupts an answer. A message of several lines: Alt-Enter, a backslash at
the end of a line, or an open ``` block.";

const NAMES: [&str; 17] = [
    "help", "session", "model", "tools", "policy", "compact", "undo", "redo", "quit", "exit",
    "branch", "switch", "merge", "squash", "bookmark", "rename", "graph",
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
        ("graph", None) => Slash::Graph,
        ("branch", name) => Slash::Branch(name.map(Into::into)),
        ("switch", Some(to)) => Slash::Switch(to.into()),
        ("merge", Some(from)) => Slash::Merge(from.into(), false),
        ("squash", Some(from)) => Slash::Merge(from.into(), true),
        ("bookmark", Some(name)) => Slash::Bookmark(name.into()),
        ("rename", Some(first)) => {
            let rest = words.map(|word| format!(" {word}"));
            Slash::Rename(first.to_owned() + &rest.collect::<String>())
        }
        ("switch" | "merge" | "squash" | "bookmark" | "rename", None) => {
            return Err(format!("/{name} needs a name after it; /help says which"));
        }
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
        assert_eq!(read("/squash try"), Ok(Slash::Merge("try".into(), true)));
        assert_eq!(
            read("/rename  a talk about cats"),
            Ok(Slash::Rename("a talk about cats".into()))
        );
        assert!(read("/switch").unwrap_err().contains("needs a name"));
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
