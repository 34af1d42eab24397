//! What makes memory's vectors here, as the profile says: the model in this program, a server, nothing.
//!
//! Invariant: text goes to no server but the one the profile names. What fails is told by an error that says what to
//! do, and is not asked again at once, so that a search waits for something that is away once and not each time.

mod local;

pub(crate) use local::{Fetching, forget_failure, is_fetched};

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tau_core::{
    credential::SCHEME,
    memory::{EmbedError, EmbeddingModel},
    wire::embeddings::{EmbeddingEndpoint, cut},
};
use tau_platform::{Embedder, HttpEmbedder, VectorCache};
use tau_target_native::{ReqwestHttp, TokioClock};

use crate::{
    config::{self, Embeddings, Profile},
    credentials::{Guarded, Vault},
    exit::Error,
    home::Home,
    host,
    ui::Ui,
};
use local::Local;

/// Vectors kept in memory: what is asked for twice in a conversation, and what an import repeats.
const CACHED: usize = 2_048;
/// Texts asked for at once.
const BATCH: usize = 32;
/// What failed and may work again is left alone for so long.
const REST: Duration = Duration::from_secs(30);

/// The embedder of this home.
pub(crate) struct HomeEmbedder {
    kind: Kind,
    cache: Mutex<VectorCache>,
    resting: Mutex<Option<(Instant, EmbedError)>>,
    has_told_of_cut: AtomicBool,
    ui: Ui,
}

enum Kind {
    Off,
    Local(Local),
    Endpoint(HttpEmbedder<Guarded<ReqwestHttp>, TokioClock>),
    /// One that the profile names and that cannot be asked. What it made before stays of use.
    Unusable {
        space: EmbeddingModel,
        why: String,
    },
}

impl HomeEmbedder {
    /// What the profile says. Nothing is loaded, fetched or asked before it is needed.
    pub(crate) fn new(
        profile: &Profile,
        home: &Home,
        vault: &Arc<Vault>,
        fetching: Fetching,
        ui: Ui,
    ) -> Self {
        let kind = match &profile.memory.embeddings {
            Embeddings::Off => Kind::Off,
            Embeddings::Local => Kind::Local(Local::new(home, fetching, ui)),
            Embeddings::Endpoint(provider) => {
                let env = |name: &str| std::env::var(name).ok();
                let found = provider.endpoint(&env);
                match found.and_then(|endpoint| known(vault, endpoint)) {
                    Ok(endpoint) => {
                        let http = host::http(vault);
                        Kind::Endpoint(HttpEmbedder::new(http, TokioClock, endpoint))
                    }
                    Err(error) => Kind::Unusable {
                        space: provider.space(),
                        why: told(error),
                    },
                }
            }
        };
        Self {
            kind,
            cache: Mutex::new(VectorCache::new(CACHED)),
            resting: Mutex::new(None),
            has_told_of_cut: AtomicBool::new(false),
            ui,
        }
    }

    /// The embedder of a command that is about memory.
    pub(crate) fn of_command(home: &Home, ui: Ui, fetching: Fetching) -> Result<Self, Error> {
        let profile = config::load(&home.config_file())?;
        let vault = match &profile.memory.embeddings {
            // Nothing else needs the credentials here.
            Embeddings::Endpoint(provider) if provider.key.is_some() => Vault::open(home, ui)?,
            _ => Vault::closed(),
        };
        Ok(Self::new(&profile, home, &vault, fetching, ui))
    }

    /// Loads the model in this program, and fetches it first where that is wanted: whoever waits
    /// for a vector waits for less. What fails is told with the first vector.
    pub(crate) async fn prepare(&self) {
        if let Kind::Local(local) = &self.kind
            && let Err(error) = local.prepare().await
        {
            self.rest(&error);
        }
    }

    /// Where it is, in words; nothing when it is off.
    pub(crate) fn place(&self) -> Option<String> {
        match &self.kind {
            Kind::Off => None,
            Kind::Local(_) => Some("in this program".into()),
            Kind::Endpoint(endpoint) => Some(endpoint.endpoint().base_url.clone()),
            Kind::Unusable { why, .. } => Some(format!("not usable: {why}")),
        }
    }

