//! The work of a search, shared out among threads.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};
use tau_core::memory::index::{Piece, Workers};

/// As many threads as this process may use, at most four, for as long as a search takes.
#[derive(Clone, Copy, Debug)]
pub struct ThreadWorkers {
    count: usize,
}

impl Default for ThreadWorkers {
    fn default() -> Self {
        let allowed = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            count: allowed.min(4),
        }
    }
}

impl Workers for ThreadWorkers {
    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, pieces: Vec<Piece<'_>>) {
        let helpers = self.count.min(pieces.len()).saturating_sub(1);
        let pieces = Mutex::new(pieces.into_iter());
        let work = || {
            loop {
                let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(piece) = piece else { return };
                piece();
            }
        };
        thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(work);
            }
            work();
        });
    }
}
