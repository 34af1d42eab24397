//! Where a test's commands come from.

use alloc::{collections::VecDeque, rc::Rc};
use core::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_util::stream::{self, Stream};
use tau_core::session::Command;

use super::clock::SimClock;

/// An inbox that is filled while the session runs, such as by what is shown. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimInbox {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    commands: VecDeque<Command>,
    closed: bool,
    waker: Option<Waker>,
}

impl SimInbox {
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

impl Stream for SimInbox {
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
