//! How far a program's memory and tables may grow. Kept apart from the rest of a run's state, as
//! engines ask it in the midst of an instruction, and some from anywhere.

use crate::{Limits, Trap};

/// What has grown, and what it may grow to.
#[derive(Clone, Debug)]
pub struct Growth {
    memory_limit_bytes: u64,
    table_limit_elements: u64,
    /// The most memory there was.
    pub(crate) memory_bytes: u64,
    table_elements: u64,
    /// The limit that ended the program.
    pub(crate) refused: Option<Trap>,
}

impl Growth {
    /// Nothing yet, up to `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory_limit_bytes: limits.memory_bytes,
            table_limit_elements: limits.table_elements,
            memory_bytes: 0,
            table_elements: 0,
            refused: None,
        }
    }

    /// Decides whether a memory may have `bytes`. `Ok(false)` is a growth that the module itself
    /// excludes and can go on from; one that the limit forbids ends it, so that it can be named.
    pub fn memory(&mut self, bytes: u64, maximum: Option<u64>) -> Result<bool, Trap> {
        if maximum.is_some_and(|maximum| bytes > maximum) {
            return Ok(false);
        }
        if bytes > self.memory_limit_bytes {
            return Err(self.refuse(Trap::Memory));
        }
        self.memory_bytes = self.memory_bytes.max(bytes);
        Ok(true)
    }

    /// Decides the same for a table that has `current` elements and is to have `desired`.
    pub fn table(
        &mut self,
        current: u64,
        desired: u64,
        maximum: Option<u64>,
    ) -> Result<bool, Trap> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let added = desired.saturating_sub(current);
        let elements = self.table_elements.saturating_add(added);
        if elements > self.table_limit_elements {
            return Err(self.refuse(Trap::Table));
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn refuse(&mut self, trap: Trap) -> Trap {
        self.refused.get_or_insert(trap).clone()
    }
}
