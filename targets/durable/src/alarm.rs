//! The object's alarm as a timer: an object that was evicted is woken by it.

use core::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};
use std::rc::Rc;
use tau_core::ids::UnixMillis;
use tau_platform::Clock;
use worker::ScheduledTime;

/// Deadlines within it are slept for in memory as well; later ones wait for the alarm alone, so
/// that an object in which only somebody's answer is missing holds no timer.
const LOCAL_MS: u64 = 90_000;
/// The last instant a JavaScript date can name (ECMA-262, section 21.4.1.1).
const LAST_DATE: UnixMillis = UnixMillis(8_640_000_000_000_000);

/// The alarm of one object, set to the earliest of what is wished for. Clones share it.
#[derive(Clone, Debug)]
pub struct Alarm {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    storage: worker::Storage,
    /// What is wished for, in no order: there are a handful.
    wishes: RefCell<Vec<UnixMillis>>,
    /// What the storage was last told, by this value of the object.
    set: Cell<Option<UnixMillis>>,
    /// Times it went off: what sleepers watch.
    fired: Cell<u64>,
    sleepers: RefCell<Vec<Waker>>,
}

/// Somebody wants to be woken at an instant, for as long as this lives.
#[derive(Debug)]
pub struct Wish {
    alarm: Alarm,
    at: UnixMillis,
}

impl Alarm {
    /// The alarm that belongs to `storage`.
    #[must_use]
    pub fn new(storage: worker::Storage) -> Self {
        Self {
            shared: Rc::new(Shared {
                storage,
                wishes: RefCell::default(),
                set: Cell::new(None),
                fired: Cell::new(0),
                sleepers: RefCell::default(),
            }),
        }
    }

    /// Wishes to be woken at `at`. The storage hears of it by [`Alarm::keep`].
    #[must_use]
    pub fn wish(&self, at: UnixMillis) -> Wish {
        self.shared.wishes.borrow_mut().push(at);
        Wish {
            alarm: self.clone(),
            at,
        }
    }

    /// Sets the alarm if it is later than the earliest wish. An alarm that is too early is left:
    /// it wakes the object in vain, which costs less than moving it each time.
    pub async fn keep(&self) -> worker::Result<()> {
        match (self.earliest(), self.shared.set.get()) {
            (Some(at), Some(set)) if set <= at => Ok(()),
            (Some(at), _) => self.set(at).await,
            (None, _) => Ok(()),
        }
    }

    /// Sets the alarm to the earliest wish, or removes it when there is none.
    pub async fn settle(&self) -> worker::Result<()> {
        match self.earliest() {
            Some(at) if self.shared.set.get() == Some(at) => Ok(()),
            Some(at) => self.set(at).await,
            None => {
                self.shared.set.set(None);
                self.shared.storage.delete_alarm().await
            }
        }
    }

    /// To be called first by the object's alarm handler: the alarm is no longer set, and whoever
    /// sleeps looks at the clock.
    pub fn went_off(&self) {
        self.shared.set.set(None);
        self.shared.fired.set(self.shared.fired.get() + 1);
        for sleeper in self.shared.sleepers.take() {
            sleeper.wake();
        }
    }

    fn earliest(&self) -> Option<UnixMillis> {
        let wishes = self.shared.wishes.borrow();
        wishes.iter().min().copied().filter(|at| *at <= LAST_DATE)
    }

    async fn set(&self, at: UnixMillis) -> worker::Result<()> {
        let before = self.shared.set.replace(Some(at));
        #[expect(
            clippy::cast_precision_loss,
            reason = "the instants of a JavaScript date are exact in a double"
        )]
        let date = js_sys::Date::new(&(at.0 as f64).into());
        let outcome = self
            .shared
            .storage
            .set_alarm(ScheduledTime::new(date))
            .await;
        if outcome.is_err() {
            self.shared.set.set(before);
        }
        outcome
    }

    /// Returns when the alarm has gone off since it had done so `seen` times.
    async fn fired_since(&self, seen: u64) {
        poll_fn(|cx| {
            if self.shared.fired.get() != seen {
                return Poll::Ready(());
            }
            self.shared.sleepers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        let mut wishes = self.alarm.shared.wishes.borrow_mut();
        if let Some(place) = wishes.iter().position(|at| *at == self.at) {
            wishes.swap_remove(place);
        }
    }
}

/// A clock whose sleeps outlive the object's memory: what wakes a sleeper that is gone is the
/// alarm, and its handler opens the session again.
#[derive(Clone, Debug)]
pub struct AlarmClock<C> {
    timer: C,
    alarm: Alarm,
}

impl<C: Clock> AlarmClock<C> {
    /// A clock that shows what `timer` shows.
    pub fn new(timer: C, alarm: Alarm) -> Self {
        Self { timer, alarm }
    }
}

impl<C: Clock> Clock for AlarmClock<C> {
    fn now(&self) -> UnixMillis {
        self.timer.now()
    }

    async fn sleep_until(&self, deadline: UnixMillis) {
        if deadline <= self.now() {
            return;
        }
        let _wish = self.alarm.wish(deadline);
        loop {
            let seen = self.alarm.shared.fired.get();
            let left_ms = deadline.since(self.now());
            if left_ms == 0 {
                return;
            }
            // Where the alarm cannot be set, the storage is failing and the next commit says so;
            // the timer in memory holds meanwhile.
            let kept = self.alarm.keep().await;
            if left_ms <= LOCAL_MS || kept.is_err() {
                return self.timer.sleep_until(deadline).await;
            }
            self.alarm.fired_since(seen).await;
        }
    }
}
