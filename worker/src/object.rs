//! One object, one session: opened from its storage by whoever comes first, driven until it rests.
//!
//! Invariants:
//! - The constructor reads nothing: an object that is only woken costs nothing.
//! - While a turn works, the alarm is set, and its handler stays until the turn rests: the runtime
//!   keeps an object with a request in it. A turn that only waits for a person has no timer but its
//!   own deadline's alarm; a session that rests has none.
//! - Looking begins no work: a turn that was left in the middle is taken up by the alarm, by a
//!   command, or by who watches its events.
//! - Tables are made when a session is begun, and at no other time.

mod upkeep;

use core::cell::{Cell, RefCell};
use futures_util::{
    FutureExt,
    future::{AbortHandle, LocalBoxFuture, abortable, join},
};
use std::rc::Rc;
use tau_core::{
    ids::SessionId,
    journal::{self, Summary},
    json,
    session::{Batch, CommandError, Range, Session},
};
use tau_platform::{
    Clock, Entropy, Host, HostTools, Storage,
    live::Live,
    open::{self, OpenError},
    routine,
};
use tau_target_durable::{Alarm, DurableStorage, Wish};
use tau_target_web::WebEntropy;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::{
    activity::Activity,
    config::{Settings, Setup},
    directory::ADMIT,
    errors::ApiError,
    host::WorkerHost,
    identity,
    routes::{self, Route, Verb, begin, bundle},
    wire::{Incoming, call, object},
};

/// Where the object keeps what its session was begun with.
const SETUP: &str = "setup";
/// Bytes an object may have stored before it takes no more prompts: opening a session needs about
/// six times as much memory, and an isolate has 128 MB.
const SESSION_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The object of one session.
#[durable_object]
pub struct SessionObject {
    home: Rc<Home>,
}

/// What an object is while it is in memory.
pub(crate) struct Home {
    state: State,
    pub(crate) settings: Settings,
    /// None before it is first asked for, and once everything was deleted.
    store: RefCell<Option<DurableStorage>>,
    alarm: Alarm,
    activity: Activity,
    running: RefCell<Option<Running>>,
    /// What the alarm is set for beside the session's own deadlines.
    awake: RefCell<Option<Wish>>,
    /// And for the next routine.
    due: RefCell<Option<Wish>>,
    /// Somebody carries out what is due.
    is_saying: Cell<bool>,
    /// A turn could not be stored, and neither the alarm nor a command has taken it up since.
    is_stopped: Cell<bool>,
    /// Somebody writes the session's line into the directory.
    is_telling: Cell<bool>,
    /// The directory has an older line.
    is_untold: Cell<bool>,
}

struct Running {
    live: Live,
    stop: AbortHandle,
}

impl DurableObject for SessionObject {
    fn new(state: State, env: Env) -> Self {
        let alarm = Alarm::new(state.storage());
        Self {
            home: Rc::new(Home {
                state,
                settings: Settings::new(env),
                store: RefCell::new(None),
                alarm,
                activity: Activity::default(),
                running: RefCell::new(None),
                awake: RefCell::new(None),
                due: RefCell::new(None),
                is_saying: Cell::new(false),
                is_stopped: Cell::new(false),
                is_telling: Cell::new(false),
                is_untold: Cell::new(false),
            }),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match self.home.answer(request).await {
            Ok(response) => Ok(response),
            Err(error) => error.response(),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.home.alarm_went_off().await?;
        Response::empty()
    }
}

impl Home {
    async fn answer(self: &Rc<Self>, request: Request) -> Result<Response, ApiError> {
        let incoming = Incoming::read(request).await?;
        if incoming.path == begin::INSIDE {
            return begin::store(self, &incoming).await;
        }
        if incoming.path == bundle::INSIDE {
            return bundle::take(self, &incoming).boxed_local().await;
        }
        let method: Method = incoming.method.clone();
        let Route::Session(id, verb) = routes::parse(method.as_ref(), &incoming.path)? else {
            return Err(ApiError::no_session());
        };
        let (admitted, opened) = join(self.admit(&incoming), self.open(&id, verb)).await;
        if let Some(refused) = admitted? {
            return Ok(refused);
        }
        opened?;
        match verb {
            Verb::Prompt => routes::prompt::answer(self, &id, &incoming).await,
            verb => self.answer_other(&id, verb, &incoming).await,
        }
    }

    /// All but the prompt, apart from it: the runtime compiles a function when it is first called,
    /// and the first word waits for that.
    fn answer_other<'a>(
        self: &'a Rc<Self>,
        id: &'a SessionId,
        verb: Verb,
        incoming: &'a Incoming,
    ) -> LocalBoxFuture<'a, Result<Response, ApiError>> {
        let answer = async move {
            match verb {
                Verb::Delete => self.delete().await,
                Verb::Deliver => routes::deliver::answer(self, id, incoming).await,
                Verb::View => routes::view::answer(self, id).await,
                Verb::Export => routes::export::answer(self, id).await,
                Verb::Bundle => bundle::export(self, id).await,
                Verb::Events => routes::events::answer(self, id, incoming).await,
                Verb::Routines => routes::routines::list(self, id).await,
                Verb::AddRoutine => routes::routines::add(self, id, incoming).await,
                Verb::RemoveRoutine => routes::routines::remove(self, id, incoming).await,
                verb => routes::commands::answer(self, id, verb, incoming).await,
            }
        };
        answer.boxed_local()
    }

