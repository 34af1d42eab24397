//! One object, one session: opened from its storage by whoever comes first, driven until it rests.
//!
//! Invariants:
//! - The constructor reads nothing: an object that is only woken costs nothing.
//! - While a turn works, the alarm is set, and its handler stays until the turn rests: the runtime
//!   keeps an object with a request in it. A turn that only waits for a person has no timer but its
//!   own deadline's alarm; a session that rests has none.

use core::cell::{Cell, RefCell};
use futures_util::{
    StreamExt,
    future::{AbortHandle, abortable, join, select},
};
use std::{pin::pin, rc::Rc};
use tau_core::{
    ids::SessionId,
    journal::Summary,
    session::{Batch, Event, Range, Session},
};
use tau_platform::{
    Clock, Entropy, Host, HostTools, Storage,
    live::{Live, Mark},
    open::{self, OpenError},
    routine,
};
use tau_target_durable::{Alarm, DurableStorage, Wish};
use tau_target_web::{WebClock, WebEntropy};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::{
    activity::Activity,
    config::{Settings, Setup},
    directory::ADMIT,
    errors::ApiError,
    host::{SessionStorage, WorkerHost},
    routes::{self, Route, Verb, begin},
    wire::{Incoming, call, object},
};

/// Where the object keeps what its session was begun with.
const SETUP: &str = "setup";
/// From the start of a turn to the first alarm. The runtime may drop an object with no request in
/// it after ten seconds, whatever it waits for.
const FIRST_ALARM_MS: u64 = 5_000;
/// How long the handler of an alarm stays. Deadlines further away are looked at after it.
const STAY_MS: u64 = 60_000;
/// From the end of a handler to the next alarm, while the turn goes on.
const NEXT_ALARM_MS: u64 = 1_000;
/// How long a line in the directory that could not be written waits for the next attempt.
const LINE_RETRY_MS: u64 = 30_000;

/// The object of one session.
#[durable_object]
pub struct SessionObject {
    home: Rc<Home>,
}

/// What an object is while it is in memory.
pub(crate) struct Home {
    state: State,
    settings: Settings,
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
        match self.home.alarm_went_off().await {
            Ok(()) => Response::empty(),
            // The runtime calls again, later and later.
            Err(error) => Err(worker::Error::RustError(error.message().into())),
        }
    }
}

impl Home {
    async fn answer(self: &Rc<Self>, request: Request) -> Result<Response, ApiError> {
        let incoming = Incoming::read(request).await?;
        if incoming.path == begin::INSIDE {
            return begin::store(self, &incoming).await;
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
            Verb::Delete => self.delete().await,
            Verb::View => routes::view::answer(self, &id).await,
            Verb::Export => routes::export::answer(self, &id).await,
            Verb::Prompt => routes::prompt::answer(self, &id, &incoming).await,
            Verb::Events => routes::events::answer(self, &id, &incoming).await,
            Verb::Routines => routes::routines::list(self, &id).await,
            Verb::AddRoutine => routes::routines::add(self, &id, &incoming).await,
            Verb::RemoveRoutine => routes::routines::remove(self, &id, &incoming).await,
            verb => routes::commands::answer(self, &id, verb, &incoming).await,
        }
    }

    /// Asks the principal's directory for one request; the response where it refuses.
    async fn admit(&self, incoming: &Incoming) -> Result<Option<Response>, ApiError> {
        let principal = incoming.principal.as_deref();
        let principal = principal.ok_or_else(ApiError::no_session)?;
        let directory = object(&self.settings.directories()?, principal)?;
        let admitted = call(&directory, ADMIT, b"").await?;
        Ok((admitted.status_code() != 200).then_some(admitted))
    }

    /// Opens what the request needs, and takes up a turn that was left in the middle. An object of
    /// which nothing was stored stays without a store.
    async fn open(self: &Rc<Self>, id: &SessionId, verb: Verb) -> Result<(), ApiError> {
        if self.store.borrow().is_none() {
            let store = DurableStorage::open_existing(self.state.storage())?;
            *self.store.borrow_mut() = Some(store.ok_or_else(ApiError::no_session)?);
        }
        if verb != Verb::Delete && self.is_unfinished().await? {
            self.live(id).await?;
        }
        Ok(())
    }

