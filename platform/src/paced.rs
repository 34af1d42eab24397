//! The rates of a principal: how many calls all their sessions make together.
//!
//! A session decides about its own calls and knows no other. What it lets run comes by here, where
//! the calls of all sessions are counted: one that is too many waits, or comes back refused with the
//! time to wait, as its policy says. The wait is part of the time that a call may take.

use alloc::{string::String, vec::Vec};
use core::ops::Deref;
use tau_core::{
    ids::{EffectId, UnixMillis},
    message::ToolStatus,
    policy::{
        ledger::{self, Ledger},
        rates::{Pace, RateLimits, Window},
    },
    session::StoreError,
    tool::{ToolOutput, ToolRun, ToolSpec},
};

use crate::{Clock, HostTools, Storage};

/// Others may count at the same time: so often it is tried again.
const ATTEMPTS: u32 = 32;

/// Where the calls of a principal are counted.
pub trait Counter {
    /// Counts a call that begins now, unless that would be too many: then nothing is counted, and it
    /// is free at the time returned.
    async fn count(&self, limits: &RateLimits) -> Result<Option<UnixMillis>, StoreError>;
}

/// Calls counted in a store that all sessions of the principal share.
#[derive(Clone, Debug)]
pub struct StoredCounter<S, C> {
    storage: S,
    clock: C,
    principal: String,
}

impl<S: Storage, C: Clock> StoredCounter<S, C> {
    /// Counts the calls of `principal` in `storage`.
    pub fn new(storage: S, clock: C, principal: &str) -> Self {
        Self {
            storage,
            clock,
            principal: principal.into(),
        }
    }

    /// The calls of the last minute.
    pub async fn recent(&self) -> Result<Window, StoreError> {
        Ok(self.ledger().await?.recent)
    }

    async fn ledger(&self) -> Result<Ledger, StoreError> {
        let stored = self.storage.get(ledger::key(&self.principal)).await?;
        Ledger::read(stored.as_deref()).map_err(|detail| StoreError::Corrupt { detail })
    }
}

impl<S: Storage, C: Clock> Counter for StoredCounter<S, C> {
    async fn count(&self, limits: &RateLimits) -> Result<Option<UnixMillis>, StoreError> {
        let mut attempt = 0;
        loop {
            let mut ledger = self.ledger().await?;
            let now = self.clock.now();
            if let Some(until) = ledger.recent.free_at(limits).filter(|until| *until > now) {
                return Ok(Some(until));
            }
            let batch = ledger.note(&self.principal, limits.class, now);
            match self.storage.commit(batch).await {
                Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(None),
            }
        }
    }
}

/// Tools whose calls are counted before they run.
#[derive(Clone, Debug)]
pub struct Paced<T, C, N> {
    tools: T,
    clock: C,
    counter: N,
}

impl<T, C: Clock, N: Counter> Paced<T, C, N> {
    /// Has the calls of `tools` counted by `counter`.
    pub fn new(tools: T, clock: C, counter: N) -> Self {
        Self {
            tools,
            clock,
            counter,
        }
    }

    /// Where the calls are counted.
    pub fn counter(&self) -> &N {
        &self.counter
    }

    /// Counts one call, once it is its time; what it comes to instead, where it may not run.
    pub async fn hold(&self, limits: &RateLimits) -> Option<ToolOutput> {
        loop {
            let until = match self.counter.count(limits).await {
                Ok(None) => return None,
                Ok(Some(until)) => until,
                // Uncounted calls would be without any limit.
                Err(error) => {
                    return Some(ToolOutput::error(alloc::format!(
                        "it was not run, for it cannot be counted: {error}"
                    )));
                }
            };
            match limits.exceeded(until, self.clock.now()) {
                Pace::Now => {}
                Pace::Later { until } => self.clock.sleep_until(until).await,
                Pace::Refuse(refusal) => {
                    return Some(ToolOutput {
                        status: ToolStatus::Denied,
                        ..ToolOutput::error(refusal.to_result_text())
                    });
                }
            }
        }
    }
}

impl<T, C, N> Deref for Paced<T, C, N> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.tools
    }
}

impl<T: HostTools, C: Clock, N: Counter> HostTools for Paced<T, C, N> {
    fn specs(&self) -> Vec<ToolSpec> {
        self.tools.specs()
    }

    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput {
        match self.hold(&run.rates).await {
            Some(held) => held,
            None => self.tools.run(id, run).await,
        }
    }
}
