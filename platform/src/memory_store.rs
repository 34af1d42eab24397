//! A store that lives as long as its value: for conversations nobody wants to keep, and for tests.

use alloc::{collections::BTreeMap, rc::Rc, string::String, vec::Vec};
use core::cell::RefCell;
use tau_core::session::{Batch, Range, StoreError};

use crate::storage::{Storage, conflict};

/// Keys and values in memory. Clones share them. Not `Send`: it belongs to one thread.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    rows: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryStorage {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything in it, in byte order of the keys.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, Vec<u8>)> {
        let rows = self.rows.borrow();
        rows.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

impl Storage for MemoryStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.borrow().get(&key).cloned())
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        // `BTreeMap::range` panics on a range that runs backwards.
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
        let rows = self.rows.borrow();
        Ok(rows
            .range(range.start..range.end)
            .take(limit)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect())
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut rows = self.rows.borrow_mut();
        if let Some(key) = batch.require_absent.iter().find(|k| rows.contains_key(*k)) {
            return Err(conflict(key));
        }
        for key in &batch.delete {
            rows.remove(key);
        }
        rows.extend(batch.put);
        Ok(())
    }
}
