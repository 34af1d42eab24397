//! Replay: a recorded session runs again, without network, models or tools.
//!
//! The recording is the journal itself. What the world answered is read from the records; what
//! the session decides is decided anew, and every record it writes must equal the recorded one to
//! the byte. So a replay proves two things: no record was changed since it was written, and this
//! Tau decides as the one that wrote it did.

mod inputs;

pub use super::sections::{Diverged, End};

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::Serialize;

use super::{Blobs, Body, FinishedBy, Record, blob, sections::Reader};
use crate::{
    context::summary_message,
    ids::{CallId, EffectId, SessionId, UnixMillis},
    json::ToJson,
    memory,
    message::{Letter, ToolResult},
    model::{Delta, StopReason, Usage},
    safety::Gate,
    session::{Answer, Budget, Command, Effect, GenerateError, Import, Journal, Outcome, Session},
    tool::ToolOutput,
};
use inputs::{deltas, differing, movement, prompt, reason};

/// A replay that went the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Replayed {
    /// The session; of a fork, the fork.
    pub session: SessionId,
    /// Records compared, those of the sessions it continues included.
    pub records: u64,
    /// The transcript's hash: SHA-256 of the last record, which holds that of the one before.
    pub hash: String,
}

/// Runs exported sessions again: journal records as JSON lines, the sessions one continues first, in
/// [`super::sections`].
pub fn replay<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Replayed, Diverged> {
    let mut reader = Reader::default();
    for line in lines {
        reader.line(line)?;
    }
    let mut records = 0;
    let mut last = None;
    for section in reader.finish()? {
        let mut first_line = section.first_line;
        let mut ancestors: Vec<Journal> = Vec::new();
        for journal in section.journals.clone() {
            let session = Replay::new(&ancestors, &journal, &section.blobs, first_line)?.run()?;
            first_line += journal.len();
            records += journal.len() as u64;
            ancestors.push(journal);
            last = Some(session);
        }
    }
    let Some(session) = last else {
        return Err(Diverged {
            line: 1,
            why: "there are no records".into(),
        });
    };
    Ok(Replayed {
        session: session.id().clone(),
        records,
        hash: session.chain().hash.clone(),
    })
}

/// One journal on its way through a session.
struct Replay<'a> {
    session: Session,
    ancestors: &'a [Journal],
    journal: &'a Journal,
    blobs: &'a Blobs,
    /// The next record to compare.
    next: usize,
    first_line: usize,
    /// What the session waits for: the model's call or the next piece of its answer, and tools.
    model: Option<EffectId>,
    piece: Option<EffectId>,
    /// What memory is asked for at the beginning of a turn.
    recall: Option<EffectId>,
    tools: BTreeMap<CallId, EffectId>,
}

impl<'a> Replay<'a> {
    fn new(
        ancestors: &'a [Journal],
        journal: &'a Journal,
        blobs: &'a Blobs,
        first_line: usize,
    ) -> Result<Self, Diverged> {
        let mut replay = Self {
            session: restore(ancestors, journal, blobs, 1, first_line)?,
            ancestors,
            journal,
            blobs,
            next: 1,
            first_line,
            model: None,
            piece: None,
            recall: None,
            tools: BTreeMap::new(),
        };
        replay.pump()?;
        Ok(replay)
    }

    fn run(mut self) -> Result<Session, Diverged> {
        while self.next < self.journal.len() {
            let before = self.next;
            self.feed()?;
            self.pump()?;
            if self.next == before {
                return Err(self.diverged("the session did not come to write this record"));
            }
        }
        Ok(self.session)
    }

    fn diverged(&self, why: impl Into<String>) -> Diverged {
        Diverged {
            line: self.first_line + self.next,
            why: why.into(),
        }
    }

    /// Serves effects from the recording and compares what is committed.
    fn pump(&mut self) -> Result<(), Diverged> {
        while let Some((id, effect)) = self.session.poll_effect() {
            match effect {
                Effect::Commit(batch) => {
                    let records = batch
                        .put
                        .iter()
                        .filter(|(key, _)| key.contains("/journal/"));
                    for (_, written) in records {
                        self.compare(written)?;
                    }
                    self.session
                        .answer(id, Answer::Committed(Ok(())), UnixMillis(0));
                }
                Effect::Generate(_) | Effect::HttpSend(_) => self.model = Some(id),
                Effect::GenerateNext { .. } | Effect::HttpRead { .. } => self.piece = Some(id),
                Effect::RunTool(run) => {
                    self.tools.insert(run.call_id, id);
                }
                Effect::Memory(_) => match self.session.call_of(id) {
                    Some(call_id) => {
                        self.tools.insert(call_id, id);
                    }
                    None => self.recall = Some(id),
                },
            }
        }
        while self.session.poll_cancelled().is_some() {}
        while self.session.poll_event().is_some() {}
        Ok(())
    }

