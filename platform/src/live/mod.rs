//! One session while it runs, for homes that serve it to others: commands go in and are answered,
//! events come out to whoever watches, numbered, so that a watcher that was away can go on.
//!
//! Invariants:
//! - It stores nothing and decides nothing: what a session is stands in its journal. A watcher that
//!   cannot go on from where it was takes a view of the stored session and then the events of what
//!   is not stored yet.
//! - No watcher holds up the session. One that falls behind further than the events that are kept
//!   is let go, and comes back.
//! - Once [`Live::run`] is over, however it ended, nobody waits: commands are refused, watchers end.

mod feed;

pub use feed::{Mark, UnknownMark};

use alloc::{collections::VecDeque, rc::Rc, vec::Vec};
use core::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_util::stream::Stream;
use tau_core::session::{Command, CommandError, Event, Session};

use crate::{
    drive::{Left, Shown, drive},
    host::Host,
    inbox::Inbox,
};
use feed::{Feed, Next};

/// The connection to a running session. Clones share it; it stays on one thread.
#[derive(Clone, Debug)]
pub struct Live {
    inbox: Inbox,
    state: Rc<RefCell<State>>,
}

#[derive(Debug)]
struct State {
    feed: Feed,
    /// Commands that are not answered, oldest first.
    unanswered: VecDeque<Rc<RefCell<Reply>>>,
    watchers: Vec<Waker>,
    over: bool,
}

#[derive(Debug, Default)]
struct Reply {
    answer: Option<Result<(), CommandError>>,
    waker: Option<Waker>,
}

impl Live {
    /// A connection for one run of a session.
    ///
    /// `life` names that run in marks: no two runs of a session may have the same, so it is drawn
    /// at random or is the time the run began.
    #[must_use]
    pub fn new(life: u64) -> Self {
        Self {
            inbox: Inbox::default(),
            state: Rc::new(RefCell::new(State {
                feed: Feed::new(life),
                unanswered: VecDeque::new(),
                watchers: Vec::new(),
                over: false,
            })),
        }
    }

    /// Drives `session` until [`Live::close`] was called and nothing is left to do.
    ///
    /// Dropping the future ends the run at once, as it does for [`drive()`].
    pub async fn run<H: Host>(&self, host: &H, session: &mut Session) -> Left {
        let _over = Over(self);
        let state = Rc::clone(&self.state);
        drive(host, session, self.inbox.clone(), move |shown| {
            state.borrow_mut().see(shown);
        })
        .await
    }

    /// Lets the run come to its end: nothing more is taken.
    pub fn close(&self) {
        self.inbox.close();
        self.state.borrow_mut().over = true;
    }

    /// Hands `command` to the session and says whether it was taken. What follows from it is seen
    /// by watchers. After the run's end it is refused as [`CommandError::Stopped`].
    ///
    /// The command is on its way once this is called; dropping the future only forgets the answer.
    pub fn submit(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<(), CommandError>> + use<> {
        let reply = Rc::new(RefCell::new(Reply::default()));
        let mut state = self.state.borrow_mut();
        if state.over {
            reply.borrow_mut().answer = Some(Err(CommandError::Stopped));
        } else {
            state.unanswered.push_back(Rc::clone(&reply));
            drop(state);
            self.inbox.push(command);
        }
        poll_fn(move |cx| {
            let mut reply = reply.borrow_mut();
            match reply.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    reply.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    /// What happens from `after` on. Without a mark, and where the watcher cannot go on from it
    /// ([`Watch::resumed`] tells), what happened since the last message was stored comes first.
    ///
    /// A watcher that is not resumed takes its view of the stored session after this call: events
    /// it sees twice then name the same entry, turn or tool call as the view does.
    #[must_use]
    pub fn watch(&self, after: Option<Mark>) -> Watch {
        let state = self.state.borrow();
        let (next, resumed) = state.feed.place(after);
        Watch {
            state: Rc::clone(&self.state),
            next,
            joins: state.feed.joins(),
            resumed,
        }
    }

    /// The mark of the last event.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.state.borrow().feed.mark()
    }
}

impl State {
    fn see(&mut self, shown: Shown) {
        match shown {
            Shown::Reply(answer) => {
                if let Some(reply) = self.unanswered.pop_front() {
                    settle(&reply, answer);
                }
            }
            Shown::Event(event) => {
                self.feed.push(event);
                self.wake();
            }
        }
    }

    fn wake(&mut self) {
        self.watchers.drain(..).for_each(Waker::wake);
    }
}

fn settle(reply: &RefCell<Reply>, answer: Result<(), CommandError>) {
    let mut reply = reply.borrow_mut();
    reply.answer = Some(answer);
    if let Some(waker) = reply.waker.take() {
        waker.wake();
    }
}

/// Ends everything that waits once the run is over, also when its future is dropped.
struct Over<'a>(&'a Live);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.close();
        let mut state = self.0.state.borrow_mut();
        for reply in state.unanswered.drain(..) {
            settle(&reply, Err(CommandError::Stopped));
        }
        state.feed.end();
        state.wake();
    }
}

/// A stream of numbered events. It ends when the run does, and when the watcher fell too far behind.
#[derive(Debug)]
pub struct Watch {
    state: Rc<RefCell<State>>,
    next: u64,
    /// Of the feed, when it began.
    joins: u64,
    /// Whether it goes on exactly behind the mark it was asked for.
    pub resumed: bool,
}

impl Stream for Watch {
    type Item = (Mark, Event);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(Mark, Event)>> {
        let this = &mut *self;
        let mut state = this.state.borrow_mut();
        match state.feed.get(this.next, this.joins) {
            Next::Event(mark, event) => {
                this.next += 1;
                Poll::Ready(Some((mark, event)))
            }
            Next::Later => {
                let waker = cx.waker();
                if !state.watchers.iter().any(|known| known.will_wake(waker)) {
                    state.watchers.push(waker.clone());
                }
                Poll::Pending
            }
            Next::Never => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests;