    /// The object's store.
    pub(crate) fn store(&self) -> Result<DurableStorage, ApiError> {
        if let Some(store) = &*self.store.borrow() {
            return Ok(store.clone());
        }
        let store = DurableStorage::open(self.state.storage())?;
        *self.store.borrow_mut() = Some(store.clone());
        Ok(store)
    }

    /// What the session was begun with.
    pub(crate) async fn setup(&self) -> Result<Setup, ApiError> {
        let stored = self.store()?.get(SETUP.into()).await?;
        let stored = stored.ok_or_else(ApiError::no_session)?;
        serde_json::from_slice(&stored).map_err(|error| {
            ApiError::new(
                500,
                "unreadable_session",
                format!("its setup cannot be read: {error}"),
            )
        })
    }

    /// Keeps what the session is begun with; it must be the first.
    pub(crate) async fn put_setup(&self, setup: &Setup) -> Result<(), ApiError> {
        let batch = Batch {
            require_absent: vec![SETUP.into()],
            put: vec![(SETUP.into(), serde_json::to_vec(setup)?)],
            ..Batch::default()
        };
        Ok(self.store()?.commit(batch).await?)
    }

    /// The session as it is stored; one in which nothing was said yet as it was begun.
    pub(crate) async fn stored(&self, id: &SessionId) -> Result<Session, ApiError> {
        let setup = self.setup().await?;
        match open::open(&self.storage(&setup)?, id).await {
            Err(OpenError::Missing(_)) => {
                let tools = self.host(&setup)?.tools().specs();
                let config = self.settings.session(&setup.terms, tools)?;
                Ok(Session::new(config, setup.seed, setup.created))
            }
            session => Ok(session?),
        }
    }

    /// The store as the session sees it.
    pub(crate) fn storage(&self, setup: &Setup) -> Result<SessionStorage, ApiError> {
        let principal = setup.principal.clone();
        let store = self.store()?;
        Ok(SessionStorage::new(store, self.settings.clone(), principal))
    }

    fn host(&self, setup: &Setup) -> Result<WorkerHost, ApiError> {
        let storage = self.storage(setup)?;
        WorkerHost::new(&self.settings, self.alarm.clone(), storage)
    }

