//! The tool calls of one answer: dispatched, run side by side, gathered in call order.
//!
//! Each result is stored when it arrives; the message with all of them exists once the last one
//! has. A call of the core's own tools never leaves the core, but for what it reads and stores.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::approval::MAY_HAVE_RUN;
use crate::{
    identity_files::{self, unconfirmed},
    ids::{CallId, EffectId, UnixMillis},
    journal::{Body, FinishedBy},
    memory,
    message::{Message, ToolCall, ToolResult, ToolStatus},
    safety::{Labels, Source},
    session::{Budget, CallStatus, Effect, Event, Session, UNDO},
    tool::{
        OnRestore, ToolOutput, ToolRun,
        dispatch::{Seen, Standing, Verdict, dispatch},
        notice::{self, Notice},
        reserved::BUILT_IN,
    },
};

impl Session {
    /// Starts what may start; gathers the results when all have ended. Returns whether the stage
    /// moved on.
    pub(super) fn proceed_tools(&mut self, now: UnixMillis) -> bool {
        let Some(turn) = &self.state.turn else {
            return false;
        };
        let ready: Vec<(ToolCall, bool)> = turn
            .calls()
            .iter()
            .filter_map(|state| match state.status {
                CallStatus::Ready { approved } => Some((state.call.clone(), approved)),
                _ => None,
            })
            .collect();
        for (call, approved) in ready {
            // In the order of the answer: what comes after a memory is written may look for it.
            if self.writes_memory() {
                break;
            }
            self.decide(&call, approved, now);
        }
        let Some(turn) = &self.state.turn else {
            return false;
        };
        if turn.calls().iter().all(|state| state.is_finished()) {
            self.gather(true, now);
            return true;
        }
        false
    }

    fn decide(&mut self, call: &ToolCall, approved: bool, now: UnixMillis) {
        let tools = self.state.tools.clone();
        let seen = self.seen();
        let standing = Standing {
            policy: &self.state.policy,
            approved: &self.state.approved,
            denied: &self.state.denied,
            seen: &seen,
            recent: &self.state.recent,
            now,
        };
        match dispatch(call, tools.iter().map(|spec| &***spec), &standing) {
            Verdict::Run { .. } if !approved && self.is_undo(call) && self.hides_words() => {
                let reason = "it would take back what you said, after words of others were read";
                let notice = plain_notice(call);
                self.ask(call, reason.into(), false, notice, now);
            }
            Verdict::Run { run, rule } => self.start_tool(call, run, rule, now),
            Verdict::Ask { run, .. } if approved => {
                self.start_tool(call, run, "approved: this call".into(), now);
            }
            Verdict::Ask { reason, notice, .. } => self.ask(call, reason, false, notice, now),
            // The session's own timeout comes back to it.
            Verdict::Later { .. } => {}
            Verdict::Invalid(refusal) => {
                let told = refusal.to_result_text();
                let result = own_result(call, ToolStatus::Error, told);
                self.finished(result, FinishedBy::Dispatcher, now);
            }
            Verdict::Refuse(refusal) => {
                let result = own_result(call, ToolStatus::Denied, refusal.to_result_text());
                self.tell_stored(Event::ToolDenied {
                    call_id: call.id.clone(),
                    name: call.name.clone(),
                    refusal,
                });
                self.finished(result, FinishedBy::Dispatcher, now);
            }
        }
    }

