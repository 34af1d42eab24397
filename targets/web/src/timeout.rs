//! Waiting, by `setTimeout`.
//!
//! Invariant: a wait that is dropped clears its timer and leaves nothing behind.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};
use wasm_bindgen::prelude::*;

use crate::global::{clear_timeout, set_timeout};

/// Longer waits end at once: runtimes count in 32 bits.
const LONGEST_MS: u64 = i32::MAX as u64;

/// Waits `ms` milliseconds by the runtime's own count, which may stand still while a device sleeps.
pub(crate) async fn sleep(mut ms: u64) {
    while ms > 0 {
        let step = ms.min(LONGEST_MS);
        Timeout::new(step).await;
        ms -= step;
    }
}

/// What `work` gives, or `None` when it is not done after `ms`. Done work wins over a due timer.
pub(crate) async fn within<F: Future>(ms: u64, work: F) -> Option<F::Output> {
    let (mut work, mut late) = (pin!(work), pin!(sleep(ms)));
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        late.as_mut().poll(cx).map(|()| None)
    })
    .await
}

struct Timeout {
    id: JsValue,
    state: Rc<State>,
    /// What the runtime calls: it must live until it did or the timer is cleared.
    _callback: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    fired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Timeout {
    fn new(ms: u64) -> Self {
        let state = Rc::new(State::default());
        let callback = Closure::once({
            let state = Rc::clone(&state);
            move || {
                state.fired.set(true);
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
            }
        });
        let ms = i32::try_from(ms).unwrap_or(i32::MAX);
        Self {
            id: set_timeout(callback.as_ref().unchecked_ref(), ms),
            state,
            _callback: callback,
        }
    }
}

impl Future for Timeout {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.state.fired.get() {
            return Poll::Ready(());
        }
        self.state.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if !self.state.fired.get() {
            clear_timeout(&self.id);
        }
    }
}
