//! What every [`Clock`] does.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};
use futures_util::future::join;
use tau_core::ids::UnixMillis;

use crate::clock::Clock;

/// 2024-01-01T00:00:00Z: no clock that works shows less.
const PLAUSIBLE: UnixMillis = UnixMillis(1_704_067_200_000);

/// Runs the suite; takes about a tenth of a second.
pub async fn run<C: Clock>(clock: &C) {
    let start = clock.now();
    assert!(start >= PLAUSIBLE, "the clock shows {start:?}");

    clock.sleep_until(UnixMillis(0)).await;
    clock.sleep_until(start).await;
    assert!(
        clock.now().since(start) < 1_000,
        "a deadline that has passed is not waited for"
    );

    let deadline = clock.now().plus(30);
    clock.sleep_until(deadline).await;
    let late = clock.now().since(deadline);
    assert!(clock.now() >= deadline, "a sleep ended before its deadline");
    assert!(late < 1_000, "a sleep of 30 ms ended {late} ms late");

    let now = clock.now();
    join(
        clock.sleep_until(now.plus(40)),
        clock.sleep_until(now.plus(40)),
    )
    .await;
    assert!(
        clock.now().since(now) < 1_000,
        "sleeps at the same time add up"
    );

    let mut cx = Context::from_waker(Waker::noop());
    let endless = pin!(clock.sleep_until(UnixMillis(u64::MAX)));
    assert!(
        endless.poll(&mut cx) == Poll::Pending,
        "the end of time has not come"
    );
}
