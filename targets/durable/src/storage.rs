//! The store: one table of keys and values in the object's SQLite database.

use js_sys::Uint8Array;
use std::rc::Rc;
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::{Storage, storage::conflict};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{Error, SqlStorage, SqlStorageValue};

use crate::error::words;

/// Bytes of a key and its value together: the platform's limit of 2 MB a row.
///
/// <https://developers.cloudflare.com/durable-objects/platform/limits/>
pub const ROW_LIMIT_BYTES: usize = 2_000_000;

/// The version of the tables this Tau writes; a higher one is a newer Tau's.
pub const SCHEMA_VERSION: usize = UPGRADES.len();

/// What makes version `n + 1` of the tables out of version `n`.
const UPGRADES: [&str; 1] =
    ["CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"];

#[wasm_bindgen]
extern "C" {
    /// `DurableObjectStorage`, for the method that the library does not have.
    type Transactional;

    /// Runs `work` in a transaction, which is rolled back when `work` throws; throws the same.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transactional,
        work: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

/// A store in the storage of one Durable Object. Clones share it.
#[derive(Clone, Debug)]
pub struct DurableStorage {
    storage: Rc<worker::Storage>,
}

impl DurableStorage {
    /// Opens the object's storage, making or upgrading its tables.
    ///
    /// Fails with [`StoreError::Io`] when a newer version of Tau wrote it.
    pub fn open(storage: worker::Storage) -> Result<Self, StoreError> {
        let store = Self {
            storage: Rc::new(storage),
        };
        store.upgrade()?;
        Ok(store)
    }

    /// Opens the object's storage if anything was ever kept in it, and writes nothing if not.
    pub fn open_existing(storage: worker::Storage) -> Result<Option<Self>, StoreError> {
        let known = first_cell(
            &storage.sql(),
            "SELECT 1 FROM sqlite_master WHERE name = 'schema'",
            Vec::new(),
        );
        match known.map_err(|error| words(&error))? {
            Some(_) => Self::open(storage).map(Some),
            None => Ok(None),
        }
    }

    /// Removes everything, the tables included. The store is empty and unusable until it is opened
    /// again.
    pub async fn delete_all(&self) -> Result<(), StoreError> {
        self.storage
            .delete_all()
            .await
            .map_err(|error| words(&error))
    }

    /// Bytes the database has on the disk.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.storage.sql().database_size()
    }

    fn upgrade(&self) -> Result<(), StoreError> {
        let mut newer = None;
        self.transaction(&mut |sql| {
            sql.exec(
                "CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)",
                None,
            )?;
            let found = match first_cell(sql, "SELECT version FROM schema", Vec::new())? {
                Some(SqlStorageValue::Integer(version)) => usize::try_from(version).unwrap_or(0),
                _ => 0,
            };
            if found > SCHEMA_VERSION {
                newer = Some(found);
                return Ok(());
            }
            if found == SCHEMA_VERSION {
                return Ok(());
            }
            for upgrade in &UPGRADES[found..] {
                sql.exec(upgrade, None)?;
            }
            sql.exec("DELETE FROM schema", None)?;
            let version = i64::try_from(SCHEMA_VERSION).unwrap_or(i64::MAX);
            sql.exec(
                "INSERT INTO schema (version) VALUES (?)",
                vec![version.into()],
            )?;
            Ok(())
        })?;
        match newer {
            None => Ok(()),
            Some(found) => Err(StoreError::Io {
                detail: format!(
                    "it was written by a newer version of Tau (format {found}; this one reads {SCHEMA_VERSION})"
                ),
            }),
        }
    }

    /// Runs `work` so that all of it happens or, when it fails, nothing.
    fn transaction(
        &self,
        work: &mut dyn FnMut(&SqlStorage) -> Result<(), Error>,
    ) -> Result<(), StoreError> {
        let sql = self.storage.sql();
        let storage: &Transactional = self.storage.as_raw().unchecked_ref();
        storage
            .transaction_sync(&mut || work(&sql).map_err(JsValue::from))
            .map_err(|thrown| words(&Error::from(thrown)))
    }
}

impl Storage for DurableStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let found = first_cell(
            &self.storage.sql(),
            "SELECT value FROM rows WHERE key = ?",
            vec![key.as_str().into()],
        );
        match found.map_err(|error| words(&error))? {
            None => Ok(None),
            Some(SqlStorageValue::Blob(value)) => Ok(Some(value)),
            Some(_) => Err(not_bytes(&key)),
        }
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let bounds = vec![
            range.start.into(),
            range.end.into(),
            i64::from(range.limit).into(),
        ];
        let cursor = self.storage.sql().exec(
            "SELECT key, value FROM rows WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
            bounds,
        );
        let mut rows = Vec::new();
        for row in cursor.map_err(|error| words(&error))?.raw() {
            let mut cells = row.map_err(|error| words(&error))?.into_iter();
            match (cells.next(), cells.next()) {
                (Some(SqlStorageValue::String(key)), Some(SqlStorageValue::Blob(value))) => {
                    rows.push((key, value));
                }
                (Some(SqlStorageValue::String(key)), _) => return Err(not_bytes(&key)),
                _ => return Err(not_bytes("")),
            }
        }
        Ok(rows)
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        check_sizes(&batch)?;
        let mut taken = None;
        self.transaction(&mut |sql| {
            for key in &batch.require_absent {
                let bound = vec![key.as_str().into()];
                if first_cell(sql, "SELECT 1 FROM rows WHERE key = ?", bound)?.is_some() {
                    taken = Some(key.clone());
                    return Ok(());
                }
            }
            for key in &batch.delete {
                sql.exec("DELETE FROM rows WHERE key = ?", vec![key.as_str().into()])?;
            }
            for (key, value) in &batch.put {
                sql.exec_raw(
                    "INSERT INTO rows (key, value) VALUES (?, ?)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    vec![key.into(), Uint8Array::from(value.as_slice()).into()],
                )?;
            }
            Ok(())
        })?;
        if let Some(key) = taken {
            return Err(conflict(&key));
        }
        // What the runtime has not confirmed may still be lost with the machine; a tool that runs
        // inside the object is behind no output gate.
        self.storage.sync().await.map_err(|error| words(&error))
    }
}

/// The first column of the first row.
fn first_cell(
    sql: &SqlStorage,
    query: &str,
    bindings: Vec<SqlStorageValue>,
) -> Result<Option<SqlStorageValue>, Error> {
    match sql.exec(query, bindings)?.raw().next() {
        Some(row) => Ok(row?.into_iter().next()),
        None => Ok(None),
    }
}

/// Told before anything is written, with the facts the platform's own error lacks.
fn check_sizes(batch: &Batch) -> Result<(), StoreError> {
    let too_long = |(key, value): &&(String, Vec<u8>)| key.len() + value.len() > ROW_LIMIT_BYTES;
    match batch.put.iter().find(too_long) {
        None => Ok(()),
        Some((key, value)) => Err(StoreError::Io {
            detail: format!(
                "the value of {key} has {} bytes, a Durable Object keeps at most {ROW_LIMIT_BYTES} in a row",
                value.len()
            ),
        }),
    }
}

fn not_bytes(key: &str) -> StoreError {
    StoreError::Corrupt {
        detail: format!("the value of {key:?} is not bytes"),
    }
}