    /// What was read so far that bears on what may leave; named only where words of others are in
    /// sight.
    fn seen(&self) -> Seen {
        let labels = self.labels_said();
        let brought = self.brought_by_others();
        if !labels.untrusted && brought.is_none() {
            return Seen::default();
        }
        let entries = &self.state.entries;
        let mut seen = Seen::default();
        for (_, entry) in entries.path_back() {
            for result in entry.message.tool_results() {
                let before = entry.parent.and_then(|parent| entries.get(parent));
                let name = || match before {
                    Some(answer) => describe(&answer.message, result),
                    None => result.name.clone(),
                };
                if result.labels.private && seen.private.is_none() {
                    seen.private = Some(name());
                }
                if result.labels.untrusted && seen.untrusted.is_none() {
                    seen.untrusted = Some(name());
                }
            }
            if let Some(sender) = &entry.sender {
                let name = || alloc::format!("a message of {}", sender.did);
                seen.private.get_or_insert_with(name);
                seen.untrusted.get_or_insert_with(name);
            }
            if let Some(recalled) = &entry.recalled {
                let name = || String::from("what is remembered");
                if recalled.labels.private && seen.private.is_none() {
                    seen.private = Some(name());
                }
                if recalled.labels.untrusted && seen.untrusted.is_none() {
                    seen.untrusted = Some(name());
                }
            }
            let is_all = |seen: bool, labelled: bool| seen || !labelled;
            if is_all(seen.private.is_some(), labels.private)
                && is_all(seen.untrusted.is_some(), labels.untrusted)
            {
                break;
            }
        }
        let identity = &self.state.config.identity;
        let about = || Some(String::from(identity.first()?.kind.path()));
        // What was taken back or merged in short is not there any more; that it was read stays.
        let unseen = |labelled: bool| labelled.then(|| "an earlier part".into());
        seen.private = seen
            .private
            .or_else(about)
            .or_else(|| unseen(labels.private));
        seen.untrusted = seen
            .untrusted
            .or(brought)
            .or_else(|| unseen(labels.untrusted));
        seen
    }

    /// What others wrote that is in sight from the first request.
    fn brought_by_others(&self) -> Option<String> {
        let file = || unconfirmed(&self.state.config.identity).map(|s| s.kind.path().into());
        self.described_by_others().or_else(file)
    }

    /// A tool that somebody else brought, and that says of itself what it likes.
    fn described_by_others(&self) -> Option<String> {
        let mut names = self.state.tools.iter().map(|spec| &spec.name);
        let brought = names.find(|name| !BUILT_IN.contains(&name.as_str()))?;
        Some(format!("the description of {brought}"))
    }

    fn start_tool(&mut self, call: &ToolCall, run: ToolRun, rule: String, now: UnixMillis) {
        if self.running_tools() >= self.state.policy.parallel_tools() {
            return;
        }
        let effect = self.durable_id();
        self.record(
            Body::ToolStarted {
                call_id: call.id.clone(),
                effect,
                rule,
            },
            now,
        );
        self.tell_stored(Event::ToolStarted {
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        });
        self.run_tool(effect, call, run, now);
    }

    /// Hands a started call to whoever runs it.
    fn run_tool(&mut self, effect: EffectId, call: &ToolCall, run: ToolRun, now: UnixMillis) {
        if self.is_undo(call) {
            let (status, told) = self.take_back(now);
            let result = own_result(call, status, told);
            return self.finished(result, FinishedBy::Core, now);
        }
        let config = self.state.config.clone();
        let access = config.memory.as_ref();
        let Some(access) = access.filter(|_| memory::NAMES.contains(&call.name.as_str())) else {
            return self.emit(effect, Effect::RunTool(run));
        };
        let caller = memory::Caller {
            session: Some(&self.state.id),
            labels: self.labels_in_sight(),
            access,
        };
        match memory::action(&call.name, &run.arguments, &caller) {
            Ok(action) => {
                let access = access.clone();
                self.emit(effect, Effect::Memory(memory::Request { access, action }));
            }
            Err(failure) => {
                let result = own_result(call, ToolStatus::Error, failure);
                self.finished(result, FinishedBy::Core, now);
            }
        }
    }

    /// Whether the core's own tool for taking back is called.
    fn is_undo(&self, call: &ToolCall) -> bool {
        self.state.config.undo_tool && call.name == UNDO
    }

    /// Whether something that is to be kept is under way.
    fn writes_memory(&self) -> bool {
        let turn = self.state.turn.as_ref();
        let calls = turn.map(|turn| turn.calls()).unwrap_or_default();
        self.state.config.memory.is_some()
            && calls.iter().any(|state| {
                let name = state.call.name.as_str();
                let runs = matches!(state.status, CallStatus::Running { .. });
                runs && matches!(name, memory::REMEMBER | memory::MEMORY)
            })
    }

    fn running_tools(&self) -> usize {
        let calls = self
            .state
            .turn
            .as_ref()
            .map(|turn| turn.calls())
            .unwrap_or_default();
        calls
            .iter()
            .filter(|state| matches!(state.status, CallStatus::Running { .. }))
            .count()
    }

    /// The call that runs as an effect.
    pub(crate) fn call_of(&self, id: EffectId) -> Option<CallId> {
        self.running(id).map(|(call, _)| call.id)
    }

