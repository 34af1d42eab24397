//! A session: one conversation with everything it decides, as a value.
//!
//! # Calling contract
//!
//! ```text
//!             submit(Command) ─┐                     ┌─> poll_effect()    what only a home can do
//!  answer(EffectId, Answer) ───┤                     ├─> poll_cancelled() stop this at once
//!     handle_timeout(now) ─────┼──>  [ Session ]  ───┼─> poll_event()     what a watcher may see
//!                              │                     └─> poll_timeout()   call me again then
//! ```
//!
//! After every call on the left, poll `poll_cancelled`, `poll_effect` and `poll_event` until each
//! returns `None`, then ask `poll_timeout`. Effects are answered in any order; an answer to an
//! effect the session no longer waits for changes nothing. `now` never needs to be exact, and may
//! jump.
//!
//! # Invariants
//!
//! - Persist before act: no effect is handed out before the commit of the records that decided it
//!   was answered. After a failed commit nothing is handed out any more.
//! - State changes only by records ([`crate::journal`]), so a session restored from its journal is
//!   the one that wrote it. A restored session re-emits unanswered effects under the same ids.
//! - Time and randomness are arguments: the same seed and inputs give the same records.

mod command;
mod config;
mod effect;
mod entries;
mod event;
pub mod foreign;
mod graph;
mod import;
mod open;
mod outbox;
mod stage;
mod state;
mod view;

pub use command::{Command, CommandError};
pub use config::{Budgets, Config, Retry};
pub use effect::{
    Answer, Batch, Effect, GenerateError, HeaderValue, HttpError, HttpHead, HttpRequest, Range,
    StoreError,
};
pub use entries::{Entries, Entry, Origin, Recalled};
pub use event::{Budget, Event, Failure, FailureKind, Outcome};
pub(crate) use graph::UNDO;
pub use graph::tool_spec as undo_spec;
pub use graph::{Graph, GraphBookmark, GraphBranch, GraphEntry, Mark, MarkKind, MergeHow};
pub use import::{Import, ImportError};
pub use open::{Journal, WaitingCall};
pub(crate) use stage::{Attempt, CallState, CallStatus, Stage, Turn};
pub(crate) use state::State;
pub use view::{View, ViewEntry, ViewName, ViewWaiting};

use alloc::{string::String, vec::Vec};
use sha2::{Digest, Sha256};

use crate::{
    ids::{EffectId, EntryId, UnixMillis},
    journal::{self, Blobs, Body, Chain, Summary},
    json,
    safety::{Gate, Screened, Source},
    turn::{ModelCall, Recall},
};
use outbox::Outbox;

/// One conversation. See the module for how to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(crate) state: State,
    chain: Chain,
    /// The model call in the home's hands. Lost with the process, begun again by a restore.
    pub(crate) call: Option<ModelCall>,
    /// What goes into the next commit, and what follows it.
    staged: Staged,
    outbox: Outbox,
    next_passing: u64,
    stopped: bool,
    /// What memory is asked for at the beginning of the turn. Asked again by a restore.
    pub(crate) recall: Option<Recall>,
    /// Model calls are answered from a recording, whatever API they would use.
    pub(crate) replaying: Option<Recorded>,
    /// The first record whose large contents are stored apart: in a recording, the first that was.
    pub(crate) apart_from: u64,
    /// Restored in the middle of a turn, and not resumed: nobody runs what the state calls running.
    pub(crate) at_rest: bool,
}

/// What the gate found when a recording was made, by the records' numbers, the first one last.
pub(crate) type Recorded = Vec<(u64, UnixMillis, Body)>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Staged {
    batch: Batch,
    events: Vec<Event>,
    effects: Vec<(EffectId, Effect)>,
}

impl Session {
    /// Asks for something. On an error nothing changed, but that a prompt which the gate withheld
    /// leaves a record of that.
    pub fn submit(&mut self, command: Command, now: UnixMillis) -> Result<(), CommandError> {
        if self.stopped {
            return Err(CommandError::Stopped);
        }
        let taken = self.take(command, now);
        match &taken {
            Ok(()) => {
                self.at_rest = false;
                self.proceed(now);
                self.flush();
            }
            Err(CommandError::Withheld { .. }) => self.flush(),
            Err(_) => {}
        }
        taken
    }

