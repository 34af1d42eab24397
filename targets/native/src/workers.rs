//! The work of a search, shared out among threads.

use std::{num::NonZeroUsize, thread};
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
        thread::scope(|scope| {
            let mut pieces = pieces.into_iter();
            let own = pieces.next();
            for piece in pieces {
                scope.spawn(piece);
            }
            if let Some(piece) = own {
                piece();
            }
        });
    }
}
