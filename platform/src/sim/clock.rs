//! Time that moves only when nothing else can.

use alloc::{collections::BTreeMap, rc::Rc, sync::Arc, task::Wake};
use core::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};
use tau_core::ids::UnixMillis;

use crate::clock::Clock;

/// 2026-01-01T00:00:00Z, when every simulation begins.
pub const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// A virtual clock and the executor that moves it. Clones share the time.
#[derive(Clone, Debug)]
pub struct SimClock {
    state: Rc<RefCell<State>>,
}

#[derive(Debug)]
struct State {
    now: UnixMillis,
    /// Sleeps by deadline, those of one deadline in the order they began.
    sleeps: BTreeMap<(UnixMillis, u64), Waker>,
    next: u64,
}

impl Default for SimClock {
    fn default() -> Self {
        Self {
            state: Rc::new(RefCell::new(State {
                now: START,
                sleeps: BTreeMap::new(),
                next: 0,
            })),
        }
    }
}

impl SimClock {
    /// Milliseconds since the simulation began.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.now().since(START)
    }

    /// Returns `millis` later.
    pub async fn sleep(&self, millis: u64) {
        self.sleep_until(self.now().plus(millis)).await;
    }

    /// Sets the wall clock, also backwards; sleeps end by the new time.
    pub fn set(&self, now: UnixMillis) {
        self.state.borrow_mut().now = now;
        self.wake_due();
    }

    /// Runs `future` to its end. Whenever nothing can go on, time jumps to the earliest sleep.
    ///
    /// # Panics
    ///
    /// When nothing can go on and nothing sleeps: the future would wait forever.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            }
            assert!(
                self.advance(),
                "deadlock after {} ms: nothing can go on and nothing sleeps",
                self.elapsed_ms()
            );
        }
    }

    /// Moves time to the earliest sleep and wakes it; `false` when nothing sleeps. For executors
    /// that also wait for the real world, and move time only while nothing of that is under way.
    #[must_use]
    pub fn advance(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let Some((deadline, _)) = state.sleeps.keys().next().copied() else {
            return false;
        };
        state.now = state.now.max(deadline);
        drop(state);
        self.wake_due();
        true
    }

    fn wake_due(&self) {
        let mut state = self.state.borrow_mut();
        let now = state.now;
        while let Some(sleep) = state.sleeps.first_entry() {
            if sleep.key().0 > now {
                break;
            }
            sleep.remove().wake();
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMillis {
        self.state.borrow().now
    }

    async fn sleep_until(&self, deadline: UnixMillis) {
        Sleep {
            clock: self.clone(),
            deadline,
            place: None,
        }
        .await;
    }
}

struct Sleep {
    clock: SimClock,
    deadline: UnixMillis,
    /// Where its waker is, once it was polled.
    place: Option<(UnixMillis, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.state.borrow_mut();
        if state.now >= self.deadline {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| {
            state.next += 1;
            (self.deadline, state.next)
        });
        self.place = Some(place);
        state.sleeps.insert(place, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.state.borrow_mut().sleeps.remove(&place);
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
