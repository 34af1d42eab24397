//! One model call in the home's hands, over HTTP or in the process.
//!
//! States: sent, then either reading an error's body or reading the answer. Nothing of it is
//! durable: what was streamed of a call that breaks off does not count.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::retry;
use crate::{
    ids::EffectId,
    model::{Api, Assembled, Assembler, Delta, ModelConfig, ModelRequest},
    safety::{Gate, Streamed},
    session::{Answer, Budget, Effect, GenerateError, HttpHead},
    wire::{self, Decoder, ProviderError},
};

/// A call and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelCall {
    effect: EffectId,
    model: Arc<ModelConfig>,
    purpose: Purpose,
    stage: Stage,
    streamed: Streamed,
}

/// What the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The person; `last` when the model was told that it is its last in this turn, and why.
    Answer { last: Option<Budget> },
    /// The session itself: a summary.
    Summary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Sent,
    ErrorBody {
        read: EffectId,
        head: HttpHead,
        body: Vec<u8>,
    },
    Streaming {
        read: EffectId,
        decoder: Decoder,
        assembler: Assembler,
    },
    Starting,
    Generating {
        read: EffectId,
        assembler: Assembler,
    },
}

/// What follows from an answer of the home.
#[derive(Debug)]
pub(crate) enum Next {
    Wait,
    Effect(EffectId, Effect),
    Done,
    Failed(ProviderError),
}

impl ModelCall {
    pub(crate) fn start(
        effect: EffectId,
        request: ModelRequest,
        purpose: Purpose,
        replaying: bool,
    ) -> (Self, Effect) {
        let model = request.model.clone();
        let http = if replaying {
            None
        } else {
            wire::encode(&request)
        };
        let (stage, first) = match http {
            Some(http) => (Stage::Sent, Effect::HttpSend(http)),
            None => (Stage::Starting, Effect::Generate(request)),
        };
        (
            Self {
                effect,
                model,
                purpose,
                stage,
                streamed: Streamed::default(),
            },
            first,
        )
    }

