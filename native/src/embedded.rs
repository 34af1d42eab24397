//! The embedded model, as the platform wants a model in the process to be.
//!
//! The models are loaded at the first request. Each request runs on a blocking thread and is ended
//! by dropping its generation.

mod files;
mod shared;

pub(crate) use files::{parts, pull_of, ready};
pub(crate) use shared::embedder;
pub(crate) use tau_target_rten::translate::TOOLS;

use std::{path::PathBuf, sync::Arc};
use tau_core::{
    model::{Delta, ModelRequest},
    session::GenerateError,
};
use tau_platform::{Generation, LocalModel};
use tau_target_rten::{Cancel, agent::Agent, translate};
use tokio::sync::{OnceCell, mpsc};

/// Said when the model is taken.
pub(crate) const LIMITS: &str = "The embedded model is very small (135 million parameters): it finds files and facts \
with its tools and holds simple conversations, no more. For real work set a provider: `tau model --help`.";

/// The system prompt of a model this small.
pub(crate) fn system_prompt() -> String {
    translate::SYSTEM_PROMPT.into()
}

/// The model of this home. Clones would share nothing: there is one a process.
pub(crate) struct Embedded {
    folder: PathBuf,
    agent: OnceCell<Arc<Agent>>,
}

impl Embedded {
    /// The model kept in `folder`. Nothing is read yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            agent: OnceCell::new(),
        }
    }

    async fn agent(&self) -> Result<Arc<Agent>, GenerateError> {
        let load = || async {
            let folder = self.folder.clone();
            let loaded = tokio::task::spawn_blocking(move || files::load(&folder)).await;
            match loaded {
                Ok(agent) => agent.map(Arc::new),
                Err(error) => Err(failed(error)),
            }
        };
        self.agent.get_or_try_init(load).await.map(Arc::clone)
    }
}

impl LocalModel for Embedded {
    type Generation = Writing;

    async fn generate(&self, request: ModelRequest) -> Result<Writing, GenerateError> {
        let agent = self.agent().await?;
        let request = translate::request(&request);
        let (sender, pieces) = mpsc::unbounded_channel();
        let cancel = Cancel::new();
        let stop = cancel.clone();
        tokio::task::spawn_blocking(move || {
            // Nobody reads any more once the generation is dropped; the flag then ends the work.
            let send = |delta| drop(sender.send(Ok(delta)));
            let mut on_piece = |piece| translate::deltas(piece).into_iter().for_each(send);
            match agent.respond(&request, &stop, &mut on_piece) {
                Ok(finish) => send(translate::stop(finish)),
                Err(error) => drop(sender.send(Err(failed(error)))),
            }
        });
        Ok(Writing { pieces, cancel })
    }
}

/// An answer while it is written. Dropping it ends the work at the next token.
pub(crate) struct Writing {
    pieces: mpsc::UnboundedReceiver<Result<Delta, GenerateError>>,
    cancel: Cancel,
}

impl Generation for Writing {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        self.pieces.recv().await.transpose()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn failed(error: impl std::fmt::Display) -> GenerateError {
    GenerateError::Failed {
        detail: error.to_string(),
    }
}
