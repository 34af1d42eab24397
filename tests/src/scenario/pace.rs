//! Virtual time beside real operations.
//!
//! Invariant: a real operation takes no virtual time, and nothing else happens while one is under
//! way. So whoever is polled sees the same, in the same order, as in the simulator, where every
//! operation is done at once; how fast a disk or a network is changes nothing.
//!
//! ```text
//! pace ── polls the director, then the loop ── until nothing can go on ── time jumps to a sleep
//!            └── a real operation began: only it can go on; the same one is polled again after it
//! ```

use futures_util::{
    future::Either,
    stream::Stream,
    task::{ArcWake, AtomicWaker, waker},
};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tau_core::ids::UnixMillis;
use tau_platform::{Clock, Inbox, sim::SimClock};

/// Closed while a real operation is under way. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Rc<State>);

#[derive(Debug, Default)]
struct State {
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    /// Does something real. Nothing else goes on until it is done or dropped.
    pub async fn real<T>(&self, operation: impl Future<Output = T>) -> T {
        self.open().await;
        self.0.closed.set(true);
        let _opens = Opens(self);
        operation.await
    }

    /// Returns once nothing real is under way.
    pub(super) async fn open(&self) {
        poll_fn(|cx| self.poll_open(cx)).await;
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.0.closed.get() {
            return Poll::Ready(());
        }
        self.0.waiting.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }

    fn is_closed(&self) -> bool {
        self.0.closed.get()
    }
}

/// Opens the gate again, also when the operation is dropped.
struct Opens<'g>(&'g Gate);

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.0.0.closed.set(false);
        for waker in self.0.0.waiting.take() {
            waker.wake();
        }
    }
}

/// The virtual clock, which wakes nobody while the gate is closed.
#[derive(Clone, Debug)]
pub(super) struct GatedClock {
    pub(super) clock: SimClock,
    pub(super) gate: Gate,
}

impl GatedClock {
    /// Returns so many virtual milliseconds later.
    pub(super) async fn sleep(&self, millis: u64) {
        self.sleep_until(self.now().plus(millis)).await;
    }
}

impl Clock for GatedClock {
    fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    async fn sleep_until(&self, deadline: UnixMillis) {
        self.clock.sleep_until(deadline).await;
        self.gate.open().await;
    }
}

/// An inbox that gives nothing while the gate is closed.
pub(super) struct GatedInbox {
    pub(super) inbox: Inbox,
    pub(super) gate: Gate,
}

impl Stream for GatedInbox {
    type Item = <Inbox as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.gate.poll_open(cx).is_pending() {
            return Poll::Pending;
        }
        Pin::new(&mut self.inbox).poll_next(cx)
    }
}

/// Whose turn it is to be polled.
enum Turn {
    First,
    Second,
    /// Both were polled.
    Nobody,
}

/// Runs two futures side by side, the first always before the second, until one has ended. Time
/// jumps to the earliest sleep whenever neither can go on and nothing real is under way.
///
/// # Panics
///
/// When nothing can go on and nothing sleeps.
pub(super) async fn pace<A: Future, B: Future>(
    clock: &SimClock,
    gate: &Gate,
    mut first: Pin<&mut A>,
    mut second: Pin<&mut B>,
) -> Either<A::Output, B::Output> {
    let woken = Arc::new(Woken::default());
    let inner = waker(Arc::clone(&woken));
    let mut turn = Turn::First;
    poll_fn(move |cx| {
        woken.outer.register(cx.waker());
        let mut inner = Context::from_waker(&inner);
        loop {
            turn = match turn {
                Turn::First => match first.as_mut().poll(&mut inner) {
                    Poll::Ready(output) => return Poll::Ready(Either::Left(output)),
                    Poll::Pending if gate.is_closed() => return Poll::Pending,
                    Poll::Pending => Turn::Second,
                },
                Turn::Second => match second.as_mut().poll(&mut inner) {
                    Poll::Ready(output) => return Poll::Ready(Either::Right(output)),
                    Poll::Pending if gate.is_closed() => return Poll::Pending,
                    Poll::Pending => Turn::Nobody,
                },
                Turn::Nobody if woken.again.swap(false, Ordering::AcqRel) => Turn::First,
                Turn::Nobody => {
                    assert!(
                        clock.advance(),
                        "deadlock after {} ms: nothing can go on and nothing sleeps",
                        clock.elapsed_ms()
                    );
                    Turn::Nobody
                }
            };
        }
    })
    .await
}

/// Remembers that something can go on, and tells the executor outside.
#[derive(Default)]
struct Woken {
    again: AtomicBool,
    outer: AtomicWaker,
}

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.again.store(true, Ordering::Release);
        woken.outer.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, future::join};
    use std::{future::pending, pin::pin, time::Duration};
    use tau_core::session::Command;

    const SLOW: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_real_operation_takes_no_virtual_time() {
        let (clock, gate) = (SimClock::default(), Gate::default());
        let hour = pin!(async {
            clock.sleep(3_600_000).await;
            clock.elapsed_ms()
        });
        let ends = Cell::new(None);
        let operation = pin!(async {
            gate.real(tokio::time::sleep(SLOW)).await;
            ends.set(Some(clock.elapsed_ms()));
            pending::<()>().await;
        });
        let ended = pace(&clock, &gate, hour, operation).await;
        assert!(matches!(ended, Either::Left(3_600_000)));
        assert_eq!(ends.get(), Some(0));
    }

    #[tokio::test]
    async fn nothing_else_goes_on_while_something_real_is_under_way() {
        let (clock, gate) = (SimClock::default(), Gate::default());
        let (seen, inbox) = (RefCell::new(Vec::new()), Inbox::default());
        inbox.push(Command::Interrupt);
        let director = pin!(async {
            poll_fn(|_| {
                seen.borrow_mut().push("director");
                Poll::<()>::Pending
            })
            .await;
        });
        let mut gated = GatedInbox {
            inbox: inbox.clone(),
            gate: gate.clone(),
        };
        let due = GatedClock {
            clock: clock.clone(),
            gate: gate.clone(),
        };
        let work = pin!(async {
            let operation = async {
                gate.real(tokio::time::sleep(SLOW)).await;
                seen.borrow_mut().push("real");
            };
            let others = async {
                gated.next().await;
                due.sleep(0).await;
                seen.borrow_mut().push("others");
            };
            join(operation, others).await;
        });
        let ended = pace(&clock, &gate, director, work).await;
        assert!(matches!(ended, Either::Right(_)));
        assert_eq!(*seen.borrow(), ["director", "real", "others"]);
    }

    #[tokio::test]
    async fn a_real_operation_that_is_dropped_lets_the_others_go_on() {
        let (clock, gate) = (SimClock::default(), Gate::default());
        {
            let mut operation = pin!(gate.real(pending::<()>()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(operation.as_mut().poll(&mut cx).is_pending());
            assert!(gate.is_closed());
        }
        let never = pin!(pending::<()>());
        let opens = pin!(gate.open());
        assert!(matches!(
            pace(&clock, &gate, never, opens).await,
            Either::Right(())
        ));
    }

    #[tokio::test]
    #[should_panic(expected = "deadlock after 5 ms")]
    async fn waiting_for_what_cannot_come_is_told() {
        let (clock, gate) = (SimClock::default(), Gate::default());
        let never = pin!(pending::<()>());
        let work = pin!(async {
            clock.sleep(5).await;
            pending::<()>().await;
        });
        pace(&clock, &gate, never, work).await;
    }
}
