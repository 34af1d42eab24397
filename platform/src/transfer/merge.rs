//! Entries of a file into a session that is there: what it has stays, what it lacks is added.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use tau_core::{
    ids::{EntryId, SessionId},
    journal::{self, ImportedEntry},
    json,
    session::{Import, Session},
};

use super::{Outcome, Plan, Renumbered, TransferError, refused};
use crate::{open, storage::Storage};

/// What was said in a session, on all branches, and where it stands. Summaries are left out: what they
/// stand for is there.
pub(super) fn entries_of(session: &Session) -> (Vec<ImportedEntry>, Option<EntryId>) {
    let entries = session.entries();
    let name = |mut place: Option<usize>| loop {
        let entry = entries.get(place?)?;
        if entry.covers.is_none() {
            return Some(entry.id.clone());
        }
        place = entry.parent;
    };
    let said = entries.iter().filter(|entry| entry.covers.is_none());
    let said = said.map(|entry| ImportedEntry {
        entry: entry.id.clone(),
        parent: name(entry.parent),
        turn: entry.turn,
        at: entry.at,
        message: (**entry.message).clone(),
    });
    let head = session.view().head;
    let head = entries
        .iter()
        .position(|entry| Some(&entry.id) == head.as_ref());
    (said.collect(), name(head))
}

/// Where a conversation goes on that stood at `stood`, when others followed what it had said to
/// `head`: there, or before calls that nothing answered yet. Nowhere where both went on.
pub(super) fn followed(
    entries: &[ImportedEntry],
    head: Option<EntryId>,
    stood: Option<&EntryId>,
) -> Option<EntryId> {
    let by_name = entries.iter().map(|entry| (&*entry.entry.0, entry));
    let by_name: BTreeMap<&str, &ImportedEntry> = by_name.collect();
    let (mut place, mut found) = (head.as_ref(), None::<&EntryId>);
    // Not in a circle, should the file hold one.
    for _ in 0..=entries.len() {
        if place == stood {
            return found.cloned();
        }
        let entry = by_name.get(&*place?.0)?;
        if found.is_none() && entry.message.tool_calls().next().is_none() {
            found = Some(&entry.entry);
        }
        place = entry.parent.as_ref();
    }
    None
}

impl<S: Storage> Plan<'_, S> {
    pub(super) async fn merge(
        &mut self,
        id: &SessionId,
        entries: Vec<ImportedEntry>,
        outcome: Outcome,
        head: Option<EntryId>,
    ) -> Result<(), TransferError> {
        if self.journals.contains_key(id) {
            let why = "it is in the file twice, and not the same";
            return Err(refused(id, &why));
        }
        let mut session = open::open(self.storage, id).await?;
        // A conversation goes on with what was said since where it stood.
        let (known, stood) = entries_of(&session);
        let head = followed(&entries, head, stood.as_ref());
        let (entries, renumbered) = missing(&session, known, entries);
        if entries.is_empty() {
            self.tell(id, Outcome::Same, 0, Vec::new());
            return Ok(());
        }
        let added = entries.len() as u64;
        let is_new = |head: &EntryId| entries.iter().any(|entry| entry.entry == *head);
        let import = Import {
            from: "tau".into(),
            own: self.wish.own,
            head: head.filter(is_new),
            entries,
        };
        let now = self.wish.now;
        session
            .import(import, now)
            .map_err(|error| refused(id, &error))?;
        let mut records = open::load(self.storage, id).await?.journal;
        self.collect(&mut session, &mut records, false)?;
        self.journals.insert(id.clone(), records);
        self.tell(id, outcome, added, renumbered);
        Ok(())
    }
}

/// What a session lacks of `entries`; one whose name is given to something else gets another.
fn missing(
    session: &Session,
    known: Vec<ImportedEntry>,
    entries: Vec<ImportedEntry>,
) -> (Vec<ImportedEntry>, Vec<Renumbered>) {
    let have: BTreeMap<String, ImportedEntry> = known
        .into_iter()
        .map(|entry| (entry.entry.0.clone(), entry))
        .collect();
    // What was imported is stored as the gate let it through.
    let same = |known: &ImportedEntry, entry: &ImportedEntry| {
        known.parent == entry.parent
            && (known.message == entry.message
                || known.message == session.as_imported(entry.message.clone()))
    };
    let mut names: BTreeMap<EntryId, EntryId> = BTreeMap::new();
    let (mut added, mut renumbered) = (Vec::new(), Vec::new());
    for mut entry in entries {
        if let Some(parent) = &entry.parent
            && let Some(name) = names.get(parent)
        {
            entry.parent = Some(name.clone());
        }
        let from = entry.entry.clone();
        let taken = |id: &EntryId| have.get(&id.0);
        match taken(&from) {
            None => added.push(entry),
            Some(known) if same(known, &entry) => {}
            Some(_) => {
                entry.entry = other_name(session.id(), &entry);
                let to = entry.entry.clone();
                names.insert(from.clone(), to.clone());
                // Renamed by an import before this one.
                if taken(&to).is_none() {
                    renumbered.push(Renumbered { from, to });
                    added.push(entry);
                }
            }
        }
    }
    (added, renumbered)
}

/// The same name whenever the same entry is imported.
fn other_name(session: &SessionId, entry: &ImportedEntry) -> EntryId {
    let said = json::to_string(entry);
    let mut name = journal::sha256_hex(alloc::format!("{session}\n{said}").as_bytes());
    name.truncate(16);
    EntryId(name)
}
