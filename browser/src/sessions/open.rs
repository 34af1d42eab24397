//! One open session while it is driven.
//!
//! Invariant: nothing is driven while the model of an unfinished turn cannot be reached; such a turn
//! rests until the settings or the key it waits for are there.

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    pin::pin,
    rc::Rc,
};
use tau_core::{
    ids::{CallId, SessionId},
    json::to_value,
    session::{Command, Config, Event, Session, View},
};
use tau_platform::live::{Live, Watch};
use wasm_bindgen_futures::spawn_local;

use super::Slot;
use crate::{State, browser::Lock, signal::Signal};

/// A session that is driven here.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: SessionId,
    /// Of the run under way: a session with new settings begins another.
    pub(super) live: RefCell<Live>,
    /// What it was set up with; nothing while no model is chosen.
    pub(super) config: RefCell<Option<Config>>,
    /// As it began, for as long as nothing of it is stored.
    pub(super) beginning: View,
    /// Whether a turn is under way, not counting one that rests.
    pub(super) running: Cell<bool>,
    /// Whether a turn rests that a process before began: its model cannot be reached yet. Nothing is
    /// driven meanwhile.
    pub(super) resting: Cell<bool>,
    /// Given when a rest is over.
    pub(super) wake: RefCell<Signal>,
    /// Calls that wait for a person.
    waiting: RefCell<BTreeSet<CallId>>,
    /// To be closed once the turn is over.
    pub(super) leaving: Cell<bool>,
    /// Whether it is being closed: nothing is taken any more.
    pub(super) closing: Cell<bool>,
    /// Given when the run has ended and another begun; then it is not closed but set up anew.
    again: RefCell<Option<Signal>>,
    /// Given when it is no longer driven.
    pub(super) over: Signal,
    lock: RefCell<Option<Lock>>,
}

impl State {
    /// Drives `session` from here on. What it tells comes after what the caller answers at once:
    /// spawned work runs later.
    pub(super) fn begin(self: &Rc<Self>, mut session: Session, lock: Lock) {
        let waiting = session.waiting().into_iter();
        let open = Rc::new(Open {
            id: session.id().clone(),
            live: RefCell::new(Live::new(self.now().0)),
            config: RefCell::new(None),
            beginning: session.view(),
            running: Cell::new(false),
            resting: Cell::new(false),
            wake: RefCell::default(),
            waiting: RefCell::new(waiting.map(|waiting| waiting.call.id).collect()),
            leaving: Cell::new(false),
            closing: Cell::new(false),
            again: RefCell::new(None),
            over: Signal::default(),
            lock: RefCell::new(Some(lock)),
        });
        self.set_up(&open, &mut session);
        let slot = Slot::Open(Rc::clone(&open));
        self.sessions.put(&open.id, slot);
        spawn_local(Rc::clone(self).drive(open, session));
    }

    async fn drive(self: Rc<Self>, open: Rc<Open>, mut session: Session) {
        loop {
            if open.resting.get() {
                let wake = open.wake.borrow().clone();
                wake.wait().await;
            }
            // A rest that is over may be the end, or the settings have to be looked at again.
            let goes_on = !open.closing.get() && open.again.borrow().is_none();
            if goes_on || !open.resting.get() {
                let live = open.live.borrow().clone();
                let watch = live.watch(None);
                spawn_local(Rc::clone(&self).tell_events(Rc::clone(&open), watch));
                live.run(&self.host, &mut session).await;
            }
            let Some(again) = open.again.take().filter(|_| !open.closing.get()) else {
                break;
            };
            let before = open.live.borrow().mark().life;
            open.live.replace(Live::new(self.now().0.max(before + 1)));
            self.set_up(&open, &mut session);
            again.give();
        }
        // A lock that is wanted further was taken out.
        drop(open.lock.take());
        self.sessions.forget(&open);
        open.over.give();
    }

    /// Brings the session to the settings of now, and on with what was unfinished.
    fn set_up(&self, open: &Open, session: &mut Session) {
        let now = self.now();
        let config = self.config().ok();
        if let Some(config) = &config {
            session.configure(config.clone(), now);
        }
        let is_reachable = config.is_some() && !self.misses_key();
        // A question needs no model, and its answer may come before one is reachable.
        if session.is_running() && (is_reachable || !session.waiting().is_empty()) {
            session.resume(now);
            open.running.set(true);
            open.resting.set(false);
        } else {
            open.resting.set(session.is_running());
            open.wake.replace(Signal::default());
        }
        open.config.replace(config);
    }

    async fn tell_events(self: Rc<Self>, open: Rc<Open>, mut watch: Watch) {
        while let Some((mark, event)) = watch.next().await {
            let detail =
                json!({ "session": open.id, "mark": mark.to_string(), "event": to_value(&event) });
            self.browser.tell("session", &detail);
            open.note(&event);
            if let Event::Stopped { error } = event {
                self.browser.tell_error(&error.into(), Some(&open.id.0));
            }
        }
    }
}

impl Open {
    /// Follows what happens, to know when the session may be left.
    fn note(&self, event: &Event) {
        let mut waiting = self.waiting.borrow_mut();
        match event {
            Event::TurnStarted { .. } | Event::ModelCalled { .. } => self.running.set(true),
            Event::ApprovalRequested { call_id, .. } => drop(waiting.insert(call_id.clone())),
            Event::ToolStarted { call_id, .. } | Event::ToolDenied { call_id, .. } => {
                waiting.remove(call_id);
            }
            Event::ToolFinished { result } => drop(waiting.remove(&result.call_id)),
            Event::TurnFinished { .. } | Event::Stopped { .. } => {
                waiting.clear();
                self.running.set(false);
                self.resting.set(false);
            }
            _ => {}
        }
        // What could not be stored is of no use any more.
        let stopped = matches!(event, Event::Stopped { .. });
        if stopped || (self.leaving.get() && self.rests(&waiting)) {
            self.close();
        }
    }

    /// Lets the run come to its end; there is no way back from here.
    fn close(&self) {
        self.closing.set(true);
        self.live.borrow().close();
        self.wake.borrow().give();
    }

    fn rests(&self, waiting: &BTreeSet<CallId>) -> bool {
        !self.running.get() || !waiting.is_empty()
    }

    /// Ends the run once nothing is under way; says whether that is now.
    pub(super) fn leave(&self) -> bool {
        self.leaving.set(true);
        let rests = self.rests(&self.waiting.borrow());
        if rests {
            self.close();
        }
        rests
    }

    /// Ends the turn that runs and then the run; gives the lock to the caller.
    pub(super) async fn end(&self) -> Option<Lock> {
        let lock = self.lock.take();
        let live = self.live.borrow().clone();
        // Refused only by a session that stopped, which has nothing under way.
        let interrupted = live.submit(Command::Interrupt);
        self.wake.borrow().give();
        drop(interrupted.await);
        self.close();
        self.over.wait().await;
        lock
    }

    /// Ends the run, which must rest, and waits until another has begun with the settings of now.
    pub(super) async fn set_up_again(&self) {
        let signal = self
            .again
            .borrow_mut()
            .get_or_insert_with(Signal::default)
            .clone();
        self.live.borrow().close();
        self.wake.borrow().give();
        match select(pin!(signal.wait()), pin!(self.over.wait())).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}