    fn take(&mut self, command: Command, now: UnixMillis) -> Result<(), CommandError> {
        match command {
            Command::Prompt { text, images } => self.prompt(text, images, now)?,
            Command::Deliver { letter } => self.deliver(&letter, now)?,
            Command::Interrupt => self.interrupt(now),
            Command::Approve {
                call_id,
                extent,
                digest,
            } => self.approve(&call_id, extent, digest.as_deref(), now)?,
            Command::Deny {
                call_id,
                reason,
                absent,
            } => self.deny(&call_id, reason.as_deref(), absent, now)?,
            Command::Compact => self.compact(now)?,
            Command::Undo => self.undo(now)?,
            Command::Redo => self.redo(now)?,
            Command::Switch { to } => self.switch(&to, now)?,
            Command::SwitchTo { name } => self.switch_to(&name, now)?,
            Command::Branch { name, at } => self.branch(&name, at.as_ref(), now)?,
            Command::Bookmark { name, at } => self.bookmark(&name, at.as_ref(), now)?,
            Command::Forget { name } => self.forget(&name, now)?,
            Command::Rename { from, to } => self.rename(from.as_deref(), &to, now)?,
            Command::Merge { from, how } => self.merge(&from, how, now)?,
            Command::SetPolicy { policy } => {
                if let Some(rule) = Gate::new(&policy).bad_rule().cloned() {
                    return Err(CommandError::BadRule { rule });
                }
                self.record(Body::PolicySet { policy }, now);
                self.tell_stored(Event::Done);
            }
        }
        Ok(())
    }

    /// Tells how an effect went.
    pub fn answer(&mut self, id: EffectId, answer: Answer, now: UnixMillis) {
        if let Answer::Committed(result) = answer {
            self.committed(id, result);
            return;
        }
        if self.stopped {
            return;
        }
        match answer {
            Answer::Tool(output) => self.tool_answered(id, output, now),
            Answer::Memory(result) => self.memory_answered(id, result, now),
            answer => self.model_answered(id, answer, now),
        }
        self.proceed(now);
        self.flush();
    }

    /// Does what comes next, and hands out what follows.
    pub(crate) fn go_on(&mut self, now: UnixMillis) {
        self.proceed(now);
        self.flush();
    }

    /// To be called at [`Session::poll_timeout`] or later; earlier it changes nothing.
    pub fn handle_timeout(&mut self, now: UnixMillis) {
        if self.stopped {
            return;
        }
        self.expire(now);
        self.proceed(now);
        self.flush();
    }

