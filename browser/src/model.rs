//! The embedded model, which runs in a Web Worker of its own: this end of the messages that
//! `www/model.js` describes.
//!
//! Invariant: it is started when a person asks for it, never before, and everything that waits for
//! it is answered when it goes away.

mod embedder;

use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use tau_core::{
    json::{self, FromJson},
    model::{Delta, ModelConfig, ModelRequest},
    session::GenerateError,
};
use tau_platform::{Generation, LocalModel};
use wasm_bindgen::prelude::*;

use crate::{
    browser::{Browser, ModelWorker, words},
    error::Refused,
    signal::Signal,
};

/// How a session that uses the model is set up.
#[derive(Clone, Debug, FromJson)]
pub(crate) struct Loaded {
    pub(crate) model: ModelConfig,
    pub(crate) system: String,
    pub(crate) tools: Vec<String>,
    limits: String,
}

/// What the model's worker says.
#[derive(FromJson)]
#[serde(rename_all = "snake_case")]
enum Message {
    Progress(Value),
    /// [`Loaded`] as JSON text.
    Loaded(String),
    LoadFailed {
        code: String,
        message: String,
    },
    /// A [`Delta`] as JSON text.
    Piece {
        id: u64,
        delta: String,
    },
    Done {
        id: u64,
    },
    Failed {
        id: u64,
        code: String,
        message: String,
    },
    Broken {
        message: String,
    },
    /// An `EmbeddingModel` as JSON text.
    EmbedderLoaded(String),
    EmbedderFailed {
        code: String,
        message: String,
    },
    /// A list of lists as JSON text.
    Embedded {
        id: u64,
        vectors: String,
    },
}

/// The embedded model of this page. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddedModel {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    browser: Rc<Browser>,
    running: RefCell<Option<Running>>,
    status: RefCell<Status>,
    /// Given when the load under way has ended.
    ended: RefCell<Signal>,
    answers: RefCell<BTreeMap<u64, Rc<Answer>>>,
    embedder: RefCell<embedder::Status>,
    /// Given when the embedder's load under way has ended.
    embedder_ended: RefCell<Signal>,
    wanted: RefCell<BTreeMap<u64, Rc<embedder::Wanted>>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Running {
    worker: ModelWorker,
    /// What the worker's messages call: it lives as long as the worker.
    _hear: Closure<dyn FnMut(String)>,
}

#[derive(Clone, Debug)]
enum Status {
    Absent,
    Loading {
        url: String,
        progress: Value,
    },
    Ready {
        url: String,
        loaded: Rc<Loaded>,
    },
    Failed {
        url: String,
        code: String,
        message: String,
    },
}

/// One answer as it arrives.
#[derive(Debug, Default)]
struct Answer {
    pieces: RefCell<VecDeque<Result<Option<Delta>, GenerateError>>>,
    waker: RefCell<Option<Waker>>,
}

