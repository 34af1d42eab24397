//! Moving in the conversation: undo, redo, switch, branch, merge, and names for places.
//!
//! Entries form a tree; the session stands at one of them, its head. Moving changes the head and
//! nothing else: no entry is ever deleted, and the next prompt grows a branch from where the
//! session stands. The way back from an undo is kept until something is said. What tools did
//! outside stays done, and what a person allowed or refused stays said, wherever the head is.

mod back;
mod merge;
mod names;
mod show;

pub(crate) use back::UNDO;
pub use back::tool_spec;
pub use merge::MergeHow;
pub(crate) use names::Names;
pub use names::{Mark, MarkKind};
pub use show::{Graph, GraphBookmark, GraphBranch, GraphEntry};

use alloc::string::String;

use super::{CommandError, Event, Session, State};
use crate::{
    context::Window,
    ids::{EntryId, TurnId, UnixMillis},
    journal::{Body, MovedBy},
};

impl Session {
    pub(super) fn undo(&mut self, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        let last = self.state.entries.path_back().next();
        let last = last.ok_or(CommandError::NothingToUndo)?.1.turn;
        let to = self.before_turn(last);
        self.go(to, MovedBy::Undo, None, now);
        Ok(())
    }

    /// The last entry of the conversation that is older than the turn.
    fn before_turn(&self, turn: TurnId) -> Option<EntryId> {
        let mut back = self.state.entries.path_back();
        back.find(|(_, entry)| entry.turn != turn)
            .map(|(_, entry)| entry.id.clone())
    }

    pub(super) fn redo(&mut self, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        let to = self.state.undone.last().cloned();
        let to = to.ok_or(CommandError::NothingToRedo)?;
        self.go(to, MovedBy::Redo, None, now);
        Ok(())
    }

    pub(super) fn switch(&mut self, to: &EntryId, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        self.rests_at(to)?;
        self.go(Some(to.clone()), MovedBy::Switch, None, now);
        Ok(())
    }

    /// Switches to what has a name. On a branch, what is said next belongs to it.
    pub(super) fn switch_to(&mut self, name: &str, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        let mark = self.state.names.find(name);
        let mark = mark.ok_or_else(|| CommandError::UnknownName { name: name.into() })?;
        let branch = (mark.kind == MarkKind::Branch).then(|| name.into());
        let to = self.state.entries.id(mark.at);
        self.go(to, MovedBy::Switch, branch, now);
        Ok(())
    }

    /// The place of an entry at which a conversation can rest.
    fn rests_at(&self, id: &EntryId) -> Result<usize, CommandError> {
        let entries = &self.state.entries;
        let place = entries.place(id);
        let unknown = || CommandError::UnknownEntry { entry: id.clone() };
        let place = place.ok_or_else(unknown)?;
        let entry = entries.get(place).ok_or_else(unknown)?;
        if entry.message.tool_calls().next().is_some() {
            return Err(CommandError::MidTurn { entry: id.clone() });
        }
        Ok(place)
    }

    fn is_free(&self) -> Result<(), CommandError> {
        match self.state.turn {
            Some(_) => Err(CommandError::Busy),
            None => Ok(()),
        }
    }

    fn go(&mut self, to: Option<EntryId>, by: MovedBy, branch: Option<String>, now: UnixMillis) {
        self.tell_stored(Event::Moved { head: to.clone() });
        self.record(Body::Moved { to, by, branch }, now);
    }
}

impl State {
    /// The records of places and names.
    pub(super) fn apply_graph(&mut self, body: &Body, at: UnixMillis) -> Result<(), String> {
        if self.turn.is_some() && !matches!(body, Body::TakenBack { .. }) {
            return Err("a turn is running".into());
        }
        match body {
            Body::Moved { to, by, branch } => self.moved(to.as_ref(), *by, branch.as_deref())?,
            Body::Named { name, kind, entry } => {
                let place = entry.as_ref().map(|id| self.place(id)).transpose()?;
                self.names.put(name, *kind, place)?;
                if *kind == MarkKind::Branch {
                    self.stand_at(place);
                    self.undone.clear();
                    self.names.stand_on(Some(name));
                }
            }
            Body::Unnamed { name } => self.names.remove(name)?,
            Body::Renamed { from, to } => match from {
                Some(from) => self.names.rename(from, to)?,
                None => self.title = to.clone(),
            },
            Body::Appended { .. } | Body::Squashed { .. } => self.merged(body, at)?,
            Body::TakenBack {
                turn, to, copies, ..
            } => self.taken_back(*turn, to.as_ref(), copies, at)?,
            _ => return Err("not a record of a place".into()),
        }
        Ok(())
    }

    fn moved(
        &mut self,
        to: Option<&EntryId>,
        by: MovedBy,
        branch: Option<&str>,
    ) -> Result<(), String> {
        let place = to.map(|id| self.place(id)).transpose()?;
        match by {
            MovedBy::Undo => self.undone.push(self.entries.head_id()),
            MovedBy::Redo => {
                self.undone.pop();
            }
            MovedBy::Switch => {
                self.undone.clear();
                let standing = match branch {
                    Some(name) => Some(name.into()),
                    None => self.names.only_branch_at(place),
                };
                self.names.stand_on(standing.as_deref());
            }
        }
        self.stand_at(place);
        Ok(())
    }

    /// Goes on from the entry at `place`, with the window that belongs to it.
    fn stand_at(&mut self, place: Option<usize>) {
        if self.entries.head() != place {
            self.entries.set_head(place);
            self.window = Window::rebuild(&self.entries);
        }
    }
}
