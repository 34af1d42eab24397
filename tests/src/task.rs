//! What a home is asked to do for a test: play a process of a scenario, or show that its adapters
//! are right.
//!
//! Invariant: this is the same code in every home. A home says what its adapters are and carries
//! the task and the answer, nothing more; whatever is wrong is a panic or [`Answer::Played`] that
//! says so.

use serde::{Deserialize, Serialize};
use tau_kamn::{AgentDid, DidKey, SigningKey};
use tau_platform::{
    Clock, Entropy, Http, Storage,
    conformance::{self, http::Sees},
};

use crate::{
    deal,
    scenario::{Done, Job, finish},
    searches::{self, Figures},
};

/// Something to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Play a process of a scenario.
    Play(Job),
    /// Run a suite.
    Suite(Suite),
    /// Run a WebAssembly program.
    Wasm(tau_test_wasm::Case),
    /// Measure searches of a memory of as many entries.
    Search(usize),
}

/// A suite that every home passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// Of the store.
    Storage,
    /// Of the HTTP client.
    Http {
        /// The suite's server, without trailing slash.
        base_url: String,
        /// Where nobody listens.
        refused_url: String,
    },
    /// Of the clock.
    Clock,
    /// A key from the home's randomness, its names, a signature and its verification; and all that two
    /// agents of given seeds come to, to the byte.
    Identity,
}

/// What came of a task that did not end in a panic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Task::Play`].
    Played(Done),
    /// To [`Task::Suite`].
    Passed,
    /// To [`Task::Search`].
    Measured(Figures),
    /// To [`Task::Wasm`]: what came of it in one line, with its fuel.
    Ran(String),
}

/// What a home is made of.
#[expect(
    async_fn_in_trait,
    reason = "homes name their concrete types, and tests ask for no Send"
)]
pub trait Adapters {
    /// Its HTTP client.
    type Http: Http + Clone;
    /// Its store.
    type Storage: Storage + Clone;
    /// Its clock.
    type Clock: Clock;
    /// Its randomness.
    type Entropy: Entropy;
    /// What its platform shows the client.
    const SEES: Sees;

    /// The client, which knows the secret value of any name but `CONFORMANCE_MISSING`: `s3cret`.
    fn http(&self) -> Self::Http;
    /// The store of that name, as the process before left it.
    async fn store(&self, name: &str) -> Self::Storage;
    /// A new store.
    async fn empty_store(&self) -> Self::Storage;
    /// The same store, closed and opened.
    async fn reopened(&self, store: Self::Storage) -> Self::Storage;
    /// The clock.
    fn clock(&self) -> Self::Clock;
    /// The randomness.
    fn entropy(&self) -> Self::Entropy;
}

/// The value of a secret in every home.
#[must_use]
pub fn secret(name: &str) -> Option<String> {
    (name != "CONFORMANCE_MISSING").then(|| "s3cret\n".to_owned())
}

/// Does `task`.
///
/// # Panics
///
/// With the sentence that does not hold.
pub async fn perform<A: Adapters>(home: &A, task: Task) -> Answer {
    match task {
        Task::Play(job) => {
            let store = home.store(&job.play).await;
            return Answer::Played(finish(home.http(), store, job).await);
        }
        Task::Wasm(case) => return Answer::Ran(tau_test_wasm::run_here(&case)),
        Task::Search(entries) => return Answer::Measured(searches::measure(home, entries).await),
        Task::Suite(Suite::Storage) => {
            let reopen = async |store| home.reopened(store).await;
            conformance::storage::run(async || home.empty_store().await, reopen).await;
        }
        Task::Suite(Suite::Http {
            base_url,
            refused_url,
        }) => conformance::http::run(&home.http(), &base_url, &refused_url, A::SEES).await,
        Task::Suite(Suite::Clock) => conformance::clock::run(&home.clock()).await,
        Task::Suite(Suite::Identity) => identity(&home.entropy()),
    }
    Answer::Passed
}

fn identity(entropy: &impl Entropy) {
    let key = || {
        let mut seed = [0; 32];
        let filled = entropy.fill(&mut seed);
        assert_eq!(filled, Ok(()), "the home has randomness");
        SigningKey::from_seed(&seed)
    };
    let (key, other) = (key(), key());
    let public = key.public_key();
    assert_ne!(public, other.public_key(), "two keys are not the same");

    let did = DidKey::Ed25519(public);
    let read: Result<DidKey, _> = did.to_string().parse();
    assert_eq!(read.as_ref(), Ok(&did), "a did:key is its key");
    let agent = AgentDid::new("tau", &public);
    let is_bound = |key| agent.as_ref().is_ok_and(|agent| agent.is_bound_to(&key));
    assert!(is_bound(public), "an agent's name is bound to its key");
    assert!(!is_bound(other.public_key()), "and to no other");

    let signature = key.sign(b"hello");
    let verified = |message: &[u8]| public.verify(message, &signature).is_ok();
    assert!(verified(b"hello"), "what was signed verifies");
    assert!(!verified(b"hallo"), "what was not does not");
    assert_eq!(deal::digest(), deal::DIGEST, "every home comes to the same");
}
