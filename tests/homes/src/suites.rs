//! The conformance suites, in the real homes.

use anyhow::{Result, bail};
use serde::Serialize;
use std::time::Instant;
use tau_platform::{MemoryStorage, conformance};
use tau_tests::task::{Answer, Suite, Task};

use crate::{
    home::{Home, Lane, native::words},
    server::{Server, page::Said},
};

/// How one suite went.
#[derive(Clone, Debug, Serialize)]
pub struct Passed {
    /// What it is about, such as `storage`.
    pub suite: &'static str,
    /// What was shown to be right.
    pub adapter: &'static str,
    /// The home.
    pub home: Home,
    /// The sentence that does not hold.
    pub problem: Option<String>,
    /// Real time it took.
    pub took_ms: u64,
}

/// Runs every suite in `lane`.
pub async fn run_all(home: Home, lane: &mut impl Lane, server: &Server) -> Result<Vec<Passed>> {
    let http = Suite::Http {
        base_url: server.suite_url(),
        refused_url: server.refused_url()?,
    };
    let mut passed = Vec::new();
    for suite in [Suite::Storage, http, Suite::Clock, Suite::Identity] {
        let begun = Instant::now();
        let (name, adapter) = names(home, &suite);
        let problem = match lane.perform(&Task::Suite(suite)).await? {
            Said::Answer(Answer::Passed) => None,
            Said::Panic(why) => {
                lane.restart().await?;
                Some(why)
            }
            Said::Answer(Answer::Played(_) | Answer::Ran(_) | Answer::Measured(_)) => {
                bail!("{home} answers another task")
            }
        };
        passed.push(Passed {
            suite: name,
            adapter,
            home,
            problem,
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
    Ok(passed)
}

/// Runs the storage suite on the store in memory, which every home has.
///
/// # Panics
///
/// With the sentence that does not hold.
pub async fn memory() -> Passed {
    let begun = Instant::now();
    conformance::storage::run(async || MemoryStorage::new(), async |store| store).await;
    Passed {
        suite: "storage",
        adapter: "memory",
        home: Home::Native,
        problem: None,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// Runs the storage suite on a PostgreSQL server of its own, over TLS, which the native home can
/// have as its store.
pub async fn postgres() -> Passed {
    let begun = Instant::now();
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own, because a panic is to end only it.
    let done =
        tokio::task::spawn_blocking(move || runtime.block_on(tau_test_postgres::conformance()))
            .await;
    Passed {
        suite: "storage",
        adapter: "PostgreSQL",
        home: Home::Native,
        problem: done.err().map(|error| match error.try_into_panic() {
            Ok(panic) => words(&*panic),
            Err(error) => error.to_string(),
        }),
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn names(home: Home, suite: &Suite) -> (&'static str, &'static str) {
    match (suite, home) {
        (Suite::Storage, Home::Native) => ("storage", "SQLite"),
        (Suite::Storage, Home::Workerd) => ("storage", "Durable Object SQL"),
        (Suite::Storage, Home::Page) => ("storage", "IndexedDB"),
        (Suite::Http { .. }, Home::Native) => ("http", "reqwest"),
        (Suite::Http { .. }, _) => ("http", "fetch"),
        (Suite::Clock, Home::Native) => ("clock", "tokio"),
        (Suite::Clock, _) => ("clock", "timers"),
        (Suite::Identity, Home::Native) => ("identity", "getrandom"),
        (Suite::Identity, _) => ("identity", "WebCrypto"),
    }
}
