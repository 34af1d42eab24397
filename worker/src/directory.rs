//! One object a principal: how often they may ask, how many calls their sessions make, which
//! sessions they have, what is remembered.
//!
//! Invariants:
//! - The rates are kept in memory: asking costs no write, and an object that was evicted was idle for
//!   longer than its bucket takes to fill up noticeably.

use futures_util::FutureExt;
use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    journal::{Summary, summary_key},
    json::{self, FromJson, ToJson, object_of},
    memory::{self, Failure, Reply},
    policy::rates::{RateLimits, Window},
    session::Batch,
};
use tau_platform::{Clock, Embedder, MemoryTools, Storage, memory::Service, messages::Desk, open};
use tau_target_durable::DurableStorage;
use tau_target_web::WebClock;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    config::{Settings, memory_access},
    embed::WorkerEmbedder,
    errors::ApiError,
    identity, inbox,
    routes::{bundle, memory as memory_routes},
    wire::{Incoming, told},
};

/// The path at which one request is asked for.
pub(crate) const ADMIT: &str = "/admit";
/// The path at which a tool's call is counted: [`RateLimits`] give `null`, or when it is free.
pub(crate) const COUNT: &str = "/count";

/// The path at which a session asks memory: a [`memory::Request`] gives a [`Served`].
pub(crate) const REMEMBER: &str = "/remember";
/// Entries of a principal: an isolate has 128 MB, and what is searched lies in it.
const ENTRY_LIMIT: u64 = 50_000;

/// Entries that get a vector after a request: one request to whatever makes them.
const EMBEDDED_LATER: usize = 32;

/// What a principal's sessions remember.
pub(crate) type Memory = Service<DurableStorage, WorkerEmbedder, WebClock>;

/// The object of one principal.
#[durable_object(fetch)]
pub struct Directory {
    state: State,
    settings: Settings,
    store: OnceCell<DurableStorage>,
    memory: OnceCell<Rc<Memory>>,
    /// Whether entries are given vectors just now: two at once would give the same ones.
    is_embedding: Rc<Cell<bool>>,
    bucket: Cell<Option<Bucket>>,
    calls: RefCell<Window>,
    /// Who sent how many messages lately, in the object that takes them.
    desk: Desk,
}

/// A token bucket: full it allows a minute's requests at once, and it fills up in a minute.
#[derive(Clone, Copy)]
struct Bucket {
    /// In thousandths of a request.
    left_milli: u64,
    at: UnixMillis,
}

impl DurableObject for Directory {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            settings: Settings::new(env),
            store: OnceCell::new(),
            memory: OnceCell::new(),
            is_embedding: Rc::default(),
            bucket: Cell::new(None),
            calls: RefCell::default(),
            desk: Desk::default(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match self.answer(request).await {
            Ok(response) => Ok(response),
            Err(error) => error.response(),
        }
    }
}

