//! The wall clock, and sleeps by the runtime's timers.

use tau_core::ids::UnixMillis;
use tau_platform::Clock;

use crate::timeout::sleep;

/// Timers stand still while a device sleeps, and a wall clock may be set: no wait is longer before
/// the wall clock is looked at again.
const LONGEST_WAIT_MS: u64 = 30_000;

/// `Date.now` and `setTimeout`.
///
/// A page in the background is given its timers late, up to a minute. In workerd the clock stands
/// still while code runs without waiting for anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebClock;

impl Clock for WebClock {
    fn now(&self) -> UnixMillis {
        // Before 1970 the clock is not set; zero is as good as any time then.
        UnixMillis(js_sys::Date::now().max(0.0) as u64)
    }

    async fn sleep_until(&self, deadline: UnixMillis) {
        loop {
            let left = deadline.since(self.now());
            if left == 0 {
                return;
            }
            sleep(left.min(LONGEST_WAIT_MS)).await;
        }
    }
}
