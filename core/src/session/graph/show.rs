//! The graph as a person sees it: one line an entry, with the names that point there; as Mermaid
//! and as DOT.

use alloc::{format, string::String, vec::Vec};
use serde::Serialize;

use super::MarkKind;
use crate::{
    ids::{EntryId, SessionId, TurnId, UnixMillis},
    json::ToJson,
    message::{Message, Part, Role},
    session::{Entries, Origin, Session},
};

/// Characters of an entry's line.
const LINE_CHARS: usize = 60;

/// All entries of a session and what points at them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Graph {
    /// The session.
    pub session: SessionId,
    /// Its name.
    pub title: String,
    /// Where it stands; none is the beginning.
    pub head: Option<EntryId>,
    /// The branch it stands on, if that has a name.
    pub branch: Option<String>,
    /// All entries, parents before their children.
    pub entries: Vec<GraphEntry>,
    /// Where branches end, named or not.
    pub branches: Vec<GraphBranch>,
    /// Names that stay where they are.
    pub bookmarks: Vec<GraphBookmark>,
}

/// One entry of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct GraphEntry {
    /// Its name.
    pub id: EntryId,
    /// The entry it follows.
    pub parent: Option<EntryId>,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// When it was stored.
    pub at: UnixMillis,
    /// `person`, `agent`, `tools` or `summary`.
    pub who: &'static str,
    /// What was said, in one line.
    pub line: String,
    /// Whether it belongs to the conversation as it stands.
    pub on_path: bool,
    /// The entry it is a copy of, or the last one it tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_from: Option<EntryId>,
    /// Branches and bookmarks that point here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A branch of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct GraphBranch {
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its last entry.
    pub tip: Option<EntryId>,
    /// What was said last there.
    pub line: String,
    /// Whether the session stands on it.
    pub current: bool,
}

/// A bookmark of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct GraphBookmark {
    /// Its name.
    pub name: String,
    /// The entry.
    pub entry: Option<EntryId>,
}

impl Session {
    /// The session's entries and what points at them.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let (entries, names) = (&self.state.entries, &self.state.names);
        let mut on_path = alloc::vec![false; entries.len()];
        for (place, _) in entries.path_back() {
            on_path[place] = true;
        }
        let pointing = |place: usize| {
            let marks = names.all().iter();
            let here = marks.filter(|mark| mark.at == Some(place));
            here.map(|mark| mark.name.clone()).collect()
        };
        let shown = entries.iter().enumerate().map(|(place, entry)| GraphEntry {
            id: entry.id.clone(),
            parent: entries.id(entry.parent),
            turn: entry.turn,
            at: entry.at,
            who: match (entry.covers.is_some(), &entry.origin, entry.message.role) {
                _ if entry.sender.is_some() => "other agent",
                (true, ..) | (_, Some(Origin::Squashed { .. }), _) => "summary",
                (.., Role::User) => "person",
                (.., Role::Assistant) => "agent",
                (.., Role::Tool) => "tools",
            },
            line: line(&entry.message),
            on_path: on_path[place],
            merged_from: entries.id(entry.origin.map(Origin::place)),
            names: pointing(place),
        });
        Graph {
            session: self.state.id.clone(),
            title: self.state.title.clone(),
            head: entries.head_id(),
            branch: names.branch().map(Into::into),
            entries: shown.collect(),
            branches: self.branches(),
            bookmarks: names
                .all()
                .iter()
                .filter(|mark| mark.kind == MarkKind::Bookmark)
                .map(|mark| GraphBookmark {
                    name: mark.name.clone(),
                    entry: entries.id(mark.at),
                })
                .collect(),
        }
    }

    /// Named branches in the order they were named, then ends without a name.
    fn branches(&self) -> Vec<GraphBranch> {
        let (entries, names) = (&self.state.entries, &self.state.names);
        let said = |at: Option<usize>| {
            let entry = at.and_then(|at| entries.get(at));
            entry.map_or(String::new(), |entry| line(&entry.message))
        };
        let named = names.all().iter();
        let mut branches: Vec<GraphBranch> = named
            .filter(|mark| mark.kind == MarkKind::Branch)
            .map(|mark| GraphBranch {
                name: Some(mark.name.clone()),
                tip: entries.id(mark.at),
                line: said(mark.at),
                current: names.branch() == Some(&mark.name),
            })
            .collect();
        let is_named = |tip: &Option<EntryId>| {
            let mut marks = names.all().iter();
            marks.any(|mark| mark.kind == MarkKind::Branch && entries.id(mark.at) == *tip)
        };
        for tip in entries.tips() {
            let id = entries.id(Some(tip));
            if !is_named(&id) {
                let current = names.branch().is_none() && entries.head() == Some(tip);
                branches.push(GraphBranch {
                    name: None,
                    tip: id,
                    line: said(Some(tip)),
                    current,
                });
            }
        }
        branches
    }

    /// The entry that a word names: a branch, a bookmark, or the beginning of an entry's name. The
    /// error says what is wrong with it.
    pub fn resolve(&self, word: &str) -> Result<EntryId, String> {
        let entries = &self.state.entries;
        if let Some(mark) = self.state.names.find(word) {
            let id = entries.id(mark.at);
            return id
                .ok_or_else(|| format!("{word} is at the beginning, where there is no entry"));
        }
        let low = word.to_ascii_lowercase();
        let mut found = entries
            .iter()
            .filter(|entry| entry.id.0.starts_with(&low))
            .map(|entry| entry.id.clone());
        match (low.is_empty(), found.next(), found.next()) {
            (false, Some(id), None) => Ok(id),
            (false, Some(a), Some(b)) => Err(format!("{word:?} may be entry {a} or {b}")),
            _ => Err(format!(
                "there is no branch, bookmark or entry {word:?} in this session"
            )),
        }
    }
}

