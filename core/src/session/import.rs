//! Taking over what was said elsewhere: in another store, in another program.
//!
//! Words that come from elsewhere are words of others: they pass the gate as content, and are
//! labelled as both private and untrusted, unless the person says that nobody else wrote any of
//! them. A yes that was given elsewhere holds nowhere else: approvals and the policy of what is
//! taken over do not come along. A record without entries says so of all that was there before it.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use thiserror::Error;

use super::{CommandError, Entry, Session, State};
use crate::{
    context::{Window, estimate_message},
    ids::{CallId, EntryId, UnixMillis},
    journal::{Body, ImportedEntry},
    message::{Message, Part, Role},
    policy::Policy,
    safety::{Labels, Source, Untrusted},
};

/// Entries that one record takes over at most.
const RECORD_ENTRIES: usize = 64;
/// Bytes of text of them, about.
const RECORD_BYTES: usize = 512 * 1024;

/// What is taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Where it is from, in a word.
    pub from: String,
    /// Whether the person says that nobody else wrote any of it.
    pub own: bool,
    /// Entries, parents before their children.
    pub entries: Vec<ImportedEntry>,
    /// Where the session stands afterwards; where it stood, without one.
    pub head: Option<EntryId>,
}

/// Why it is not taken over. The session is to be dropped; nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// The session cannot take anything now.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The entries make no conversation.
    #[error("{0}")]
    Entries(String),
}

impl Session {
    /// Takes over what was said elsewhere, in as many records as it takes, all in one commit.
    pub fn import(&mut self, import: Import, now: UnixMillis) -> Result<(), ImportError> {
        if self.stopped {
            return Err(CommandError::Stopped.into());
        }
        if self.state.turn.is_some() {
            return Err(CommandError::Busy.into());
        }
        let Import {
            from,
            own,
            entries: given,
            head,
        } = import;
        let mut entries = Vec::with_capacity(given.len());
        for entry in given {
            let message = self.vet(entry.message, source(), now);
            entries.push(ImportedEntry { message, ..entry });
        }
        loop {
            let rest = entries.split_off(piece(&entries));
            let is_last = rest.is_empty();
            let head = head.clone().filter(|_| is_last);
            self.state
                .check_import(&entries, head.as_ref())
                .map_err(ImportError::Entries)?;
            let body = Body::Imported {
                from: from.clone(),
                own,
                entries,
                head,
            };
            self.record(body, now);
            if is_last {
                break;
            }
            entries = rest;
        }
        self.flush();
        Ok(())
    }
}

impl Session {
    /// A message from elsewhere as the gate would let it through.
    #[must_use]
    pub fn as_imported(&self, message: Message) -> Message {
        let message = Untrusted::new(message, source());
        self.state.gate.vet(message).0.into_inner()
    }
}

/// What the gate is told of words from elsewhere.
fn source() -> Source {
    let name = "import".to_string();
    Source::Tool { name }
}

/// How many of the first entries go into one record.
fn piece(entries: &[ImportedEntry]) -> usize {
    let mut bytes = 0;
    for (place, entry) in entries.iter().enumerate().take(RECORD_ENTRIES) {
        bytes += size(&entry.message);
        if place > 0 && bytes > RECORD_BYTES {
            return place;
        }
    }
    entries.len().min(RECORD_ENTRIES)
}

/// Bytes of what a message says.
pub(super) fn size(message: &Message) -> usize {
    let part = |part: &Part| match part {
        Part::Text { text } | Part::Thinking { text, .. } => text.len(),
        Part::Image(image) => image.data.len(),
        Part::ToolCall(call) => call.arguments.to_string().len(),
        Part::ToolResult(result) => {
            let images = result.images.iter().map(|image| image.data.len());
            result.text.len() + images.sum::<usize>()
        }
    };
    message.parts.iter().map(part).sum()
}

