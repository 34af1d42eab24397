//! Replay: a recorded session runs again, without network, models or tools.
//!
//! The recording is the journal itself. What the world answered is read from the records; what
//! the session decides is decided anew, and every record it writes must equal the recorded one to
//! the byte. So a replay proves two things: no record was changed since it was written, and this
//! Tau decides as the one that wrote it did.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Body, Chain, FinishedBy, MovedBy, Record, sha256_hex};
use crate::{
    context::summary_message,
    ids::{CallId, EffectId, EntryId, SessionId, UnixMillis},
    json::{self, FromJson, ToJson},
    memory,
    message::{Message, Part, ToolResult},
    model::{Delta, StopReason, Usage},
    safety::Gate,
    session::{Answer, Budget, Command, Effect, GenerateError, Journal, Outcome, Session},
    tool::ToolOutput,
};

/// The last line of an exported session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename = "end")]
pub struct End {
    /// Records of the last session in the file.
    pub records: u64,
    /// SHA-256 of its last record, in lower-case hex.
    pub hash: String,
}

impl End {
    /// The end that `line` is, byte for byte.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let end: Self = json::from_slice(line).ok()?;
        let written = end.line();
        (written.strip_suffix(b"\n") == Some(line)).then_some(end)
    }

    /// It as a line of JSON, with the line's end.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut line = json::to_vec(self);
        line.push(b'\n');
        line
    }
}

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

/// Where a replay went another way.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, ToJson)]
#[error("line {line}: {why}")]
pub struct Diverged {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

/// Runs an exported session again: journal records as JSON lines, the sessions it continues first,
/// and optionally an [`End`].
pub fn replay<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Replayed, Diverged> {
    let (journals, end) = split(lines)?;
    let mut first_line = 1;
    let mut ancestors: Vec<Journal> = Vec::new();
    let mut last = None;
    for journal in journals {
        check_links(&journal, first_line, end.as_ref())?;
        let session = Replay::new(&ancestors, &journal, first_line)?.run()?;
        first_line += journal.len();
        ancestors.push(journal);
        last = Some(session);
    }
    let Some(session) = last else {
        return Err(Diverged {
            line: 1,
            why: "there are no records".into(),
        });
    };
    let chain = session.chain();
    if let Some(end) = end
        && (end.records != chain.next_seq || end.hash != chain.hash)
    {
        let line = first_line - 1;
        let why = if end.records == chain.next_seq {
            "the record was changed: its hash is not the one in the last line".into()
        } else {
            format!(
                "{} records are here, the last line tells of {}",
                chain.next_seq, end.records
            )
        };
        return Err(Diverged { line, why });
    }
    Ok(Replayed {
        session: session.id().clone(),
        records: (first_line - 1) as u64,
        hash: chain.hash.clone(),
    })
}

/// The journals of a file, each beginning with its creation, and the last line.
fn split<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<Journal>, Option<End>), Diverged> {
    #[derive(Deserialize, FromJson)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let mut journals: Vec<Journal> = Vec::new();
    let mut end = None;
    for (number, line) in lines.into_iter().enumerate() {
        let diverged = |why: String| Diverged {
            line: number + 1,
            why,
        };
        if end.is_some() {
            return Err(diverged("something follows the last line".into()));
        }
        let kind: Kind = json::from_slice(line)
            .map_err(|error| diverged(format!("this is no record: {error}")))?;
        match (kind.kind.as_str(), journals.last_mut()) {
            ("end", _) => {
                let read = json::from_slice(line);
                end = Some(read.map_err(|error| diverged(format!("not readable: {error}")))?);
            }
            ("created", _) => journals.push(alloc::vec![line.to_vec()]),
            (_, Some(journal)) => journal.push(line.to_vec()),
            (_, None) => return Err(diverged("a session begins with its creation".into())),
        }
    }
    Ok((journals, end))
}