    /// The running call of an effect, and since when it runs.
    fn running(&self, id: EffectId) -> Option<(ToolCall, UnixMillis)> {
        let turn = self.state.turn.as_ref()?;
        turn.calls().iter().find_map(|state| match state.status {
            CallStatus::Running { effect, since } if effect == id => {
                Some((state.call.clone(), since))
            }
            _ => None,
        })
    }

    pub(crate) fn tool_answered(&mut self, id: EffectId, output: ToolOutput, now: UnixMillis) {
        let Some((call, since)) = self.running(id) else {
            return;
        };
        let mut result = own_result(&call, output.status, output.text);
        let mut tools = self.state.tools.iter();
        let spec = tools.find(|spec| spec.name == call.name);
        let by_spec = spec.map_or(Labels::WORKSPACE, |spec| spec.yields);
        result.labels = output.labels.unwrap_or(by_spec);
        result.images = output.images;
        result.duration_ms = now.since(since);
        // A replay answers for the core's own tools too.
        let by = if self.is_of_memory(&call.name) {
            FinishedBy::Core
        } else {
            FinishedBy::Home
        };
        self.finished(result, by, now);
    }

    /// Whether the core's own tools include one of that name here.
    fn is_of_memory(&self, name: &str) -> bool {
        self.state.config.memory.is_some() && memory::NAMES.contains(&name)
    }

    pub(crate) fn memory_answered(
        &mut self,
        id: EffectId,
        answered: Result<memory::Reply, memory::Failure>,
        now: UnixMillis,
    ) {
        if self.recalls_by(id) {
            return self.recall_answered(answered, now);
        }
        let Some((call, since)) = self.running(id) else {
            return;
        };
        let mut result = match answered {
            Ok(reply) => {
                let (text, labels) = memory::tell(&call.name, &call.arguments, &reply);
                for text in reply.notices {
                    self.tell_stored(Event::Notice { text });
                }
                let mut result = own_result(&call, ToolStatus::Ok, text);
                result.labels = labels;
                result
            }
            Err(failure) => own_result(&call, ToolStatus::Error, failure),
        };
        result.duration_ms = now.since(since);
        self.finished(result, FinishedBy::Core, now);
    }

    /// What is in sight as the conversation stands.
    fn labels_in_sight(&self) -> Labels {
        let files = identity_files::labels(&self.state.config.identity);
        self.labels_said().with(files)
    }

    /// What the conversation itself holds.
    fn labels_said(&self) -> Labels {
        let entries = &self.state.entries;
        let head = entries.head().and_then(|head| entries.get(head));
        head.map_or(Labels::NONE, |entry| entry.labels)
    }

    /// Records how a call ended, through the gate.
    pub(super) fn finished(&mut self, mut result: ToolResult, by: FinishedBy, now: UnixMillis) {
        let source = match by {
            FinishedBy::Core if result.name != memory::REMEMBER => Source::Memory,
            FinishedBy::Home | FinishedBy::Core => Source::Tool {
                name: result.name.clone(),
            },
            // Tau's own words about what the model asked for.
            _ => Source::Model,
        };
        let text = core::mem::take(&mut result.text);
        result.text = self.vet(text, source, now);
        self.tell_stored(Event::ToolFinished {
            result: result.clone(),
        });
        self.record(Body::ToolFinished { result, by }, now);
    }

    /// Turns the results into an entry; `go_on` asks the model next.
    pub(super) fn gather(&mut self, go_on: bool, now: UnixMillis) {
        let (entry, parent) = self.next_entry();
        let effect = go_on.then(|| self.durable_id());
        self.record(
            Body::ToolResults {
                entry,
                parent,
                effect,
            },
            now,
        );
    }

    /// Ends every unfinished call with the same words.
    pub(super) fn end_unfinished(
        &mut self,
        status: ToolStatus,
        why: &str,
        by: FinishedBy,
        now: UnixMillis,
    ) {
        let turn = self.state.turn.as_ref();
        let unfinished: Vec<(ToolCall, Option<(EffectId, UnixMillis)>)> = turn
            .map(|turn| turn.calls())
            .unwrap_or_default()
            .iter()
            .filter(|state| !state.is_finished())
            .map(|state| match state.status {
                CallStatus::Running { effect, since } => {
                    (state.call.clone(), Some((effect, since)))
                }
                _ => (state.call.clone(), None),
            })
            .collect();
        for (call, running) in unfinished {
            let mut result = own_result(&call, status, why);
            if let Some((effect, since)) = running {
                self.cancel(effect);
                result.duration_ms = now.since(since);
            }
            self.finished(result, by, now);
        }
    }

