//! Budgets: when a turn may go on, when it must answer, when it ends.
//!
//! Invariant: a turn that runs out of something is told so once, in time to answer; past the hard
//! limit no further model call is made.

use crate::{
    ids::UnixMillis,
    session::{Budget, Budgets, Turn},
};

/// How a turn stands before its next model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    Fine,
    /// One more call, which must answer.
    LastAnswer(Budget),
    /// No call any more.
    Exhausted(Budget),
}

pub(super) fn standing(turn: &Turn, budgets: &Budgets, now: UnixMillis) -> Standing {
    let cost = (turn.usage.cost_nano_usd, budgets.cost_nano_usd);
    let tokens = (turn.usage.total_tokens(), budgets.tokens);
    let mut last = None;
    for (budget, (used, limit)) in [(Budget::Cost, cost), (Budget::Tokens, tokens)] {
        let Some(limit) = limit else { continue };
        if used >= limit {
            return Standing::Exhausted(budget);
        }
        // From nine tenths on another round of tools would likely overrun.
        if used >= limit - limit / 10 {
            last = Some(budget);
        }
    }
    if let Some(deadline) = deadline(turn, budgets) {
        if now >= deadline.hard {
            return Standing::Exhausted(Budget::Deadline);
        }
        if now >= deadline.soft {
            last = Some(Budget::Deadline);
        }
    }
    if turn.steps >= budgets.steps.max(1) {
        return Standing::Exhausted(Budget::Steps);
    }
    if turn.steps + 1 >= budgets.steps && turn.steps > 0 {
        last = Some(Budget::Steps);
    }
    last.map_or(Standing::Fine, Standing::LastAnswer)
}

/// The instants at which a turn's time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline {
    /// From here on tools are ended and the model is told to answer.
    pub(super) soft: UnixMillis,
    /// From here on nothing runs.
    pub(super) hard: UnixMillis,
}

pub(super) fn deadline(turn: &Turn, budgets: &Budgets) -> Option<Deadline> {
    const LONGEST_RESERVE_MS: u64 = 30_000;
    let total = budgets.deadline_ms?;
    // A fifth of the time is kept for the last answer.
    let reserve = (total / 5).min(LONGEST_RESERVE_MS);
    Some(Deadline {
        soft: turn.started.plus(total - reserve),
        hard: turn.started.plus(total),
    })
}