    /// Asks the principal's directory for one request; the response where it refuses.
    async fn admit(&self, incoming: &Incoming) -> Result<Option<Response>, ApiError> {
        let principal = incoming.principal.as_deref();
        let principal = principal.ok_or_else(ApiError::no_session)?;
        let directory = object(&self.settings.directories()?, principal)?;
        let admitted = call(&directory, ADMIT, b"").await?;
        Ok((admitted.status_code() != 200).then_some(admitted))
    }

    /// Opens the store of a session that there is.
    async fn open(&self, id: &SessionId, verb: Verb) -> Result<(), ApiError> {
        let is_new_life = self.store.borrow().is_none();
        self.store()?;
        // All others set the alarm themselves, or remove it.
        if is_new_life
            && matches!(
                verb,
                Verb::View | Verb::Export | Verb::Bundle | Verb::Routines
            )
        {
            self.see_alarm(id).await?;
        }
        Ok(())
    }

    /// The object's store, if there is one: an object of which nothing was stored stays without.
    pub(crate) fn store(&self) -> Result<DurableStorage, ApiError> {
        if let Some(store) = &*self.store.borrow() {
            return Ok(store.clone());
        }
        let store = DurableStorage::open_existing(self.state.storage())?;
        let store = store.ok_or_else(ApiError::no_session)?;
        *self.store.borrow_mut() = Some(store.clone());
        Ok(store)
    }

    /// Refuses what would make the session larger than can be opened.
    pub(crate) async fn need_room(&self, id: &SessionId) -> Result<(), ApiError> {
        let store = self.store()?;
        let line = store.get(journal::summary_key(id)).await?;
        let summary = line.and_then(|line| Summary::read(&line));
        // What is stored once takes its place in memory each time it was said.
        let said_bytes = summary.map_or(0, |summary| summary.bytes);
        let said_bytes = usize::try_from(said_bytes).unwrap_or(usize::MAX);
        let size_bytes = store.size_bytes().max(said_bytes);
        if size_bytes < SESSION_LIMIT_BYTES {
            return Ok(());
        }
        let message = format!(
            "the session has {size_bytes} bytes, at {SESSION_LIMIT_BYTES} it takes no more prompts"
        );
        Err(ApiError::new(507, "session_full", message)
            .hint("begin another session; this one can still be read and exported"))
    }

    /// What the session was begun with.
    pub(crate) async fn setup(&self) -> Result<Setup, ApiError> {
        let stored = self.store()?.get(SETUP.into()).await?;
        let stored = stored.ok_or_else(ApiError::no_session)?;
        json::from_slice(&stored).map_err(|error| {
            ApiError::new(
                500,
                "unreadable_session",
                format!("its setup cannot be read: {error}"),
            )
        })
    }

    /// Makes the object's tables and keeps what the session is begun with; it must be the first.
    pub(crate) async fn put_setup(&self, setup: &Setup) -> Result<(), ApiError> {
        let store = DurableStorage::open(self.state.storage())?;
        *self.store.borrow_mut() = Some(store.clone());
        let batch = Batch {
            require_absent: vec![SETUP.into()],
            put: vec![(SETUP.into(), json::to_vec(setup))],
            ..Batch::default()
        };
        Ok(store.commit(batch).await?)
    }

    /// The session as it is stored; one in which nothing was said yet as it was begun.
    pub(crate) async fn stored(&self, id: &SessionId) -> Result<Session, ApiError> {
        let setup = self.setup().await?;
        match open::open(&self.store()?, id).await {
            Err(OpenError::Missing(_)) => {
                let tools = self.host(&setup)?.tools().specs();
                let config = self.settings.session(&setup.terms, tools)?;
                Ok(Session::new(config, setup.seed, setup.created))
            }
            session => Ok(session?),
        }
    }