/// Checks numbers and links, and says which of two records was changed when they do not fit.
fn check_links(journal: &Journal, first_line: usize, end: Option<&End>) -> Result<(), Diverged> {
    let mut chain = Chain::default();
    for (place, bytes) in journal.iter().enumerate() {
        let line = first_line + place;
        match chain.read(bytes) {
            Ok(_) => {}
            Err(super::JournalError::Broken { .. }) => {
                // If the next record still fits this one, this one is as it was written.
                let next = journal.get(place + 1);
                let intact = match next {
                    Some(next) => links_to(next, bytes),
                    None => end.is_some_and(|end| end.hash == sha256_hex(bytes)),
                };
                let line = if intact && place > 0 { line - 1 } else { line };
                let why = "the record was changed after it was written".into();
                return Err(Diverged { line, why });
            }
            Err(error) => {
                return Err(Diverged {
                    line,
                    why: error.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn links_to(next: &[u8], bytes: &[u8]) -> bool {
    Record::read(next).is_ok_and(|next| next.prev == sha256_hex(bytes))
}

/// One journal on its way through a session.
struct Replay<'a> {
    session: Session,
    ancestors: &'a [Journal],
    journal: &'a Journal,
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
        first_line: usize,
    ) -> Result<Self, Diverged> {
        let mut replay = Self {
            session: restore(ancestors, journal, 1, first_line)?,
            ancestors,
            journal,
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
        record
            .map(Some)
            .map_err(|error| self.diverged(error.to_string()))
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
            Body::PolicySet { policy } => self.submit(Command::SetPolicy { policy }, at),
            Body::Compacting { .. } => self.submit(Command::Compact, at),
            Body::Moved { to, by } => self.submit(movement(to, by), at),
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
            _ => Err(self.diverged("the session does not decide this now")),
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
        self.session = restore(self.ancestors, self.journal, self.next, self.first_line)?;
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
    records: usize,
    first_line: usize,
) -> Result<Session, Diverged> {
    let past = journal.iter().take(records).cloned().collect();
    let restored = Session::restore_behind(&Gate::open(), ancestors, &past);
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
    Ok(session)
}

/// The command that moved; a switch is always to an entry.
fn movement(to: Option<EntryId>, by: MovedBy) -> Command {
    match (by, to) {
        (MovedBy::Switch, Some(to)) => Command::Switch { to },
        (MovedBy::Redo, _) => Command::Redo,
        (MovedBy::Undo | MovedBy::Switch, _) => Command::Undo,
    }
}

fn prompt(message: Message) -> (String, Vec<crate::message::Image>) {
    let text = message.joined_text();
    let images = message.parts.into_iter().filter_map(|part| match part {
        Part::Image(image) => Some(image),
        _ => None,
    });
    (text, images.collect())
}

fn deltas(message: &Message) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for (index, part) in (0..).zip(&message.parts) {
        match part {
            Part::Text { text } => deltas.push(Delta::Text { text: text.clone() }),
            Part::Thinking { text, signature } => {
                deltas.push(Delta::Thinking { text: text.clone() });
                deltas.extend(
                    signature
                        .clone()
                        .map(|signature| Delta::ThinkingSignature { signature }),
                );
            }
            Part::ToolCall(call) => {
                let (id, name) = (call.id.0.clone(), call.name.clone());
                deltas.push(Delta::ToolCallStart { index, id, name });
                let fragment = match &call.arguments {
                    Value::String(words) => words.clone(),
                    arguments => json::to_string(arguments),
                };
                deltas.push(Delta::ToolCallArguments { index, fragment });
            }
            Part::Image(_) | Part::ToolResult(_) => {}
        }
    }
    deltas
}

/// The words a person gave with a refusal, from the text the model was told.
fn reason(told: &str) -> Option<String> {
    let told: Value = json::from_str(told).ok()?;
    let said = told.get("reason")?.as_str()?;
    let words = said
        .strip_prefix("the person said no: ")
        .or_else(|| said.strip_prefix("it needs a yes, and "))?;
    Some(words.into())
}

/// The fields in which two records differ.
fn differing(recorded: &[u8], written: &[u8]) -> String {
    let read =
        |bytes: &[u8]| json::from_slice::<BTreeMap<String, Value>>(bytes).unwrap_or_default();
    let (recorded, written) = (read(recorded), read(written));
    let shown = |value: Option<&Value>| match value {
        Some(value) => json::to_string(value).chars().take(80).collect(),
        None => String::from("nothing"),
    };
    let fields: Vec<String> = recorded
        .keys()
        .chain(written.keys().filter(|key| !recorded.contains_key(*key)))
        .filter(|key| recorded.get(*key) != written.get(*key))
        .map(|key| {
            format!(
                "{key} was {}, is {}",
                shown(recorded.get(key)),
                shown(written.get(key))
            )
        })
        .collect();
    fields.join("; ")
}

#[cfg(test)]
mod tests;
