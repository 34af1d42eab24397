//! How much of the machine inference may take.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rten::{RunOptions, ThreadPool};

/// A bounded set of worker threads, shared by the models that hold it.
///
/// Never the engine's default of all cores: on a busy machine more workers than free cores wait for one another at
/// every operation, and decoding collapses.
#[derive(Debug, Clone)]
pub struct Threads {
    pool: Arc<ThreadPool>,
    count: usize,
}

impl Threads {
    /// As many as there are physical cores this process may use, at most four.
    pub fn auto() -> Self {
        let allowed = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::exactly(num_cpus::get_physical().min(allowed).clamp(1, 4))
    }

    /// This many, at least one.
    pub fn exactly(count: usize) -> Self {
        let count = count.max(1);
        Self {
            pool: Arc::new(ThreadPool::with_num_threads(count)),
            count,
        }
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn run_options(&self) -> RunOptions {
        RunOptions::default().with_thread_pool(Some(self.pool.clone()))
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::auto()
    }
}
