//! Time.

use tau_core::ids::UnixMillis;

/// The home's clock.
pub trait Clock {
    /// Now. May jump, as wall clocks do.
    fn now(&self) -> UnixMillis;

    /// Returns at `deadline` or a little later; at once when it has passed.
    ///
    /// Dropping the future is how a sleep is cancelled.
    async fn sleep_until(&self, deadline: UnixMillis);
}
