//! Effects under way, and what stays open between them.
//!
//! Invariant: once an effect is cancelled, its future and whatever it had opened are dropped, before
//! anything else is polled.

use alloc::{boxed::Box, string::ToString, vec::Vec};
use core::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use tau_core::{
    ids::EffectId,
    memory,
    model::ModelRequest,
    session::{Answer, Batch, Effect, GenerateError, HttpError, HttpRequest},
    tool::ToolRun,
};

use crate::{
    host::{Generation, Host, HostTools, LocalModel},
    http::{Body, Http},
    memory::MemoryTools,
    receipts::Receipts,
};

/// Something of the home that an effect opened and later effects read.
pub(super) enum Open<B, G> {
    /// The body of a response.
    Body(B),
    /// An answer of the in-process model.
    Generation(G),
}

/// What effects leave for those that come later.
pub(super) struct Held<B, G> {
    /// What is open and not being read right now, by the effect that opened it: one or two things, for
    /// which a map is kilobytes of a module.
    open: Vec<(EffectId, Open<B, G>)>,
    /// How far what was done is signed; lent to one commit at a time.
    receipts: Receipts,
}

impl<B, G> Held<B, G> {
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            receipts: Receipts::default(),
        }
    }

    /// Lends what `effect` reads to it.
    pub(super) fn prepare(&mut self, effect: Effect) -> Work<B, G> {
        match effect {
            Effect::HttpRead { of } => match self.remove(of) {
                Some(Open::Body(body)) => Work::Read { of, body },
                _ => Work::Lost(Answer::HttpChunk(Err(HttpError::Reset {
                    detail: "the response is no longer open".to_string(),
                }))),
            },
            Effect::GenerateNext { of } => match self.remove(of) {
                Some(Open::Generation(generation)) => Work::Next { of, generation },
                _ => Work::Lost(Answer::Generated(Err(GenerateError::Failed {
                    detail: "the generation is no longer open".to_string(),
                }))),
            },
            Effect::Commit(batch) => Work::Commit(batch, mem::take(&mut self.receipts)),
            Effect::Memory(request) => Work::Memory(request),
            Effect::HttpSend(request) => Work::Send(request),
            Effect::Generate(request) => Work::Generate(request),
            Effect::RunTool(run) => Work::Tool(run),
        }
    }

    /// Takes back what a finished effect leaves open.
    pub(super) fn keep(&mut self, done: Done<B, G>) -> (EffectId, Answer) {
        if let Some((of, open)) = done.open {
            self.open.push((of, open));
        }
        if let Some(receipts) = done.receipts {
            self.receipts = receipts;
        }
        (done.id, done.answer)
    }

    pub(super) fn cancel(&mut self, id: EffectId) {
        self.remove(id);
    }

    fn remove(&mut self, id: EffectId) -> Option<Open<B, G>> {
        let place = self.open.iter().position(|(of, _)| *of == id)?;
        Some(self.open.swap_remove(place).1)
    }
}

/// One effect, with what it reads.
pub(super) enum Work<B, G> {
    /// [`Effect::Commit`].
    Commit(Batch, Receipts),
    /// [`Effect::Memory`].
    Memory(memory::Request),
    /// [`Effect::HttpSend`].
    Send(HttpRequest),
    /// [`Effect::Generate`].
    Generate(ModelRequest),
    /// [`Effect::RunTool`].
    Tool(ToolRun),
    /// [`Effect::HttpRead`].
    Read {
        /// The effect that opened it.
        of: EffectId,
        body: B,
    },
    /// [`Effect::GenerateNext`].
    Next {
        /// The effect that opened it.
        of: EffectId,
        generation: G,
    },
    /// What it reads is gone.
    Lost(Answer),
}

impl<B, G> Work<B, G> {
    /// The effect without which this one makes no sense.
    pub(super) fn source(&self) -> Option<EffectId> {
        match self {
            Self::Read { of, .. } | Self::Next { of, .. } => Some(*of),
            _ => None,
        }
    }
}

/// A finished effect.
pub(super) struct Done<B, G> {
    id: EffectId,
    answer: Answer,
    open: Option<(EffectId, Open<B, G>)>,
    receipts: Option<Receipts>,
}

/// Does one effect. Dropping the future ends it.
pub(super) async fn perform<H: Host>(
    host: &H,
    id: EffectId,
    work: Work<<H::Http as Http>::Body, <H::Model as LocalModel>::Generation>,
) -> Done<<H::Http as Http>::Body, <H::Model as LocalModel>::Generation> {
    let mut open = None;
    let mut signed = None;
    let answer = match work {
        Work::Commit(batch, mut receipts) => {
            let committed = receipts.commit(host.storage(), host.signer(), batch).await;
            signed = Some(receipts);
            Answer::Committed(committed)
        }
        Work::Memory(request) => Answer::Memory(host.memory().serve(request).await),
        Work::Send(request) => {
            Answer::HttpHead(host.http().send(request).await.map(|(head, body)| {
                open = Some((id, Open::Body(body)));
                head
            }))
        }
        Work::Generate(request) => {
            Answer::Generating(host.model().generate(request).await.map(|generation| {
                open = Some((id, Open::Generation(generation)));
            }))
        }
        Work::Tool(run) => Answer::Tool(host.tools().run(id, run).await),
        Work::Read { of, mut body } => {
            let chunk = body.chunk().await;
            if matches!(chunk, Ok(Some(_))) {
                open = Some((of, Open::Body(body)));
            }
            Answer::HttpChunk(chunk)
        }
        Work::Next { of, mut generation } => {
            let delta = generation.next().await;
            if matches!(delta, Ok(Some(_))) {
                open = Some((of, Open::Generation(generation)));
            }
            Answer::Generated(delta)
        }
        Work::Lost(answer) => answer,
    };
    Done {
        id,
        answer,
        open,
        receipts: signed,
    }
}

/// The effects under way, oldest first.
///
/// A plain list: there are rarely more than a handful, polling those that are not ready costs less
/// than a waker for each would, the order is that of the effects, and one can be dropped at once.
pub(super) struct Running<F>(Vec<Slot<F>>);

struct Slot<F> {
    id: EffectId,
    /// The effect that opened what this one reads.
    source: Option<EffectId>,
    future: Pin<Box<F>>,
}

impl<F: Future> Running<F> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn start(&mut self, id: EffectId, source: Option<EffectId>, future: F) {
        self.0.push(Slot {
            id,
            source,
            future: Box::pin(future),
        });
    }

    /// Drops the effect, and the one that reads what it opened.
    pub(super) fn cancel(&mut self, id: EffectId) {
        self.0
            .retain(|slot| slot.id != id && slot.source != Some(id));
    }

    /// The oldest effect that is finished. On `None` all of them have been polled.
    pub(super) fn poll_one(&mut self, cx: &mut Context<'_>) -> Option<F::Output> {
        for at in 0..self.0.len() {
            if let Poll::Ready(output) = self.0[at].future.as_mut().poll(cx) {
                self.0.remove(at);
                return Some(output);
            }
        }
        None
    }
}
