//! Memory of the native home: the service over its store, and which scopes belong to a folder.

use std::{path::Path, time::Duration};
use tau_core::memory::{Access, Failure, Scope};
use tau_platform::memory::{Progress, Service};
use tau_target_native::{ThreadWorkers, TokioClock};

use crate::{embedding::HomeEmbedder, store::Store};

/// Entries that get a vector between two looks at how far it is.
const STEP: usize = 32;
/// How long the end of a turn waits for vectors of what has none yet.
const AFTER_A_TURN: Duration = Duration::from_secs(2);

/// The memory of this home.
pub(crate) type NativeMemory = Service<Store, HomeEmbedder, TokioClock>;

/// The memory in `storage`.
pub(crate) fn service(storage: &Store, embedder: HomeEmbedder) -> NativeMemory {
    Service::new(storage.clone(), embedder, TokioClock).with_workers(ThreadWorkers::default())
}

/// What an agent that works in `folder` sees: the person's entries and those of the folder.
pub(crate) fn access(folder: &Path, recall_tokens: u32) -> Access {
    // Links and `..` lead to one folder, which has one memory.
    let canonical = folder.canonicalize();
    let folder = canonical.as_deref().unwrap_or(folder);
    Access {
        read: vec![Scope::User, Scope::of_folder(&folder.to_string_lossy())],
        write: Scope::User,
        recall_tokens,
        manages: true,
    }
}

/// Gives vectors to at most `limit` entries that have none by the model that is set: what was kept
/// without one, or with another. `each` hears of every step. What is done stays done, whenever it is
/// cut off.
pub(crate) async fn catch_up(
    memory: &NativeMemory,
    access: &Access,
    limit: usize,
    mut each: impl FnMut(Progress),
) -> Result<Progress, Failure> {
    let mut all = Progress::default();
    for scope in access.scopes() {
        loop {
            let room = limit.saturating_sub(usize::try_from(all.done).unwrap_or(usize::MAX));
            let step = memory.embed_missing(scope, room.min(STEP)).await?;
            all.done += step.done;
            if step.done == 0 || step.left == 0 {
                all.left += step.left;
                break;
            }
            each(all);
        }
    }
    Ok(all)
}

/// The same while nobody waits: in the pauses of a conversation. Never returns; dropping it ends it.
pub(crate) async fn catch_up_idly(memory: &NativeMemory, access: Option<&Access>) {
    if let Some(access) = access {
        // What fails is told by the search that misses it.
        if let Err(error) = catch_up(memory, access, usize::MAX, |_| {}).await {
            tracing::debug!(%error, "no vectors while idle");
        }
    }
    std::future::pending().await
}

/// The same at the end of a turn that a program waits for: a little of it.
pub(crate) async fn catch_up_briefly(memory: &NativeMemory, access: Option<&Access>) {
    if let Some(access) = access {
        let work = catch_up(memory, access, STEP, |_| {});
        if let Ok(Err(error)) = tokio::time::timeout(AFTER_A_TURN, work).await {
            tracing::debug!(%error, "no vectors after the turn");
        }
    }
}
