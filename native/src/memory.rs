//! Memory of the native home: the service over its store, and which scopes belong to a folder.

use std::path::Path;
use tau_core::memory::{Access, Scope};
use tau_platform::{NoEmbedder, memory::Service};
use tau_target_native::{SqliteStorage, ThreadWorkers, TokioClock};

/// The memory of this home.
pub(crate) type NativeMemory = Service<SqliteStorage, NoEmbedder, TokioClock>;

/// The memory in `storage`.
pub(crate) fn service(storage: &SqliteStorage) -> NativeMemory {
    Service::new(storage.clone(), NoEmbedder, TokioClock).with_workers(ThreadWorkers::default())
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
