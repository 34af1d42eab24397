//! A session as a screen shows it: everything that was said, on all branches, and what is waited for.

use alloc::{string::String, sync::Arc, vec, vec::Vec};
use serde::Serialize;
use serde_json::Value;

use super::{MarkKind, Session, WaitingCall};
use crate::{
    ids::{CallId, EntryId, SessionId, TurnId, UnixMillis},
    json::ToJson,
    message::{Message, Sender},
    model::Usage,
    safety::Vetted,
    tool::notice::Notice,
};

/// What a screen needs to know about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct View {
    /// Its name.
    pub session: SessionId,
    /// The first line of its first prompt.
    pub title: String,
    /// When it began.
    pub created: UnixMillis,
    /// When it was last written.
    pub updated: UnixMillis,
    /// The model asked first.
    pub model: String,
    /// Whether a turn is running, or was when the session was stored.
    pub running: bool,
    /// Whether there is a turn to go back behind.
    pub can_undo: bool,
    /// Whether an undo can be taken back.
    pub can_redo: bool,
    /// The last entry of the conversation; none at its beginning.
    pub head: Option<EntryId>,
    /// All entries, in the order they were stored: parents before their children.
    pub entries: Vec<ViewEntry>,
    /// Where branches end: the last entries at which a conversation can rest.
    pub tips: Vec<EntryId>,
    /// The branch that the session stands on, if it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Branches and bookmarks with a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<ViewName>,
    /// Tool calls that wait for a person.
    pub waiting: Vec<ViewWaiting>,
    /// Tokens and cost of all turns.
    pub usage: Usage,
}

/// One entry of a [`View`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct ViewEntry {
    /// Its name.
    pub id: EntryId,
    /// The entry it follows.
    pub parent: Option<EntryId>,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// When it was stored.
    pub at: UnixMillis,
    /// What was said.
    pub message: Vetted<Arc<Message>>,
    /// For an answer: what it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Whether it is a summary that stands for what came before it.
    pub summary: bool,
    /// Whether it was found in memory for the prompt before it.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub recalled: bool,
    /// For what another agent wrote: who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// Whether it belongs to the conversation as it stands.
    pub on_path: bool,
}

/// A name in a [`View`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct ViewName {
    /// The name.
    pub name: String,
    /// What it is for.
    pub kind: MarkKind,
    /// Where it points; none is the beginning.
    pub entry: Option<EntryId>,
}

/// A tool call of a [`View`] that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct ViewWaiting {
    /// The call.
    pub call_id: CallId,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
    /// Why it is asked.
    pub reason: String,
    /// Whether it was running when Tau stopped.
    pub may_have_run: bool,
    /// What a yes would mean.
    pub notice: Notice,
}

impl From<WaitingCall> for ViewWaiting {
    fn from(waiting: WaitingCall) -> Self {
        Self {
            call_id: waiting.call.id,
            name: waiting.call.name,
            arguments: waiting.call.arguments,
            reason: waiting.reason,
            may_have_run: waiting.may_have_run,
            notice: waiting.notice,
        }
    }
}

impl Session {
    /// The session as a screen shows it.
    #[must_use]
    pub fn view(&self) -> View {
        let state = &self.state;
        let entries = &state.entries;
        let on_path = marked(entries.len(), entries.path_back().map(|(place, _)| place));
        View {
            session: state.id.clone(),
            title: state.title.clone(),
            created: state.created,
            updated: state.updated,
            model: self.summary().model,
            running: state.turn.is_some(),
            can_undo: state.turn.is_none() && entries.head().is_some(),
            can_redo: state.turn.is_none() && !state.undone.is_empty(),
            head: entries.head_id(),
            entries: entries
                .iter()
                .enumerate()
                .map(|(place, entry)| ViewEntry {
                    id: entry.id.clone(),
                    parent: entry
                        .parent
                        .and_then(|parent| Some(entries.get(parent)?.id.clone())),
                    turn: entry.turn,
                    at: entry.at,
                    message: entry.message.clone(),
                    usage: entry.usage,
                    summary: entry.covers.is_some(),
                    recalled: entry.recalled.is_some(),
                    sender: entry.sender.clone(),
                    on_path: on_path[place],
                })
                .collect(),
            tips: entries
                .tips()
                .into_iter()
                .filter_map(|place| entries.id(Some(place)))
                .collect(),
            branch: state.names.branch().map(Into::into),
            names: state
                .names
                .all()
                .iter()
                .map(|mark| ViewName {
                    name: mark.name.clone(),
                    kind: mark.kind,
                    entry: entries.id(mark.at),
                })
                .collect(),
            waiting: self.waiting().into_iter().map(Into::into).collect(),
            usage: state.usage,
        }
    }
}

/// For each of `count` entries whether its place is among `places`.
fn marked(count: usize, places: impl Iterator<Item = usize>) -> Vec<bool> {
    let mut marks = vec![false; count];
    for place in places {
        if let Some(mark) = marks.get_mut(place) {
            *mark = true;
        }
    }
    marks
}
