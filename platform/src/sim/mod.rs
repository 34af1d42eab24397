//! A home in virtual time, for tests: hours of a conversation in milliseconds, the same every time.
//!
//! Invariant: nothing here waits for the real world. A run that waits for something that cannot
//! come panics and says so, as does anything the script did not foresee.
//!
//! ```
//! use tau_platform::sim::SimHost;
//! # use tau_platform::Clock;
//! let home = SimHost::new();
//! home.block_on(home.clock().sleep(3_600_000));
//! assert_eq!(home.clock().elapsed_ms(), 3_600_000);
//! ```

mod clock;
mod http;
pub mod idle;
mod model;
mod storage;
mod timed;
mod tools;

pub use clock::{START, SimClock};
pub use http::{Exchange, SimBody, SimHttp};
pub use model::{ScriptedGeneration, ScriptedModel, Step};
pub use storage::SimStorage;
pub use timed::timed;
pub use tools::{SimRun, SimRunState, SimTool, SimTools};

use alloc::{rc::Rc, string::String, sync::Arc, vec::Vec};
use core::future::Future;
use tau_core::{
    model::{Api, ModelConfig, Pricing},
    policy::Policy,
    session::{Budgets, Command, Config, Retry, Session},
};

use crate::{
    drive::{Left, Shown, drive},
    embed::NoEmbedder,
    host::Host,
    memory::Service,
    signer::TreeSigner,
};

/// The simulated home. Clones share everything in it.
#[derive(Clone, Debug)]
pub struct SimHost {
    clock: SimClock,
    http: SimHttp,
    storage: SimStorage,
    tools: SimTools,
    model: ScriptedModel,
    memory: Rc<Service<SimStorage, NoEmbedder, SimClock>>,
    signer: Option<Rc<TreeSigner>>,
}

impl Default for SimHost {
    fn default() -> Self {
        Self::new()
    }
}

impl SimHost {
    /// A home at [`START`] with an empty store and empty scripts.
    #[must_use]
    pub fn new() -> Self {
        let clock = SimClock::default();
        let storage = SimStorage::new(&clock);
        Self {
            http: SimHttp::new(&clock),
            memory: Rc::new(Service::new(storage.clone(), NoEmbedder, clock.clone())),
            storage,
            tools: SimTools::new(&clock),
            model: ScriptedModel::new(&clock),
            signer: None,
            clock,
        }
    }

    /// The same home with an agent that signs from here on.
    #[must_use]
    pub fn signing(mut self, signer: TreeSigner) -> Self {
        self.signer = Some(Rc::new(signer));
        self
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// The network.
    #[must_use]
    pub fn http(&self) -> &SimHttp {
        &self.http
    }

    /// The store.
    #[must_use]
    pub fn storage(&self) -> &SimStorage {
        &self.storage
    }

    /// The tools.
    #[must_use]
    pub fn tools(&self) -> &SimTools {
        &self.tools
    }

    /// The in-process model.
    #[must_use]
    pub fn model(&self) -> &ScriptedModel {
        &self.model
    }

    /// What it remembers.
    #[must_use]
    pub fn memory(&self) -> &Service<SimStorage, NoEmbedder, SimClock> {
        &self.memory
    }

    /// Runs `future` in virtual time.
    ///
    /// # Panics
    ///
    /// When it waits for what cannot come.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.clock.block_on(future)
    }

    /// Drives `session` through commands that come each so many milliseconds after the one before.
    pub fn run(
        &self,
        session: &mut Session,
        commands: impl IntoIterator<Item = (u64, Command)>,
    ) -> (Vec<Shown>, Left) {
        let mut shown = Vec::new();
        let inbox = timed(&self.clock, commands);
        let left = self.block_on(drive(self, session, inbox, |what| shown.push(what)));
        (shown, left)
    }
}

/// The configuration of a session that asks the model in the process and has no tools.
#[must_use]
pub fn config() -> Config {
    let model = ModelConfig {
        name: "m".into(),
        api: Api::Embedded,
        base_url: String::new(),
        secret: None,
        context_tokens: 100_000,
        max_output_tokens: 1_000,
        pricing: Pricing::default(),
        images: false,
        temperature_milli: None,
    };
    Config {
        models: Vec::from([Arc::new(model)]),
        system: "s".into(),
        identity: Vec::new(),
        tools: Vec::new(),
        policy: Policy::default(),
        budgets: Budgets::default(),
        retry: Retry::default(),
        compaction: false,
        undo_tool: false,
        memory: None,
    }
}

impl Host for SimHost {
    type Clock = SimClock;
    type Http = SimHttp;
    type Storage = SimStorage;
    type Tools = SimTools;
    type Model = ScriptedModel;
    type Memory = Service<SimStorage, NoEmbedder, SimClock>;
    type Signer = TreeSigner;

    fn clock(&self) -> &SimClock {
        &self.clock
    }

    fn http(&self) -> &SimHttp {
        &self.http
    }

    fn storage(&self) -> &SimStorage {
        &self.storage
    }

    fn tools(&self) -> &SimTools {
        &self.tools
    }

    fn model(&self) -> &ScriptedModel {
        &self.model
    }

    fn memory(&self) -> &Self::Memory {
        &self.memory
    }

    fn signer(&self) -> Option<&TreeSigner> {
        self.signer.as_deref()
    }
}
