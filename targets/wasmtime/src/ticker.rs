//! The beat by which running programs look at their deadlines: a thread raises the engine's epoch
//! while anything runs, and a program that notices asks its own clock.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use wasmtime::Engine;

/// How often. A deadline is met this closely.
const BEAT: Duration = Duration::from_millis(5);

/// For how many beats nothing may run before the thread rests: waking it costs more than some calls.
const IDLE_BEATS: u32 = 200;

/// The beat of one engine. It ends with this value.
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    engine: Engine,
    running: AtomicUsize,
    thread: Mutex<Thread>,
    changed: Condvar,
}

#[derive(PartialEq, Eq)]
enum Thread {
    None,
    Beating,
    Resting,
    Ended,
}

impl Ticker {
    /// A beat for `engine`; its thread starts with the first program.
    pub(crate) fn new(engine: Engine) -> Self {
        Self(Arc::new(Shared {
            engine,
            running: AtomicUsize::new(0),
            thread: Mutex::new(Thread::None),
            changed: Condvar::new(),
        }))
    }

    /// Keeps the beat going while the result lives.
    pub(crate) fn hold(&self) -> Hold<'_> {
        if self.0.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.0.wake();
        }
        Hold(&self.0)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.0.state() = Thread::Ended;
        self.0.changed.notify_all();
    }
}

/// A program is running.
pub(crate) struct Hold<'a>(&'a Shared);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Thread> {
        // A thread that panicked left a state that is whole: it is one word.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(self: &Arc<Self>) {
        let mut state = self.state();
        match *state {
            Thread::Beating | Thread::Ended => {}
            Thread::Resting => {
                *state = Thread::Beating;
                self.changed.notify_all();
            }
            Thread::None => {
                let shared = Arc::clone(self);
                let started = thread::Builder::new()
                    .name("tau-wasm-epoch".to_owned())
                    .spawn(move || shared.beat());
                if started.is_ok() {
                    *state = Thread::Beating;
                }
            }
        }
    }

    fn beat(&self) {
        let mut idle = 0;
        loop {
            thread::sleep(BEAT);
            self.engine.increment_epoch();
            let mut state = self.state();
            idle = match self.running.load(Ordering::SeqCst) {
                0 => idle + 1,
                _ => 0,
            };
            // Decided under the lock that a program takes to wake it, after it has been counted.
            if idle >= IDLE_BEATS && *state == Thread::Beating {
                *state = Thread::Resting;
                idle = 0;
            }
            while *state == Thread::Resting {
                state = match self.changed.wait(state) {
                    Ok(state) => state,
                    Err(poisoned) => poisoned.into_inner(),
                };
            }
            if *state == Thread::Ended {
                return;
            }
        }
    }
}
