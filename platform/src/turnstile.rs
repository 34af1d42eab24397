//! A value for one at a time: who comes while it is out waits for its turn.

use alloc::vec::Vec;
use core::{
    future::poll_fn,
    task::{Poll, Waker},
};
use spin::Mutex;

/// The value, and who waits for it. The lock inside is held for a few instructions, never across a
/// wait.
#[derive(Debug)]
pub(crate) struct Turnstile<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    waiting: Vec<Waker>,
}

/// The value, until this is dropped.
pub(crate) struct Turn<'a, T> {
    of: &'a Turnstile<T>,
    /// Always there; an option so that it can be given back.
    value: Option<T>,
}

impl<T: Default> Turnstile<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            value: Some(T::default()),
            waiting: Vec::new(),
        }))
    }

    /// Waits for the value.
    pub(crate) async fn turn(&self) -> Turn<'_, T> {
        let value = poll_fn(|cx| {
            let mut state = self.0.lock();
            match state.value.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    state.waiting.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        });
        Turn {
            value: Some(value.await),
            of: self,
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.of.0.lock();
            state.value = self.value.take();
            core::mem::take(&mut state.waiting)
        };
        // All of them: one that was woken and dropped would leave the others asleep.
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<T: Default> Turn<'_, T> {
    /// The value itself.
    pub(crate) fn get(&mut self) -> &mut T {
        self.value.get_or_insert_default()
    }
}
