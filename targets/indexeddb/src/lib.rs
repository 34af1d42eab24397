//! Tau's store in a web page: IndexedDB, in a window or a Web Worker.
//!
//! Invariants:
//! - A commit is one transaction, and all its requests are made before anything is waited for: the
//!   browser does all of it or nothing, whatever becomes of the future.
//! - When a commit is answered with `Ok` it is on the disk: transactions that write ask for strict
//!   durability. Browsers that do not know the word (Firefox before 126, Safari before 15) answer
//!   when the system has it, which the end of the browser survives and a power cut may not.
//! - A database that was closed or deleted under the store is never opened again behind its user's
//!   back: half a journal would be written into an empty one.

mod error;
mod estimate;
mod open;
mod settle;

pub use estimate::{Estimate, estimate};

use idb::{KeyRange, ObjectStore, Request, Transaction};
use js_sys::{Array, Object, Reflect, Uint8Array};
use std::{cell::RefCell, rc::Rc};
use tau_core::session::{Batch, Range, StoreError};
use tau_platform::{Storage, storage::conflict};
use wasm_bindgen::prelude::*;

use error::{CONSTRAINT, corrupt, io, name_of, of_idb, of_thrown};
use settle::settle;

/// The one object store: keys are strings, values `Uint8Array`s.
const ROWS: &str = "rows";

#[wasm_bindgen]
extern "C" {
    /// A database as the browser gives it, for what `idb` does not pass on.
    #[wasm_bindgen(js_name = IDBDatabase)]
    #[derive(Clone)]
    type RawDatabase;

    #[wasm_bindgen(method, catch, structural)]
    fn transaction(
        this: &RawDatabase,
        store: &str,
        mode: &str,
        options: &Object,
    ) -> Result<JsValue, JsValue>;
}

/// A store in one IndexedDB database. Clones share the connection; every tab and Web Worker of the
/// origin may open the same database.
///
/// Keys are ordered by UTF-16 code units, which is byte order for the ASCII they are made of.
#[derive(Clone)]
pub struct IdbStorage {
    inner: Rc<Inner>,
}

struct Inner {
    name: String,
    raw: RawDatabase,
    /// Why the connection is of no use any more. Shared with what the browser calls.
    lost: Rc<RefCell<Option<String>>>,
    /// Holds what the browser calls.
    database: idb::Database,
}

impl std::fmt::Debug for IdbStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdbStorage")
            .field("name", &self.inner.name)
            .field("lost", &self.inner.lost.borrow())
            .finish_non_exhaustive()
    }
}

impl IdbStorage {
    /// Opens the database `name`, making it or bringing it up to this schema.
    ///
    /// Fails with [`StoreError::Locked`] when another tab holds an older schema open: the database
    /// is brought up as soon as that tab lets go, and can be opened then. Fails with
    /// [`StoreError::Io`] where the browser keeps nothing for the page, and when the database is of
    /// a newer schema.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        open::open(name, open::VERSION).await
    }

    /// Opens as a later Tau with schema `version` would. Only this Tau's schema can be made, so any
    /// other version shows what becomes of an upgrade that is blocked or fails.
    #[doc(hidden)]
    pub async fn open_version(name: &str, version: u32) -> Result<Self, StoreError> {
        open::open(name, version).await
    }

    /// Closes the connection once what is under way is done. Clones say so when they are used;
    /// dropping the last of them closes it as well.
    pub fn close(self) {
        let told = "it was closed in this tab".to_owned();
        self.inner.lost.borrow_mut().get_or_insert(told);
        self.inner.database.close();
    }

    /// Whether the connection is still of use, else why not.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.inner.lost.borrow().clone()
    }

    fn begin(
        &self,
        mode: &str,
        durability: &str,
    ) -> Result<(Transaction, ObjectStore), StoreError> {
        if let Some(why) = &*self.inner.lost.borrow() {
            return Err(io(&self.inner.name, why));
        }
        let options = Object::new();
        // Setting a property of a plain object cannot fail.
        Reflect::set(&options, &"durability".into(), &durability.into()).ok();
        let raw = self.inner.raw.transaction(ROWS, mode, &options);
        let transaction = raw.map_err(|thrown| of_thrown(&self.inner.name, &thrown))?;
        let transaction = Transaction::try_from(transaction).map_err(|error| self.failed(error))?;
        let rows = transaction.object_store(ROWS);
        Ok((transaction, rows.map_err(|error| self.failed(error))?))
    }

    fn failed(&self, error: idb::Error) -> StoreError {
        of_idb(&self.inner.name, error)
    }

    fn bytes(&self, key: &str, value: JsValue) -> Result<Vec<u8>, StoreError> {
        value
            .dyn_into::<Uint8Array>()
            .map(|bytes| bytes.to_vec())
            .map_err(|_| {
                corrupt(
                    &self.inner.name,
                    &format!("the value of {key} is not bytes"),
                )
            })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.database.close();
    }
}

