//! Where every operation of a home passes: counted, held back while another one is real, and where
//! the process may die.

use futures_util::future::pending;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    task::Waker,
};
use tau_core::{
    ids::{EffectId, SessionId},
    memory::{Failure, Reply, Request},
    message::ToolStatus,
    model::{Delta, ModelRequest},
    session::{Batch, GenerateError, HttpError, HttpHead, HttpRequest, Range, StoreError},
    tool::{ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{
    Body, Generation, HostTools, Http, LocalModel, MemoryTools, NoEmbedder, Storage,
    memory::Service,
    sim::{ScriptedGeneration, ScriptedModel},
};

use super::{
    Carried, Operation, Point, Setup, Side, ToolLog,
    pace::{Gate, GatedClock},
    valid,
};

/// The tap of one process.
pub(super) struct Tap {
    dies: Option<Point>,
    gate: Gate,
    counts: RefCell<BTreeMap<Operation, usize>>,
    total: Cell<usize>,
    /// Connections that are open.
    open: Cell<usize>,
    dead: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    pub(super) carried: RefCell<Carried>,
}

impl Tap {
    pub(super) fn new(dies: Option<Point>, gate: Gate, carried: Carried) -> Self {
        Self {
            dies,
            gate,
            counts: RefCell::default(),
            total: Cell::new(0),
            open: Cell::new(0),
            dead: Cell::new(false),
            waker: RefCell::default(),
            carried: RefCell::new(carried),
        }
    }

    /// Whether the process died, or `waker` is woken when it does.
    pub(super) fn is_dead(&self, waker: &Waker) -> bool {
        *self.waker.borrow_mut() = Some(waker.clone());
        self.dead.get()
    }

    /// Operations begun.
    pub(super) fn total(&self) -> usize {
        self.total.get()
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Counts an operation; never returns if the process dies before it. Gives its two numbers.
    async fn enter(&self, operation: Operation) -> (usize, usize) {
        self.gate.open().await;
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
        self.gate.open().await;
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

    fn asked(&self, url: String, body: String) {
        let mut carried = self.carried.borrow_mut();
        carried.requests.push(super::Request { url, body });
    }
}

/// Counts a connection for as long as it is open.
struct Open(Rc<Tap>);

impl Open {
    fn new(tap: &Rc<Tap>) -> Self {
        tap.open.set(tap.open.get() + 1);
        Self(Rc::clone(tap))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// The network.
#[derive(Clone)]
pub(super) struct TapHttp<H> {
    pub(super) tap: Rc<Tap>,
    pub(super) inner: H,
}

/// A response.
pub(super) struct TapBody<B> {
    open: Open,
    inner: B,
}

impl<H: Http> Http for TapHttp<H> {
    type Body = TapBody<H::Body>;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, Self::Body), HttpError> {
        let numbers = self.tap.enter(Operation::Send).await;
        let open = Open::new(&self.tap);
        let body = String::from_utf8_lossy(&request.body).into_owned();
        self.tap.asked(request.url.clone(), body);
        let sent = self.inner.send(request).await;
        self.tap.leave(Operation::Send, numbers).await;
        sent.map(|(head, inner)| (head, TapBody { open, inner }))
    }
}

impl<B: Body> Body for TapBody<B> {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let tap = &self.open.0;
        let numbers = tap.enter(Operation::Read).await;
        let chunk = self.inner.chunk().await;
        tap.leave(Operation::Read, numbers).await;
        chunk
    }
}

/// The store, with the commits that fail.
#[derive(Clone)]
pub(super) struct TapStorage<S> {
    pub(super) tap: Rc<Tap>,
    pub(super) setup: Rc<Setup>,
    pub(super) inner: S,
}

impl<S: Storage> Storage for TapStorage<S> {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.tap.gate.real(self.inner.get(key)).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.tap.gate.real(self.inner.scan(range)).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let numbers = self.tap.enter(Operation::Commit).await;
        let nth = {
            let mut carried = self.tap.carried.borrow_mut();
            carried.commits += 1;
            carried.commits
        };
        let mut faults = self.setup.faults.iter();
        let done = match faults.find(|fault| fault.commit == nth) {
            Some(fault) => Err(store_error(&fault.error)),
            None => self.tap.gate.real(self.inner.commit(batch)).await,
        };
        self.tap.leave(Operation::Commit, numbers).await;
        done
    }
}

/// The store as memory sees it: real, and not counted, for how often it is asked is its own affair.
#[derive(Clone)]
pub(super) struct RealStorage<S> {
    pub(super) gate: Gate,
    pub(super) inner: S,
}

impl<S: Storage> Storage for RealStorage<S> {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.gate.real(self.inner.get(key)).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.gate.real(self.inner.scan(range)).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.gate.real(self.inner.commit(batch)).await
    }
}

/// The memory.
#[derive(Clone)]
pub(super) struct TapMemory<S> {
    pub(super) tap: Rc<Tap>,
    pub(super) service: Rc<Service<RealStorage<S>, NoEmbedder, GatedClock>>,
}

impl<S: Storage> MemoryTools for TapMemory<S> {
    async fn serve(&self, request: Request) -> Result<Reply, Failure> {
        let numbers = self.tap.enter(Operation::Memory).await;
        let reply = self.service.serve(request).await;
        self.tap.leave(Operation::Memory, numbers).await;
        reply
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

/// The scenario's tools.
#[derive(Clone)]
pub(super) struct TapTools {
    pub(super) tap: Rc<Tap>,
    pub(super) clock: GatedClock,
    pub(super) setup: Rc<Setup>,
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
        self.tap.carried.borrow_mut().runs.push(log);
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
            labels: None,
            ran: None,
        }
    }
}

/// The model in the process, which is scripted in every home.
#[derive(Clone)]
pub(super) struct TapModel {
    pub(super) tap: Rc<Tap>,
    pub(super) inner: ScriptedModel,
}

/// One of its answers.
pub(super) struct TapGeneration {
    tap: Rc<Tap>,
    inner: ScriptedGeneration,
}

impl LocalModel for TapModel {
    type Generation = TapGeneration;

    async fn generate(&self, request: ModelRequest) -> Result<TapGeneration, GenerateError> {
        let numbers = self.tap.enter(Operation::Generate).await;
        self.tap.asked(String::new(), valid::in_words(&request));
        let generation = self.inner.generate(request).await;
        self.tap.leave(Operation::Generate, numbers).await;
        generation.map(|inner| TapGeneration {
            tap: self.tap.clone(),
            inner,
        })
    }
}

impl Generation for TapGeneration {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        let numbers = self.tap.enter(Operation::Next).await;
        let delta = self.inner.next().await;
        self.tap.leave(Operation::Next, numbers).await;
        delta
    }
}
