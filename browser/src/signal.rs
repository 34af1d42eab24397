//! Something that happens once, and those who wait for it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// It happened. A second time changes nothing.
    pub(crate) fn give(&self) {
        self.0.given.set(true);
        self.0.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Returns once it has happened, at once when it did already.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            if self.0.given.get() {
                return Poll::Ready(());
            }
            self.0.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