impl Storage for IdbStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let (transaction, rows) = self.begin("readonly", "default")?;
        let request = rows
            .get(JsValue::from_str(&key))
            .map_err(|error| self.failed(error))?;
        settle(transaction, &self.inner.name).await?;
        let value = request.result().map_err(|error| self.failed(error))?;
        if value.is_undefined() {
            return Ok(None);
        }
        self.bytes(&key, value).map(Some)
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        // IndexedDB takes a limit of 0 for none, and throws at a range that runs backwards.
        if range.limit == 0 || range.start >= range.end {
            return Ok(Vec::new());
        }
        let failed = |error| self.failed(error);
        let (transaction, rows) = self.begin("readonly", "default")?;
        let (start, end) = (range.start.into(), range.end.into());
        let keys = KeyRange::bound(&start, &end, Some(false), Some(true)).map_err(failed)?;
        let limit = Some(range.limit);
        let values = rows
            .get_all(Some(keys.clone().into()), limit)
            .map_err(failed)?;
        let keys = rows
            .get_all_keys(Some(keys.into()), limit)
            .map_err(failed)?;
        settle(transaction, &self.inner.name).await?;

        let keys: Array = keys.result().map_err(failed)?.unchecked_into();
        let values: Array = values.result().map_err(failed)?.unchecked_into();
        keys.iter()
            .zip(values.iter())
            .map(|(key, value)| {
                let key = key
                    .as_string()
                    .ok_or_else(|| corrupt(&self.inner.name, "a key is not text"))?;
                let value = self.bytes(&key, value)?;
                Ok((key, value))
            })
            .collect()
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch == Batch::default() {
            return Ok(());
        }
        let (transaction, rows) = self.begin("readwrite", "strict")?;
        let required = match queue(&rows, &batch) {
            Ok(required) => required,
            Err(error) => {
                // What was asked for so far must not be done.
                transaction.abort().map_err(|error| self.failed(error))?;
                return Err(self.failed(error));
            }
        };
        let settled = settle(transaction, &self.inner.name).await;
        settled.map_err(|error| {
            let taken = required.iter().find(|(_, added)| {
                let reason = added.error().ok().flatten();
                reason.is_some_and(|reason| name_of(&reason) == CONSTRAINT)
            });
            taken.map_or(error, |(key, _)| conflict(key))
        })
    }
}

/// Asks for everything a batch changes, in order. Returns the requests that fail, and the
/// transaction with them, when a key that must be absent is there.
fn queue<'b>(
    rows: &ObjectStore,
    batch: &'b Batch,
) -> Result<Vec<(&'b String, impl Request + use<>)>, idb::Error> {
    let mut required: Vec<(&String, _)> = Vec::new();
    for key in &batch.require_absent {
        if required.iter().all(|(earlier, _)| *earlier != key) {
            required.push((key, rows.add(&JsValue::NULL, Some(&key.into()))?));
        }
    }
    for key in batch.require_absent.iter().chain(&batch.delete) {
        rows.delete(JsValue::from_str(key))?;
    }
    for (key, value) in &batch.put {
        rows.put(&Uint8Array::from(&value[..]), Some(&key.into()))?;
    }
    Ok(required)
}
