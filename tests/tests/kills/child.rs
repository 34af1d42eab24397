//! The process that is killed.

use futures_util::future::pending;
use std::{
    env,
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::Storage;
use tau_target_native::SqliteStorage;

/// The file that a child writes to, in its environment.
pub(crate) const TO: &str = "TAU_TEST_TO";
/// The file that it reads.
pub(crate) const FROM: &str = "TAU_TEST_FROM";
/// Said when it begins.
pub(crate) const BEGINS: &str = "begins";
/// Said when it writes for the first time.
pub(crate) const WRITES: &str = "writes";
/// Said when everything is stored: what is acknowledged.
pub(crate) const DONE: &str = "done";

/// A store that says when it is first written to.
pub(crate) struct Telling {
    store: SqliteStorage,
    has_said: AtomicBool,
}

impl Storage for Telling {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if !self.has_said.swap(true, Ordering::SeqCst) {
            say(WRITES);
        }
        self.store.commit(batch).await
    }
}

/// The store to write to and the file to read, where this process is such a child.
pub(crate) fn is_child() -> Option<(Telling, PathBuf)> {
    let (to, from) = (env::var_os(TO)?, env::var_os(FROM)?);
    let store = SqliteStorage::open(to.as_ref()).expect("the store opens");
    let telling = Telling {
        store,
        has_said: AtomicBool::new(false),
    };
    Some((telling, from.into()))
}

/// Says that all of it is stored, and waits to be killed.
pub(crate) async fn done() {
    say(DONE);
    pending::<()>().await;
}

/// Says so to the parent.
pub(crate) fn say(line: &str) {
    // The test's own words end without a line's end.
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").expect("somebody listens");
    out.flush().expect("somebody listens");
}
