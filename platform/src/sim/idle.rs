//! How long a connection may be silent, on a virtual clock.

use core::future::pending;
use tau_core::session::HttpError;

use crate::clock::Clock;

/// Waits so long for the next bytes; fails once the connection was silent for `idle_ms`.
pub async fn wait(clock: &impl Clock, millis: u64, idle_ms: u64) -> Result<(), HttpError> {
    sleep(clock, millis.min(idle_ms)).await;
    if millis > idle_ms {
        return Err(timeout(idle_ms));
    }
    Ok(())
}

/// Waits for bytes that do not come: what a client says of them after `idle_ms`. Without such a
/// limit it does not end.
pub async fn never(clock: &impl Clock, idle_ms: u64) -> HttpError {
    if idle_ms == u64::MAX {
        pending::<()>().await;
    }
    sleep(clock, idle_ms).await;
    timeout(idle_ms)
}

/// What a client says of a connection that was silent for `after_ms`.
#[must_use]
pub fn timeout(after_ms: u64) -> HttpError {
    HttpError::Timeout { after_ms }
}

async fn sleep(clock: &impl Clock, millis: u64) {
    clock.sleep_until(clock.now().plus(millis)).await;
}
