//! The embedder in this program: all-MiniLM-L6-v2 on the engine of the embedded model.
//!
//! Loaded at the first use, from the first folder that has it. If none has, a command that a person waits for fetches
//! it, once; a machine without a network is found out in seconds, and not tried again for an hour.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tau_core::memory::{EmbedError, EmbeddingModel};
use tau_target_rten::{
    Cancel, Embedded, Embedder,
    fetch::{self, Which},
};
use tokio::sync::OnceCell;

use crate::{embedded, home::Home, ui::Ui};

/// A source that has sent nothing for so long is away.
const FIRST_BYTE: Duration = Duration::from_secs(20);
/// After a fetch that failed by itself, the next comes so much later.
const AGAIN: Duration = Duration::from_secs(3_600);
/// What tells of a fetch that failed: in the models folder.
const FAILED_FILE: &str = ".embedder-not-fetched";
/// How a person gets it.
pub(super) const PULL: &str = "`tau model pull --embedder` fetches it (91 MB)";

/// Whether a model that is not there is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetching {
    /// When it is needed, with its progress on stderr: a person waits for the command.
    WhenNeeded,
    /// Never: nobody waits for a download in the middle of a turn.
    Never,
}

/// The embedder, once it is loaded.
pub(super) struct Local {
    home: Home,
    fetching: Fetching,
    ui: Ui,
    loaded: OnceCell<Arc<Embedder>>,
}

/// The space of its vectors.
pub(super) fn space() -> EmbeddingModel {
    EmbeddingModel {
        name: Embedder::NAME.into(),
        dimensions: u32::try_from(Embedder::DIMENSIONS).unwrap_or_default(),
    }
}

/// The folder that has it: this home's, or the one of this machine's user.
fn folder(home: &Home) -> Option<PathBuf> {
    let folders = [Some(home.models()), fetch::models_dir()];
    let mut folders = folders.into_iter().flatten();
    folders.find(|folder| fetch::installed_of(folder, Which::Embedder).is_some())
}

/// Whether it can be loaded without a network.
pub(crate) fn is_fetched(home: &Home) -> bool {
    folder(home).is_some()
}

impl Local {
    pub(super) fn new(home: &Home, fetching: Fetching, ui: Ui) -> Self {
        Self {
            home: home.clone(),
            fetching,
            ui,
            loaded: OnceCell::new(),
        }
    }

    /// Loads it; fetches it first where that is wanted.
    pub(super) async fn prepare(&self) -> Result<(), EmbedError> {
        self.loaded.get_or_try_init(|| self.load()).await.map(drop)
    }

    /// The vectors of `texts`. Dropping the future ends the work at the next batch.
    pub(super) async fn embed(&self, texts: Vec<String>) -> Result<Embedded, EmbedError> {
        let embedder = self.loaded.get_or_try_init(|| self.load()).await?;
        let embedder = Arc::clone(embedder);
        let stop = StopOnDrop(Cancel::new());
        let cancel = stop.0.clone();
        let working = tokio::task::spawn_blocking(move || {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            embedder.embed_until(&texts, &cancel)
        });
        match working.await {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn load(&self) -> Result<Arc<Embedder>, EmbedError> {
        let folder = match folder(&self.home) {
            Some(folder) => folder,
            None => {
                self.fetch().await?;
                self.home.models()
            }
        };
        let loading = tokio::task::spawn_blocking(move || {
            let models = fetch::Models::under(&folder);
            embedded::embedder(&models)
        });
        match loading.await {
            Ok(Ok(embedder)) => Ok(embedder),
            Ok(Err(error)) => Err(EmbedError::Unavailable {
                detail: match error.hint() {
                    Some(hint) => format!("{error}: {hint}"),
                    None => error.to_string(),
                },
            }),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn fetch(&self) -> Result<(), EmbedError> {
        let unavailable = |detail: String| EmbedError::Unavailable { detail };
        if self.fetching == Fetching::Never {
            return Err(unavailable(format!("it is not fetched yet; {PULL}")));
        }
        let failed_file = self.home.models().join(FAILED_FILE);
        if let Some(why) = failed_lately(&failed_file) {
            return Err(unavailable(format!("{why}; {PULL}")));
        }
        self.ui
            .note("fetching the embedding model of memory: 91 MB, once");
        let cancel = Cancel::new();
        let has_begun = AtomicBool::new(false);
        let seen = |progress: fetch::Progress| {
            if progress.done > 0 {
                has_begun.store(true, Ordering::Relaxed);
            }
        };
        let pulling = embedded::pull_of(&self.home, self.ui, Which::Embedder, &cancel, &seen);
        let silence = async {
            tokio::time::sleep(FIRST_BYTE).await;
            if has_begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let why = tokio::select! {
            pulled = pulling => match pulled {
                Ok(()) => None,
                Err(error) => Some(error.cause.unwrap_or(error.message)),
            },
            () = silence => Some(format!("nothing came within {} s", FIRST_BYTE.as_secs())),
        };
        let Some(why) = why else {
            return Ok(());
        };
        let why = format!("it could not be fetched: {why}");
        // Without the note the next command tries again, which is all that is lost.
        let _ = fs::write(&failed_file, &why);
        Err(unavailable(format!("{why}; {PULL}")))
    }
}

/// Why the last fetch failed, if that was lately.
fn failed_lately(file: &Path) -> Option<String> {
    let written = fs::metadata(file).and_then(|found| found.modified()).ok()?;
    let age = SystemTime::now().duration_since(written).ok()?;
    (age < AGAIN)
        .then(|| fs::read_to_string(file).ok())
        .flatten()
}

/// Forgets that a fetch failed: a person asked for another.
pub(crate) fn forget_failure(home: &Home) {
    // One that is not there is forgotten.
    let _ = fs::remove_file(home.models().join(FAILED_FILE));
}

/// Ends the work of a thread when nobody waits for it any more.
struct StopOnDrop(Cancel);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn failed(error: &dyn std::fmt::Display) -> EmbedError {
    EmbedError::Failed {
        detail: error.to_string(),
        retry: false,
    }
}