    /// Whether the model in this program is there; nothing of others, which would have to be asked.
    pub(crate) fn state(&self, home: &Home) -> Option<&'static str> {
        match &self.kind {
            Kind::Local(_) if is_fetched(home) => Some("fetched"),
            Kind::Local(_) => Some("not fetched: tau model pull --embedder"),
            Kind::Off | Kind::Endpoint(_) | Kind::Unusable { .. } => None,
        }
    }

    /// Asks what is behind it, without its cache and its rests.
    pub(crate) async fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        match &self.kind {
            Kind::Off => Err(EmbedError::Unavailable {
                detail: "the profile has it off (memory.embeddings)".into(),
            }),
            Kind::Unusable { why, .. } => Err(EmbedError::Unavailable {
                detail: why.clone(),
            }),
            Kind::Local(local) => {
                let made = local.embed(texts).await?;
                if made.cut > 0 {
                    self.tell_of_cut("256 tokens");
                }
                Ok(made.vectors)
            }
            Kind::Endpoint(endpoint) => {
                if texts.iter().any(|text| !cut(text).1) {
                    self.tell_of_cut("8,000 bytes");
                }
                endpoint.embed(texts).await
            }
        }
    }

    fn tell_of_cut(&self, length: &str) {
        if !self.has_told_of_cut.swap(true, Ordering::Relaxed) {
            self.ui.note(format!(
                "of a long text, the first {length} are compared by meaning; all of it is found by words"
            ));
        }
    }

    /// What failed a moment ago, as long as it is left alone.
    fn rests(&self) -> Option<EmbedError> {
        let mut resting = held(&self.resting);
        match &*resting {
            Some((until, error)) if Instant::now() < *until => Some(error.clone()),
            _ => {
                *resting = None;
                None
            }
        }
    }

    fn rest(&self, error: &EmbedError) {
        let is_lasting = match error {
            EmbedError::Unavailable { .. } => true,
            // One that may not be repeated was about its own texts.
            EmbedError::Failed { retry, .. } => *retry,
        };
        if is_lasting {
            *held(&self.resting) = Some((Instant::now() + REST, error.clone()));
        }
    }
}

impl Embedder for HomeEmbedder {
    fn model(&self) -> Option<EmbeddingModel> {
        match &self.kind {
            Kind::Off => None,
            Kind::Local(_) => Some(local::space()),
            Kind::Endpoint(endpoint) => endpoint.model(),
            Kind::Unusable { space, .. } => Some(space.clone()),
        }
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut lookup = held(&self.cache).look_up(texts);
        let missing = std::mem::take(&mut lookup.missing);
        let mut made = Vec::with_capacity(missing.len());
        for batch in missing.chunks(BATCH) {
            if let Some(error) = self.rests() {
                return Err(error);
            }
            let asked = self.ask(batch.to_vec()).await;
            let vectors = asked.inspect_err(|error| self.rest(error))?;
            // Kept now: if the next batch fails, these are not asked for again.
            let mut cache = held(&self.cache);
            let batch = cache.look_up(batch.to_vec());
            made.extend(cache.complete(batch, vectors));
        }
        Ok(held(&self.cache).complete(lookup, made))
    }
}

/// The endpoint, if its stored key may go there, with its key kept out of what comes back.
fn known(vault: &Vault, endpoint: EmbeddingEndpoint) -> Result<EmbeddingEndpoint, Error> {
    if let Some(secret) = &endpoint.secret {
        vault.watch(std::iter::once(secret.as_str()));
        if secret.starts_with(SCHEME) {
            vault.check(secret, "authorization", &endpoint.base_url)?;
        }
    }
    Ok(endpoint)
}

fn told(error: Error) -> String {
    match error.hint {
        Some(hint) => format!("{} ({hint})", error.message),
        None => error.message,
    }
}

/// A panic elsewhere leaves nothing half done here.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
