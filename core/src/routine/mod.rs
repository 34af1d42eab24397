//! Routines: prompts that come by themselves at their time.
//!
//! A routine belongs to one session and lies beside it in the store: `routine/<session>/<id>`, its
//! runs at `run/<session>/<id>/<due>`. Invariant: a due time is taken by one commit that moves the
//! routine on and begins the run's record, so that no due time leads to two prompts, whoever else
//! looks, and a run that came to nothing is still on record. Due times that passed while nobody
//! could look are not made up for: they are one late run, which says how many it stands for.

use alloc::{format, string::String, vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    ids::{SessionId, TurnId, UnixMillis},
    json::{self, FromJson, ToJson},
    safety::Gate,
    session::{Batch, Outcome, Range},
};

/// The version this code writes.
pub const VERSION: u32 = 1;
/// Bytes of UTF-8 a routine's prompt may have.
pub const PROMPT_LIMIT_BYTES: usize = 64 * 1024;
/// The shortest time between two runs, in ms.
pub const MIN_INTERVAL_MS: u64 = 1_000;

/// One routine, format version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Routine {
    /// Format version.
    pub v: u32,
    /// Its name within the session.
    pub id: String,
    /// The session it speaks in.
    pub session: SessionId,
    /// What it says.
    pub prompt: String,
    /// When it is due next; none when it is done.
    pub next: Option<UnixMillis>,
    /// The time between two runs; without one it runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
}

/// The record of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Run {
    /// Format version.
    pub v: u32,
    /// The routine's name.
    pub routine: String,
    /// When it was due.
    pub due: UnixMillis,
    /// When it began.
    pub started: UnixMillis,
    /// Due times it stands for besides its own.
    #[serde(default)]
    pub missed: u64,
    /// The turn that came of it, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// How the turn ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why there was no turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Why something is no routine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RoutineError {
    /// It would say nothing.
    #[error("the routine's prompt is empty")]
    Empty,
    /// It would say too much.
    #[error("the routine's prompt has {bytes} bytes, at most {PROMPT_LIMIT_BYTES} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It would not leave time for anything else.
    #[error("{every_ms} ms between two runs is too short, at least {MIN_INTERVAL_MS} are needed")]
    TooOften {
        /// What was asked for.
        every_ms: u64,
    },
    /// The gate let nothing of its prompt through.
    #[error("the routine's prompt is not kept: it holds {families}, which the policy blocks")]
    Withheld {
        /// The families found, in words.
        families: String,
    },
}

impl Routine {
    /// A routine that is due at `first` for the first time. Its prompt is kept as `gate` lets it
    /// through, and passes the gate again when it is said.
    pub fn new(
        id: &str,
        session: &SessionId,
        prompt: &str,
        first: UnixMillis,
        every_ms: Option<u64>,
        gate: &Gate,
    ) -> Result<Self, RoutineError> {
        let bytes = prompt.len();
        if prompt.trim().is_empty() {
            return Err(RoutineError::Empty);
        }
        if bytes > PROMPT_LIMIT_BYTES {
            return Err(RoutineError::TooLong { bytes });
        }
        if let Some(every_ms) = every_ms.filter(|every| *every < MIN_INTERVAL_MS) {
            return Err(RoutineError::TooOften { every_ms });
        }
        let (prompt, _) = gate
            .keep(prompt.into())
            .map_err(|families| RoutineError::Withheld { families })?;
        Ok(Self {
            v: VERSION,
            id: id.into(),
            session: session.clone(),
            prompt,
            next: Some(first),
            every_ms,
        })
    }

    /// The routine as it is stored; `None` if it is not one this code can read.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        json::from_slice(bytes)
            .ok()
            .filter(|routine: &Self| routine.v <= VERSION)
    }

    /// Takes the due time at `now`: the routine moved on, and the run that begins. `None` while it
    /// is not due.
    #[must_use]
    pub fn fire(&self, now: UnixMillis) -> Option<(Self, Run)> {
        let due = self.next.filter(|due| *due <= now)?;
        let every_ms = self.every_ms.map(|every| every.max(MIN_INTERVAL_MS));
        let missed = every_ms.map_or(0, |every| now.since(due) / every);
        let next = every_ms.map(|every| due.plus(every.saturating_mul(missed + 1)));
        let moved = Self {
            next,
            ..self.clone()
        };
        let run = Run {
            v: VERSION,
            routine: self.id.clone(),
            due,
            started: now,
            missed,
            turn: None,
            outcome: None,
            refused: None,
        };
        Some((moved, run))
    }

    /// Where it is stored.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.session, &self.id)
    }

    /// Stores it.
    #[must_use]
    pub fn save(&self) -> Batch {
        Batch {
            put: vec![(self.key(), json::to_vec(self))],
            ..Batch::default()
        }
    }

    /// Stores it moved on by [`Routine::fire`], and the beginning of `run`. A conflict means that
    /// another has taken this due time.
    #[must_use]
    pub fn begin(&self, run: &Run) -> Batch {
        let run_key = run.key(&self.session);
        Batch {
            require_absent: vec![run_key.clone()],
            put: vec![
                (self.key(), json::to_vec(self)),
                (run_key, json::to_vec(run)),
            ],
            delete: vec![],
        }
    }
}

impl Run {
    /// The run as it is stored; `None` if it is not one this code can read.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        json::from_slice(bytes)
            .ok()
            .filter(|run: &Self| run.v <= VERSION)
    }

    /// Where it is stored, in the store of its routine's session.
    #[must_use]
    pub fn key(&self, session: &SessionId) -> String {
        format!("run/{session}/{}/{:013}", self.routine, self.due.0)
    }

    /// Stores it as it is now.
    #[must_use]
    pub fn save(&self, session: &SessionId) -> Batch {
        Batch {
            put: vec![(self.key(session), json::to_vec(self))],
            ..Batch::default()
        }
    }
}

/// Where a routine is stored.
#[must_use]
pub fn key(session: &SessionId, id: &str) -> String {
    format!("routine/{session}/{id}")
}

/// The routines of a session, at most `limit`.
#[must_use]
pub fn range(session: &SessionId, limit: u32) -> Range {
    Range::prefix(&format!("routine/{session}/"), limit)
}

/// The runs of a routine, oldest first, at most `limit`.
#[must_use]
pub fn runs(session: &SessionId, id: &str, limit: u32) -> Range {
    Range::prefix(&format!("run/{session}/{id}/"), limit)
}

#[cfg(test)]
mod tests;
