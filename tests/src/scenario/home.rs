//! A simulated home that counts what it does, runs a scenario's tools, and can die anywhere.
//!
//! A home is one process. What outlives it is in [`World`].

use futures_util::future::pending;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    task::Waker,
};
use tau_core::{
    ids::{EffectId, SessionId, UnixMillis},
    message::ToolStatus,
    model::{Delta, ModelRequest},
    session::{Batch, GenerateError, HttpError, HttpHead, HttpRequest, Range, StoreError},
    tool::{ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{
    Body, Clock, Generation, Host, HostTools, Http, LocalModel, Storage,
    sim::{START, ScriptedGeneration, ScriptedModel, SimBody, SimClock, SimHost, SimHttp},
};

use super::{Fault, Setup};

/// What a home does for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Make records durable.
    Commit,
    /// Read stored rows.
    Load,
    /// Send a request.
    Send,
    /// Read a piece of a response.
    Read,
    /// Start the model in the process.
    Generate,
    /// Pull a piece from it.
    Next,
    /// Run a tool.
    Tool,
}

impl Operation {
    /// As a scenario writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "commit" => Self::Commit,
            "load" => Self::Load,
            "send" => Self::Send,
            "read" => Self::Read,
            "generate" => Self::Generate,
            "next" => Self::Next,
            "tool" => Self::Tool,
            _ => return None,
        })
    }
}

/// A place in the life of a process: next to its `nth` operation, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Of this kind; of any without.
    pub operation: Option<Operation>,
    /// The how-manieth of this process.
    pub nth: usize,
    /// Before it is done, or after it is done and before anybody is told.
    pub side: Side,
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is done.
    Before,
    /// All of it is done.
    After,
}

/// One run of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolLog {
    /// The effect it ran as.
    pub effect: EffectId,
    /// The call.
    pub call: String,
    /// The tool.
    pub name: String,
}

/// What outlives a process.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: UnixMillis,
    pub(super) rows: BTreeMap<String, Vec<u8>>,
    /// Commits begun.
    pub(super) commits: usize,
    /// Every run of a tool that really began.
    pub(super) runs: Vec<ToolLog>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            now: START,
            rows: BTreeMap::new(),
            commits: 0,
            runs: Vec::new(),
        }
    }
}

/// The home itself. Clones share everything.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) sim: SimHost,
    tap: Rc<Tap>,
    http: TapHttp,
    storage: TapStorage,
    tools: TapTools,
    model: TapModel,
}

/// Where every operation passes.
struct Tap {
    dies: Option<Point>,
    counts: RefCell<BTreeMap<Operation, usize>>,
    total: Cell<usize>,
    dead: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Tap {
    /// Counts an operation; never returns if the process dies before it. Gives its two numbers.
    async fn enter(&self, operation: Operation) -> (usize, usize) {
        self.total.set(self.total.get() + 1);
        let nth = {
            let mut counts = self.counts.borrow_mut();
            let count = counts.entry(operation).or_default();
            *count += 1;
            *count
        };
        let numbers = (nth, self.total.get());
        self.pass(Side::Before, operation, numbers).await;
        numbers
    }

    /// Never returns if the process dies after this operation.
    async fn leave(&self, operation: Operation, numbers: (usize, usize)) {
        self.pass(Side::After, operation, numbers).await;
    }

    async fn pass(&self, side: Side, operation: Operation, (nth, total): (usize, usize)) {
        let here = self.dies.is_some_and(|point| {
            let number = if point.operation.is_some() {
                nth
            } else {
                total
            };
            point.side == side
                && point.operation.is_none_or(|of| of == operation)
                && point.nth == number
        });
        if here {
            self.dead.set(true);
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
        if self.dead.get() {
            pending().await
        }
    }
}

impl Home {
    /// A process that finds the world as it was left, and dies at `dies`.
    pub(super) fn begin(setup: &Setup, world: &World, dies: Option<Point>) -> Self {
        let sim = SimHost::new();
        sim.clock().set(world.now);
        let rows = world
            .rows
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        let batch = Batch {
            put: rows.collect(),
            ..Batch::default()
        };
        let stored = sim.block_on(sim.storage().commit(batch));
        assert_eq!(stored, Ok(()), "a store in memory takes everything");
        let tap = Rc::new(Tap {
            dies,
            counts: RefCell::default(),
            total: Cell::new(0),
            dead: Cell::new(false),
            waker: RefCell::default(),
        });
        Self {
            http: TapHttp {
                tap: tap.clone(),
                sim: sim.http().clone(),
            },
            storage: TapStorage {
                tap: tap.clone(),
                sim: sim.clone(),
                faults: setup.faults.clone().into(),
                commits: Rc::new(Cell::new(world.commits)),
            },
            tools: TapTools {
                tap: tap.clone(),
                clock: sim.clock().clone(),
                setup: Rc::new(setup.clone()),
                runs: Rc::new(RefCell::new(world.runs.clone())),
            },
            model: TapModel {
                tap: tap.clone(),
                sim: sim.model().clone(),
            },
            tap,
            sim,
        }
    }

    /// What is left once the process is gone.
    pub(super) fn end(&self) -> World {
        World {
            now: self.sim.clock().now(),
            rows: self.sim.storage().rows().into_iter().collect(),
            commits: self.storage.commits.get(),
            runs: self.tools.runs.borrow().clone(),
        }
    }

    /// Whether it died, or `waker` is woken when it does.
    pub(super) fn is_dead(&self, waker: &Waker) -> bool {
        *self.tap.waker.borrow_mut() = Some(waker.clone());
        self.tap.dead.get()
    }

    /// Operations begun.
    pub(super) fn operations(&self) -> usize {
        self.tap.total.get()
    }

    /// Connections and generations that are open.
    pub(super) fn open(&self) -> usize {
        self.sim.http().open() + self.sim.model().open()
    }
}

impl Host for Home {
    type Clock = SimClock;
    type Http = TapHttp;
    type Storage = TapStorage;
    type Tools = TapTools;
    type Model = TapModel;

    fn clock(&self) -> &SimClock {
        self.sim.clock()
    }
    fn http(&self) -> &TapHttp {
        &self.http
    }
    fn storage(&self) -> &TapStorage {
        &self.storage
    }
    fn tools(&self) -> &TapTools {
        &self.tools
    }
    fn model(&self) -> &TapModel {
        &self.model
    }
}

#[derive(Clone)]
pub(super) struct TapHttp {
    tap: Rc<Tap>,
    sim: SimHttp,
}

pub(super) struct TapBody {
    tap: Rc<Tap>,
    sim: SimBody,
}

impl Http for TapHttp {
    type Body = TapBody;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, TapBody), HttpError> {
        let numbers = self.tap.enter(Operation::Send).await;
        let sent = self.sim.send(request).await;
        self.tap.leave(Operation::Send, numbers).await;
        sent.map(|(head, sim)| {
            (
                head,
                TapBody {
                    tap: self.tap.clone(),
                    sim,
                },
            )
        })
    }
}

impl Body for TapBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let numbers = self.tap.enter(Operation::Read).await;
        let chunk = self.sim.chunk().await;
        self.tap.leave(Operation::Read, numbers).await;
        chunk
    }
}