    pub(crate) fn host(&self, setup: &Setup) -> Result<WorkerHost, ApiError> {
        let store = self.store()?;
        WorkerHost::new(&self.settings, &setup.principal, self.alarm.clone(), store)
    }

    /// The session's line, as it was stored with its last record.
    pub(crate) async fn line(&self) -> Result<Option<Summary>, ApiError> {
        let rows = self.store()?.scan(Range::prefix("sessions/", 1)).await?;
        let line = rows.into_iter().next();
        Ok(line.and_then(|(_, line)| json::from_slice(&line).ok()))
    }

    /// Whether a turn was left in the middle and nobody drives it.
    async fn is_unfinished(&self) -> Result<bool, ApiError> {
        if self.running.borrow().is_some() {
            return Ok(false);
        }
        Ok(self.line().await?.is_some_and(|line| line.running))
    }

    /// The running session, opened and taken up where it was left if it is not running.
    pub(crate) async fn live(self: &Rc<Self>, id: &SessionId) -> Result<Live, ApiError> {
        if let Some(running) = &*self.running.borrow() {
            return Ok(running.live.clone());
        }
        let setup = self.setup().await?;
        let host = self.host(&setup)?;
        let config = self.settings.session(&setup.terms, host.tools().specs())?;
        let now = host.clock().now();
        let keys = identity::signer(&self.settings);
        let (opened, signer) = join(open::open(host.storage(), id), keys).await;
        let host = host.signed_by(signer?);
        let mut session = match opened {
            Err(OpenError::Missing(_)) => Session::new(config, setup.seed, setup.created),
            session => {
                let mut session = session?;
                session.configure(config, now);
                session
            }
        };
        let is_unfinished = session.is_running();
        if !is_unfinished {
            routine::settle(&self.store()?, id).await?;
        }
        // Whoever came first while this one read has it.
        if let Some(running) = &*self.running.borrow() {
            return Ok(running.live.clone());
        }
        let life = draw_life()?;
        let live = Live::new(life);
        self.is_stopped.set(false);
        self.activity.begin(is_unfinished);
        self.follow(id, &live);
        if is_unfinished {
            self.begin_to_work();
            session.resume(now);
        }
        let driven = live.clone();
        let (run, stop) = abortable(async move {
            driven.run(&host, &mut session).await;
        });
        *self.running.borrow_mut() = Some(Running {
            live: live.clone(),
            stop,
        });
        let home = Rc::clone(self);
        spawn_local(async move {
            // Aborted or at its end: both are the end.
            let _ = run.await;
            home.ended(life);
        });
        self.plan(id).await?;
        Ok(live)
    }

    /// The same for who only watches. One that comes back whenever the events end would have a turn
    /// that cannot be stored asked for again and again.
    pub(crate) async fn watched(self: &Rc<Self>, id: &SessionId) -> Result<Live, ApiError> {
        if self.is_stopped.get() {
            return Err(CommandError::Stopped.into());
        }
        self.live(id).await
    }

    /// Whether somebody drives the session now.
    pub(crate) fn is_live(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Removes everything the object holds, which is of no session that ever ran.
    pub(crate) async fn forget_all(&self) -> Result<(), ApiError> {
        let store = self.store()?;
        self.store.borrow_mut().take();
        Ok(store.delete_all().await?)
    }

    /// Whether the session runs, in its life `life`.
    fn is_life(&self, life: u64) -> bool {
        let running = self.running.borrow();
        running.as_ref().is_some_and(|r| r.live.mark().life == life)
    }

    /// Ends what runs and removes everything the object holds.
    async fn delete(&self) -> Result<Response, ApiError> {
        self.setup().await?;
        if let Some(running) = self.running.borrow_mut().take() {
            running.stop.abort();
        }
        self.activity.begin(false);
        self.awake.borrow_mut().take();
        self.due.borrow_mut().take();
        let store = self.store()?;
        self.alarm.settle().await?;
        self.store.borrow_mut().take();
        store.delete_all().await?;
        Ok(Response::empty()?.with_status(204))
    }
}

/// Names one run of a session: at random, because the clock stands still while code runs.
fn draw_life() -> Result<u64, ApiError> {
    let mut bytes = [0; 8];
    WebEntropy
        .fill(&mut bytes)
        .map_err(|error| ApiError::new(500, "runtime_failed", error.to_string()))?;
    // Exact as a number in JavaScript.
    Ok(u64::from_le_bytes(bytes) >> 12)
}