impl Answer {
    fn push(&self, piece: Result<Option<Delta>, GenerateError>) {
        self.pieces.borrow_mut().push_back(piece);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl EmbeddedModel {
    /// No model yet.
    pub(crate) fn new(browser: &Rc<Browser>) -> Self {
        Self {
            inner: Rc::new(Inner {
                browser: Rc::clone(browser),
                running: RefCell::new(None),
                status: RefCell::new(Status::Absent),
                ended: RefCell::default(),
                answers: RefCell::default(),
                embedder: RefCell::default(),
                embedder_ended: RefCell::default(),
                wanted: RefCell::default(),
                next: Cell::new(1),
            }),
        }
    }

    /// Loads the model whose manifest is in the folder `url`. Returns once it is there; the page is
    /// told of the progress.
    pub(crate) async fn load(&self, url: &str) -> Result<Value, Refused> {
        let inner = &self.inner;
        let is_loading = matches!(&*inner.status.borrow(), Status::Loading { .. });
        let is_ready = matches!(&*inner.status.borrow(), Status::Ready { .. });
        if is_ready {
            return Ok(self.status());
        }
        if !is_loading {
            inner.ended.replace(Signal::default());
            inner.become_(Status::Loading {
                url: url.into(),
                progress: Value::Null,
            });
            if let Err(message) = inner.send(&json!({ "load": { "url": url } })) {
                inner.load_failed("worker".into(), message);
            }
        }
        let ended = inner.ended.borrow().clone();
        ended.wait().await;
        match &*inner.status.borrow() {
            Status::Ready { .. } => Ok(self.status()),
            Status::Failed { code, message, .. } => {
                Err(Refused::new("model", format!("{message} ({code})")))
            }
            _ => Err(Refused::new("model", "the model was unloaded")),
        }
    }

    /// Ends the model and gives its memory back. Its files stay in the browser's cache.
    pub(crate) fn unload(&self) {
        self.inner.end("the model was unloaded");
        self.inner.become_(Status::Absent);
        self.inner.ended.borrow().give();
    }

    /// For the page.
    pub(crate) fn status(&self) -> Value {
        self.inner.status.borrow().show()
    }

    /// How a session that uses the model is set up; nothing when it is not there.
    pub(crate) fn loaded(&self) -> Option<Rc<Loaded>> {
        match &*self.inner.status.borrow() {
            Status::Ready { loaded, .. } => Some(Rc::clone(loaded)),
            _ => None,
        }
    }
}

impl Status {
    fn show(&self) -> Value {
        match self {
            Self::Absent => json!({ "state": "absent" }),
            Self::Loading { url, progress } => {
                json!({ "state": "loading", "url": url, "progress": progress })
            }
            Self::Ready { url, loaded } => json!({
                "state": "ready",
                "url": url,
                "model": loaded.model.name,
                "limits": loaded.limits,
            }),
            Self::Failed { url, code, message } => json!({
                "state": "failed",
                "url": url,
                "error": { "code": code, "message": message },
            }),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Loading { url, .. } | Self::Ready { url, .. } | Self::Failed { url, .. } => {
                url.clone()
            }
        }
    }
}

impl Inner {
    /// Sends a message, to a worker that is started for it if there is none. Fails with the reason
    /// why the browser starts none.
    fn send(self: &Rc<Self>, message: &Value) -> Result<(), String> {
        let mut running = self.running.borrow_mut();
        if running.is_none() {
            let inner = Rc::downgrade(self);
            let hear = Closure::new(move |message: String| {
                if let Some(inner) = inner.upgrade() {
                    inner.hear(&message);
                }
            });
            let started = self.browser.start_model(&hear);
            let worker = started.map_err(|thrown| words(&thrown))?;
            *running = Some(Running {
                worker,
                _hear: hear,
            });
        }
        if let Some(running) = &*running {
            running.worker.send(&message.to_string());
        }
        Ok(())
    }

    fn hear(self: &Rc<Self>, message: &str) {
        let message = match json::from_str(message) {
            Ok(message) => message,
            Err(error) => Message::Broken {
                message: format!("the model's worker does not speak this version: {error}"),
            },
        };
        match message {
            Message::Progress(progress) if progress["of"] == "embedder" => {
                self.embedder_progress(progress);
            }
            Message::EmbedderLoaded(space) => self.embedder_loaded(&space),
            Message::EmbedderFailed { code, message } => self.embedder_failed(code, message),
            Message::Embedded { id, vectors } => self.embedded(id, &vectors),
            Message::Progress(progress) => {
                let url = self.status.borrow().url();
                self.become_(Status::Loading { url, progress });
            }
            Message::Loaded(loaded) => self.loaded(&loaded),
            Message::LoadFailed { code, message } => self.load_failed(code, message),
            Message::Piece { id, delta } => {
                let delta = json::from_str(&delta).map(Some);
                self.push(id, delta.map_err(|error| failed(&error.to_string())));
            }
            Message::Done { id } => {
                self.push(id, Ok(None));
                self.answers.borrow_mut().remove(&id);
            }
            Message::Failed { id, code, message }
                if self.embedding_failed(id, &format!("{message} ({code})")) => {}
            Message::Failed { id, code, message } => {
                self.push(id, Err(failed(&format!("{message} ({code})"))));
                self.answers.borrow_mut().remove(&id);
            }
            Message::Broken { message } => {
                self.end(&message);
                self.load_failed("broken".into(), message);
            }
        }
    }

    fn loaded(self: &Rc<Self>, text: &str) {
        let url = self.status.borrow().url();
        match json::from_str(text) {
            Ok(loaded) => {
                let loaded = Rc::new(loaded);
                self.become_(Status::Ready { url, loaded });
                // The model has an embedder of its own: answered at once.
                if let Err(message) = self.send(&json!({ "load_embedder": { "url": "" } })) {
                    self.embedder_failed("worker".into(), message);
                }
                self.ended.borrow().give();
            }
            Err(error) => self.load_failed("unsupported".into(), error.to_string()),
        }
    }

    fn load_failed(&self, code: String, message: String) {
        let url = self.status.borrow().url();
        self.become_(Status::Failed { url, code, message });
        self.ended.borrow().give();
    }

    fn push(&self, id: u64, piece: Result<Option<Delta>, GenerateError>) {
        if let Some(answer) = self.answers.borrow().get(&id) {
            answer.push(piece);
        }
    }

    fn become_(&self, status: Status) {
        self.browser.tell("model", &status.show());
        self.status.replace(status);
    }

    /// Ends the worker, and what waits for it.
    fn end(&self, why: &str) {
        // Dropped later: this may be called by the very closure that is dropped with it.
        if let Some(running) = self.running.take() {
            running.worker.stop();
            wasm_bindgen_futures::spawn_local(async move { drop(running) });
        }
        self.embedder_ends(why);
        for answer in std::mem::take(&mut *self.answers.borrow_mut()).into_values() {
            answer.push(Err(failed(why)));
        }
    }
}

impl LocalModel for EmbeddedModel {
    type Generation = Writing;

    async fn generate(&self, request: ModelRequest) -> Result<Writing, GenerateError> {
        if self.loaded().is_none() {
            return Err(GenerateError::Unavailable {
                detail: "it is not loaded; load it in the settings, or set a provider".into(),
            });
        }
        let request = json::to_string(&request);
        let inner = &self.inner;
        let id = inner.next.get();
        inner.next.set(id + 1);
        let answer = Rc::new(Answer::default());
        let sent = inner.send(&json!({ "generate": { "id": id, "request": request } }));
        sent.map_err(|message| failed(&message))?;
        inner.answers.borrow_mut().insert(id, Rc::clone(&answer));
        Ok(Writing {
            id,
            answer,
            model: self.clone(),
        })
    }
}

/// An answer while it is written. Dropping it ends the work at the next token.
#[derive(Debug)]
pub(crate) struct Writing {
    id: u64,
    answer: Rc<Answer>,
    model: EmbeddedModel,
}

impl Generation for Writing {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        poll_fn(|cx| match self.answer.pieces.borrow_mut().pop_front() {
            Some(piece) => Poll::Ready(piece),
            None => {
                self.answer.waker.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let inner = &self.model.inner;
        if inner.answers.borrow_mut().remove(&self.id).is_some() {
            // Without a worker there is nothing to cancel.
            drop(inner.send(&json!({ "cancel": { "id": self.id } })));
        }
    }
}

fn failed(detail: &str) -> GenerateError {
    GenerateError::Failed {
        detail: detail.into(),
    }
}