    /// The session's line, as it was stored with its last record.
    async fn line(&self) -> Result<Option<Summary>, ApiError> {
        let rows = self.store()?.scan(Range::prefix("sessions/", 1)).await?;
        let line = rows.into_iter().next();
        Ok(line.and_then(|(_, line)| serde_json::from_slice(&line).ok()))
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
        let mut session = match open::open(host.storage(), id).await {
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
        self.activity.begin(is_unfinished);
        self.follow(&setup, id, &live, Mark { life, number: 0 });
        if is_unfinished {
            self.keep_awake(FIRST_ALARM_MS);
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
        spawn_local(async move {
            // Aborted or at its end: both are seen by whoever follows.
            let _ = run.await;
        });
        self.plan(id).await?;
        Ok(live)
    }

    /// Sees what happens in the session for as long as it runs.
    fn follow(self: &Rc<Self>, setup: &Setup, id: &SessionId, live: &Live, from: Mark) {
        let mut watch = live.watch(Some(from));
        let live = live.clone();
        let home = Rc::clone(self);
        let principal = setup.principal.clone();
        let id = id.clone();
        spawn_local(async move {
            while let Some((_, event)) = watch.next().await {
                if home.activity.see(&event) {
                    home.work_changed().await;
                }
                match event {
                    Event::TurnStarted { .. } | Event::Moved { .. } => {
                        home.tell_directory(&principal).await;
                    }
                    Event::TurnFinished { .. } => {
                        home.tell_directory(&principal).await;
                        home.settle_routines(&id).await;
                    }
                    Event::Stopped { .. } => {
                        // What is in memory is not what is stored: the next one opens it again.
                        home.running.borrow_mut().take();
                        live.close();
                    }
                    _ => {}
                }
            }
        });
    }

    async fn work_changed(&self) {
        if self.activity.is_working() {
            self.keep_awake(FIRST_ALARM_MS);
        } else {
            self.awake.borrow_mut().take();
            // An alarm that stays set wakes the object once, for nothing.
            let _ = self.alarm.settle().await;
        }
    }

    fn keep_awake(&self, after_ms: u64) {
        let at = WebClock.now().plus(after_ms);
        *self.awake.borrow_mut() = Some(self.alarm.wish(at));
        let alarm = self.alarm.clone();
        spawn_local(async move {
            // Where the alarm cannot be set, storage is failing and the next commit says so.
            let _ = alarm.keep().await;
        });
    }

    async fn alarm_went_off(self: &Rc<Self>) -> Result<(), ApiError> {
        self.alarm.went_off();
        self.awake.borrow_mut().take();
        let Some(id) = self.id().await? else {
            return Ok(());
        };
        let is_unfinished = self.is_unfinished().await?;
        let is_due = routine::next_due(&self.store()?, &id).await?;
        let is_due = is_due.is_some_and(|due| due <= WebClock.now());
        if is_unfinished || is_due {
            self.live(&id).await?;
        }
        if is_due {
            self.say_what_is_due(&id).await?;
        } else {
            self.plan(&id).await?;
        }
        if !is_unfinished && !is_due {
            self.tell_directory(&self.setup().await?.principal).await;
        }
        let stay = WebClock.now().plus(STAY_MS);
        select(
            pin!(self.activity.quiet()),
            pin!(WebClock.sleep_until(stay)),
        )
        .await;
        if self.activity.is_working() {
            self.keep_awake(NEXT_ALARM_MS);
        }
        Ok(self.alarm.settle().await?)
    }

    /// The session's name; none once it was deleted.
    async fn id(&self) -> Result<Option<SessionId>, ApiError> {
        let stored = self.store()?.get(SETUP.into()).await?;
        let setup: Option<Setup> = stored.and_then(|stored| serde_json::from_slice(&stored).ok());
        Ok(setup.map(|setup| setup.session))
    }

    /// Has the alarm go off when the next routine is due, unless somebody is carrying out what is
    /// due and will plan anew.
    pub(crate) async fn plan(&self, id: &SessionId) -> Result<(), ApiError> {
        if self.is_saying.get() {
            return Ok(());
        }
        let due = routine::next_due(&self.store()?, id).await?;
        *self.due.borrow_mut() = due.map(|due| self.alarm.wish(due));
        Ok(self.alarm.keep().await?)
    }

    /// Begins to say what is due, once the session is at rest.
    async fn say_what_is_due(self: &Rc<Self>, id: &SessionId) -> Result<(), ApiError> {
        if self.is_saying.replace(true) {
            return Ok(());
        }
        self.due.borrow_mut().take();
        let live = self
            .live(id)
            .await
            .inspect_err(|_| self.is_saying.set(false))?;
        let store = self.store()?;
        let home = Rc::clone(self);
        let id = id.clone();
        spawn_local(async move {
            home.activity.rest().await;
            let said = routine::run_due(&store, &WebClock, &live, &id).await;
            home.is_saying.set(false);
            // What could not be recorded stops the session too, and is tried when it is opened.
            if said.is_ok() {
                let _ = home.plan(&id).await;
            }
        });
        Ok(())
    }

    /// Completes the records of runs that another life of this object began.
    async fn settle_routines(&self, id: &SessionId) {
        if self.is_saying.get() {
            return;
        }
        if let Ok(store) = self.store() {
            // Left as it is where it fails, and done when the session is opened again.
            let _ = routine::settle(&store, id).await;
        }
    }

    /// Puts the session's line into the principal's list; tried again later where that fails.
    async fn tell_directory(&self, principal: &str) {
        if self.put_line(principal).await.is_err() && !self.activity.is_working() {
            self.keep_awake(LINE_RETRY_MS);
        }
    }

    async fn put_line(&self, principal: &str) -> Result<(), ApiError> {
        let Some(line) = self.line().await? else {
            return Ok(());
        };
        let directory = object(&self.settings.directories()?, principal)?;
        let response = call(&directory, "/line", &serde_json::to_vec(&line)?).await?;
        if response.status_code() == 200 {
            Ok(())
        } else {
            Err(ApiError::new(
                500,
                "directory_failed",
                "the list was not written",
            ))
        }
    }

    /// Ends what runs and removes everything the object holds.
    async fn delete(&self) -> Result<Response, ApiError> {
        self.setup().await?;
        if let Some(running) = self.running.borrow_mut().take() {
            running.stop.abort();
        }
        self.activity.end();
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
