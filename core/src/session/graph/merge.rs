//! Merging: what was said on another branch, at the end of this one.
//!
//! Appended, each entry of the other branch follows as an entry of its own that names the one it is
//! a copy of; it shares the message, so a merge stores names, not texts. Squashed, one entry tells
//! in short what was said. Either way the labels of what comes along come with it, whole groups of
//! calls and results stay whole, and what was merged before is not merged again.

use alloc::{format, string::String, sync::Arc, vec, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntryId, TurnId, UnixMillis},
    journal::{Body, Copied},
    json::{self, FromJson, ToJson},
    message::{Message, Part, Role},
    safety::Source,
    session::{CommandError, Entries, Entry, Event, Origin, Session, State, draw},
};

/// Characters of one message that a squash tells.
const TOLD_CHARS: usize = 1_000;
/// Characters of a whole squash.
const SQUASH_CHARS: usize = 24_000;

/// How another branch is merged.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson,
)]
#[serde(rename_all = "snake_case")]
pub enum MergeHow {
    /// Its entries follow as they are.
    #[default]
    Append,
    /// One entry tells in short what was said.
    Squash,
}

impl Session {
    /// Merges the branch that ends at `from` into the conversation as it stands.
    pub(crate) fn merge(
        &mut self,
        from: &EntryId,
        how: MergeHow,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        self.is_free()?;
        let place = self.rests_at(from)?;
        let missing = missing(&self.state.entries, place);
        if missing.is_empty() {
            return Err(CommandError::NothingToMerge {
                entry: from.clone(),
            });
        }
        let (first, parent) = self.next_entry();
        let turn = TurnId(self.state.turns + 1);
        let from = from.clone();
        let body = match how {
            MergeHow::Append => Body::Appended {
                turn,
                from,
                parent,
                copies: self.copies(&missing),
            },
            MergeHow::Squash => {
                let entries = missing.iter().filter_map(|at| self.state.entries.get(*at));
                let message = Message::text(Role::User, squashed(entries));
                let message = self.vet(message, Source::Summary, now);
                Body::Squashed {
                    turn,
                    from,
                    entry: first,
                    parent,
                    message,
                }
            }
        };
        self.record(body, now);
        self.tell_stored(Event::Moved {
            head: self.state.entries.head_id(),
        });
        Ok(())
    }

    /// Names for copies of the entries at `places`.
    pub(super) fn copies(&self, places: &[usize]) -> Vec<Copied> {
        let number = self.state.entries.len() as u64;
        let originals = places.iter().filter_map(|at| self.state.entries.get(*at));
        (number..)
            .zip(originals)
            .map(|(number, original)| Copied {
                entry: EntryId(draw(&self.state.seed, b"entry", number)),
                of: original.id.clone(),
            })
            .collect()
    }
}

impl State {
    pub(super) fn merged(&mut self, body: &Body, at: UnixMillis) -> Result<(), String> {
        match body {
            Body::Appended {
                turn,
                parent,
                copies,
                ..
            } => {
                self.turns = turn.0;
                self.undone.clear();
                self.copy(copies, parent.clone(), *turn, at)?;
            }
            Body::Squashed {
                turn,
                from,
                entry,
                parent,
                message,
            } => {
                let from = self.place(from)?;
                let labels = self.entries.get(from).map(|entry| entry.labels);
                self.turns = turn.0;
                self.undone.clear();
                let message = self.vet(message, Source::Summary);
                let origin = Some(Origin::Squashed { from });
                let labels = labels.unwrap_or_default();
                let (turn, parent) = (*turn, parent.as_ref());
                self.push_from(entry, parent, turn, message, at, labels, origin)?;
            }
            _ => return Err("not a record of a merge".into()),
        }
        Ok(())
    }

