//! A turn: from a prompt to its answer, through model calls and tool calls.
//!
//! [`Session::proceed`] looks at the durable stage and does what comes next; everything that
//! happens ends there. Each concern has its own file: what is recalled, one model call, tool calls,
//! approvals, retries, budgets, summaries, the end.

mod approval;
mod budget;
mod finish;
mod model_call;
mod recall;
mod retry;
mod summary;
mod timeout;
mod tool_calls;

pub(crate) use model_call::ModelCall;
pub(crate) use recall::Recall;

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    context::{estimate_message, last_answer_note},
    ids::{EffectId, TurnId, UnixMillis},
    journal::Body,
    message::{Image, Letter, Message, Part, Role},
    model::{Assembled, Delta, ModelConfig, ModelRequest, StopReason, ToolChoice, Usage},
    safety::{Content, Gate, Source, Untrusted, withheld_for},
    session::{Answer, Attempt, Budget, CommandError, Event, Outcome, Session, Stage},
    tool::reserved,
};
use budget::Standing;
use model_call::{Next, Purpose};

impl Session {
    pub(crate) fn prompt(
        &mut self,
        text: String,
        images: Vec<Image>,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        if text.trim().is_empty() && images.is_empty() {
            return Err(CommandError::EmptyPrompt);
        }
        self.check_ready()?;
        let model = self.model(0);
        if !images.is_empty() && !model.images {
            return Err(CommandError::NoImages {
                model: model.name.clone(),
            });
        }
        let mut parts: Vec<Part> = images.into_iter().map(Part::Image).collect();
        if !text.trim().is_empty() {
            parts.push(Part::Text { text });
        }
        let message = Message {
            role: Role::User,
            parts,
        };
        let message = self.admit(message, Source::User, now)?;
        let (entry, parent) = self.next_entry();
        let turn = TurnId(self.state.turns + 1);
        let effect = self.durable_id();
        let started = Event::TurnStarted {
            turn,
            entry: entry.clone(),
        };
        self.record(
            Body::Prompt {
                turn,
                entry,
                parent,
                message,
                effect,
            },
            now,
        );
        self.tell_stored(started);
        Ok(())
    }

    /// Begins a turn with what another agent wrote: content of somebody else, whatever it says.
    pub(crate) fn deliver(&mut self, letter: &Letter, now: UnixMillis) -> Result<(), CommandError> {
        if letter.text().trim().is_empty() {
            return Err(CommandError::EmptyPrompt);
        }
        self.check_ready()?;
        let sender = letter.sender().clone();
        let did = sender.did.clone();
        let message = self.admit(letter.message(), Source::Agent { did }, now)?;
        let (entry, parent) = self.next_entry();
        let turn = TurnId(self.state.turns + 1);
        let effect = self.durable_id();
        let started = Event::TurnStarted {
            turn,
            entry: entry.clone(),
        };
        let delivered = Event::Delivered {
            entry: entry.clone(),
            sender: sender.clone(),
            message: message.clone(),
        };
        self.record(
            Body::Delivered {
                turn,
                entry,
                parent,
                sender,
                message,
                effect,
            },
            now,
        );
        self.tell_stored(started);
        self.tell_stored(delivered);
        Ok(())
    }

    /// Whether a turn can begin.
    fn check_ready(&self) -> Result<(), CommandError> {
        if self.state.turn.is_some() {
            return Err(CommandError::Busy);
        }
        if let Some(rule) = self.state.gate.bad_rule().cloned() {
            return Err(CommandError::BadRule { rule });
        }
        let tools = self.state.tools.iter().map(|spec| &***spec);
        reserved::check_all(tools).map_err(|name| CommandError::BadTools { name })
    }

    /// What a turn is to begin with, through the gate and in a size that the model takes.
    fn admit(
        &mut self,
        message: Message,
        source: Source,
        now: UnixMillis,
    ) -> Result<Message, CommandError> {
        let message = Untrusted::new(message, source.clone());
        let (message, findings) = self.state.gate.vet(message);
        if let Some(families) = withheld_for(&findings) {
            self.screened(source, findings, now);
            return Err(CommandError::Withheld { families });
        }
        let message = message.into_inner();
        let tokens = u64::from(estimate_message(&message));
        let limit = self.message_limit(&self.model(0));
        if tokens > limit {
            return Err(CommandError::PromptTooLarge { tokens, limit });
        }
        self.screened(source, findings, now);
        Ok(message)
    }

