//! Names: branches, bookmarks, the session's own.
//!
//! A bookmark stays where it was put. A branch goes with the conversation while the session stands
//! on it: what is said at its end moves it on. After an undo the session stands behind the branch's
//! end, and what is said there leaves the branch where it was.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntryId, UnixMillis},
    journal::Body,
    json::{FromJson, ToJson},
    session::{CommandError, Event, Session},
};

/// Characters that a name may have.
const NAME_CHARS: usize = 64;
/// Names that a session may have.
const NAMES: usize = 1_000;
/// What the line a session began on is called once there is another.
const FIRST_BRANCH: &str = "main";
/// Characters of a session's title.
const TITLE_CHARS: usize = 80;

/// What a name is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A line of the conversation: moves with what is said on it.
    Branch,
    /// A place: stays.
    Bookmark,
}

/// A name and where it points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The name.
    pub name: String,
    /// What it is for.
    pub kind: MarkKind,
    /// The place of the entry; none is the conversation's beginning.
    pub at: Option<usize>,
}

/// All names, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    marks: Vec<Mark>,
    /// The branch that the session stands on.
    branch: Option<String>,
}

impl Names {
    pub(crate) fn all(&self) -> &[Mark] {
        &self.marks
    }

    pub(crate) fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.name == name)
    }

    fn has_branches(&self) -> bool {
        self.marks.iter().any(|mark| mark.kind == MarkKind::Branch)
    }

    /// The branch that ends at `place`, if exactly one does.
    pub(super) fn only_branch_at(&self, place: Option<usize>) -> Option<String> {
        let ends = |mark: &&Mark| mark.kind == MarkKind::Branch && mark.at == place;
        let mut at = self.marks.iter().filter(ends);
        match (at.next(), at.next()) {
            (Some(mark), None) => Some(mark.name.clone()),
            _ => None,
        }
    }

    pub(super) fn put(
        &mut self,
        name: &str,
        kind: MarkKind,
        at: Option<usize>,
    ) -> Result<(), String> {
        if self.find(name).is_some() {
            return Err(alloc::format!("the name {name} is given already"));
        }
        let name = name.to_string();
        self.marks.push(Mark { name, kind, at });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), String> {
        let before = self.marks.len();
        self.marks.retain(|mark| mark.name != name);
        if self.marks.len() == before {
            return Err(alloc::format!("there is no name {name}"));
        }
        self.branch.take_if(|branch| branch == name);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let mark = self.marks.iter_mut().find(|mark| mark.name == from);
        let mark = mark.ok_or_else(|| alloc::format!("there is no name {from}"))?;
        mark.name = to.into();
        if self.branch.as_deref() == Some(from) {
            self.branch = Some(to.into());
        }
        Ok(())
    }

    pub(crate) fn stand_on(&mut self, branch: Option<&str>) {
        self.branch = branch.map(Into::into);
    }

    /// The conversation goes on from `before` to `place`: its branch goes with it, unless the
    /// session stood behind the branch's end.
    pub(crate) fn grow(&mut self, before: Option<usize>, place: usize) {
        let Some(name) = &self.branch else { return };
        let mut marks = self.marks.iter_mut();
        match marks.find(|mark| mark.name == *name) {
            Some(mark) if mark.at == before => mark.at = Some(place),
            _ => self.branch = None,
        }
    }

    /// The branch that the session stands on ends at `place` from here on.
    pub(super) fn carry(&mut self, place: Option<usize>) {
        let Some(name) = &self.branch else { return };
        let mut marks = self.marks.iter_mut();
        if let Some(mark) = marks.find(|mark| mark.name == *name) {
            mark.at = place;
        }
    }
}

impl Session {
    /// Begins a branch at an entry, or where the session stands, and goes there.
    pub(crate) fn branch(
        &mut self,
        name: &str,
        at: Option<&EntryId>,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        self.is_free()?;
        let name = self.free_name(name)?;
        if let Some(at) = at {
            self.rests_at(at)?;
        }
        let here = self.state.entries.head_id();
        let kind = MarkKind::Branch;
        if !self.state.names.has_branches()
            && here.is_some()
            && name != FIRST_BRANCH
            && self.state.names.find(FIRST_BRANCH).is_none()
        {
            // The line that the session leaves can be found again by a name.
            let name = FIRST_BRANCH.into();
            let entry = here.clone();
            self.record(Body::Named { name, kind, entry }, now);
        }
        let entry = at.cloned().or(here);
        let head = entry.clone();
        self.tell_stored(Event::Moved { head });
        self.record(Body::Named { name, kind, entry }, now);
        Ok(())
    }

    /// Gives an entry, or where the session stands, a name that stays there.
    pub(crate) fn bookmark(
        &mut self,
        name: &str,
        at: Option<&EntryId>,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        self.is_free()?;
        let name = self.free_name(name)?;
        let at = at.cloned().or_else(|| self.state.entries.head_id());
        let at = at.ok_or(CommandError::NothingToName)?;
        self.rests_at(&at)?;
        let kind = MarkKind::Bookmark;
        let entry = Some(at);
        self.record(Body::Named { name, kind, entry }, now);
        self.tell_stored(Event::Done);
        Ok(())
    }

    /// Takes a name away. The entries stay.
    pub(crate) fn forget(&mut self, name: &str, now: UnixMillis) -> Result<(), CommandError> {
        self.is_free()?;
        self.known(name)?;
        self.record(Body::Unnamed { name: name.into() }, now);
        self.tell_stored(Event::Done);
        Ok(())
    }

    /// Gives what has a name another; the session itself without one.
    pub(crate) fn rename(
        &mut self,
        from: Option<&str>,
        to: &str,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        self.is_free()?;
        let to = match from {
            Some(from) => {
                self.known(from)?;
                self.free_name(to)?
            }
            None => self.title(to)?,
        };
        let from = from.map(Into::into);
        self.record(Body::Renamed { from, to }, now);
        self.tell_stored(Event::Done);
        Ok(())
    }

    fn known(&self, name: &str) -> Result<(), CommandError> {
        match self.state.names.find(name) {
            Some(_) => Ok(()),
            None => Err(CommandError::UnknownName { name: name.into() }),
        }
    }

    /// `name` as it may be given to a place, without secrets.
    fn free_name(&self, name: &str) -> Result<String, CommandError> {
        let name = self.state.gate.without_secrets(name).into_owned();
        let bad = |why| CommandError::BadName {
            name: name.chars().take(NAME_CHARS).collect(),
            why,
        };
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if name.is_empty() || name.chars().count() > NAME_CHARS {
            return Err(bad("has 1 to 64 characters"));
        }
        if !name.chars().all(legal) || name.starts_with('-') {
            return Err(bad("is made of letters, digits and - _ . /"));
        }
        if name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad("must not look like the name of an entry"));
        }
        if self.state.names.all().len() >= NAMES {
            return Err(bad("is one too many: a session has at most 1,000"));
        }
        if self.state.names.find(&name).is_some() {
            return Err(CommandError::NameTaken { name });
        }
        Ok(name)
    }

    /// `title` as a session may have it: one line, without secrets.
    fn title(&self, title: &str) -> Result<String, CommandError> {
        let title = self.state.gate.without_secrets(title);
        let title: String = title
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let title = title.trim();
        if title.is_empty() || title.chars().count() > TITLE_CHARS {
            return Err(CommandError::BadName {
                name: title.chars().take(TITLE_CHARS).collect(),
                why: "has 1 to 80 characters",
            });
        }
        Ok(title.into())
    }
}