    pub(crate) fn effect(&self) -> EffectId {
        self.effect
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The effect whose answer moves it on.
    fn awaited(&self) -> EffectId {
        match &self.stage {
            Stage::Sent | Stage::Starting => self.effect,
            Stage::ErrorBody { read, .. }
            | Stage::Streaming { read, .. }
            | Stage::Generating { read, .. } => *read,
        }
    }

    pub(crate) fn waits_for(&self, id: EffectId) -> bool {
        self.awaited() == id
    }

    /// Everything the home may hold for it.
    pub(crate) fn effects(&self) -> impl Iterator<Item = EffectId> + use<> {
        let read = Some(self.awaited()).filter(|id| *id != self.effect);
        read.into_iter().chain([self.effect])
    }

    /// What has come so far, complete or not.
    pub(crate) fn finish(self) -> Assembled {
        let assembler = match self.stage {
            Stage::Streaming { assembler, .. } | Stage::Generating { assembler, .. } => assembler,
            Stage::Sent | Stage::ErrorBody { .. } | Stage::Starting => Assembler::default(),
        };
        assembler.finish(&alloc::format!("call_{}", self.effect.0))
    }

    /// What a watcher may see by now of what has come; all of it once the answer is whole.
    pub(crate) fn show(&mut self, deltas: &[Delta], is_whole: bool, gate: &Gate) -> Vec<Delta> {
        let mut shown = Vec::new();
        let mut show = |delta| shown.push(delta);
        for delta in deltas {
            self.streamed.push(gate, delta, &mut show);
        }
        if is_whole {
            self.streamed.finish(gate, &mut show);
        }
        shown
    }

    /// Takes the home's answer; `deltas` receives what came with it.
    pub(crate) fn answer(
        &mut self,
        answer: Answer,
        deltas: &mut Vec<Delta>,
        new_id: impl FnOnce() -> EffectId,
    ) -> Next {
        match (&mut self.stage, answer) {
            (Stage::Sent, Answer::HttpHead(Ok(head))) => self.head(head, new_id),
            (Stage::Sent, Answer::HttpHead(Err(error))) => {
                Next::Failed(retry::connection(&self.model, &error))
            }
            // All of the answer was there: asking again would pay twice for it.
            (Stage::Streaming { assembler, .. }, Answer::HttpChunk(Err(_)))
                if assembler.is_stopped() =>
            {
                Next::Done
            }
            (Stage::Streaming { .. }, Answer::HttpChunk(Err(error))) => {
                Next::Failed(retry::connection(&self.model, &error))
            }
            (Stage::ErrorBody { head, body, .. }, Answer::HttpChunk(chunk)) => {
                // More than this is not an error message.
                const LIMIT: usize = 64 * 1024;
                match chunk {
                    Ok(Some(bytes)) if body.len() < LIMIT => {
                        body.extend_from_slice(&bytes);
                        self.read_on(new_id)
                    }
                    // An error body that breaks off still has its status.
                    _ => Next::Failed(wire::provider_error(&self.model, head, body)),
                }
            }
            (
                Stage::Streaming {
                    decoder, assembler, ..
                },
                Answer::HttpChunk(Ok(chunk)),
            ) => {
                let ended = chunk.is_none();
                let decoded = match chunk {
                    Some(bytes) => decoder.push(&bytes, deltas),
                    None => decoder.finish(deltas),
                };
                let complete = ended || decoder.is_done();
                if let Err(error) = decoded.map_err(|error| retry::wire(&self.model, error)) {
                    return Next::Failed(error);
                }
                if let Err(error) = push_all(assembler, deltas, &self.model) {
                    return Next::Failed(error);
                }
                if complete {
                    Next::Done
                } else {
                    self.read_on(new_id)
                }
            }
            (Stage::Starting, Answer::Generating(Ok(()))) => {
                let read = new_id();
                self.stage = Stage::Generating {
                    read,
                    assembler: Assembler::default(),
                };
                Next::Effect(read, Effect::GenerateNext { of: self.effect })
            }
            (Stage::Starting, Answer::Generating(Err(error)))
            | (Stage::Generating { .. }, Answer::Generated(Err(error))) => {
                Next::Failed(generate_error(error))
            }
            (Stage::Generating { assembler, .. }, Answer::Generated(Ok(Some(delta)))) => {
                deltas.push(delta);
                match push_all(assembler, deltas, &self.model) {
                    Ok(()) => self.read_on(new_id),
                    Err(error) => Next::Failed(error),
                }
            }
            (Stage::Generating { assembler, .. }, Answer::Generated(Ok(None))) => {
                if assembler.is_stopped() {
                    Next::Done
                } else {
                    Next::Failed(retry::wire(&self.model, wire::WireError::Truncated))
                }
            }
            // An answer of another kind than was asked for changes nothing.
            _ => Next::Wait,
        }
    }

    fn head(&mut self, head: HttpHead, new_id: impl FnOnce() -> EffectId) -> Next {
        let read = new_id();
        self.stage = if (200..300).contains(&head.status) {
            let decoder = Decoder::new(self.model.api, head.header("content-type"));
            Stage::Streaming {
                read,
                decoder,
                assembler: Assembler::default(),
            }
        } else {
            Stage::ErrorBody {
                read,
                head,
                body: Vec::new(),
            }
        };
        Next::Effect(read, Effect::HttpRead { of: self.effect })
    }

    fn read_on(&mut self, new_id: impl FnOnce() -> EffectId) -> Next {
        let of = self.effect;
        let (read, effect) = match &mut self.stage {
            Stage::ErrorBody { read, .. } | Stage::Streaming { read, .. } => {
                (read, Effect::HttpRead { of })
            }
            Stage::Generating { read, .. } => (read, Effect::GenerateNext { of }),
            Stage::Sent | Stage::Starting => return Next::Wait,
        };
        *read = new_id();
        Next::Effect(*read, effect)
    }
}

fn push_all(
    assembler: &mut Assembler,
    deltas: &[Delta],
    model: &ModelConfig,
) -> Result<(), ProviderError> {
    for delta in deltas {
        assembler.push(delta).map_err(|error| {
            retry::malformed(model, &alloc::string::ToString::to_string(&error))
        })?;
    }
    Ok(())
}

fn generate_error(error: GenerateError) -> ProviderError {
    match error {
        GenerateError::Provider(error) => error,
        error => retry::embedded(&error),
    }
}

impl ModelConfig {
    /// What is asked when the configuration names no model: nobody.
    pub(crate) fn none() -> Self {
        Self {
            name: String::from("none"),
            api: Api::Embedded,
            base_url: String::new(),
            secret: None,
            context_tokens: 0,
            max_output_tokens: 0,
            pricing: crate::model::Pricing::default(),
            images: false,
            temperature_milli: None,
        }
    }
}
