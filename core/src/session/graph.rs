//! Moving in the conversation: undo, redo, switch.
//!
//! Entries form a tree; the session stands at one of them, its head. Moving changes the head and
//! nothing else: no entry is ever deleted, and the next prompt grows a branch from where the
//! session stands. The way back from an undo is kept until something is said.

use super::{CommandError, Event, Session};
use crate::{
    ids::{EntryId, TurnId, UnixMillis},
    journal::{Body, MovedBy},
};

impl Session {
    pub(super) fn undo(&mut self, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        let last = self.state.entries.path_back().next();
        let last = last.ok_or(CommandError::NothingToUndo)?.1.turn;
        let to = self.before_turn(last);
        self.go(to, MovedBy::Undo, now);
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
        self.go(to, MovedBy::Redo, now);
        Ok(())
    }

    pub(super) fn switch(&mut self, to: &EntryId, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        let place = self.state.entries.place(to);
        let Some(entry) = place.and_then(|place| self.state.entries.get(place)) else {
            return Err(CommandError::UnknownEntry { entry: to.clone() });
        };
        if entry.message.tool_calls().next().is_some() {
            return Err(CommandError::MidTurn { entry: to.clone() });
        }
        self.go(Some(to.clone()), MovedBy::Switch, now);
        Ok(())
    }

    fn is_free(&self) -> Result<(), CommandError> {
        match self.state.turn {
            Some(_) => Err(CommandError::Busy),
            None => Ok(()),
        }
    }

    fn go(&mut self, to: Option<EntryId>, by: MovedBy, now: UnixMillis) {
        self.tell_stored(Event::Moved { head: to.clone() });
        self.record(Body::Moved { to, by }, now);
    }
}