    /// Refuses the calls of an answer that was to be the last.
    pub(super) fn refuse_all(&mut self, budget: Budget, now: UnixMillis) {
        let why = crate::context::last_answer_note(budget);
        if self
            .state
            .turn
            .as_ref()
            .is_some_and(|turn| !turn.calls().is_empty())
        {
            self.end_unfinished(ToolStatus::Denied, &why, FinishedBy::Dispatcher, now);
            self.gather(false, now);
        }
    }

    /// After a restore: what each call that was running becomes.
    pub(crate) fn resume_tools(&mut self, now: UnixMillis) {
        let calls = self
            .state
            .turn
            .as_ref()
            .map(|turn| turn.calls().to_vec())
            .unwrap_or_default();
        for state in calls {
            match &state.status {
                CallStatus::Asked { .. } => self.ask_again(&state.call.id),
                CallStatus::Running { effect, .. } => self.resume_tool(*effect, &state.call, now),
                CallStatus::Ready { .. } | CallStatus::Finished(_) => {}
            }
        }
    }

    fn resume_tool(&mut self, effect: EffectId, call: &ToolCall, now: UnixMillis) {
        let spec = self
            .state
            .tools
            .iter()
            .find(|spec| spec.name == call.name)
            .cloned();
        let Some(spec) = spec else {
            return self.lost(call, now);
        };
        match spec.on_restore_of(&call.arguments) {
            OnRestore::Reissue => {
                self.tell_stored(Event::ToolStarted {
                    call_id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
                let run = ToolRun::new(call, &spec, &self.state.policy);
                self.run_tool(effect, call, run, now);
            }
            OnRestore::Ask => {
                let notice = plain_notice(call);
                self.ask(call, format!("it {MAY_HAVE_RUN}"), true, notice, now);
            }
            OnRestore::Fail => self.lost(call, now),
        }
    }

    /// Ends a call that was running when Tau stopped and is not run again.
    fn lost(&mut self, call: &ToolCall, now: UnixMillis) {
        let why = "Tau stopped while this ran; nobody knows whether it did its work. \
                   Look before repeating it.";
        let result = own_result(call, ToolStatus::Error, why);
        self.finished(result, FinishedBy::Restore, now);
    }

    /// Ends the calls that a session at rest holds as running: nobody runs them.
    pub(super) fn lose_running(&mut self, now: UnixMillis) {
        let turn = self.state.turn.as_ref();
        let running: Vec<ToolCall> = turn
            .map(|turn| turn.calls())
            .unwrap_or_default()
            .iter()
            .filter(|state| matches!(state.status, CallStatus::Running { .. }))
            .map(|state| state.call.clone())
            .collect();
        running.iter().for_each(|call| self.lost(call, now));
    }

    /// The call of that id, if it waits for a person.
    pub(super) fn asked(&self, id: &CallId) -> Option<ToolCall> {
        let turn = self.state.turn.as_ref()?;
        let state = turn.calls().iter().find(|state| state.call.id == *id)?;
        matches!(state.status, CallStatus::Asked { .. }).then(|| state.call.clone())
    }
}

/// What a person is shown of a call that no rule could cover.
fn plain_notice(call: &ToolCall) -> Notice {
    Notice {
        digest: notice::digest(call),
        ..Notice::default()
    }
}

/// A result of the core's own making.
pub(super) fn own_result(call: &ToolCall, status: ToolStatus, text: impl ToString) -> ToolResult {
    ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        status,
        text: text.to_string(),
        images: Vec::new(),
        duration_ms: 0,
        labels: Labels::NONE,
    }
}

/// A result by its tool and what the tool was asked about: `read notes.md`.
fn describe(answer: &Message, result: &ToolResult) -> String {
    const LIMIT_CHARS: usize = 80;
    let call = answer.tool_calls().find(|call| call.id == result.call_id);
    let arguments = call.and_then(|call| call.arguments.as_object());
    let about = arguments.and_then(|all| all.values().find_map(|value| value.as_str()));
    match about {
        Some(about) => {
            let short: String = about.chars().take(LIMIT_CHARS).collect();
            format!("{} {short}", result.name)
        }
        None => result.name.clone(),
    }
}
