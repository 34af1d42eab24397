//! The store in one SQLite file.
//!
//! Invariant: when a commit is answered with `Ok`, it is on the disk (write-ahead log, synced at
//! each commit), and a process killed at any moment leaves all of a commit or nothing.
//!
//! A person can open the file and read: `kv` shows every key and value, and the views `sessions`,
//! `entries` and `memories` what they mean.

mod error;
mod open;
mod repair;

pub use repair::{Gap, RepairReport, repair};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::{Storage, storage::conflict};

/// A store in a file, or in memory. Clones share the connection; several processes may open the
/// same file. Needs a tokio runtime: the work is done on its blocking threads.
#[derive(Clone, Debug)]
pub struct SqliteStorage {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStorage {
    /// Opens `path`, making it and its folder when they are missing.
    ///
    /// A file that is not a store, or was cut, is told at once with [`StoreError::Corrupt`]. Blocks
    /// for the few milliseconds it takes.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        open::file(path).map(Self::of)
    }

    /// A store that is gone when the last clone is dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        open::memory().map(Self::of)
    }

    /// Reads the whole file and says what is wrong with it; empty when nothing is.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get(0))?;
            let mut found = lines.collect::<Result<Vec<String>, _>>()?;
            found.retain(|line| line != "ok");
            Ok(Ok(found))
        })
        .await
    }

    fn of(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
        }
    }

    /// Runs `work` on a blocking thread. It runs to its end even when the future is dropped.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let task = tokio::task::spawn_blocking(move || {
            // A panic while it was held rolled its transaction back: the connection is good.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        match task.await {
            Ok(outcome) => outcome.map_err(error::words)?,
            Err(error) => Err(StoreError::Io {
                detail: error.to_string(),
            }),
        }
    }
}

impl Storage for SqliteStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(move |connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM kv WHERE key = ?1")?;
            Ok(Ok(statement
                .query_row([key], |row| row.get(0))
                .optional()?))
        })
        .await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, value FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
            )?;
            let bounds = params![range.start, range.end, range.limit];
            let rows = statement.query_map(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Ok(rows.collect::<Result<_, _>>()?))
        })
        .await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.with(move |connection| commit(connection, &batch))
            .await
    }
}

fn commit(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<Result<(), StoreError>> {
    // Immediate: who only reads first and writes later can be refused half-way.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut exists = transaction.prepare_cached("SELECT 1 FROM kv WHERE key = ?1")?;
        for key in &batch.require_absent {
            if exists.exists([key])? {
                return Ok(Err(conflict(key)));
            }
        }
        let mut delete = transaction.prepare_cached("DELETE FROM kv WHERE key = ?1")?;
        for key in &batch.delete {
            delete.execute([key])?;
        }
        let mut put = transaction.prepare_cached("INSERT INTO kv (key, value) VALUES (?1, ?2)")?;
        for (key, value) in &batch.put {
            put.execute(params![key, value])?;
        }
    }
    transaction.commit()?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_told_and_changes_nothing() {
        let store = SqliteStorage::in_memory().unwrap();
        let limit = |pages: i64| {
            let connection = store.connection.lock().unwrap();
            connection
                .pragma_update(None, "max_page_count", pages)
                .unwrap();
        };
        limit(20);
        let batch = Batch {
            put: vec![("a".into(), vec![1]), ("b".into(), vec![0; 1 << 20])],
            ..Batch::default()
        };
        assert_eq!(store.commit(batch.clone()).await, Err(StoreError::Full));
        assert_eq!(store.get("a".into()).await, Ok(None));
        limit(10_000);
        assert_eq!(store.commit(batch).await, Ok(()));
    }
}
