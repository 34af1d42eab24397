//! The commands, one file each: an `Args` whose doc comments are the help, and `run`.

pub(crate) mod bundle;
pub(crate) mod channel;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod escrow;
pub(crate) mod identity;
#[cfg(unix)]
pub(crate) mod inside;
pub(crate) mod instructions;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod model;
pub(crate) mod net;
pub(crate) mod policy;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod scan;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod store;
pub(crate) mod tool;
mod trade;
pub(crate) mod trust;
pub(crate) mod verify;
pub(crate) mod wasm;

use crate::exit::Error;
use std::future::Future;

/// Runs `work` on this thread. Threads that are stuck in blocking work are not waited for.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("the runtime cannot be started").cause(error))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