impl State {
    pub(super) fn imported(
        &mut self,
        own: bool,
        entries: &[ImportedEntry],
        head: Option<&EntryId>,
    ) -> Result<(), String> {
        if self.turn.is_some() {
            return Err("a turn is running".into());
        }
        self.check_import(entries, head)?;
        let brought = if own { Labels::NONE } else { Labels::WORKSPACE };
        let stood = self.entries.head();
        let mut places = self.places();
        for entry in entries {
            if self.title.is_empty() && entry.message.role == Role::User {
                self.title = super::state::title(&entry.message);
            }
            let parent = entry.parent.as_ref();
            let parent = parent.and_then(|parent| places.get(&parent.0).copied());
            let before = parent.and_then(|parent| Some(self.entries.get(parent)?.labels));
            let message = self.vet(&entry.message, source());
            places.insert(entry.entry.0.clone(), self.entries.len());
            self.turns = self.turns.max(entry.turn.0);
            self.content_bytes += size(&message) as u64;
            self.entries.push(Entry {
                id: entry.entry.clone(),
                parent,
                turn: entry.turn,
                at: entry.at,
                tokens: estimate_message(&message),
                labels: before
                    .unwrap_or_default()
                    .with(message.labels())
                    .with(brought),
                message,
                usage: None,
                covers: None,
                origin: None,
                recalled: None,
                sender: None,
            });
        }
        let stands = match head {
            Some(head) => places.get(&head.0).copied(),
            None => stood,
        };
        self.entries.set_head(stands);
        if stands != stood {
            self.undone.clear();
            self.names.stand_on(None);
        }
        if entries.is_empty() {
            self.adopted(brought);
        }
        self.window = Window::rebuild(&self.entries);
        Ok(())
    }

    /// The whole session is from elsewhere: who said yes to what there has no say here.
    fn adopted(&mut self, brought: Labels) {
        self.entries.label_all(brought);
        self.approved.clear();
        self.govern(&Policy::default());
        self.offer();
    }

    fn places(&self) -> BTreeMap<String, usize> {
        let entries = self.entries.iter().enumerate();
        entries
            .map(|(place, entry)| (entry.id.0.clone(), place))
            .collect()
    }

    /// Whether `entries` can follow what there is: names of their own, parents before children,
    /// calls and their results in whole groups.
    fn check_import(
        &self,
        entries: &[ImportedEntry],
        head: Option<&EntryId>,
    ) -> Result<(), String> {
        let mut calls: BTreeMap<String, Vec<CallId>> = BTreeMap::new();
        let known = self.entries.iter();
        calls.extend(known.map(|entry| (entry.id.0.clone(), called(&entry.message))));
        for entry in entries {
            let id = &entry.entry;
            if calls.contains_key(&id.0) {
                return Err(format!("entry {id} is there twice"));
            }
            let before: &[CallId] = match &entry.parent {
                None => &[],
                Some(parent) => calls.get(&parent.0).ok_or_else(|| {
                    format!("entry {id} follows {parent}, which is not before it")
                })?,
            };
            let message = &entry.message;
            fits(message).map_err(|why| format!("entry {id} {why}"))?;
            let results = message.tool_results().map(|result| &result.call_id);
            if message.role == Role::Tool && !results.eq(before.iter()) {
                return Err(format!(
                    "entry {id} holds results of calls that are not before it"
                ));
            }
            if message.role != Role::Tool && !before.is_empty() {
                return Err(format!(
                    "entry {id} stands where results of tool calls belong"
                ));
            }
            calls.insert(id.0.clone(), called(message));
        }
        match head.map(|head| (head, calls.get(&head.0))) {
            Some((head, None)) => Err(format!("there is no entry {head}")),
            Some((head, Some(calls))) if !calls.is_empty() => {
                Err(format!("a conversation cannot go on from entry {head}"))
            }
            _ => Ok(()),
        }
    }
}

fn called(message: &Message) -> Vec<CallId> {
    message.tool_calls().map(|call| call.id.clone()).collect()
}

/// Whether a message of its role may hold its parts.
fn fits(message: &Message) -> Result<(), &'static str> {
    let may = |part: &Part| match part {
        Part::Text { .. } => message.role != Role::Tool,
        Part::Image(_) => message.role == Role::User,
        Part::Thinking { .. } | Part::ToolCall(_) => message.role == Role::Assistant,
        Part::ToolResult(_) => message.role == Role::Tool,
    };
    if message.parts.is_empty() {
        return Err("is empty");
    }
    match message.parts.iter().all(may) {
        true => Ok(()),
        false => Err("holds what its role cannot say"),
    }
}