impl Directory {
    async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        let incoming = Incoming::read(request).await?;
        if incoming.path == ADMIT {
            self.take_from_bucket()?;
            return Ok(Response::empty()?);
        }
        if incoming.path == COUNT {
            return self.count(&incoming);
        }
        // Apart from what every request asks for: the runtime compiles a function when it is first
        // called, and the first word waits for that.
        self.stored(&incoming).boxed_local().await
    }

    /// Answers what needs the store.
    async fn stored(&self, incoming: &Incoming) -> Result<Response, ApiError> {
        let store = match self.store.get() {
            Some(store) => store.clone(),
            None => {
                let store = DurableStorage::open(self.state.storage())?;
                self.store.get_or_init(|| store).clone()
            }
        };
        match incoming.path.as_str() {
            "/list" => {
                self.take_from_bucket()?;
                list(&store).await
            }
            "/begin" => {
                self.take_from_bucket()?;
                self.begin(&store, incoming).await
            }
            "/line" => update(&store, incoming).await,
            "/forget" => forget(&store, incoming).await,
            path @ (identity::KEYS | identity::LOG) => {
                let answer = identity::answer(&store, &self.settings, path);
                answer.boxed_local().await
            }
            path if path.starts_with(inbox::OBJECT) => {
                let desk = &self.desk;
                let answer = inbox::answer(&store, &self.settings, desk, incoming);
                answer.boxed_local().await
            }
            REMEMBER => {
                let request: memory::Request = json::from_slice(incoming.body())?;
                let memory = self.memory(&store)?;
                let access = request.access.clone();
                let served = memory.serve(request).await;
                self.embed_later(&memory, access);
                Ok(told(&Served::from(served))?)
            }
            memory_routes::PATH => {
                self.take_from_bucket()?;
                let policy = self.settings.policy()?;
                let memory = self.memory(&store)?;
                let answer = memory_routes::answer(&memory, &policy, incoming).await;
                self.embed_later(&memory, memory_access());
                answer
            }
            bundle::PATH => {
                self.take_from_bucket()?;
                self.import(&store, incoming).boxed_local().await
            }
            _ => Err(ApiError::new(
                404,
                "no_such_route",
                "a directory has no such path",
            )),
        }
    }

    /// Takes over a bundle, and lists the sessions in it.
    async fn import(
        &self,
        store: &DurableStorage,
        incoming: &Incoming,
    ) -> Result<Response, ApiError> {
        let memory = self.memory(store)?;
        let imported = bundle::import(&self.settings, store, &memory, incoming).await;
        self.embed_later(&memory, memory_access());
        imported
    }

    /// Refuses one more session than there may be.
    async fn need_place(&self, store: &DurableStorage) -> Result<(), ApiError> {
        let limit = self.settings.sessions_per_principal()?;
        if open::list(store).await?.len() >= limit as usize {
            return Err(ApiError::new(
                409,
                "too_many_sessions",
                format!("there are {limit} sessions already"),
            )
            .hint("DELETE some"));
        }
        Ok(())
    }

    /// What is remembered for all sessions. Kept for as long as the object is in memory.
    fn memory(&self, store: &DurableStorage) -> Result<Rc<Memory>, ApiError> {
        if let Some(memory) = self.memory.get() {
            return Ok(Rc::clone(memory));
        }
        let embedder = WorkerEmbedder::new(&self.settings)?;
        let memory = Service::new(store.clone(), embedder, WebClock);
        let memory = Rc::new(memory.with_entry_limit(ENTRY_LIMIT));
        Ok(Rc::clone(self.memory.get_or_init(|| memory)))
    }

    /// Gives vectors to some entries that have none by the model that is set, after the answer: those
    /// kept before there was one, or with another. The next request goes on with the rest.
    fn embed_later(&self, memory: &Rc<Memory>, access: memory::Access) {
        if memory.embedder().model().is_none() || self.is_embedding.replace(true) {
            return;
        }
        let (memory, is_embedding) = (Rc::clone(memory), Rc::clone(&self.is_embedding));
        self.state.wait_until(async move {
            for scope in access.scopes() {
                // What fails is told by the search that misses it.
                drop(memory.embed_missing(scope, EMBEDDED_LATER).await);
            }
            is_embedding.set(false);
        });
    }

    fn count(&self, incoming: &Incoming) -> Result<Response, ApiError> {
        let limits: RateLimits = json::from_slice(incoming.body())?;
        let now = WebClock.now();
        let mut calls = self.calls.borrow_mut();
        let free_at = calls.free_at(&limits).filter(|until| *until > now);
        if free_at.is_none() {
            calls.note(limits.class, now);
        }
        Ok(told(&free_at)?)
    }

    fn take_from_bucket(&self) -> Result<(), ApiError> {
        let per_minute = u64::from(self.settings.requests_per_minute()?.max(1));
        let now = WebClock.now();
        let full = per_minute * 1_000;
        let bucket = self.bucket.get().unwrap_or(Bucket {
            left_milli: full,
            at: now,
        });
        let (bucket, allowed) = bucket.take(per_minute, now);
        self.bucket.set(Some(bucket));
        if allowed {
            return Ok(());
        }
        // Until one whole request has flown in.
        let wait_ms = (1_000 - bucket.left_milli) * 60 / per_minute;
        Err(ApiError::new(
            429,
            "too_many_requests",
            format!("more than {per_minute} requests in a minute"),
        )
        .hint("wait as long as Retry-After says")
        .header("retry-after", wait_ms.div_ceil(1_000).max(1).to_string()))
    }

    async fn begin(
        &self,
        store: &DurableStorage,
        incoming: &Incoming,
    ) -> Result<Response, ApiError> {
        let line = line(incoming)?;
        self.need_place(store).await?;
        put_line(store, &line).await?;
        Ok(Response::empty()?)
    }
}

