//! The embedder of the page: the model's worker with half of its files, or with all of them.
//!
//! Invariant: nothing of it is fetched before a person asks; without it memory is searched by words.

use serde_json::{Value, json};
use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use tau_core::{
    json as text,
    memory::{EmbedError, EmbeddingModel},
};
use tau_platform::Embedder;

use super::{EmbeddedModel, Inner};
use crate::error::Refused;

/// Where it is.
#[derive(Clone, Debug, Default)]
pub(super) enum Status {
    #[default]
    Absent,
    Loading {
        progress: Value,
    },
    Ready {
        space: EmbeddingModel,
    },
    Failed {
        code: String,
        message: String,
    },
}

/// The vectors of some texts, once they come.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    vectors: RefCell<Option<Result<Vec<Vec<f32>>, EmbedError>>>,
    waker: RefCell<Option<Waker>>,
}

impl Wanted {
    pub(super) fn give(&self, vectors: Result<Vec<Vec<f32>>, EmbedError>) {
        self.vectors.replace(Some(vectors));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Status {
    fn show(&self) -> Value {
        match self {
            Self::Absent => json!({ "state": "absent" }),
            Self::Loading { progress } => json!({ "state": "loading", "progress": progress }),
            Self::Ready { space } => json!({ "state": "ready", "model": space.name }),
            Self::Failed { code, message } => {
                json!({ "state": "failed", "error": { "code": code, "message": message } })
            }
        }
    }
}

impl EmbeddedModel {
    /// Loads the embedder alone, whose manifest is in the folder `url`. Returns once it is there; the page is told of
    /// the progress.
    pub(crate) async fn load_embedder(&self, url: &str) -> Result<Value, Refused> {
        let inner = &self.inner;
        if matches!(&*inner.embedder.borrow(), Status::Ready { .. }) {
            return Ok(self.embedder_status());
        }
        if !matches!(&*inner.embedder.borrow(), Status::Loading { .. }) {
            inner.embedder_ended.take();
            inner.embedder_becomes(Status::Loading {
                progress: Value::Null,
            });
            if let Err(message) = inner.send(&json!({ "load_embedder": { "url": url } })) {
                inner.embedder_failed("worker".into(), message);
            }
        }
        let ended = inner.embedder_ended.borrow().clone();
        ended.wait().await;
        match &*inner.embedder.borrow() {
            Status::Failed { code, message } => {
                Err(Refused::new("model", format!("{message} ({code})")))
            }
            Status::Ready { .. } => Ok(inner.embedder.borrow().show()),
            _ => Err(Refused::new("model", "the embedder was unloaded")),
        }
    }

    /// For the page.
    pub(crate) fn embedder_status(&self) -> Value {
        self.inner.embedder.borrow().show()
    }
}

impl Inner {
    pub(super) fn embedder_becomes(&self, status: Status) {
        self.browser.tell("embedder", &status.show());
        self.embedder.replace(status);
    }

    pub(super) fn embedder_progress(&self, progress: Value) {
        self.embedder_becomes(Status::Loading { progress });
    }

    /// `space` is an [`EmbeddingModel`] as JSON text.
    pub(super) fn embedder_loaded(&self, space: &str) {
        match text::from_str(space) {
            Ok(space) => {
                self.embedder_becomes(Status::Ready { space });
                self.embedder_ended.borrow().give();
            }
            Err(error) => self.embedder_failed("unsupported".into(), error.to_string()),
        }
    }

    pub(super) fn embedder_failed(&self, code: String, message: String) {
        self.embedder_becomes(Status::Failed { code, message });
        self.embedder_ended.borrow().give();
    }

    /// `vectors` is a list of lists as JSON text.
    pub(super) fn embedded(&self, id: u64, vectors: &str) {
        if let Some(wanted) = self.wanted.borrow_mut().remove(&id) {
            let vectors = text::from_str::<Vec<Vec<f64>>>(vectors);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "they were written from `f32`"
            )]
            let narrowed = |vector: Vec<f64>| vector.into_iter().map(|x| x as f32).collect();
            let vectors = vectors.map(|vectors| vectors.into_iter().map(narrowed).collect());
            wanted.give(vectors.map_err(|error| failed(error.to_string())));
        }
    }

    /// Whether it was texts that were to be embedded; they are not, now.
    pub(super) fn embedding_failed(&self, id: u64, why: &str) -> bool {
        let wanted = self.wanted.borrow_mut().remove(&id);
        let is_ours = wanted.is_some();
        if let Some(wanted) = wanted {
            wanted.give(Err(failed(why.into())));
        }
        is_ours
    }

    /// The worker is gone.
    pub(super) fn embedder_ends(&self, why: &str) {
        for wanted in std::mem::take(&mut *self.wanted.borrow_mut()).into_values() {
            wanted.give(Err(failed(why.into())));
        }
        if !matches!(&*self.embedder.borrow(), Status::Absent) {
            self.embedder_becomes(Status::Absent);
            self.embedder_ended.borrow().give();
        }
    }
}

impl Embedder for EmbeddedModel {
    fn model(&self) -> Option<EmbeddingModel> {
        match &*self.inner.embedder.borrow() {
            Status::Ready { space } => Some(space.clone()),
            _ => None,
        }
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let inner = &self.inner;
        if self.model().is_none() {
            return Err(EmbedError::Unavailable {
                detail: "it is not loaded; load it in the settings".into(),
            });
        }
        let id = inner.next.get();
        inner.next.set(id + 1);
        let sent = inner.send(&json!({ "embed": { "id": id, "texts": texts } }));
        sent.map_err(failed)?;
        let wanted = Rc::new(Wanted::default());
        inner.wanted.borrow_mut().insert(id, Rc::clone(&wanted));
        let _stop = StopOnDrop { id, inner };
        poll_fn(|cx| match wanted.vectors.take() {
            Some(vectors) => Poll::Ready(vectors),
            None => {
                wanted.waker.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// Gives texts up that nobody waits for any more.
struct StopOnDrop<'a> {
    id: u64,
    inner: &'a Rc<Inner>,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if self.inner.wanted.borrow_mut().remove(&self.id).is_some() {
            // Without a worker there is nothing to cancel.
            drop(self.inner.send(&json!({ "cancel": { "id": self.id } })));
        }
    }
}

fn failed(detail: String) -> EmbedError {
    EmbedError::Failed {
        detail,
        retry: true,
    }
}