    fn compare(&mut self, written: &[u8]) -> Result<(), Diverged> {
        let Some(recorded) = self.journal.get(self.next) else {
            return Err(self.diverged("the recording ends in the middle of a step"));
        };
        if recorded.as_slice() != written {
            let fields = differing(recorded, written);
            return Err(self.diverged(format!(
                "the session now writes another record here: {fields}"
            )));
        }
        self.next += 1;
        Ok(())
    }

    fn record(&self, place: usize) -> Result<Option<Record>, Diverged> {
        let Some(bytes) = self.journal.get(place) else {
            return Ok(None);
        };
        let record = Record::read(bytes);
        let mut record = record.map_err(|error| self.diverged(error.to_string()))?;
        let missing = |hash| self.diverged(format!("the content {hash} is missing"));
        blob::attach(&mut record.body, self.blobs).map_err(missing)?;
        Ok(Some(record))
    }

    /// Gives the session the input that made it write the next record.
    fn feed(&mut self) -> Result<(), Diverged> {
        let mut place = self.next;
        // A new configuration is stored with what follows it.
        let (at, body) = loop {
            match self.record(place)? {
                Some(Record {
                    at,
                    body: Body::Configured { config },
                    ..
                }) => {
                    self.session.configure(*config, at);
                    place += 1;
                }
                // Recorded by itself with what follows.
                Some(Record {
                    body: Body::Screened { .. },
                    ..
                }) => place += 1,
                Some(record) => break (record.at, record.body),
                None => {
                    self.session.end_recording();
                    return Ok(());
                }
            }
        };
        if let Some(id) = self.recall.take() {
            let body = match body {
                Body::Recalled {
                    message,
                    memories,
                    labels,
                    ..
                } => {
                    self.session
                        .recalled_again(id, message, memories, labels, at);
                    return Ok(());
                }
                // Nothing was found.
                body => body,
            };
            self.session
                .answer(id, Answer::Memory(Ok(memory::Reply::nothing())), at);
            self.pump()?;
            return self.feed_one(body, place, at);
        }
        self.feed_one(body, place, at)
    }

    /// Gives the session what made it write `body`, the record at `place`.
    fn feed_one(&mut self, body: Body, place: usize, at: UnixMillis) -> Result<(), Diverged> {
        match body {
            Body::Prompt { message, .. } => {
                let (text, images) = prompt(message);
                self.submit(Command::Prompt { text, images }, at)
            }
            Body::Delivered {
                sender, message, ..
            } => {
                let letter = Box::new(Letter::again(sender, &message));
                self.submit(Command::Deliver { letter }, at)
            }
            Body::PolicySet { policy } => self.submit(Command::SetPolicy { policy }, at),
            Body::Compacting { .. } => self.submit(Command::Compact, at),
            Body::ToolApproved { call_id, extent } => self.submit(
                Command::Approve {
                    call_id,
                    extent,
                    digest: None,
                },
                at,
            ),
            Body::AttemptFailed { error, .. } => {
                let error = GenerateError::Provider(error);
                let id = self.model()?;
                self.session.answer(id, Answer::Generating(Err(error)), at);
                Ok(())
            }
            Body::Answer {
                message,
                usage,
                stop,
                ..
            } => {
                let cut_off = stop.is_none();
                self.say(deltas(&message), usage, stop, at)?;
                if cut_off {
                    self.end_turn(place + 1, at)
                } else {
                    Ok(())
                }
            }
            Body::Compacted { message, usage, .. } => {
                let text = message.joined_text();
                let prefix = summary_message("");
                let text = text.strip_prefix(&prefix).unwrap_or(&text).to_string();
                self.say(
                    alloc::vec![Delta::Text { text }],
                    usage,
                    Some(StopReason::EndTurn),
                    at,
                )
            }
            Body::ToolFinished { result, by } => self.end_tool(result, by, at),
            Body::Resumed => {
                self.start_over()?;
                self.session.resume(at);
                Ok(())
            }
            Body::TurnFinished { .. } => self.end_turn(place, at),
            // It waited for its rate.
            Body::ToolStarted { .. }
                if self.session.poll_timeout().is_some_and(|due| due <= at) =>
            {
                self.session.handle_timeout(at);
                Ok(())
            }
            body => self.move_or_import(body, at),
        }
    }

    /// Gives the session what a person did with the conversation as a whole.
    fn move_or_import(&mut self, body: Body, at: UnixMillis) -> Result<(), Diverged> {
        if let Body::Imported {
            from,
            own,
            entries,
            head,
        } = body
        {
            let import = Import {
                from,
                own,
                entries,
                head,
            };
            let taken = self.session.import(import, at);
            return taken.map_err(|error| self.diverged(format!("the session refuses: {error}")));
        }
        match movement(body) {
            Some(command) => self.submit(command, at),
            None => Err(self.diverged("the session does not decide this now")),
        }
    }