impl Entries {
    /// The places at which branches end: of each entry that nothing follows, itself or the last one
    /// before it at which a conversation can rest.
    pub(crate) fn tips(&self) -> Vec<usize> {
        let mut followed = alloc::vec![false; self.len()];
        for parent in self.iter().filter_map(|entry| entry.parent) {
            followed[parent] = true;
        }
        let mut tips: Vec<usize> = (0..self.len())
            .filter(|place| !followed[*place])
            .filter_map(|place| {
                let mut back = self.back_from(Some(place));
                back.find(|(_, entry)| entry.message.tool_calls().next().is_none())
            })
            .map(|(place, _)| place)
            .collect();
        tips.sort_unstable();
        tips.dedup();
        tips
    }
}

impl Graph {
    /// The graph in Mermaid's flowchart language.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for entry in &self.entries {
            let label = entry.label("<br/>").replace('"', "#quot;");
            text.push_str(&format!("  e{}[\"{label}\"]\n", entry.id));
            if let Some(parent) = &entry.parent {
                text.push_str(&format!("  e{parent} --> e{}\n", entry.id));
            }
            if let Some(from) = &entry.merged_from {
                text.push_str(&format!("  e{from} -.-> e{}\n", entry.id));
            }
            if Some(&entry.id) == self.head.as_ref() {
                text.push_str(&format!("  style e{} stroke-width:3px\n", entry.id));
            }
        }
        text
    }

    /// The graph in Graphviz' DOT language.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph session {\n  node [shape=box];\n");
        for entry in &self.entries {
            let label = entry.label("\n").replace('\\', "\\\\").replace('"', "\\\"");
            let label = label.replace('\n', "\\n");
            let bold = match Some(&entry.id) == self.head.as_ref() {
                true => ", penwidth=3",
                false => "",
            };
            text.push_str(&format!("  \"{}\" [label=\"{label}\"{bold}];\n", entry.id));
            if let Some(parent) = &entry.parent {
                text.push_str(&format!("  \"{parent}\" -> \"{}\";\n", entry.id));
            }
            if let Some(from) = &entry.merged_from {
                let dotted = format!("  \"{from}\" -> \"{}\" [style=dotted];\n", entry.id);
                text.push_str(&dotted);
            }
        }
        text.push_str("}\n");
        text
    }
}

impl GraphEntry {
    fn label(&self, line_end: &str) -> String {
        let short: String = self.id.0.chars().take(8).collect();
        // What a diagram would take for its own signs.
        let line = self.line.replace(['<', '>', '`', '[', ']', '|'], " ");
        let mut label = format!("{short} {}{line_end}{line}", self.who);
        if !self.names.is_empty() {
            label = format!("{label}{line_end}{}", self.names.join(", "));
        }
        label
    }
}

/// A message in one line.
fn line(message: &Message) -> String {
    let mut words = String::new();
    for part in &message.parts {
        let piece = match part {
            Part::Text { text } => text.clone(),
            Part::Image(_) => "[picture]".into(),
            Part::ToolCall(call) => format!("▸ {}", call.name),
            Part::ToolResult(result) => format!("{}: {}", result.name, result.text),
            Part::Thinking { .. } => continue,
        };
        for word in piece.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.extend(word.chars().filter(|c| !c.is_control()));
            if words.chars().count() > LINE_CHARS {
                let mut line: String = words.chars().take(LINE_CHARS).collect();
                line.push('…');
                return line;
            }
        }
    }
    words
}
