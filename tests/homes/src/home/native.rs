//! Natively: tokio, reqwest and SQLite. Between processes everything is dropped, and the file is
//! opened again.

use anyhow::Result;
use std::{
    cell::Cell,
    path::{Path, PathBuf},
};
use tau_platform::conformance::http::Sees;
use tau_target_native::{ReqwestHttp, SqliteStorage, SystemEntropy, TokioClock};
use tau_tests::task::{Adapters, Task, perform, secret};
use tempfile::TempDir;

use super::Lane;
use crate::server::page::Said;

/// A lane with a folder for its stores.
#[derive(Debug)]
pub struct NativeLane {
    folder: TempDir,
}

impl NativeLane {
    /// A new one.
    pub fn start() -> Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
        })
    }
}

impl Lane for NativeLane {
    async fn perform(&mut self, task: &Task) -> Result<Said> {
        let native = Native {
            folder: self.folder.path().to_owned(),
            made: Cell::new(0),
        };
        let (task, runtime) = (task.clone(), tokio::runtime::Handle::current());
        // A thread of its own, because a play stays in its thread, and a panic is to end only it.
        let done = tokio::task::spawn_blocking(move || runtime.block_on(perform(&native, task)));
        match done.await {
            Ok(answer) => Ok(Said::Answer(answer)),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Ok(Said::Panic(words(&*panic))),
                Err(error) => Err(error.into()),
            },
        }
    }

    async fn restart(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The sentence of a panic.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

struct Native {
    folder: PathBuf,
    /// Stores made for a suite.
    made: Cell<usize>,
}

impl Native {
    fn newest(&self) -> PathBuf {
        self.folder.join(format!("suite/{}.db", self.made.get()))
    }

    fn open(&self, file: &Path) -> SqliteStorage {
        let opened = SqliteStorage::open(file);
        opened.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

impl Adapters for Native {
    type Http = ReqwestHttp;
    type Storage = SqliteStorage;
    type Clock = TokioClock;
    type Entropy = SystemEntropy;
    const SEES: Sees = Sees::ALL;

    fn http(&self) -> ReqwestHttp {
        ReqwestHttp::new(secret)
    }

    async fn store(&self, name: &str) -> SqliteStorage {
        self.open(&self.folder.join(format!("{name}.db")))
    }

    async fn empty_store(&self) -> SqliteStorage {
        self.made.set(self.made.get() + 1);
        self.open(&self.newest())
    }

    async fn reopened(&self, store: SqliteStorage) -> SqliteStorage {
        drop(store);
        self.open(&self.newest())
    }

    fn clock(&self) -> TokioClock {
        TokioClock
    }

    fn entropy(&self) -> SystemEntropy {
        SystemEntropy
    }
}