    /// Does what comes next, as far as it can without the home.
    pub(crate) fn proceed(&mut self, now: UnixMillis) {
        // Each round either moves the durable stage on or ends; stages only move forward.
        loop {
            let Some(turn) = &self.state.turn else { return };
            let moved = match &turn.stage {
                Stage::Model(_) | Stage::Summary { .. } => self.proceed_model(now),
                Stage::Tools(_) => self.proceed_tools(now),
                // Whatever ended the turn recorded its outcome with it.
                Stage::Ending => false,
            };
            if !moved {
                return;
            }
        }
    }

    /// Starts the model call that is due. Returns whether the stage moved on instead.
    fn proceed_model(&mut self, now: UnixMillis) -> bool {
        let Some(turn) = &self.state.turn else {
            return false;
        };
        let Some(attempt) = turn.attempt().cloned() else {
            return false;
        };
        if self.call.is_some() || attempt.not_before > now {
            return false;
        }
        let standing = budget::standing(turn, &self.state.config.budgets, now);
        if let Standing::Exhausted(budget) = standing {
            self.finish(Outcome::BudgetExhausted { budget }, now);
            return true;
        }
        if let Stage::Summary { covers, .. } = turn.stage {
            let request = self.summary_request(&attempt, covers);
            self.start(&attempt, request, Purpose::Summary);
            return false;
        }
        if self.proceed_recall() {
            return false;
        }
        if self.make_room(&attempt, now) {
            return true;
        }
        let last = match standing {
            Standing::LastAnswer(budget) => Some(budget),
            Standing::Fine | Standing::Exhausted(_) => None,
        };
        let request = self.answer_request(&attempt, last);
        self.start(&attempt, request, Purpose::Answer { last });
        false
    }

    fn start(&mut self, attempt: &Attempt, request: ModelRequest, purpose: Purpose) {
        let step = self.state.turn.as_ref().map_or(0, |turn| turn.steps) + 1;
        self.tell_stored(Event::ModelCalled {
            model: request.model.name.clone(),
            step,
            attempt: attempt.number,
        });
        let (call, effect) = {
            let replaying = self.replaying.is_some();
            ModelCall::start(attempt.effect, request, purpose, replaying)
        };
        self.call = Some(call);
        self.emit(attempt.effect, effect);
    }

    fn answer_request(&self, attempt: &Attempt, last: Option<Budget>) -> ModelRequest {
        let model = self.model(attempt.model);
        let limit = self.message_limit(&model);
        let messages = if self.state.window.tokens() > limit {
            self.state.window.shortened(limit)
        } else {
            self.state.window.messages().clone()
        };
        ModelRequest {
            max_output_tokens: model.max_output_tokens,
            model,
            system: self.state.system.clone(),
            messages,
            closing: last.map(|budget| Gate::runtime_text(&last_answer_note(budget))),
            tools: self.state.tools.clone(),
            tool_choice: if last.is_some() {
                ToolChoice::None
            } else {
                ToolChoice::Auto
            },
        }
    }

    pub(crate) fn model_answered(&mut self, id: EffectId, answer: Answer, now: UnixMillis) {
        let Some(mut call) = self.call.take_if(|call| call.waits_for(id)) else {
            return;
        };
        let mut deltas = Vec::new();
        let next = call.answer(answer, &mut deltas, || self.passing_id());
        if matches!(call.purpose(), Purpose::Answer { .. }) {
            let is_whole = matches!(next, Next::Done);
            for delta in call.show(&deltas, is_whole, &self.state.gate) {
                self.show(delta);
            }
        }
        match next {
            Next::Wait => self.call = Some(call),
            Next::Effect(id, effect) => {
                self.call = Some(call);
                self.emit(id, effect);
            }
            Next::Done => {
                // Frees the connection of a server that keeps it open after its last event.
                self.cancel(call.effect());
                let purpose = call.purpose();
                let assembled = call.finish();
                match purpose {
                    Purpose::Summary => self.summarised(assembled, now),
                    Purpose::Answer { last } => self.answered(assembled, last, now),
                }
            }
            Next::Failed(error) => {
                self.cancel(call.effect());
                self.attempt_failed(error, now);
            }
        }
    }

