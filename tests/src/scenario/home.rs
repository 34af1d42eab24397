//! A home that plays: a real or simulated network and store, and the scenario's tools.
//!
//! A home is one process. What outlives it is in its store and in [`Carried`].

use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, rc::Rc, task::Waker};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::{Event, Range, Session, StoreError},
};
use tau_platform::{
    Clock, Host, Http, NoEmbedder, NoSigner, Storage,
    memory::Service,
    open::{OpenError, open},
    sim::{START, SimClock, SimHost, SimHttp},
};

use super::{
    Point, Reply, Request, Response, Scenario, ToolLog,
    pace::{Gate, GatedClock},
    tap::{RealStorage, Tap, TapHttp, TapMemory, TapModel, TapStorage, TapTools},
};

/// What outlives a process besides its store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Carried {
    /// The step that the next process begins with.
    pub(super) next: usize,
    /// The virtual time.
    pub(super) now: UnixMillis,
    /// Commits begun.
    pub(super) commits: usize,
    /// Every run of a tool that really began.
    pub runs: Vec<ToolLog>,
    /// Every request to a model, oldest first.
    pub requests: Vec<Request>,
    /// Every event, with the time since the beginning in ms.
    pub(super) events: Vec<(u64, Event)>,
    /// What the last command that was refused was told.
    pub(super) refused: Option<String>,
    /// From the last prompt to the end of its turn, in ms.
    pub(super) took_ms: u64,
}

impl Default for Carried {
    fn default() -> Self {
        Self {
            next: 0,
            now: START,
            commits: 0,
            runs: Vec::new(),
            requests: Vec::new(),
            events: Vec::new(),
            refused: None,
            took_ms: 0,
        }
    }
}

/// How the requests of one process reach the answers of the scenario.
pub trait Network {
    /// The client.
    type Http: Http + Clone;

    /// A client whose requests will be answered with `responses`, in that order.
    fn client(&self, sim: &SimHost, gate: &Gate, responses: VecDeque<Response>) -> Self::Http;
}

/// A network in virtual time, without connections.
#[derive(Clone, Copy, Debug)]
pub struct Simulated;

impl Network for Simulated {
    type Http = SimHttp;

    fn client(&self, sim: &SimHost, _gate: &Gate, responses: VecDeque<Response>) -> SimHttp {
        for response in responses {
            sim.http().expect(response.exchange());
        }
        sim.http().clone()
    }
}

/// The home itself. Clones share everything.
#[derive(Clone)]
pub(super) struct Home<H, S> {
    sim: SimHost,
    gate: Gate,
    tap: Rc<Tap>,
    clock: GatedClock,
    http: TapHttp<H>,
    storage: TapStorage<S>,
    tools: TapTools,
    model: TapModel,
    memory: TapMemory<S>,
}

impl<H: Http + Clone, S: Storage + Clone> Home<H, S> {
    /// A process that finds the world as it was left, and dies at `dies`. `replies` are those that
    /// have not been given yet.
    pub(super) fn begin(
        scenario: &Scenario,
        replies: &[Reply],
        network: &impl Network<Http = H>,
        storage: S,
        carried: Carried,
        dies: Option<Point>,
    ) -> Self {
        let sim = SimHost::new();
        sim.clock().set(carried.now);
        let gate = Gate::default();
        let mut responses = VecDeque::new();
        for reply in replies {
            match reply.response(&scenario.setup) {
                Some(response) => responses.push_back(response),
                None => reply.load(sim.model()),
            }
        }
        let http = network.client(&sim, &gate, responses);
        let tap = Rc::new(Tap::new(dies, gate.clone(), carried));
        let clock = GatedClock {
            clock: sim.clock().clone(),
            gate: gate.clone(),
        };
        let setup = Rc::new(scenario.setup.clone());
        let remembered = RealStorage {
            gate: gate.clone(),
            inner: storage.clone(),
        };
        Self {
            memory: TapMemory {
                tap: tap.clone(),
                service: Rc::new(Service::new(remembered, NoEmbedder, clock.clone())),
            },
            http: TapHttp {
                tap: tap.clone(),
                inner: http,
            },
            storage: TapStorage {
                tap: tap.clone(),
                setup: setup.clone(),
                inner: storage,
            },
            tools: TapTools {
                tap: tap.clone(),
                clock: clock.clone(),
                setup,
            },
            model: TapModel {
                tap: tap.clone(),
                inner: sim.model().clone(),
            },
            tap,
            clock,
            gate,
            sim,
        }
    }

    /// The virtual clock.
    pub(super) fn time(&self) -> &SimClock {
        self.sim.clock()
    }

    /// Closed while something real is under way.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Writes something into the account.
    pub(super) fn carried(&self) -> std::cell::RefMut<'_, Carried> {
        self.tap.carried.borrow_mut()
    }

    /// What is left once the process is gone; the next one begins with step `next`.
    pub(super) fn end(&self, next: usize) -> Carried {
        Carried {
            next,
            now: self.time().now(),
            ..self.tap.carried.borrow().clone()
        }
    }

    /// Whether it died, or `waker` is woken when it does.
    pub(super) fn is_dead(&self, waker: &Waker) -> bool {
        self.tap.is_dead(waker)
    }

    /// Operations begun.
    pub(super) fn operations(&self) -> usize {
        self.tap.total()
    }

    /// Connections and generations that are open.
    pub(super) fn open(&self) -> usize {
        self.tap.open() + self.sim.model().open()
    }

    /// Everything that is stored, in the order of the keys.
    pub(super) async fn rows(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let all = Range {
            start: String::new(),
            end: "\u{7f}".into(),
            limit: u32::MAX,
        };
        self.gate.real(self.storage.inner.scan(all)).await
    }

    /// The session as it is stored; none at first.
    pub(super) async fn stored(&self, id: &SessionId) -> Result<Option<Session>, String> {
        match self.gate.real(open(&self.storage.inner, id)).await {
            Ok(session) => Ok(Some(session)),
            Err(OpenError::Missing(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl<H: Http, S: Storage> Host for Home<H, S> {
    type Clock = GatedClock;
    type Http = TapHttp<H>;
    type Storage = TapStorage<S>;
    type Tools = TapTools;
    type Model = TapModel;
    type Memory = TapMemory<S>;
    type Signer = NoSigner;

    fn clock(&self) -> &GatedClock {
        &self.clock
    }
    fn http(&self) -> &TapHttp<H> {
        &self.http
    }
    fn storage(&self) -> &TapStorage<S> {
        &self.storage
    }
    fn tools(&self) -> &TapTools {
        &self.tools
    }
    fn model(&self) -> &TapModel {
        &self.model
    }
    fn memory(&self) -> &TapMemory<S> {
        &self.memory
    }
    fn signer(&self) -> Option<&NoSigner> {
        None
    }
}
