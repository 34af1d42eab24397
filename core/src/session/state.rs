//! The durable state of a session: what its journal says, record by record.
//!
//! Invariant: state changes only through [`State::apply`], live and on restore alike, so a
//! restored session is the one that wrote the journal.

use alloc::{format, string::String, sync::Arc, vec::Vec};

use super::{
    Attempt, CallState, CallStatus, Config, Entries, Entry, Origin, Recalled, Stage, Turn,
    graph::Names, import::size, undo_spec,
};
use crate::{
    context::{Window, estimate_message, estimate_tool},
    identity_files,
    ids::{CallId, EffectId, EntryId, SessionId, TurnId, UnixMillis},
    journal::{Body, Created, FinishedBy, NextAttempt, Record},
    memory,
    message::{Message, Part, Role, letter_title},
    model::Usage,
    policy::{Extent, Policy, rates},
    safety::{Gate, Labels, Source, Untrusted, Vetted},
    tool::{ToolSpec, notice},
    turn::prompted_by,
};

/// What the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: SessionId,
    pub(crate) seed: [u8; 32],
    pub(crate) created: UnixMillis,
    pub(crate) updated: UnixMillis,
    pub(crate) config: Arc<Config>,
    pub(crate) policy: Policy,
    /// What the policy has done about what is found in a text.
    pub(crate) gate: Gate,
    /// The rules of what a person approved for the whole session.
    pub(crate) approved: Vec<String>,
    /// The digests of calls that a person said no to.
    pub(crate) denied: Vec<String>,
    /// The calls of the last minute.
    pub(crate) recent: rates::Window,
    pub(crate) entries: Entries,
    /// Where undos came from, the last one last.
    pub(crate) undone: Vec<Option<EntryId>>,
    pub(crate) names: Names,
    pub(crate) window: Window,
    pub(crate) turns: u32,
    pub(crate) title: String,
    pub(crate) usage: Usage,
    /// Bytes of all that was said; copies share it.
    pub(crate) content_bytes: u64,
    pub(crate) turn: Option<Turn>,
    /// The next id of an effect that is named in the journal.
    pub(crate) next_effect: u64,
    /// Home's and core's tools, as offered.
    pub(crate) tools: Arc<Vec<Vetted<Arc<ToolSpec>>>>,
    pub(crate) system: Vetted<Arc<str>>,
    /// Estimated tokens of system prompt and tools.
    pub(crate) fixed_tokens: u64,
}

impl State {
    /// The state after a session's first record.
    pub(crate) fn new(created: &Created, seed: [u8; 32], at: UnixMillis, gate: &Gate) -> Self {
        let mut state = Self {
            id: created.session.clone(),
            seed,
            created: at,
            updated: at,
            config: Arc::new(created.config.clone()),
            policy: created.config.policy.clone(),
            gate: gate.under(&created.config.policy),
            approved: Vec::new(),
            denied: Vec::new(),
            recent: rates::Window::default(),
            entries: Entries::default(),
            undone: Vec::new(),
            names: Names::default(),
            window: Window::default(),
            turns: 0,
            title: String::new(),
            usage: Usage::default(),
            content_bytes: 0,
            turn: None,
            next_effect: 0,
            tools: Arc::default(),
            system: Gate::runtime_text(""),
            fixed_tokens: 0,
        };
        state.offer();
        state
    }

    pub(super) fn govern(&mut self, policy: &Policy) {
        self.policy = policy.clone();
        self.gate = self.gate.under(policy);
    }

    /// What every request holds, through the gate that is in force.
    pub(super) fn offer(&mut self) {
        let config = self.config.clone();
        let undo = config.undo_tool.then(undo_spec);
        let own = config.memory.as_ref().map(memory::tool_specs);
        let own = own.into_iter().flatten().chain(undo);
        let own = own.map(|spec| Untrusted::new(spec, Source::Runtime));
        let specs = config.tools.iter().map(|spec| {
            let name = spec.name.clone();
            Untrusted::new(spec.clone(), Source::Tool { name })
        });
        let tools: Vec<_> = specs
            .chain(own)
            .map(|spec| self.gate.vet(spec).0.shared())
            .collect();
        let tool_tokens: u64 = tools
            .iter()
            .map(|tool| u64::from(estimate_tool(tool)))
            .sum();
        self.system = identity_files::system(&config.system, &config.identity, &self.gate);
        self.fixed_tokens = tool_tokens + u64::from(crate::context::estimate_text(&self.system));
        self.tools = Arc::new(tools);
    }

