//! Beginning, forking, restoring and looking at a session.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};

use super::{
    CallStatus, Config, Entries, Event, Session, Stage, Staged, State, draw, outbox::Outbox,
};
use crate::{
    ids::{CallId, SessionId, UnixMillis},
    journal::{self, Body, Chain, Created, ForkPoint, JournalError, Record},
    message::ToolCall,
    model::Usage,
    policy::Policy,
    safety::{Gate, Vetted},
    tool::{ToolSpec, notice::Notice},
    turn::Recall,
};

/// The stored records of one session, in order, each as its bytes.
pub type Journal = Vec<Vec<u8>>;

/// A tool call that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCall {
    /// The call.
    pub call: ToolCall,
    /// Why it is asked.
    pub reason: String,
    /// Whether it was running when Tau stopped.
    pub may_have_run: bool,
    /// What a yes would mean.
    pub notice: Notice,
}

impl Session {
    /// A new conversation. Nothing is stored before its first command.
    #[must_use]
    pub fn new(mut config: Config, seed: [u8; 32], now: UnixMillis) -> Self {
        let gate = Gate::new(&config.policy);
        let found = config.vet(&gate);
        let created = Created {
            session: SessionId(draw(&seed, b"session", 0)),
            seed: journal::hex(&seed),
            config,
            forked_from: None,
        };
        let state = State::new(&created, seed, now, &gate);
        let mut session = Self::begin(state, created, now);
        for (source, findings) in found {
            session.screened(source, findings, now);
        }
        session
    }

    /// A new conversation that continues this one from where it stands. The two share their past;
    /// what is stored for the fork is its difference. `None` while a turn is running.
    #[must_use]
    pub fn fork(&self, seed: [u8; 32], now: UnixMillis) -> Option<Self> {
        if !self.is_idle() || self.stopped {
            return None;
        }
        let mut state = self.state.clone();
        state.id = SessionId(draw(&seed, b"session", 0));
        state.seed = seed;
        state.created = now;
        state.updated = now;
        let created = Created {
            session: state.id.clone(),
            seed: journal::hex(&seed),
            config: (*state.config).clone(),
            forked_from: Some(ForkPoint {
                session: self.state.id.clone(),
                records: self.chain.next_seq,
                hash: self.chain.hash.clone(),
            }),
        };
        Some(Self::begin(state, created, now))
    }

    fn begin(state: State, created: Created, now: UnixMillis) -> Self {
        let mut session = Self {
            state,
            chain: Chain::default(),
            call: None,
            recall: None,
            staged: Staged::default(),
            outbox: Outbox::default(),
            next_passing: 0,
            stopped: false,
            replaying: None,
            at_rest: false,
        };
        let (_, bytes) = session.chain.append(Body::Created(Box::new(created)), now);
        let key = journal::key(&session.state.id, 0);
        session.staged.batch.require_absent.push(key.clone());
        session.staged.batch.put.push((key, bytes));
        session
    }

    /// The session that wrote `journal`. For a fork, `ancestors` holds the journals it continues,
    /// the oldest first, each at least up to its fork point.
    ///
    /// What was unfinished stays at rest until [`Session::resume`].
    pub fn restore(ancestors: &[Journal], journal: &Journal) -> Result<Self, JournalError> {
        Self::restore_behind(&Gate::default(), ancestors, journal)
    }

    /// The same behind that gate, under whatever policy the journal names.
    pub(crate) fn restore_behind(
        gate: &Gate,
        ancestors: &[Journal],
        journal: &Journal,
    ) -> Result<Self, JournalError> {
        let mut past: Option<(State, Chain)> = None;
        for (generation, records) in ancestors.iter().chain([journal]).enumerate() {
            let child = ancestors
                .get(generation + 1)
                .or((generation < ancestors.len()).then_some(journal));
            let limit = match child {
                Some(child) => fork_point(child)?.map_or(0, |point| point.records),
                None => u64::MAX,
            };
            past = Some(read(past, records, limit, gate)?);
        }
        let (state, chain) = past.ok_or(JournalError::Empty)?;
        let at_rest = state.turn.is_some();
        Ok(Self {
            state,
            chain,
            call: None,
            recall: None,
            staged: Staged::default(),
            outbox: Outbox::default(),
            next_passing: 0,
            stopped: false,
            replaying: None,
            at_rest,
        })
    }

    /// Gives a restored session the configuration of the home it is opened in.
    pub fn configure(&mut self, mut config: Config, now: UnixMillis) {
        let found = config.vet(&self.state.gate.under(&config.policy));
        // A policy set since belongs to the process it was set in: the home's own holds again.
        if config != *self.state.config || config.policy != self.state.policy {
            self.record(
                Body::Configured {
                    config: Box::new(config),
                },
                now,
            );
            for (source, findings) in found {
                self.screened(source, findings, now);
            }
        }
    }

