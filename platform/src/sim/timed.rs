//! Commands that come at their time.

use futures_util::stream::{self, Stream};
use tau_core::session::Command;

use super::clock::SimClock;

/// Commands, each so many milliseconds after the one before it.
pub fn timed(
    clock: &SimClock,
    commands: impl IntoIterator<Item = (u64, Command)>,
) -> impl Stream<Item = Command> {
    let clock = clock.clone();
    stream::unfold(commands.into_iter(), move |mut commands| {
        let clock = clock.clone();
        async move {
            let (after_ms, command) = commands.next()?;
            clock.sleep(after_ms).await;
            Some((command, commands))
        }
    })
}