    /// Adds copies after the head, the first of which follows `parent`. A copy keeps what was in
    /// sight when the original was written: the words may have come of it.
    pub(super) fn copy(
        &mut self,
        copies: &[Copied],
        mut parent: Option<EntryId>,
        turn: TurnId,
        at: UnixMillis,
    ) -> Result<(), String> {
        for copied in copies {
            let of = self.place(&copied.of)?;
            let original = self.entries.get(of).ok_or("there is no such entry")?;
            let (message, labels) = (original.message.clone(), original.labels);
            let recalled = original.recalled.clone();
            let sender = original.sender.clone();
            let origin = Some(Origin::Copied { of });
            let entry = &copied.entry;
            self.push_from(entry, parent.as_ref(), turn, message, at, labels, origin)?;
            if let Some(recalled) = recalled {
                self.entries.set_recalled(recalled);
            }
            if let Some(sender) = sender {
                self.entries.set_sender(sender);
            }
            parent = Some(entry.clone());
        }
        Ok(())
    }
}

/// The places of what was said up to `from` and is not in the conversation yet, the oldest first.
/// Summaries stay behind: what they stand for comes along in full.
fn missing(entries: &Entries, from: usize) -> Vec<usize> {
    let mut here = vec![false; entries.len()];
    let known = |here: &mut Vec<bool>, place: usize| {
        here.get_mut(place)
            .is_none_or(|mark| core::mem::replace(mark, true))
    };
    for (place, entry) in entries.path_back() {
        known(&mut here, place);
        let mut origin = entry.origin;
        while let Some(now) = origin {
            match now {
                Origin::Copied { of } => {
                    known(&mut here, of);
                    origin = entries.get(of).and_then(|entry| entry.origin);
                }
                Origin::Squashed { from } => {
                    for (place, _) in entries.back_from(Some(from)) {
                        known(&mut here, place);
                    }
                    origin = None;
                }
            }
        }
    }
    let is_here = |place: usize| here.get(place).copied().unwrap_or(true);
    let mut missing: Vec<usize> = entries
        .back_from(Some(from))
        .filter(|(place, entry)| !is_here(*place) && entry.covers.is_none())
        .filter(|(place, _)| !is_here(root(entries, *place)))
        .map(|(place, _)| place)
        .collect();
    missing.reverse();
    missing
}

/// The entry that the one at `place` is in the end a copy of.
fn root(entries: &Entries, place: usize) -> usize {
    let mut place = place;
    // Originals are older than their copies, so this ends.
    while let Some(Origin::Copied { of }) = entries.get(place).and_then(|entry| entry.origin) {
        place = of;
    }
    place
}

/// What was said in `entries`, in short.
fn squashed<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> String {
    let mut text = String::from("[What was said on another branch, in short]");
    let mut left_out = 0_usize;
    for entry in entries {
        let told = told(entry);
        if text.chars().count() + told.chars().count() > SQUASH_CHARS {
            left_out += 1;
            continue;
        }
        text.push('\n');
        text.push_str(&told);
    }
    if left_out > 0 {
        text.push_str(&format!("\n[{left_out} more messages are left out]"));
    }
    text
}

fn told(entry: &Entry) -> String {
    let message = &entry.message;
    let mut lines: Vec<String> = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } => {
                let who = match message.role {
                    Role::User if entry.sender.is_some() => "Another agent",
                    Role::User => "Person",
                    _ => "Agent",
                };
                lines.push(format!("{who}: {}", short(text)));
            }
            Part::Image(_) => lines.push("Person: [a picture]".into()),
            Part::ToolCall(call) => {
                let arguments = json::to_string(&call.arguments);
                lines.push(format!("Agent called {} {}", call.name, short(&arguments)));
            }
            Part::ToolResult(result) => {
                lines.push(format!("{} answered: {}", result.name, short(&result.text)));
            }
            Part::Thinking { .. } => {}
        }
    }
    lines.join("\n")
}

fn short(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(TOLD_CHARS).collect();
    if short.len() < text.len() {
        short.push_str(" […]");
    }
    short
}
