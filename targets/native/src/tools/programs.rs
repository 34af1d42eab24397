//! Who starts the programs of tools.

use std::sync::{Arc, Mutex, PoisonError};
use tau_core::policy::ProgramLimits;
use tau_target_process::{Job, Limits, Running, StartError};

/// Starts programs as the policy of a call asks for, or not at all.
///
/// The home has one, because it knows which engines there are.
pub trait Programs {
    /// A program that was started.
    type Running: Running;

    /// Starts `job` confined as `how` says. What the home wants hidden, and the folders and hosts
    /// that `how` names, are its to add.
    async fn start(
        &self,
        job: Job,
        how: &ProgramLimits,
    ) -> Result<Started<Self::Running>, StartError>;
}

/// A program that runs.
#[derive(Debug)]
pub struct Started<R> {
    /// It.
    pub running: R,
    /// Why there is no sandbox around it, where there is none.
    pub unsandboxed: Option<String>,
    /// Where it was granted network: what is told of its requests.
    pub requests: Option<Requests>,
}

/// What was decided about the requests of one program, in order; only the first are kept.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Mutex<(Vec<String>, usize)>>);

impl Requests {
    /// More are counted and not told.
    const TOLD: usize = 20;

    /// One more.
    pub fn tell(&self, line: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.0.len() < Self::TOLD {
            true => told.0.push(line),
            false => told.1 += 1,
        }
    }

    /// What was told, and how many were not.
    #[must_use]
    pub fn told(&self) -> (Vec<String>, usize) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What `how` says, as engines take it.
#[must_use]
pub fn limits(how: &ProgramLimits) -> Limits {
    Limits {
        memory_bytes: how.memory_bytes,
        processes: how.processes,
        file_bytes: how.file_bytes,
        cpu_seconds: how.cpu_seconds,
        ..Limits::default()
    }
}