    /// Takes up what the process before left unfinished; nothing to do is no error.
    pub fn resume(&mut self, now: UnixMillis) {
        if self.state.turn.is_some() && self.call.is_none() {
            self.at_rest = false;
            self.record(Body::Resumed, now);
            self.resume_tools(now);
            self.proceed(now);
            self.flush();
        }
    }

    /// The session's name.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.state.id
    }

    /// What was said.
    #[must_use]
    pub fn entries(&self) -> &Entries {
        &self.state.entries
    }

    /// What it is set up with.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.state.config
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.state.policy
    }

    /// The tools offered, those of the core included.
    #[must_use]
    pub fn tools(&self) -> &[Vetted<Arc<ToolSpec>>] {
        &self.state.tools
    }

    /// Tokens and cost of all turns.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.state.usage
    }

    /// Whether a turn is running, or was when the session was stored.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state.turn.is_some()
    }

    /// The tool calls that wait for a person.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingCall> {
        let calls = self
            .state
            .turn
            .as_ref()
            .map(|turn| turn.calls())
            .unwrap_or_default();
        calls
            .iter()
            .filter_map(|state| match &state.status {
                CallStatus::Asked {
                    reason,
                    may_have_run,
                    notice,
                    ..
                } => Some(WaitingCall {
                    call: state.call.clone(),
                    reason: reason.clone(),
                    may_have_run: *may_have_run,
                    notice: notice.clone(),
                }),
                _ => None,
            })
            .collect()
    }

    /// How many records there are, and the hash of the last: the transcript's hash.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(crate) fn cancel_everything(&mut self) {
        if let Some(call) = self.call.take() {
            call.effects().for_each(|id| self.outbox.cancel(id));
        }
        if let Some(Recall::Asked(id)) = self.recall.take() {
            self.outbox.cancel(id);
        }
        let running: Vec<_> = match self.state.turn.as_ref().map(|turn| &turn.stage) {
            Some(Stage::Tools(calls)) => calls
                .iter()
                .filter_map(|state| match state.status {
                    CallStatus::Running { effect, .. } => Some(effect),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        running.into_iter().for_each(|id| self.outbox.cancel(id));
    }

    /// Says again what a watcher of a restored session must know.
    pub(crate) fn ask_again(&mut self, id: &CallId) {
        let waiting = self.waiting();
        if let Some(waiting) = waiting.into_iter().find(|w| w.call.id == *id) {
            self.tell_stored(Event::ApprovalRequested {
                call_id: waiting.call.id,
                name: waiting.call.name,
                arguments: waiting.call.arguments,
                reason: waiting.reason,
                may_have_run: waiting.may_have_run,
                notice: waiting.notice,
            });
        }
    }
}

/// Where the session of `journal` was forked from.
fn fork_point(journal: &Journal) -> Result<Option<ForkPoint>, JournalError> {
    let first = journal.first().ok_or(JournalError::Empty)?;
    match Chain::default().read(first)?.body {
        Body::Created(created) => Ok(created.forked_from),
        _ => Err(not_created()),
    }
}

/// Follows one journal, on top of the one it continues.
fn read(
    past: Option<(State, Chain)>,
    records: &Journal,
    limit: u64,
    gate: &Gate,
) -> Result<(State, Chain), JournalError> {
    let mut chain = Chain::default();
    let first = records.first().ok_or(JournalError::Empty)?;
    let Record { at, body, .. } = chain.read(first)?;
    let Body::Created(created) = body else {
        return Err(not_created());
    };
    let seed = journal::unhex(&created.seed).ok_or(JournalError::OutOfPlace {
        seq: 0,
        detail: "the seed is not 32 bytes in hex".into(),
    })?;
    let mut state = State::new(&created, seed, at, gate);
    match (past, &created.forked_from) {
        (None, None) => {}
        (Some((past, past_chain)), Some(point)) => {
            if past_chain.hash != point.hash || past_chain.next_seq != point.records {
                let detail = format!(
                    "session {} is not as it was when this was forked",
                    point.session
                );
                return Err(JournalError::OutOfPlace { seq: 0, detail });
            }
            state = State {
                id: state.id,
                seed: state.seed,
                created: at,
                updated: at,
                ..past
            };
        }
        (None, Some(point)) => {
            let detail = format!("it continues session {}, which is missing", point.session);
            return Err(JournalError::OutOfPlace { seq: 0, detail });
        }
        (Some(_), None) => {
            let detail = "it continues no other session".into();
            return Err(JournalError::OutOfPlace { seq: 0, detail });
        }
    }
    let rest = usize::try_from(limit.saturating_sub(1)).unwrap_or(usize::MAX);
    for bytes in records.iter().skip(1).take(rest) {
        let seq = chain.next_seq;
        let record = chain.read(bytes)?;
        state
            .apply(&record)
            .map_err(|detail| JournalError::OutOfPlace { seq, detail })?;
    }
    Ok((state, chain))
}

fn not_created() -> JournalError {
    JournalError::OutOfPlace {
        seq: 0,
        detail: "a journal begins with the session's creation".into(),
    }
}
