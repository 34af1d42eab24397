//! Making room: a conversation that outgrows the model is summarised, or its oldest part left out.
//!
//! Nothing is forgotten by it: entries stay in the session, only requests get smaller.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    context::{SUMMARY_CLOSING, SUMMARY_SYSTEM, estimate_message, summary_message},
    ids::{TurnId, UnixMillis},
    journal::Body,
    message::{Message, Role},
    model::{Assembled, ModelRequest, ToolChoice},
    safety::{Gate, Source, Vetted},
    session::{Attempt, CommandError, Entry, Event, Outcome, Session, Stage},
};

impl Session {
    pub(crate) fn compact(&mut self, now: UnixMillis) -> Result<(), CommandError> {
        if self.state.turn.is_some() {
            return Err(CommandError::Busy);
        }
        let covers = self.state.entries.head_id();
        let Some(covers) = covers.filter(|_| self.state.window.len() > 1) else {
            return Err(CommandError::NothingToCompact);
        };
        let turn = TurnId(self.state.turns + 1);
        let effect = self.durable_id();
        self.tell_stored(Event::Compacting { turn });
        self.record(
            Body::Compacting {
                turn,
                covers,
                effect,
            },
            now,
        );
        Ok(())
    }

    /// Before a request: whether the window outgrows `attempt`'s model, and what is done about it.
    /// Returns whether the turn's stage moved on instead.
    pub(super) fn make_room(&mut self, attempt: &Attempt, now: UnixMillis) -> bool {
        let limit = self.message_limit(&self.model(attempt.model));
        let tokens = self.state.window.tokens();
        let Some(turn) = &self.state.turn else {
            return false;
        };
        if tokens <= limit - limit / 5 {
            return false;
        }
        let (id, prompt, may_summarise) = (turn.id, turn.prompt, !turn.no_summary);
        if self.state.config.compaction
            && may_summarise
            // A summary of less than a tenth of the room would free next to nothing.
            && self.state.window.tokens_before(prompt) > limit / 10
            && let Some(covers) = self.before(prompt)
        {
            let covers = covers.id.clone();
            let effect = self.durable_id();
            self.tell_stored(Event::Compacting { turn: id });
            self.record(
                Body::Compacting {
                    turn: id,
                    covers,
                    effect,
                },
                now,
            );
            return true;
        }
        if tokens > limit {
            // Down to three fifths at once: a prefix that moves every turn is never cached.
            self.leave_out(limit / 5 * 3, prompt, now);
        }
        false
    }

    /// The entry that the one at `place` follows.
    fn before(&self, place: usize) -> Option<&Arc<Entry>> {
        let entries = &self.state.entries;
        entries.get(entries.get(place)?.parent?)
    }

    fn leave_out(&mut self, limit: u64, keep_from: usize, now: UnixMillis) {
        let cut = self.state.window.cut_for(limit, keep_from);
        let Some(from) = cut.and_then(|place| self.state.entries.get(place)) else {
            return;
        };
        let from = from.id.clone();
        let before = self.state.window.len();
        self.record(Body::LeftOut { from }, now);
        let entries = (before - self.state.window.len()) as u64;
        self.tell_stored(Event::Compacted {
            entries,
            summarised: false,
        });
    }

    /// After a summary that could not be had: the turn goes on, and leaves out instead.
    pub(super) fn go_without_summary(&mut self, now: UnixMillis) {
        let text = "the conversation could not be summarised; its oldest part is left out instead";
        self.tell_stored(Event::Notice { text: text.into() });
        let effect = self.durable_id();
        self.record(Body::SummaryGivenUp { effect }, now);
    }

    pub(super) fn summary_request(&self, attempt: &Attempt, covers: usize) -> ModelRequest {
        let model = self.model(attempt.model);
        let messages = self.state.window.before(covers + 1);
        // Room for the instructions, and none needed for tools.
        let limit = self.message_limit(&model) + self.state.fixed_tokens / 2;
        ModelRequest {
            max_output_tokens: model.max_output_tokens.min(1_024),
            model,
            system: Gate::runtime_text(SUMMARY_SYSTEM),
            messages: Arc::new(newest_within(messages, limit)),
            closing: Some(Gate::runtime_text(SUMMARY_CLOSING)),
            // Earlier calls stay valid only beside the tools they name.
            tools: self.state.tools.clone(),
            tool_choice: ToolChoice::None,
        }
    }

    pub(super) fn summarised(&mut self, assembled: Assembled, now: UnixMillis) {
        let Assembled { message, usage, .. } = assembled;
        let text = message.joined_text();
        let Some(turn) = &self.state.turn else { return };
        let Stage::Summary { covers, .. } = turn.stage else {
            return;
        };
        if text.trim().is_empty() {
            let model = self.current_model();
            self.attempt_failed(super::retry::malformed(&model, "an empty summary"), now);
            return;
        }
        let model = self.current_model();
        let usage = self.counted(usage, &message).priced(&model.pricing);
        let Some(covers) = self.state.entries.get(covers).map(|entry| entry.id.clone()) else {
            return;
        };
        let in_turn = self.has_prompt();
        let message = Message::text(Role::User, summary_message(text.trim()));
        let message = self.vet(message, Source::Summary, now);
        let (entry, parent) = self.next_entry();
        let effect = in_turn.then(|| self.durable_id());
        let before = self.state.window.len();
        self.record(
            Body::Compacted {
                entry,
                parent,
                message,
                covers,
                usage,
                effect,
            },
            now,
        );
        let entries = (before + 1).saturating_sub(self.state.window.len()) as u64;
        self.tell_stored(Event::Compacted {
            entries,
            summarised: true,
        });
        self.tell_usage(usage);
        if !in_turn {
            self.finish(Outcome::Answered, now);
        }
    }
}

/// The newest whole groups that fit.
fn newest_within(messages: &[Vetted<Arc<Message>>], limit: u64) -> Vec<Vetted<Arc<Message>>> {
    let mut tokens = 0;
    let mut start = messages.len();
    for (place, message) in messages.iter().enumerate().rev() {
        tokens += u64::from(estimate_message(message));
        if tokens > limit {
            break;
        }
        // Never begin with results whose calls are left out.
        if message.role != Role::Tool {
            start = place;
        }
    }
    messages[start..].to_vec()
}
