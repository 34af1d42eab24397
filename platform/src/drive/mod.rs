//! The one loop: carries effects from a [`Session`] to a [`Host`] and answers back.
//!
//! Invariants:
//! - It decides nothing. What is asked, stored or ended, and in which order, comes from the session.
//! - Nothing outlives it. All work is owned by the future of [`drive`]: dropping that drops running
//!   tools, open connections and sleeps. Nothing is spawned and no channel is made.
//! - Nothing starves. Each round hears at most one finished effect, one command and the timer, in
//!   that order: a fast stream cannot keep an interrupt or a deadline waiting, and a host that is
//!   deterministic sees the same order every time.

mod work;

use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};
use futures_util::{
    FutureExt, StreamExt,
    future::{Fuse, FusedFuture},
    stream::{FusedStream, Stream},
};
use tau_core::{
    ids::UnixMillis,
    session::{Command, CommandError, Event, Session},
};

use crate::{clock::Clock, host::Host};
use work::{Held, Running, perform};

/// What [`drive`] shows to whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Something happened in the session.
    Event(Event),
    /// Whether a command was taken: one for each command, in the order of the inbox, before the
    /// events that follow from it.
    Reply(Result<(), CommandError>),
}

/// Why [`drive`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The inbox ended, and everything is done and stored.
    Idle,
    /// The inbox ended while the session waits for what only a command can bring, such as an
    /// approval. What was done is stored: the session can be opened again and go on.
    Waiting,
}

/// Runs `session` on `host` until `inbox` has ended and nothing is left to do.
///
/// A restored session goes on with what it was doing if [`Session::resume`] was called. `show` is
/// called in the order things happened and must not block. The future is `Send` when the host's
/// types, `inbox` and `show` are.
/// Dropping it ends all work at once; the session has then lost touch with its effects, and goes on
/// only from what was stored.
pub async fn drive<H: Host>(
    host: &H,
    session: &mut Session,
    inbox: impl Stream<Item = Command>,
    mut show: impl FnMut(Shown),
) -> Left {
    let clock = host.clock();
    let mut inbox = pin!(inbox.fuse());
    let mut timer = pin!(Fuse::terminated());
    let mut armed: Option<UnixMillis> = None;
    let mut running = Running::new();
    let mut held = Held::new();

    loop {
        while let Some(id) = session.poll_cancelled() {
            running.cancel(id);
            held.cancel(id);
        }
        while let Some((id, effect)) = session.poll_effect() {
            let work = held.prepare(effect);
            running.start(id, work.source(), perform(host, id, work));
        }
        while let Some(event) = session.poll_event() {
            show(Shown::Event(event));
        }

        let deadline = session.poll_timeout();
        if deadline != armed {
            armed = deadline;
            timer.set(deadline.map_or_else(Fuse::terminated, |at| clock.sleep_until(at).fuse()));
        }

        if inbox.is_terminated() && running.is_empty() {
            if session.is_idle() {
                return Left::Idle;
            }
            // Without an inbox an approval could only run into its timeout.
            if armed.is_none() || !session.waiting().is_empty() {
                return Left::Waiting;
            }
        }

        let (done, command, fired) = poll_fn(|cx| {
            let done = running.poll_one(cx);
            let command = if inbox.is_terminated() {
                Poll::Pending
            } else {
                inbox.as_mut().poll_next(cx)
            };
            let fired = !timer.is_terminated() && timer.as_mut().poll(cx).is_ready();
            if done.is_none() && command.is_pending() && !fired {
                return Poll::Pending;
            }
            Poll::Ready((done, command, fired))
        })
        .await;

        if let Some(done) = done {
            let (id, answer) = held.keep(done);
            session.answer(id, answer, clock.now());
        }
        if let Poll::Ready(Some(command)) = command {
            show(Shown::Reply(session.submit(command, clock.now())));
        }
        if fired {
            // Armed anew even for the same deadline: the wall clock may have been set back.
            armed = None;
            session.handle_timeout(clock.now());
        }
    }
}
