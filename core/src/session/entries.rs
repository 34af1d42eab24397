//! The entries of a session: its messages as a graph, each knowing the one it follows.
//!
//! Entries never change once added and are shared, so a fork copies pointers, not messages.

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    ids::{EntryId, TurnId, UnixMillis},
    message::{Message, Sender},
    model::Usage,
    safety::{Labels, Vetted},
};

/// One message of the conversation, in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// The place of the entry it follows.
    pub parent: Option<usize>,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// When it was stored.
    pub at: UnixMillis,
    /// The message, as a model may read it.
    pub message: Vetted<Arc<Message>>,
    /// What it and all before it are: a label stays once it is in sight.
    pub labels: Labels,
    /// Estimated tokens of the message.
    pub tokens: u32,
    /// For an answer: what it took.
    pub usage: Option<Usage>,
    /// For a summary: the place of the last entry it stands for.
    pub covers: Option<usize>,
    /// For what was merged or carried over: where it came from.
    pub origin: Option<Origin>,
    /// For what was found in memory: what it is.
    pub recalled: Option<Recalled>,
    /// For what another agent wrote: who.
    pub sender: Option<Sender>,
}

/// Where an entry came from that was not said in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is a copy.
    Copied {
        /// The place of the original.
        of: usize,
    },
    /// It tells in short what was said on another branch.
    Squashed {
        /// The place of that branch's last entry.
        from: usize,
    },
}

impl Origin {
    /// The place of the entry it came from.
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Copied { of } => of,
            Self::Squashed { from } => from,
        }
    }
}

/// What was found in memory at the beginning of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The names of the memories.
    pub memories: Vec<String>,
    /// What they are, by where they came from.
    pub labels: Labels,
}

/// All entries, in the order they were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    all: Vec<Arc<Entry>>,
    head: Option<usize>,
}

impl Entries {
    /// Adds an entry after the head and makes it the head.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.head = Some(self.all.len());
        self.all.push(Arc::new(entry));
    }

    /// Says of the newest entry that it is a summary of everything up to `covers`.
    pub(crate) fn cover(&mut self, covers: usize) {
        if let Some(entry) = self.all.last_mut() {
            Arc::make_mut(entry).covers = Some(covers);
        }
    }

    /// Says of the newest entry what it took.
    pub(crate) fn set_usage(&mut self, usage: Usage) {
        if let Some(entry) = self.all.last_mut() {
            Arc::make_mut(entry).usage = Some(usage);
        }
    }

    /// Every entry is what `labels` say, too.
    pub(crate) fn label_all(&mut self, labels: Labels) {
        for entry in &mut self.all {
            if entry.labels.with(labels) != entry.labels {
                let entry = Arc::make_mut(entry);
                entry.labels = entry.labels.with(labels);
            }
        }
    }

    /// Says of the newest entry that another agent wrote it.
    pub(crate) fn set_sender(&mut self, sender: Sender) {
        if let Some(entry) = self.all.last_mut() {
            Arc::make_mut(entry).sender = Some(sender);
        }
    }

    /// Says of the newest entry that it was found in memory, and what it is.
    pub(crate) fn set_recalled(&mut self, recalled: Recalled) {
        if let Some(entry) = self.all.last_mut() {
            let entry = Arc::make_mut(entry);
            entry.labels = entry.labels.with(recalled.labels);
            entry.recalled = Some(recalled);
        }
    }

    /// Goes on from the entry at `place`; from the beginning without one.
    pub(crate) fn set_head(&mut self, place: Option<usize>) {
        self.head = place;
    }

    /// The place of the last entry of the conversation.
    pub(crate) fn head(&self) -> Option<usize> {
        self.head
    }

    /// The name of the last entry of the conversation.
    pub(crate) fn head_id(&self) -> Option<EntryId> {
        self.id(self.head)
    }

    /// The name of the entry at a place.
    pub(crate) fn id(&self, place: Option<usize>) -> Option<EntryId> {
        Some(self.get(place?)?.id.clone())
    }

    /// All entries, on all branches, in the order they were stored.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.all.iter()
    }

    /// The entry at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Arc<Entry>> {
        self.all.get(place)
    }

    /// The place of a name; looks from the newest.
    pub(crate) fn place(&self, id: &EntryId) -> Option<usize> {
        self.all.iter().rposition(|entry| entry.id == *id)
    }

    /// How many there are, on all branches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing was said yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The conversation from the head back to its beginning, with places.
    pub fn path_back(&self) -> impl Iterator<Item = (usize, &Arc<Entry>)> {
        self.back_from(self.head)
    }

    /// The entry at a place and all that it follows, the newest first.
    pub(crate) fn back_from(
        &self,
        place: Option<usize>,
    ) -> impl Iterator<Item = (usize, &Arc<Entry>)> {
        core::iter::successors(place, |place| self.get(*place)?.parent)
            .filter_map(|place| Some((place, self.get(place)?)))
    }

    /// The conversation from its beginning to the head.
    #[must_use]
    pub fn path(&self) -> Vec<&Arc<Entry>> {
        let mut path: Vec<_> = self.path_back().map(|(_, entry)| entry).collect();
        path.reverse();
        path
    }
}
