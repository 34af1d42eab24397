//! Sessions and memories in and out of a store, as files.
//!
//! Invariants:
//! - An import is one commit: nothing of it is visible before all of it is.
//! - What is imported is words of others, unless the person says that it is their own; approvals and
//!   policies stay behind. Importing the same again changes nothing.
//! - Names stay as they are. Only where one is taken by something else is it changed, and told.

mod merge;
mod report;

pub use report::{Outcome, Renumbered, Report, SessionReport};

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    journal::{
        self, Body, Chain, ForkPoint,
        sections::{Diverged, Row, Section, rows_section},
    },
    json::{self, Value},
    receipt,
    session::{Batch, Command, Import, Journal, Range, Session, StoreError, foreign::Foreign},
};
use thiserror::Error;

use crate::{
    open::{self, OpenError},
    storage::Storage,
};

/// Rows asked for at once.
const PAGE: u32 = 512;
/// Rows that an export holds beside sessions: what a person may hand to another store.
const CARRIED: [&str; 1] = ["memory/"];
/// Rows of one section.
const SECTION_ROWS: usize = 4_096;

/// How what is there already is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It stays, and what is missing is added.
    #[default]
    Merge,
    /// The file's takes its place.
    Replace,
}

/// What an import is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What happens to what is there already.
    pub mode: Mode,
    /// Whether the person says that nobody else wrote any of it.
    pub own: bool,
    /// The time.
    pub now: UnixMillis,
    /// What new sessions draw their names from.
    pub seed: [u8; 32],
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferError {
    /// The file is not usable.
    #[error(transparent)]
    File(#[from] Diverged),
    /// A session cannot be taken over.
    #[error("session {session}: {why}")]
    Session {
        /// Its name.
        session: SessionId,
        /// Why.
        why: String,
    },
    /// What is stored cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes all sessions and memories as sections of an export, those that others continue first.
pub async fn export_all(
    storage: &impl Storage,
    mut write: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(u64, u64), TransferError> {
    let mut sessions = 0;
    for id in sessions_in_order(storage).await? {
        write(&open::load(storage, &id).await?.export())?;
        sessions += 1;
    }
    let mut count = 0;
    for prefix in CARRIED {
        let mut rows: Vec<Row> = Vec::new();
        let mut range = Range::prefix(prefix, PAGE);
        loop {
            let page = storage.scan(range.clone()).await?;
            let is_last = page.len() < PAGE as usize;
            if let Some((last, _)) = page.last() {
                range.start = format!("{last}\0");
            }
            for (key, value) in page {
                let detail = format!("the value of {key} is no text");
                let value = String::from_utf8(value).map_err(|_| StoreError::Corrupt { detail })?;
                rows.push(Row { key, value });
            }
            if rows.len() >= SECTION_ROWS || (is_last && !rows.is_empty()) {
                count += rows.len() as u64;
                write(&rows_section(&rows))?;
                rows.clear();
            }
            if is_last {
                break;
            }
        }
    }
    Ok((sessions, count))
}

/// All stored sessions; what one continues is before it.
pub async fn sessions_in_order(storage: &impl Storage) -> Result<Vec<SessionId>, TransferError> {
    let mut waiting: Vec<(SessionId, Option<ForkPoint>)> = Vec::new();
    for summary in open::list(storage).await? {
        let point = fork_point(storage, &summary.session).await?;
        waiting.push((summary.session, point));
    }
    waiting.sort_by(|a, b| a.0.cmp(&b.0));
    let mut order: Vec<SessionId> = Vec::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        let missing = |point: &ForkPoint| !waiting.iter().any(|(id, _)| *id == point.session);
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .clone()
            .into_iter()
            .partition(|(_, point)| point.as_ref().is_none_or(missing));
        order.extend(ready.into_iter().map(|(id, _)| id));
        waiting = rest;
        if waiting.len() == before {
            // Forks in a circle: told when one is loaded.
            order.extend(waiting.drain(..).map(|(id, _)| id));
        }
    }
    Ok(order)
}

async fn fork_point(
    storage: &impl Storage,
    id: &SessionId,
) -> Result<Option<ForkPoint>, TransferError> {
    let first = storage.get(journal::key(id, 0)).await?.unwrap_or_default();
    Ok(
        match Chain::default().read(&first).map(|record| record.body) {
            Ok(Body::Created(created)) => created.forked_from,
            _ => None,
        },
    )
}

/// Takes over what a file holds. With `is_rehearsal` nothing is stored.
pub async fn import(
    storage: &impl Storage,
    sections: Vec<Section>,
    wish: &Wish,
    is_rehearsal: bool,
) -> Result<Report, TransferError> {
    let mut plan = Plan::new(storage, wish);
    for section in sections {
        plan.section(section).await?;
    }
    plan.finish(is_rehearsal).await
}

/// What [`import`] would commit, and what that would do.
pub async fn plan(
    storage: &impl Storage,
    sections: Vec<Section>,
    wish: &Wish,
) -> Result<(Batch, Report), TransferError> {
    let mut plan = Plan::new(storage, wish);
    for section in sections {
        plan.section(section).await?;
    }
    let is_empty = plan.batch.put.is_empty() && plan.batch.delete.is_empty();
    if !is_empty {
        plan.batch.put.append(&mut plan.blobs);
    }
    Ok((plan.batch, plan.report))
}

/// Takes over a conversation of another program. With `is_rehearsal` nothing is stored.
pub async fn import_foreign(
    storage: &impl Storage,
    foreign: Foreign,
    wish: &Wish,
    is_rehearsal: bool,
) -> Result<Report, TransferError> {
    let mut plan = Plan::new(storage, wish);
    plan.foreign(foreign).await?;
    plan.finish(is_rehearsal).await
}

/// The sessions that a file holds and those that they continue, to be locked before it is imported.
#[must_use]
pub fn sessions_of(sections: &[Section]) -> Vec<SessionId> {
    let journals = sections.iter().flat_map(|section| &section.journals);
    let created = journals.flat_map(|journal| {
        let first = journal.first().map_or(&[][..], Vec::as_slice);
        let (session, origin) = match Chain::default().read(first).map(|record| record.body) {
            Ok(Body::Created(created)) => (Some(created.session), created.forked_from),
            _ => (None, None),
        };
        // What is continued must not be removed meanwhile.
        [session, origin.map(|point| point.session)]
    });
    let created = created.flatten();
    let mut ids: Vec<SessionId> = created.collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Everything an import will store, in one commit.
struct Plan<'a, S> {
    storage: &'a S,
    wish: &'a Wish,
    batch: Batch,
    /// The journals as they will be.
    journals: BTreeMap<SessionId, Journal>,
    rows: BTreeMap<String, String>,
    /// Contents that new records refer to.
    blobs: Vec<(String, Vec<u8>)>,
    report: Report,
}

impl<'a, S: Storage> Plan<'a, S> {
    fn new(storage: &'a S, wish: &'a Wish) -> Self {
        Self {
            storage,
            wish,
            batch: Batch::default(),
            journals: BTreeMap::new(),
            rows: BTreeMap::new(),
            blobs: Vec::new(),
            report: Report::default(),
        }
    }

    async fn finish(mut self, is_rehearsal: bool) -> Result<Report, TransferError> {
        let is_empty = self.batch.put.is_empty() && self.batch.delete.is_empty();
        if !is_rehearsal && !is_empty {
            self.batch.put.append(&mut self.blobs);
            self.storage.commit(self.batch).await?;
        }
        Ok(self.report)
    }

    async fn section(&mut self, section: Section) -> Result<(), TransferError> {
        for (hash, content) in section.blobs.iter() {
            self.blobs
                .extend(journal::blob::rows(hash, content.as_bytes()));
        }
        let mut first_line = section.first_line;
        for (place, journal) in section.journals.iter().enumerate() {
            let ancestors = &section.journals[..place];
            let restored = Session::restore_whole(ancestors, journal, &section.blobs);
            let session = restored.map_err(|error| Diverged {
                line: first_line,
                why: error.to_string(),
            })?;
            first_line += journal.len();
            self.journal(session, journal).await?;
        }
        for (place, row) in section.rows.into_iter().enumerate() {
            self.row(row, section.first_line + place).await?;
        }
        Ok(())
    }

    /// One session of the file, restored, and its own records.
    async fn journal(&mut self, session: Session, journal: &Journal) -> Result<(), TransferError> {
        let id = session.id().clone();
        let stored = self.stored(&id).await?;
        let Some(stored) = stored else {
            let linked = self.is_linked(journal).await?;
            return match linked {
                true => self.adopt(session, journal, Outcome::New),
                false => self.flatten(&session),
            };
        };
        if stored.starts_with(journal) {
            self.tell(&id, Outcome::Same, 0, Vec::new());
            return Ok(());
        }
        if self.wish.mode == Mode::Merge {
            let (entries, head) = merge::entries_of(&session);
            return self.merge(&id, entries, Outcome::Merged, head).await;
        }
        self.is_free(&id).await?;
        self.remove(&id).await?;
        match self.is_linked(journal).await? {
            true => self.adopt(session, journal, Outcome::Replaced),
            false => Err(TransferError::Session {
                session: id,
                why: "what it continues is not here as it was".into(),
            }),
        }
    }

    /// Another program's conversation.
    async fn foreign(&mut self, foreign: Foreign) -> Result<(), TransferError> {
        let Foreign {
            session,
            title,
            import,
            ..
        } = foreign;
        let own = import.own || self.wish.own;
        if self.stored(&session).await?.is_some() {
            if self.wish.mode == Mode::Merge {
                let Import { entries, head, .. } = import;
                return self.merge(&session, entries, Outcome::Merged, head).await;
            }
            self.is_free(&session).await?;
            self.remove(&session).await?;
            self.journals.remove(&session);
            return self.begin(&session, title, Import { own, ..import }, Outcome::Replaced);
        }
        self.begin(&session, title, Import { own, ..import }, Outcome::New)
    }

    /// The journal of a session as it will be, before what is imported now.
    async fn stored(&self, id: &SessionId) -> Result<Option<Journal>, TransferError> {
        if let Some(planned) = self.journals.get(id) {
            return Ok(Some(planned.clone()));
        }
        match open::load(self.storage, id).await {
            Ok(stored) => Ok(Some(stored.journal)),
            Err(OpenError::Missing(missing)) if missing == *id => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether what the session continues is here, or will be, as it was.
    async fn is_linked(&self, journal: &Journal) -> Result<bool, TransferError> {
        let first = journal.first().map_or(&[][..], Vec::as_slice);
        let Ok(Body::Created(created)) = Chain::default().read(first).map(|record| record.body)
        else {
            return Ok(false);
        };
        let Some(point) = created.forked_from else {
            return Ok(true);
        };
        let Some(records) = self.stored(&point.session).await? else {
            return Ok(false);
        };
        let last = usize::try_from(point.records)
            .ok()
            .and_then(|count| records.get(count.checked_sub(1)?));
        Ok(last.is_some_and(|last| journal::sha256_hex(last) == point.hash))
    }

    /// Whether no stored session continues this one.
    async fn is_free(&self, id: &SessionId) -> Result<(), TransferError> {
        for summary in open::list(self.storage).await? {
            let point = fork_point(self.storage, &summary.session).await?;
            if point.is_some_and(|point| point.session == *id) {
                return Err(TransferError::Session {
                    session: id.clone(),
                    why: format!("session {} continues it, so it stays", summary.session),
                });
            }
        }
        Ok(())
    }

    /// Takes a session out, with the receipts of what it did: they say nothing of what comes instead.
    async fn remove(&mut self, id: &SessionId) -> Result<(), TransferError> {
        let own = Range::prefix(&format!("session/{id}/"), u32::MAX);
        let mut rows = self.storage.scan(own).await?;
        let signed = self.storage.scan(receipt::range(id, 0, u32::MAX)).await?;
        rows.extend(signed);
        let keys = rows.into_iter().map(|(key, _)| key);
        self.batch
            .delete
            .extend(keys.chain([receipt::head_key(id)]));
        Ok(())
    }

    /// The records as they are, and a note that they are from elsewhere.
    fn adopt(
        &mut self,
        mut session: Session,
        journal: &Journal,
        outcome: Outcome,
    ) -> Result<(), TransferError> {
        let id = session.id().clone();
        for (seq, record) in (0..).zip(journal) {
            let key = journal::key(&id, seq);
            if outcome == Outcome::New {
                self.batch.require_absent.push(key.clone());
            }
            self.batch.put.push((key, record.clone()));
        }
        let added = session.entries().len() as u64;
        // Nothing of it runs here: who said yes to it was elsewhere.
        let now = self.wish.now;
        if session.is_running() {
            session
                .submit(Command::Interrupt, now)
                .map_err(|error| refused(&id, &error))?;
        }
        let note = Import {
            from: "tau".into(),
            own: self.wish.own,
            ..Import::default()
        };
        session
            .import(note, now)
            .map_err(|error| refused(&id, &error))?;
        let mut records = journal.clone();
        self.collect(&mut session, &mut records, outcome != Outcome::New)?;
        self.journals.insert(id.clone(), records);
        self.tell(&id, outcome, added, Vec::new());
        Ok(())
    }

    /// All that a fork holds as a session that continues nothing.
    fn flatten(&mut self, session: &Session) -> Result<(), TransferError> {
        let (entries, head) = merge::entries_of(session);
        let head = merge::followed(&entries, head, None);
        let import = Import {
            from: "tau".into(),
            own: self.wish.own,
            entries,
            head,
        };
        let title = Some(session.summary().title);
        self.begin(&session.id().clone(), title, import, Outcome::Flattened)
    }

    /// A new session of that name.
    fn begin(
        &mut self,
        id: &SessionId,
        title: Option<String>,
        import: Import,
        outcome: Outcome,
    ) -> Result<(), TransferError> {
        let added = import.entries.len() as u64;
        let now = self.wish.now;
        let mut seed = self.wish.seed;
        // Sessions of one import draw different names.
        for (byte, of_id) in seed.iter_mut().zip(id.0.bytes()) {
            *byte ^= of_id;
        }
        let mut session = Session::taken_over(id.clone(), seed, now);
        session
            .import(import, now)
            .map_err(|error| refused(id, &error))?;
        if let Some(to) = title.filter(|title| !title.trim().is_empty()) {
            let short: String = to.chars().take(80).collect();
            let rename = Command::Rename {
                from: None,
                to: short,
            };
            session
                .submit(rename, now)
                .map_err(|error| refused(id, &error))?;
        }
        let mut records = Journal::new();
        self.collect(&mut session, &mut records, outcome == Outcome::Replaced)?;
        self.journals.insert(id.clone(), records);
        self.tell(id, outcome, added, Vec::new());
        Ok(())
    }

    /// Puts what a session decided beside the rest.
    fn collect(
        &mut self,
        session: &mut Session,
        records: &mut Journal,
        may_exist: bool,
    ) -> Result<(), TransferError> {
        let id = session.id().clone();
        let why = "it would do more than store";
        let batch = session.take_commit().ok_or_else(|| refused(&id, &why))?;
        let own = format!("session/{id}/journal/");
        let journal = batch.put.iter().filter(|(key, _)| key.starts_with(&own));
        records.extend(journal.map(|(_, record)| record.clone()));
        if !may_exist {
            self.batch.require_absent.extend(batch.require_absent);
        }
        self.batch.put.extend(batch.put);
        Ok(())
    }

    fn tell(
        &mut self,
        session: &SessionId,
        outcome: Outcome,
        added: u64,
        renumbered: Vec<Renumbered>,
    ) {
        let mut told = self.report.sessions.iter();
        // A file may hold what several forks continue more than once.
        if outcome == Outcome::Same && told.any(|report| report.session == *session) {
            return;
        }
        self.report.sessions.push(SessionReport {
            session: session.clone(),
            outcome,
            added,
            renumbered,
        });
    }

    async fn row(&mut self, row: Row, line: usize) -> Result<(), TransferError> {
        let Row { key, value } = row;
        let bad = |why: &str| {
            let why = format!("{why}: {:?}", key.chars().take(80).collect::<String>());
            TransferError::File(Diverged { line, why })
        };
        let legal = key.len() <= 512 && key.bytes().all(|byte| byte.is_ascii_graphic());
        let steps = key.split('/').any(|step| matches!(step, "" | "." | ".."));
        if !legal || steps || !CARRIED.iter().any(|prefix| key.starts_with(prefix)) {
            return Err(bad("this key is not imported"));
        }
        if self.rows.contains_key(&key) {
            return Err(bad("this key is there twice"));
        }
        let value = match self.wish.own {
            true => value,
            false => labelled(&value).ok_or_else(|| bad("its value is no object of JSON"))?,
        };
        self.rows.insert(key.clone(), value.clone());
        match self.storage.get(key.clone()).await? {
            None => {
                self.report.rows_added += 1;
                self.batch.require_absent.push(key.clone());
            }
            Some(stored) if stored == value.as_bytes() => {
                self.report.rows_same += 1;
                return Ok(());
            }
            Some(_) if self.wish.mode == Mode::Merge => {
                self.report.rows_kept += 1;
                return Ok(());
            }
            Some(_) => self.report.rows_replaced += 1,
        }
        self.batch.put.push((key, value.into_bytes()));
        Ok(())
    }
}

fn refused(session: &SessionId, error: &impl ToString) -> TransferError {
    TransferError::Session {
        session: session.clone(),
        why: error.to_string(),
    }
}

/// A row's value, marked as words of others.
fn labelled(value: &str) -> Option<String> {
    let mut value: Value = json::from_str(value).ok()?;
    let labels = value.as_object_mut()?;
    let labels = labels
        .entry("labels")
        .or_insert_with(|| json::object_of([]));
    let labels = labels.as_object_mut()?;
    labels.insert("private".into(), true.into());
    labels.insert("untrusted".into(), true.into());
    Some(json::to_string(&value))
}

#[cfg(test)]
mod tests;
