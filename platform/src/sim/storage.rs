//! A store in memory that fails when told to.

use alloc::{collections::BTreeMap, rc::Rc, string::String, vec::Vec};
use core::cell::{Cell, RefCell};
use tau_core::session::{Batch, Range, StoreError};

use super::clock::SimClock;
use crate::{memory_store::MemoryStorage, storage::Storage};

/// [`MemoryStorage`] with faults. Clones share everything.
#[derive(Clone, Debug)]
pub struct SimStorage {
    rows: MemoryStorage,
    clock: SimClock,
    state: Rc<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: RefCell<BTreeMap<usize, StoreError>>,
    commits: Cell<usize>,
    delay_ms: Cell<u64>,
}

impl SimStorage {
    pub(super) fn new(clock: &SimClock) -> Self {
        Self {
            rows: MemoryStorage::new(),
            clock: clock.clone(),
            state: Rc::default(),
        }
    }

    /// Lets the `nth` commit fail, from 1; nothing of it is stored.
    pub fn fail(&self, nth: usize, error: StoreError) {
        self.state.faults.borrow_mut().insert(nth, error);
    }

    /// Lets every commit take so long. One that is dropped meanwhile is not stored.
    pub fn delay(&self, millis: u64) {
        self.state.delay_ms.set(millis);
    }

    /// How many commits were begun.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.state.commits.get()
    }

    /// Everything that is stored, in byte order of the keys.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, Vec<u8>)> {
        self.rows.rows()
    }
}

impl Storage for SimStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.rows.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let nth = self.state.commits.get() + 1;
        self.state.commits.set(nth);
        let delay_ms = self.state.delay_ms.get();
        if delay_ms > 0 {
            self.clock.sleep(delay_ms).await;
        }
        let fault = self.state.faults.borrow_mut().remove(&nth);
        match fault {
            Some(error) => Err(error),
            None => self.rows.commit(batch).await,
        }
    }
}