    fn show(&mut self, delta: Delta) {
        match delta {
            Delta::Text { text } => self.tell(Event::TextDelta { text }),
            Delta::Thinking { text } => self.tell(Event::ThinkingDelta { text }),
            _ => {}
        }
    }

    /// Records a complete answer and what follows from it.
    fn answered(&mut self, assembled: Assembled, last: Option<Budget>, now: UnixMillis) {
        let Assembled {
            message,
            usage,
            stop,
        } = assembled;
        let stop = stop.unwrap_or(StopReason::EndTurn);
        if stop == StopReason::ContentFilter {
            self.attempt_failed(retry::filtered(), now);
            return;
        }
        let has_calls = message.tool_calls().next().is_some();
        self.record_answer(message, usage, Some(stop.clone()), now);
        let outcome = match (last, stop) {
            // Told to answer, it called tools instead: they are refused and the turn ends.
            (Some(budget), _) => {
                self.refuse_all(budget, now);
                Outcome::BudgetExhausted { budget }
            }
            (None, _) if has_calls => return,
            (None, StopReason::MaxTokens) => Outcome::Truncated,
            (None, _) => Outcome::Answered,
        };
        self.finish(outcome, now);
    }

    fn record_answer(
        &mut self,
        message: Message,
        usage: Usage,
        stop: Option<StopReason>,
        now: UnixMillis,
    ) {
        let model = self.current_model();
        let message = self.vet(message, Source::Model, now);
        let usage = self.counted(usage, &message).priced(&model.pricing);
        let (entry, parent) = self.next_entry();
        self.tell_stored(Event::Message {
            entry: entry.clone(),
            message: message.clone(),
        });
        let name = model.name.clone();
        self.record(
            Body::Answer {
                entry,
                parent,
                message,
                model: name,
                usage,
                stop,
            },
            now,
        );
        self.tell_usage(usage);
    }

    fn tell_usage(&mut self, call: Usage) {
        let turn = self
            .state
            .turn
            .as_ref()
            .map(|turn| turn.usage)
            .unwrap_or_default();
        self.tell_stored(Event::Usage { call, turn });
    }

    /// The provider's count, or an estimate where it sent none: a budget must count something.
    fn counted(&self, usage: Usage, message: &Message) -> Usage {
        if usage.total_tokens() > 0 {
            return usage;
        }
        Usage {
            input_tokens: self.state.fixed_tokens + self.state.window.tokens(),
            output_tokens: u64::from(estimate_message(message)),
            ..usage
        }
    }

    /// Lets content through the gate; records and tells what was found.
    pub(crate) fn vet<T: Content>(&mut self, content: T, source: Source, now: UnixMillis) -> T {
        let content = Untrusted::new(content, source.clone());
        let (content, findings) = self.state.gate.vet(content);
        self.screened(source, findings, now);
        content.into_inner()
    }

    /// The model at a place of the configuration; the last one when there are fewer by now.
    pub(crate) fn model(&self, place: usize) -> Arc<ModelConfig> {
        let models = &self.state.config.models;
        models
            .get(place)
            .or(models.last())
            .cloned()
            .unwrap_or_else(|| Arc::new(ModelConfig::none()))
    }

    pub(crate) fn current_model(&self) -> Arc<ModelConfig> {
        let place = self.state.turn.as_ref().and_then(|turn| turn.attempt());
        self.model(place.map_or(0, |attempt| attempt.model))
    }

    /// Estimated tokens that messages may have in a request to `model`.
    pub(crate) fn message_limit(&self, model: &ModelConfig) -> u64 {
        // What a closing note and the frames between messages may add.
        const MARGIN: u64 = 128;
        u64::from(model.context_tokens)
            .saturating_sub(u64::from(model.max_output_tokens))
            .saturating_sub(self.state.fixed_tokens)
            .saturating_sub(MARGIN)
    }
}