    /// Changes the state as `record` says. The error says why it cannot follow what came before.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), String> {
        self.updated = record.at;
        let at = record.at;
        match &record.body {
            Body::Created(_) => return Err("a session is created once".into()),
            Body::Configured { config } => {
                self.config = Arc::new((**config).clone());
                self.govern(&config.policy);
                self.offer();
            }
            Body::PolicySet { policy } => {
                self.govern(policy);
                self.offer();
            }
            // What was done shows in the record of the content.
            Body::Screened { .. } => {}
            Body::Prompt { .. } | Body::Delivered { .. } => self.turn_begins(&record.body, at)?,
            Body::Recalled {
                entry,
                parent,
                message,
                memories,
                labels,
            } => {
                let turn = self.turn.as_ref().ok_or("no turn is running")?.id;
                self.add(entry, parent.as_ref(), turn, message, Source::Memory, at)?;
                self.entries.set_recalled(Recalled {
                    memories: memories.clone(),
                    labels: *labels,
                });
            }
            Body::AttemptFailed { effect, next, .. } => self.failed(*effect, next.as_ref())?,
            Body::Answer {
                entry,
                parent,
                message,
                usage,
                ..
            } => {
                let message = self.vet(message, Source::Model);
                let turn = self.spend(usage)?;
                let id = turn.id;
                turn.steps += 1;
                let calls: Vec<CallState> = message
                    .tool_calls()
                    .map(|call| CallState {
                        call: call.clone(),
                        status: CallStatus::Ready { approved: false },
                    })
                    .collect();
                turn.stage = if calls.is_empty() {
                    Stage::Ending
                } else {
                    Stage::Tools(calls)
                };
                self.push(entry, parent.as_ref(), id, message, at)?;
                self.last_usage(*usage);
            }
            Body::ToolAsked { .. }
            | Body::ToolApproved { .. }
            | Body::ToolStarted { .. }
            | Body::ToolFinished { .. }
            | Body::ToolResults { .. } => self.apply_tool(&record.body, at)?,
            Body::Compacting { .. }
            | Body::Compacted { .. }
            | Body::SummaryGivenUp { .. }
            | Body::LeftOut { .. } => self.apply_window(&record.body, at)?,
            Body::Moved { .. }
            | Body::Named { .. }
            | Body::Unnamed { .. }
            | Body::Renamed { .. }
            | Body::Appended { .. }
            | Body::Squashed { .. }
            | Body::TakenBack { .. } => self.apply_graph(&record.body, at)?,
            Body::Imported {
                own, entries, head, ..
            } => self.imported(*own, entries, head.as_ref())?,
            Body::Resumed => {}
            Body::TurnFinished { .. } => {
                self.turn.take().ok_or("no turn is running")?;
            }
        }
        Ok(())
    }

    /// A turn begins: with a prompt, or with what another agent wrote.
    fn turn_begins(&mut self, body: &Body, at: UnixMillis) -> Result<(), String> {
        match body {
            Body::Prompt {
                turn,
                entry,
                parent,
                message,
                effect,
                received,
            } => {
                self.begin(*turn, Stage::Model(Attempt::first(*effect)), at)?;
                self.used(*effect);
                if self.title.is_empty() {
                    self.title = title(message);
                }
                let source = prompted_by(received.as_ref());
                self.add(entry, parent.as_ref(), *turn, message, source, at)?;
                if let Some(received) = received {
                    self.entries.set_received(received.clone());
                }
            }
            Body::Delivered {
                turn,
                entry,
                parent,
                sender,
                message,
                effect,
            } => {
                self.begin(*turn, Stage::Model(Attempt::first(*effect)), at)?;
                self.used(*effect);
                if self.title.is_empty() {
                    self.title = letter_title(sender);
                }
                let did = sender.did.clone();
                let message = self.vet(message, Source::Agent { did });
                let parent = parent.as_ref();
                self.push_from(entry, parent, *turn, message, at, Labels::LETTER, None)?;
                self.entries.set_sender(sender.clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// The records of tool calls.
    fn apply_tool(&mut self, body: &Body, at: UnixMillis) -> Result<(), String> {
        match body {
            Body::ToolAsked {
                call_id,
                reason,
                may_have_run,
                notice,
            } => {
                self.call(call_id)?.status = CallStatus::Asked {
                    reason: reason.clone(),
                    since: at,
                    may_have_run: *may_have_run,
                    notice: notice.clone(),
                };
            }
            Body::ToolApproved { call_id, extent } => {
                let call = self.call(call_id)?;
                let ready = CallStatus::Ready { approved: true };
                let asked = core::mem::replace(&mut call.status, ready);
                if let (true, CallStatus::Asked { notice, .. }) = (*extent > Extent::Call, asked)
                    && let Some(rule) = notice.rule
                    && !self.approved.contains(&rule)
                {
                    self.approved.push(rule);
                }
            }
            Body::ToolStarted {
                call_id, effect, ..
            } => {
                let call = self.call(call_id)?;
                call.status = CallStatus::Running {
                    effect: *effect,
                    since: at,
                };
                let name = call.call.name.clone();
                if let Some(spec) = self.tools.iter().find(|spec| spec.name == name) {
                    self.recent.note(spec.class, at);
                }
                self.used(*effect);
            }
            Body::ToolFinished { result, by } => {
                let call = self.call(&result.call_id)?;
                call.status = CallStatus::Finished(result.clone());
                if *by == FinishedBy::Person {
                    let digest = notice::digest(&call.call);
                    if !self.denied.contains(&digest) {
                        self.denied.push(digest);
                    }
                }
            }
            Body::ToolResults {
                entry,
                parent,
                effect,
            } => {
                let (turn, message) = self.results()?;
                self.add(
                    entry,
                    parent.as_ref(),
                    turn,
                    &message,
                    tool_source(&message),
                    at,
                )?;
                self.go_on(*effect)?;
            }
            _ => return Err("not a record of a tool call".into()),
        }
        Ok(())
    }

    /// The records of what requests no longer hold in full.
    fn apply_window(&mut self, body: &Body, at: UnixMillis) -> Result<(), String> {
        match body {
            Body::Compacting {
                turn,
                covers,
                effect,
            } => {
                let covers = self.place(covers)?;
                let stage = Stage::Summary {
                    covers,
                    attempt: Attempt::first(*effect),
                };
                match &mut self.turn {
                    Some(running) if running.id == *turn => running.stage = stage,
                    _ => self.begin(*turn, stage, at)?,
                }
                self.used(*effect);
            }
            Body::Compacted {
                entry,
                parent,
                message,
                covers,
                usage,
                effect,
            } => {
                let turn = self.spend(usage)?.id;
                self.add(entry, parent.as_ref(), turn, message, Source::Summary, at)?;
                let covers = self.place(covers)?;
                self.entries.cover(covers);
                self.window = Window::rebuild(&self.entries);
                self.go_on(*effect)?;
            }
            Body::SummaryGivenUp { effect } => {
                self.turn.as_mut().ok_or("no turn is running")?.no_summary = true;
                self.go_on(Some(*effect))?;
            }
            Body::LeftOut { from } => {
                let place = self.place(from)?;
                self.window.cut_before(place);
            }
            _ => return Err("not a record of the window".into()),
        }
        Ok(())
    }

    fn begin(&mut self, id: TurnId, stage: Stage, at: UnixMillis) -> Result<(), String> {
        if self.turn.is_some() {
            return Err("a turn is already running".into());
        }
        self.turns = id.0;
        self.undone.clear();
        let prompt = self.entries.len();
        self.turn = Some(Turn {
            id,
            started: at,
            usage: Usage::default(),
            steps: 0,
            prompt,
            no_summary: false,
            stage,
        });
        Ok(())
    }

    fn failed(&mut self, effect: EffectId, next: Option<&NextAttempt>) -> Result<(), String> {
        let turn = self.turn.as_mut().ok_or("no turn is running")?;
        let attempt = match &mut turn.stage {
            Stage::Model(attempt) | Stage::Summary { attempt, .. } => attempt,
            Stage::Tools(_) | Stage::Ending => return Err("no model is being asked".into()),
        };
        if attempt.effect != effect {
            return Err(format!("{effect} is not the call under way"));
        }
        match next {
            Some(next) => {
                *attempt = Attempt {
                    effect: next.effect,
                    model: next.model as usize,
                    number: next.attempt,
                    not_before: next.at,
                };
                self.used(next.effect);
            }
            None => turn.stage = Stage::Ending,
        }
        Ok(())
    }

    /// After results or a summary: on to the next model call, or to the end.
    fn go_on(&mut self, effect: Option<EffectId>) -> Result<(), String> {
        let turn = self.turn.as_mut().ok_or("no turn is running")?;
        turn.stage = match effect {
            Some(effect) => Stage::Model(Attempt::first(effect)),
            None => Stage::Ending,
        };
        if let Some(effect) = effect {
            self.used(effect);
        }
        Ok(())
    }

    fn spend(&mut self, usage: &Usage) -> Result<&mut Turn, String> {
        self.usage.add(usage);
        let turn = self.turn.as_mut().ok_or("no turn is running")?;
        turn.usage.add(usage);
        Ok(turn)
    }

    fn call(&mut self, id: &CallId) -> Result<&mut CallState, String> {
        let turn = self.turn.as_mut().ok_or("no turn is running")?;
        turn.call(id)
            .ok_or_else(|| format!("there is no tool call {id}"))
    }

    /// The results of the running turn as one message, in call order.
    fn results(&self) -> Result<(TurnId, Message), String> {
        let turn = self.turn.as_ref().ok_or("no turn is running")?;
        let parts: Option<Vec<Part>> = turn
            .calls()
            .iter()
            .map(|state| match &state.status {
                CallStatus::Finished(result) => Some(Part::ToolResult(result.clone())),
                _ => None,
            })
            .collect();
        match parts {
            Some(parts) if !parts.is_empty() => Ok((
                turn.id,
                Message {
                    role: Role::Tool,
                    parts,
                },
            )),
            _ => Err("a tool call is unfinished".into()),
        }
    }

    fn add(
        &mut self,
        id: &EntryId,
        parent: Option<&EntryId>,
        turn: TurnId,
        message: &Message,
        source: Source,
        at: UnixMillis,
    ) -> Result<(), String> {
        let message = self.vet(message, source);
        self.push(id, parent, turn, message, at)
    }

    /// Lets a stored message through the gate again: what it took away when the message was written
    /// stays away, and it may know more by now.
    pub(super) fn vet(&self, message: &Message, source: Source) -> Vetted<Arc<Message>> {
        let message = Untrusted::new(message.clone(), source);
        self.gate.vet(message).0.shared()
    }

    fn push(
        &mut self,
        id: &EntryId,
        parent: Option<&EntryId>,
        turn: TurnId,
        message: Vetted<Arc<Message>>,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.push_from(id, parent, turn, message, at, Labels::NONE, None)
    }

    /// Adds an entry after the head, with what came into sight beside its own words.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an entry, each of another type"
    )]
    pub(super) fn push_from(
        &mut self,
        id: &EntryId,
        parent: Option<&EntryId>,
        turn: TurnId,
        message: Vetted<Arc<Message>>,
        at: UnixMillis,
        brought: Labels,
        origin: Option<Origin>,
    ) -> Result<(), String> {
        if self.entries.head_id().as_ref() != parent {
            return Err(format!("entry {id} does not follow the entry before it"));
        }
        let place = self.entries.len();
        if !matches!(origin, Some(Origin::Copied { .. })) {
            self.content_bytes += size(&message) as u64;
        }
        let parent = self.entries.head();
        let before = parent.and_then(|parent| Some(self.entries.get(parent)?.labels));
        self.entries.push(Entry {
            id: id.clone(),
            parent,
            turn,
            at,
            tokens: estimate_message(&message),
            labels: before
                .unwrap_or_default()
                .with(message.labels())
                .with(brought),
            message,
            usage: None,
            covers: None,
            origin,
            recalled: None,
            received: None,
            sender: None,
        });
        self.names.grow(parent, place);
        if let Some(entry) = self.entries.get(place) {
            self.window.push(place, entry);
        }
        Ok(())
    }

    fn last_usage(&mut self, usage: Usage) {
        self.entries.set_usage(usage);
    }

    pub(super) fn place(&self, id: &EntryId) -> Result<usize, String> {
        self.entries
            .place(id)
            .ok_or_else(|| format!("there is no entry {id}"))
    }

    fn used(&mut self, effect: EffectId) {
        self.next_effect = self.next_effect.max(effect.0.saturating_add(1));
    }
}

/// The first line of the first prompt, at most 80 characters.
pub(super) fn title(message: &Message) -> String {
    let text = message.joined_text();
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("")
        .trim();
    let mut title: String = line.chars().take(80).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    title
}

fn tool_source(message: &Message) -> Source {
    let name = message
        .tool_results()
        .next()
        .map(|result| result.name.clone());
    Source::Tool {
        name: name.unwrap_or_default(),
    }
}