impl Bucket {
    /// What is left at `now` once a request was taken, and whether there was one to take.
    fn take(self, per_minute: u64, now: UnixMillis) -> (Self, bool) {
        // A thousandth of a request flows in every 60 / per_minute ms.
        let flown_in = now.since(self.at).saturating_mul(per_minute) / 60;
        let left = self.left_milli.saturating_add(flown_in);
        let full = per_minute * 1_000;
        // The time of what has flown in is used up, the rest of it counts next time.
        let at = if left >= full {
            now
        } else {
            self.at.plus((flown_in * 60).div_ceil(per_minute))
        };
        match left.min(full).checked_sub(1_000) {
            Some(left_milli) => (Self { left_milli, at }, true),
            None => (
                Self {
                    left_milli: left,
                    at,
                },
                false,
            ),
        }
    }
}

async fn list(store: &DurableStorage) -> Result<Response, ApiError> {
    let lines = open::list(store).await?;
    Ok(told(&object_of([("sessions", json::to_value(&lines))]))?)
}

/// A session that was deleted meanwhile does not come back.
async fn update(store: &DurableStorage, incoming: &Incoming) -> Result<Response, ApiError> {
    let line = line(incoming)?;
    if store.get(summary_key(&line.session)).await?.is_some() {
        put_line(store, &line).await?;
    }
    Ok(Response::empty()?)
}

/// Lists a session, or what is new of it.
pub(crate) async fn put_line(store: &DurableStorage, line: &Summary) -> Result<(), ApiError> {
    let value = json::to_vec(line);
    let batch = Batch {
        put: vec![(summary_key(&line.session), value)],
        ..Batch::default()
    };
    Ok(store.commit(batch).await?)
}

async fn forget(store: &DurableStorage, incoming: &Incoming) -> Result<Response, ApiError> {
    let key = session(incoming)?.as_ref().map(summary_key);
    let Some(key) = key else {
        return Err(ApiError::no_session());
    };
    if store.get(key.clone()).await?.is_none() {
        return Err(ApiError::no_session());
    }
    let batch = Batch {
        delete: vec![key],
        ..Batch::default()
    };
    store.commit(batch).await?;
    Ok(Response::empty()?)
}

/// What memory answers, as it goes from the directory to a session.
#[derive(FromJson, ToJson)]
pub(crate) struct Served {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl Served {
    /// As the session's host gives it on.
    pub(crate) fn result(self) -> Result<Reply, Failure> {
        match (self.reply, self.failure) {
            (Some(reply), _) => Ok(reply),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(Failure::Damaged {
                detail: "the directory answered nothing".into(),
            }),
        }
    }
}

impl From<Result<Reply, Failure>> for Served {
    fn from(result: Result<Reply, Failure>) -> Self {
        match result {
            Ok(reply) => Self {
                reply: Some(reply),
                failure: None,
            },
            Err(failure) => Self {
                reply: None,
                failure: Some(failure),
            },
        }
    }
}

fn session(incoming: &Incoming) -> Result<Option<SessionId>, ApiError> {
    Ok(incoming.fields()?.text("session")?.map(SessionId))
}

fn line(incoming: &Incoming) -> Result<Summary, ApiError> {
    Summary::read(incoming.body()).ok_or_else(|| ApiError::invalid("this is no session's line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_allows_a_minutes_requests_and_then_its_rate() {
        let start = UnixMillis(1_000_000);
        let mut bucket = Bucket {
            left_milli: 120_000,
            at: start,
        };
        let mut ask = |at: u64| {
            let (after, allowed) = bucket.take(120, UnixMillis(start.0 + at));
            bucket = after;
            allowed
        };
        assert_eq!((0..200).filter(|_| ask(0)).count(), 120);
        assert!(!ask(400));
        assert!(ask(500), "one request flows in every half second");
        assert!(!ask(501));
        assert_eq!(
            (0..200).filter(|_| ask(10_000_000)).count(),
            120,
            "it is full, not fuller"
        );
    }

    #[test]
    fn asking_all_the_time_does_not_stop_the_flow() {
        let mut bucket = Bucket {
            left_milli: 0,
            at: UnixMillis(0),
        };
        let mut allowed = 0;
        for at in 0..60_000 {
            let (after, is_allowed) = bucket.take(7, UnixMillis(at));
            bucket = after;
            allowed += u32::from(is_allowed);
        }
        assert!((6..=7).contains(&allowed), "{allowed}");
    }
}