    /// The next thing for the home to do.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.outbox.poll_effect()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.poll_event()
    }

    /// An effect whose answer is no longer wanted: the home drops its work at once.
    pub fn poll_cancelled(&mut self) -> Option<EffectId> {
        self.outbox.poll_cancelled()
    }

    /// When [`Session::handle_timeout`] is to be called; may lie in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixMillis> {
        if self.stopped {
            None
        } else {
            self.next_timeout()
        }
    }

    /// Whether no turn is running and nothing waits to be stored.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stopped || (self.state.turn.is_none() && self.outbox.is_empty())
    }

    /// All that a session at rest has decided, to be stored in one commit: for whoever has a store and
    /// no home. `None` if it wants more than that. When the commit fails, the session is to be
    /// dropped and opened again.
    pub fn take_commit(&mut self) -> Option<Batch> {
        let mut all = Batch::default();
        while let Some((id, effect)) = self.outbox.poll_effect() {
            let Effect::Commit(batch) = effect else {
                return None;
            };
            all.require_absent.extend(batch.require_absent);
            all.put.extend(batch.put);
            all.delete.extend(batch.delete);
            self.committed(id, Ok(()));
        }
        Some(all)
    }

    fn committed(&mut self, id: EffectId, result: Result<(), StoreError>) {
        let Some(events) = self.outbox.take_stored(id) else {
            return;
        };
        match result {
            Ok(()) => events
                .into_iter()
                .for_each(|event| self.outbox.event(event)),
            Err(error) => {
                self.stopped = true;
                self.outbox.stop();
                self.cancel_everything();
                self.outbox.event(Event::Stopped { error });
            }
        }
    }

    /// Stages a record and changes the state by it.
    pub(crate) fn record(&mut self, body: Body, now: UnixMillis) {
        self.record_as_recorded();
        self.append(body, now);
    }

    /// Records what the gate found when the recording was made: it finds nothing in what it let
    /// through then.
    fn record_as_recorded(&mut self) {
        let next = |session: &mut Self| {
            let seq = session.chain.next_seq;
            let recorded = session.replaying.as_mut()?;
            // What the turn went another way around is passed over.
            while recorded.pop_if(|(next, ..)| *next < seq).is_some() {}
            recorded.pop_if(|(next, ..)| *next == seq)
        };
        while let Some((_, at, body)) = next(self) {
            self.append(body, at);
        }
    }

    /// Ends a replay: what was found last belongs to a prompt that was withheld.
    pub(crate) fn end_recording(&mut self) {
        self.record_as_recorded();
        self.flush();
    }

    fn append(&mut self, body: Body, now: UnixMillis) {
        let seq = self.chain.next_seq;
        let (record, bytes, blobs) = if seq < self.apart_from {
            let (record, bytes) = self.chain.append(body, now);
            (record, bytes, Blobs::default())
        } else {
            self.chain.append_apart(body, now)
        };
        for (hash, text) in blobs.iter() {
            let row = (journal::blob::key(hash), text.as_bytes().to_vec());
            self.staged.batch.put.push(row);
        }
        let key = journal::key(&self.state.id, seq);
        self.staged.batch.require_absent.push(key.clone());
        self.staged.batch.put.push((key, bytes));
        let applied = self.state.apply(&record);
        debug_assert_eq!(applied, Ok(()), "a live record fits its state: {record:?}");
    }

    /// Records and tells what the gate found and did.
    pub(crate) fn screened(&mut self, source: Source, findings: Vec<Screened>, now: UnixMillis) {
        if findings.is_empty() {
            return;
        }
        self.tell_stored(Event::Screened {
            source: source.clone(),
            findings: findings.clone(),
        });
        self.record(Body::Screened { source, findings }, now);
    }

    /// Puts a key beside the records of the next commit.
    pub(crate) fn put(&mut self, key: String, value: Vec<u8>) {
        self.staged.batch.put.push((key, value));
    }

    /// An effect that follows what is staged.
    pub(crate) fn emit(&mut self, id: EffectId, effect: Effect) {
        self.staged.effects.push((id, effect));
    }

    /// An event told once what is staged is stored.
    pub(crate) fn tell_stored(&mut self, event: Event) {
        self.staged.events.push(event);
    }

    /// An event told at once.
    pub(crate) fn tell(&mut self, event: Event) {
        self.outbox.event(event);
    }

    /// Takes an effect back or has the home drop it.
    pub(crate) fn cancel(&mut self, id: EffectId) {
        let before = self.staged.effects.len();
        self.staged.effects.retain(|(of, _)| *of != id);
        if self.staged.effects.len() == before {
            self.outbox.cancel(id);
        }
    }

    /// Hands what is staged to the outbox: one commit, then what waits for it.
    fn flush(&mut self) {
        let Staged {
            mut batch,
            events,
            effects,
        } = core::mem::take(&mut self.staged);
        if batch.put.is_empty() {
            events
                .into_iter()
                .for_each(|event| self.outbox.event(event));
        } else {
            let summary = json::to_vec(&self.summary());
            batch
                .put
                .push((journal::summary_key(&self.state.id), summary));
            let id = self.passing_id();
            self.outbox.commit(id, Effect::Commit(batch), events);
        }
        for (id, effect) in effects {
            self.outbox.effect(id, effect);
        }
    }

    /// The next id of an effect that the journal names.
    pub(crate) fn durable_id(&self) -> EffectId {
        EffectId(self.state.next_effect)
    }

    /// The next id of an effect that does not outlive the process.
    pub(crate) fn passing_id(&mut self) -> EffectId {
        // Apart from the durable ones, and still exact in JSON numbers.
        const PASSING: u64 = 1 << 52;
        self.next_passing += 1;
        EffectId(PASSING + self.next_passing)
    }

    /// The name of the next entry.
    pub(crate) fn next_entry(&self) -> (EntryId, Option<EntryId>) {
        let number = self.state.entries.len() as u64;
        (
            EntryId(draw(&self.state.seed, b"entry", number)),
            self.state.entries.head_id(),
        )
    }

    /// The session's line in the list of sessions.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = &self.state;
        Summary {
            v: journal::VERSION,
            session: state.id.clone(),
            title: state.title.clone(),
            created: state.created,
            updated: state.updated,
            turns: state.turns,
            entries: state.entries.len() as u64,
            records: self.chain.next_seq,
            bytes: state.content_bytes,
            hash: self.chain.hash.clone(),
            model: state
                .config
                .models
                .first()
                .map(|model| model.name.clone())
                .unwrap_or_default(),
            running: state.turn.is_some(),
        }
    }
}

/// Sixteen hex digits that depend on the seed, a purpose and a number only.
pub(crate) fn draw(seed: &[u8; 32], purpose: &[u8], number: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(purpose);
    hash.update(number.to_be_bytes());
    let digest = hash.finalize();
    journal::hex(&digest[..8])
}

#[cfg(test)]
pub(crate) mod tests;
