//! Where a running session's commands come from: a queue that is filled from outside.

use alloc::{collections::VecDeque, rc::Rc};
use core::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_util::stream::Stream;
use tau_core::session::Command;

/// A queue of commands without limit, as [`crate::drive()`] reads them. Clones share it.
///
/// It is for one reader, on one thread.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    commands: VecDeque<Command>,
    closed: bool,
    waker: Option<Waker>,
}

impl Inbox {
    /// Puts a command at the end.
    pub fn push(&self, command: Command) {
        self.state.borrow_mut().commands.push_back(command);
        self.wake();
    }

    /// Ends the inbox after what is in it.
    pub fn close(&self) {
        self.state.borrow_mut().closed = true;
        self.wake();
    }

    fn wake(&self) {
        let waker = self.state.borrow_mut().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Stream for Inbox {
    type Item = Command;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Command>> {
        let mut state = self.state.borrow_mut();
        if let Some(command) = state.commands.pop_front() {
            return Poll::Ready(Some(command));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
