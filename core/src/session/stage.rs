//! A running turn, as the journal says it stands: what it waits for, and how far its calls are.

use alloc::{string::String, vec::Vec};

use crate::{
    ids::{CallId, EffectId, TurnId, UnixMillis},
    message::{ToolCall, ToolResult},
    model::Usage,
    tool::notice::Notice,
};

/// The durable part of a running turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    pub(crate) started: UnixMillis,
    pub(crate) usage: Usage,
    /// Model calls answered.
    pub(crate) steps: u32,
    /// The place of the prompt; for a turn that only summarises, of the entry before it.
    pub(crate) prompt: usize,
    /// Whether a summary was tried in vain.
    pub(crate) no_summary: bool,
    pub(crate) stage: Stage,
}

/// What a turn waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A model's answer.
    Model(Attempt),
    /// Tool calls of the last answer.
    Tools(Vec<CallState>),
    /// A summary of everything up to the entry at `covers`.
    Summary { covers: usize, attempt: Attempt },
    /// Its own end: nothing is left to do.
    Ending,
}

/// One attempt at a model call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) effect: EffectId,
    /// The model's place in the configuration.
    pub(crate) model: usize,
    /// From 1, at this model.
    pub(crate) number: u32,
    /// When it may start.
    pub(crate) not_before: UnixMillis,
}

/// A tool call and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallState {
    pub(crate) call: ToolCall,
    pub(crate) status: CallStatus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallStatus {
    /// Still to be decided about, or waiting for a free place to run.
    Ready { approved: bool },
    /// Waits for a person.
    Asked {
        reason: String,
        since: UnixMillis,
        may_have_run: bool,
        notice: Notice,
    },
    /// Runs.
    Running { effect: EffectId, since: UnixMillis },
    /// Ended.
    Finished(ToolResult),
}

impl Attempt {
    pub(crate) fn first(effect: EffectId) -> Self {
        Self {
            effect,
            model: 0,
            number: 1,
            not_before: UnixMillis(0),
        }
    }
}

impl CallState {
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.status, CallStatus::Finished(_))
    }
}

impl Turn {
    /// The attempt at a model call that is under way, whatever for.
    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        match &self.stage {
            Stage::Model(attempt) | Stage::Summary { attempt, .. } => Some(attempt),
            Stage::Tools(_) | Stage::Ending => None,
        }
    }

    pub(crate) fn calls(&self) -> &[CallState] {
        match &self.stage {
            Stage::Tools(calls) => calls,
            _ => &[],
        }
    }

    pub(super) fn call(&mut self, id: &CallId) -> Option<&mut CallState> {
        match &mut self.stage {
            Stage::Tools(calls) => calls.iter_mut().find(|state| state.call.id == *id),
            _ => None,
        }
    }
}
