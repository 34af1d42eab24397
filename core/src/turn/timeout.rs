//! Time: when the session wants to be called again, and what has run out when it is.

use alloc::{format, vec::Vec};

use super::{budget, tool_calls::own_result};
use crate::{
    ids::{EffectId, UnixMillis},
    journal::FinishedBy,
    message::{ToolCall, ToolStatus},
    session::{Budget, CallStatus, Outcome, Session, Stage, Turn},
    tool::dispatch::nobody_answered,
};

/// How much longer than its limit a home may take to say that a tool timed out.
const GRACE_MS: u64 = 5_000;

impl Session {
    /// The earliest instant at which something runs out.
    pub(crate) fn next_timeout(&self) -> Option<UnixMillis> {
        let turn = self.state.turn.as_ref()?;
        let deadline = budget::deadline(turn, &self.state.config.budgets);
        let retry = turn
            .attempt()
            // Nothing is due before memory answers: a time that has passed would call back at once.
            .filter(|_| self.call.is_none() && !self.is_recalling())
            .map(|attempt| attempt.not_before);
        let calls = turn.calls().iter().filter_map(|state| match state.status {
            CallStatus::Asked { since, .. } => Some(self.approval_ends(since)),
            CallStatus::Running { since, .. } => Some(self.tool_ends(since)),
            // It waits for its rate, or for a free place and then for no time.
            CallStatus::Ready { .. } => self.free_at(&state.call.name),
            CallStatus::Finished(_) => None,
        });
        let soft = deadline.filter(|_| matches!(turn.stage, Stage::Tools(_)));
        calls
            .chain(retry)
            .chain(soft.map(|deadline| deadline.soft))
            .chain(deadline.map(|deadline| deadline.hard))
            .min()
    }

    fn free_at(&self, tool: &str) -> Option<UnixMillis> {
        let spec = self.state.tools.iter().find(|spec| spec.name == tool)?;
        let limits = self.state.policy.rate_limits(spec.class);
        self.state.recent.free_at(&limits)
    }

    fn approval_ends(&self, since: UnixMillis) -> UnixMillis {
        since.plus(self.state.policy.approval_timeout_ms())
    }

    fn tool_ends(&self, since: UnixMillis) -> UnixMillis {
        since
            .plus(self.state.policy.tool_limits().timeout_ms)
            .plus(GRACE_MS)
    }

    /// Ends what has run out.
    pub(crate) fn expire(&mut self, now: UnixMillis) {
        let Some(turn) = &self.state.turn else { return };
        if let Some(deadline) = budget::deadline(turn, &self.state.config.budgets) {
            if now >= deadline.hard {
                self.stop_for(
                    Outcome::BudgetExhausted {
                        budget: Budget::Deadline,
                    },
                    now,
                );
                return;
            }
            if now >= deadline.soft && matches!(turn.stage, Stage::Tools(_)) {
                let why = "ended: the time for this turn is nearly used up";
                self.end_unfinished(ToolStatus::TimedOut, why, FinishedBy::Timeout, now);
                return;
            }
        }
        for (call, running) in self.expired(now) {
            match running {
                None => {
                    let refusal = nobody_answered(self.state.policy.approval_timeout_ms());
                    self.refuse(&call, refusal, FinishedBy::Timeout, now);
                }
                Some((effect, since)) => {
                    self.cancel(effect);
                    let after = self.state.policy.tool_limits().timeout_ms;
                    let why = format!(
                        "{} did not answer within {after} ms and was ended",
                        call.name
                    );
                    let mut result = own_result(&call, ToolStatus::TimedOut, why);
                    result.duration_ms = now.since(since);
                    self.finished(result, FinishedBy::Timeout, now);
                }
            }
        }
    }

    /// The calls whose time is up: those asked about, and those running with their effect.
    fn expired(&self, now: UnixMillis) -> Vec<(ToolCall, Option<(EffectId, UnixMillis)>)> {
        let calls = self
            .state
            .turn
            .as_ref()
            .map(Turn::calls)
            .unwrap_or_default();
        calls
            .iter()
            .filter_map(|state| match state.status {
                CallStatus::Asked { since, .. } if now >= self.approval_ends(since) => {
                    Some((state.call.clone(), None))
                }
                CallStatus::Running { effect, since } if now >= self.tool_ends(since) => {
                    Some((state.call.clone(), Some((effect, since))))
                }
                _ => None,
            })
            .collect()
    }
}
