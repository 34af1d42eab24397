//! The end of a turn: by itself, by an interrupt, by a limit.
//!
//! Invariant: a turn that ends leaves a conversation that can be continued: no tool call without
//! a result, and what the model had said is kept.

use crate::{
    ids::UnixMillis,
    journal::{Body, FinishedBy},
    message::{Part, ToolStatus},
    session::{Event, Outcome, Session, Stage},
};

impl Session {
    pub(super) fn finish(&mut self, outcome: Outcome, now: UnixMillis) {
        let Some(turn) = &self.state.turn else { return };
        let (id, usage) = (turn.id, turn.usage);
        self.end_recall();
        self.tell_stored(Event::TurnFinished {
            turn: id,
            outcome: outcome.clone(),
            usage,
        });
        self.record(
            Body::TurnFinished {
                turn: id,
                outcome,
                usage,
            },
            now,
        );
    }

    pub(crate) fn interrupt(&mut self, now: UnixMillis) {
        self.stop_for(Outcome::Interrupted, now);
    }

    /// Ends the turn at once, keeping what was said and done.
    pub(super) fn stop_for(&mut self, outcome: Outcome, now: UnixMillis) {
        let Some(turn) = &self.state.turn else { return };
        match &turn.stage {
            Stage::Model(_) => self.keep_partial_answer(now),
            Stage::Summary { .. } => {
                if let Some(call) = self.call.take() {
                    call.effects().for_each(|id| self.cancel(id));
                }
            }
            Stage::Tools(_) => {
                if self.at_rest {
                    self.lose_running(now);
                }
                let (status, why, by) = match outcome {
                    Outcome::Interrupted => (
                        ToolStatus::Cancelled,
                        "the person interrupted the turn",
                        FinishedBy::Interrupt,
                    ),
                    _ => (
                        ToolStatus::TimedOut,
                        "the time for this turn is used up",
                        FinishedBy::Timeout,
                    ),
                };
                self.end_unfinished(status, why, by, now);
                self.gather(false, now);
            }
            Stage::Ending => {}
        }
        self.finish(outcome, now);
    }

    /// Stores the text of an answer that was cut off. Its tool calls are dropped: nobody knows
    /// whether they were complete.
    fn keep_partial_answer(&mut self, now: UnixMillis) {
        let Some(call) = self.call.take() else { return };
        call.effects().for_each(|id| self.cancel(id));
        let mut assembled = call.finish();
        let parts = &mut assembled.message.parts;
        parts.retain(|part| matches!(part, Part::Text { .. }));
        if !parts.is_empty() {
            self.record_answer(assembled.message, assembled.usage, None, now);
        }
    }
}
