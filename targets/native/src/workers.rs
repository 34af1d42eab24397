//! The work of a search, shared out among threads.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};
use tau_core::memory::index::{self, Dot, Piece, Workers};

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

/// The sum of the products, thirty-two bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(numbers: &[u8], query: &[i16]) -> i32 {
    index::dot(numbers, query)
}

impl Workers for ThreadWorkers {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "instructions that were looked for right before")]
    fn dot(&self) -> Dot {
        match is_x86_feature_detected!("avx2") {
            // SAFETY: this processor has them.
            true => |numbers, query| unsafe { dot_avx2(numbers, query) },
            false => index::dot,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_comes_to_the_same_sum() {
        let workers = ThreadWorkers::default();
        for length in [0, 1, 31, 32, 33, 384, 4_096] {
            let numbers: Vec<u8> = (0..length).map(|n: usize| (n * 83) as u8 | 1).collect();
            let query: Vec<i16> = (0..length).map(|n| (n * 37 % 4_096) as i16).collect();
            let sum = index::dot(&numbers, &query);
            assert_eq!(workers.dot()(&numbers, &query), sum, "{length}");
        }
        let most = ([0x81_u8; 4_096], [4_095_i16; 4_096]);
        assert_eq!(workers.dot()(&most.0, &most.1), -127 * 4_095 * 4_096);
    }
}
