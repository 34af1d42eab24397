//! The log of the agent that this store is of: `identity/log`, public, so that whoever has the store
//! can check what the agent signed. The keys themselves are never in it.

use tau_kamn::kel::{self, KeyLog};

use crate::{
    Storage,
    kept_log::{self, Learned, LogError},
};

/// Where it is.
pub const KEY: &str = "identity/log";

/// The log, if the store is of an agent yet. It may fork.
pub async fn load(storage: &impl Storage) -> Result<Option<KeyLog>, LogError> {
    kept_log::get(storage, KEY).await
}

/// Keeps what `log` says beyond what is kept, and gives what is kept then.
///
/// Fails with [`kel::Error::Subject`] where the store is another agent's.
pub async fn keep(storage: &impl Storage, log: &KeyLog) -> Result<(KeyLog, Learned), LogError> {
    if let Some(kept) = load(storage).await?
        && kept.unchecked_state().did() != log.unchecked_state().did()
    {
        let found = kept.unchecked_state().did().as_kamn();
        return Err(kel::Error::Subject { found }.into());
    }
    kept_log::learn(storage, KEY, log).await
}

/// Removes the log; says whether there was one. For an agent that makes place for another.
pub async fn remove(storage: &impl Storage) -> Result<bool, LogError> {
    Ok(kept_log::forget(storage, KEY).await?)
}