#[derive(Clone)]
pub(super) struct TapStorage {
    tap: Rc<Tap>,
    sim: SimHost,
    faults: Rc<[Fault]>,
    commits: Rc<Cell<usize>>,
}

impl Storage for TapStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.sim.storage().get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let numbers = self.tap.enter(Operation::Load).await;
        let rows = self.sim.storage().scan(range).await;
        self.tap.leave(Operation::Load, numbers).await;
        rows
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let numbers = self.tap.enter(Operation::Commit).await;
        self.commits.set(self.commits.get() + 1);
        let fault = self
            .faults
            .iter()
            .find(|fault| fault.commit == self.commits.get());
        let done = match fault {
            Some(fault) => Err(store_error(&fault.error)),
            None => self.sim.storage().commit(batch).await,
        };
        self.tap.leave(Operation::Commit, numbers).await;
        done
    }
}

fn store_error(name: &str) -> StoreError {
    match name {
        "full" => StoreError::Full,
        "conflict" => StoreError::Conflict {
            session: SessionId("another".into()),
        },
        "locked" => StoreError::Locked {
            holder: "process 1".into(),
        },
        detail => StoreError::Io {
            detail: detail.into(),
        },
    }
}

#[derive(Clone)]
pub(super) struct TapTools {
    tap: Rc<Tap>,
    clock: SimClock,
    setup: Rc<Setup>,
    runs: Rc<RefCell<Vec<ToolLog>>>,
}

impl HostTools for TapTools {
    fn specs(&self) -> Vec<ToolSpec> {
        self.setup.config().tools
    }

    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput {
        let numbers = self.tap.enter(Operation::Tool).await;
        let Some(tool) = self.setup.tools.iter().find(|tool| tool.name == run.name) else {
            panic!(
                "the session runs {:?}, which is not in the scenario",
                run.name
            );
        };
        let log = ToolLog {
            effect: id,
            call: run.call_id.0.clone(),
            name: run.name.clone(),
        };
        self.runs.borrow_mut().push(log);
        if tool.takes_ms > 0 {
            self.clock.sleep(tool.takes_ms).await;
        }
        if tool.hangs {
            pending::<()>().await;
        }
        self.tap.leave(Operation::Tool, numbers).await;
        ToolOutput {
            status: if tool.error.is_some() {
                ToolStatus::Error
            } else {
                ToolStatus::Ok
            },
            text: tool.says(&run.arguments),
            images: tool.pictures(),
        }
    }
}

#[derive(Clone)]
pub(super) struct TapModel {
    tap: Rc<Tap>,
    sim: ScriptedModel,
}

pub(super) struct TapGeneration {
    tap: Rc<Tap>,
    sim: ScriptedGeneration,
}

impl LocalModel for TapModel {
    type Generation = TapGeneration;

    async fn generate(&self, request: ModelRequest) -> Result<TapGeneration, GenerateError> {
        let numbers = self.tap.enter(Operation::Generate).await;
        let generation = self.sim.generate(request).await;
        self.tap.leave(Operation::Generate, numbers).await;
        generation.map(|sim| TapGeneration {
            tap: self.tap.clone(),
            sim,
        })
    }
}

impl Generation for TapGeneration {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        let numbers = self.tap.enter(Operation::Next).await;
        let delta = self.sim.next().await;
        self.tap.leave(Operation::Next, numbers).await;
        delta
    }
}