    /// Ends a tool call the way it ended.
    fn end_tool(
        &mut self,
        result: ToolResult,
        by: FinishedBy,
        at: UnixMillis,
    ) -> Result<(), Diverged> {
        match by {
            FinishedBy::Home | FinishedBy::Core => {
                let id = self.tools.remove(&result.call_id);
                let id = id.ok_or_else(|| self.diverged("this tool call is not running"))?;
                let output = ToolOutput {
                    status: result.status,
                    text: result.text,
                    images: result.images,
                    labels: Some(result.labels),
                };
                self.session.answer(id, Answer::Tool(output), at);
                Ok(())
            }
            FinishedBy::Person | FinishedBy::Nobody => {
                let reason = reason(&result.text);
                self.submit(
                    Command::Deny {
                        call_id: result.call_id,
                        reason,
                        absent: by == FinishedBy::Nobody,
                    },
                    at,
                )
            }
            FinishedBy::Timeout => {
                self.session.handle_timeout(at);
                Ok(())
            }
            FinishedBy::Interrupt => self.submit(Command::Interrupt, at),
            // Interrupted before it was resumed: a resumed session decides this by itself.
            FinishedBy::Restore => {
                self.start_over()?;
                self.submit(Command::Interrupt, at)
            }
            FinishedBy::Dispatcher => Err(self.diverged("the session does not decide this now")),
        }
    }

    /// Another process opened the session here.
    fn start_over(&mut self) -> Result<(), Diverged> {
        let (ancestors, journal, blobs) = (self.ancestors, self.journal, self.blobs);
        self.session = restore(ancestors, journal, blobs, self.next, self.first_line)?;
        (self.model, self.piece, self.recall) = (None, None, None);
        self.tools.clear();
        Ok(())
    }

    fn submit(&mut self, command: Command, at: UnixMillis) -> Result<(), Diverged> {
        let submitted = self.session.submit(command, at);
        submitted.map_err(|error| self.diverged(format!("the session refuses: {error}")))
    }

    /// The model call that is waiting, after the wait before an attempt if there is one.
    fn model(&mut self) -> Result<EffectId, Diverged> {
        if self.model.is_none()
            && let Some(at) = self.session.poll_timeout()
        {
            self.session.handle_timeout(at);
            self.pump()?;
        }
        self.model
            .take()
            .ok_or_else(|| self.diverged("no model is being asked"))
    }

    /// Answers the model call with `deltas`; complete when there is a reason to stop.
    fn say(
        &mut self,
        deltas: Vec<Delta>,
        usage: Usage,
        stop: Option<StopReason>,
        at: UnixMillis,
    ) -> Result<(), Diverged> {
        let id = self.model()?;
        self.session.answer(id, Answer::Generating(Ok(())), at);
        self.pump()?;
        let complete = stop.is_some();
        let usage = Delta::Usage {
            usage: Usage {
                cost_nano_usd: 0,
                ..usage
            },
        };
        let end = stop.map(|reason| Delta::Stop { reason });
        for delta in deltas.into_iter().chain([usage]).chain(end) {
            let id = self.piece()?;
            self.session
                .answer(id, Answer::Generated(Ok(Some(delta))), at);
            self.pump()?;
        }
        if complete {
            let id = self.piece()?;
            self.session.answer(id, Answer::Generated(Ok(None)), at);
        }
        Ok(())
    }

    fn piece(&mut self) -> Result<EffectId, Diverged> {
        self.piece
            .take()
            .ok_or_else(|| self.diverged("no more of an answer is read"))
    }

    /// What ended the turn whose end is recorded at `place`.
    fn end_turn(&mut self, place: usize, at: UnixMillis) -> Result<(), Diverged> {
        match self.record(place)?.map(|record| record.body) {
            Some(Body::TurnFinished {
                outcome: Outcome::Interrupted,
                ..
            }) => self.submit(Command::Interrupt, at),
            Some(Body::TurnFinished {
                outcome:
                    Outcome::BudgetExhausted {
                        budget: Budget::Deadline,
                    },
                ..
            }) => {
                self.session.handle_timeout(at);
                Ok(())
            }
            _ => Err(self.diverged("the session does not end the turn here")),
        }
    }
}

fn restore(
    ancestors: &[Journal],
    journal: &Journal,
    blobs: &Blobs,
    records: usize,
    first_line: usize,
) -> Result<Session, Diverged> {
    let past = journal.iter().take(records).cloned().collect();
    let restored = Session::restore_behind(&Gate::open(), ancestors, &past, blobs);
    let mut session = restored.map_err(|error| Diverged {
        line: first_line,
        why: error.to_string(),
    })?;
    let rest = journal.iter().skip(records);
    let recorded = rest.filter_map(|bytes| {
        let record = Record::read(bytes).ok()?;
        matches!(record.body, Body::Screened { .. }).then_some((record.seq, record.at, record.body))
    });
    let mut recorded: Vec<_> = recorded.collect();
    recorded.reverse();
    session.replaying = Some(recorded);
    // Who wrote it may not have stored contents apart yet.
    let apart = journal
        .iter()
        .position(|record| !blob::referred(record).is_empty());
    session.apart_from = apart.map_or(u64::MAX, |place| place as u64);
    Ok(session)
}

#[cfg(test)]
mod tests;
