//! The wall clock, and sleeps by tokio's timer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tau_core::ids::UnixMillis;
use tau_platform::Clock;

/// Timers stand still while a machine sleeps, wall clocks do not: no wait is longer before the wall
/// clock is looked at again.
const LONGEST_WAIT_MS: u64 = 30_000;

/// The system's clock. Sleeping needs a tokio runtime with its timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> UnixMillis {
        // Before 1970 the clock is not set; zero is as good as any time then.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, deadline: UnixMillis) {
        loop {
            let left = deadline.since(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left.min(LONGEST_WAIT_MS))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn conforms() {
        tau_platform::conformance::clock::run(&super::TokioClock).await;
    }
}
