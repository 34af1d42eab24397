//! The sessions this tab has open, or waits for.
//!
//! Invariants:
//! - A session is driven only while this tab holds its Web Lock, and what is driven was read after
//!   the lock was taken.
//! - An open session drives itself to its end or to a question; a turn that a reload cut off goes on
//!   by itself as soon as the session is open and its model can be reached.
//! - New settings count from the next turn on; a policy counts at once.

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    rc::Rc,
};
use tau_core::{
    ids::{CallId, SessionId, UnixMillis},
    journal,
    session::{Batch, Command, Config, Event, Session, View},
};
use tau_platform::{
    Storage,
    live::{Live, Watch},
    open::{OpenError, open},
};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::{State, browser::Lock, error::Refused, signal::Signal};

/// Records looked at together when a session is deleted.
const PAGE: u32 = 512;

/// By session.
#[derive(Debug, Default)]
pub(crate) struct Sessions(RefCell<BTreeMap<SessionId, Slot>>);

/// What this tab has of a session.
#[derive(Clone, Debug)]
enum Slot {
    /// It is being found out. The signal says when that is over.
    Opening(Signal),
    /// Another tab has it; the signal leaves the line.
    Waiting(Signal),
    /// It is here.
    Open(Rc<Open>),
}

/// A session that is driven here.
#[derive(Debug)]
struct Open {
    id: SessionId,
    /// Of the run under way: a session with new settings begins another.
    live: RefCell<Live>,
    /// What it was set up with; nothing while no model is chosen.
    config: RefCell<Option<Config>>,
    /// As it began, for as long as nothing of it is stored.
    beginning: View,
    /// Whether a turn is under way, not counting one that rests.
    running: Cell<bool>,
    /// Whether a turn rests that a process before began: its model cannot be reached yet. Nothing is
    /// driven meanwhile.
    resting: Cell<bool>,
    /// Given when a rest is over.
    wake: RefCell<Signal>,
    /// Calls that wait for a person.
    waiting: RefCell<BTreeSet<CallId>>,
    /// To be closed once the turn is over.
    leaving: Cell<bool>,
    /// Whether it is being closed: nothing is taken any more.
    closing: Cell<bool>,
    /// Given when the run has ended and another begun; then it is not closed but set up anew.
    again: RefCell<Option<Signal>>,
    /// Given when it is no longer driven.
    over: Signal,
    lock: RefCell<Option<Lock>>,
}

impl State {
    /// A session nobody has said anything in yet.
    pub(crate) async fn create_session(self: &Rc<Self>) -> Result<Value, Refused> {
        let config = self.config()?;
        let mut seed = [0; 32];
        self.fill(&mut seed)?;
        let session = Session::new(config, seed, self.now());
        let id = session.id().clone();
        let request = self.browser.lock(&id.0);
        let taken = JsFuture::from(request.taken()).await;
        let lock = Lock(request);
        taken.map_err(|thrown| Refused::new("lock", crate::browser::words(&thrown)))?;
        self.begin(session, lock);
        Ok(json!({ "session": id }))
    }

    /// Opens a stored session, or gets in line for it; in either case it can be read.
    pub(crate) async fn open_session(self: &Rc<Self>, id: SessionId) -> Result<Value, Refused> {
        loop {
            let slot = self.sessions.get(&id);
            match slot {
                Some(Slot::Opening(known)) => known.wait().await,
                Some(Slot::Open(open)) if open.closing.get() => open.over.wait().await,
                Some(Slot::Open(open)) => {
                    open.leaving.set(false);
                    return self.stored_view(&id, Some(&open)).await;
                }
                Some(Slot::Waiting(_)) => {
                    let mut view = self.stored_view(&id, None).await?;
                    view["held"] = true.into();
                    return Ok(view);
                }
                None => break,
            }
        }
        let known = Signal::default();
        self.sessions.put(&id, Slot::Opening(known.clone()));
        let opened = self.open_or_wait(&id).await;
        if opened.is_err() {
            self.sessions.remove(&id);
        }
        known.give();
        opened
    }

    async fn open_or_wait(self: &Rc<Self>, id: &SessionId) -> Result<Value, Refused> {
        let request = self.browser.lock(&id.0);
        let mut taken = JsFuture::from(request.taken());
        let lock = Lock(request);
        let holder = {
            let holder = pin!(self.browser.holder(&id.0));
            match select(&mut taken, holder).await {
                Either::Left((taken, _)) => {
                    taken.map_err(|thrown| Refused::new("lock", crate::browser::words(&thrown)))?;
                    return self.start(id, lock).await;
                }
                Either::Right((holder, _)) => holder.ok().and_then(|holder| holder.as_string()),
            }
        };
        let mut view = self.stored_view(id, None).await?;
        view["held"] = true.into();
        let leave = Signal::default();
        self.sessions.put(id, Slot::Waiting(leave.clone()));
        self.browser.tell("held", &held(id, holder.as_deref()));
        spawn_local(Rc::clone(self).wait_in_line(id.clone(), taken, lock, leave));
        Ok(view)
    }

    /// Waits for its turn, then opens the session as it is stored by then.
    async fn wait_in_line(
        self: Rc<Self>,
        id: SessionId,
        taken: JsFuture,
        lock: Lock,
        leave: Signal,
    ) {
        let Either::Left((Ok(_), _)) = select(taken, pin!(leave.wait())).await else {
            return;
        };
        let known = Signal::default();
        self.sessions.put(&id, Slot::Opening(known.clone()));
        match self.start(&id, lock).await {
            Ok(view) => {
                let detail = json!({ "session": id, "view": view });
                self.browser.tell("released", &detail);
            }
            Err(refused) => {
                self.sessions.remove(&id);
                self.browser.tell_error(&refused, Some(&id.0));
            }
        }
        known.give();
    }

    async fn start(self: &Rc<Self>, id: &SessionId, lock: Lock) -> Result<Value, Refused> {
        let session = open(self.storage(), id).await?;
        let view = json!(session.view());
        self.begin(session, lock);
        Ok(view)
    }

    /// Drives `session` from here on. What it tells comes after what the caller answers at once:
    /// spawned work runs later.
    fn begin(self: &Rc<Self>, mut session: Session, lock: Lock) {
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
            let detail = json!({ "session": open.id, "mark": mark.to_string(), "event": event });
            self.browser.tell("session", &detail);
            open.note(&event);
            if let Event::Stopped { error } = event {
                self.browser.tell_error(&error.into(), Some(&open.id.0));
            }
        }
    }

    /// Hands a command to an open session.
    pub(crate) async fn submit(
        self: &Rc<Self>,
        id: &SessionId,
        command: Command,
    ) -> Result<(), Refused> {
        let open = self.find(id).await?;
        if command != Command::Interrupt {
            self.can_go_on(&open, &command).await?;
        }
        let live = open.live.borrow().clone();
        let answer = live.submit(command);
        open.wake.borrow().give();
        Ok(answer.await?)
    }

    /// Whether a command can be taken now. One that begins a turn has the settings of now.
    async fn can_go_on(&self, open: &Rc<Open>, command: &Command) -> Result<(), Refused> {
        let begins = matches!(command, Command::Prompt { .. } | Command::Compact);
        let answers = matches!(command, Command::Approve { .. } | Command::Deny { .. });
        if begins || answers || open.resting.get() {
            let config = self.config()?;
            if self.misses_key() {
                return Err(no_key());
            }
            let is_new = open.config.borrow().as_ref() != Some(&config);
            if (is_new && !open.running.get()) || open.resting.get() {
                open.set_up_again().await;
            }
        }
        Ok(())
    }

    async fn find(&self, id: &SessionId) -> Result<Rc<Open>, Refused> {
        loop {
            match self.sessions.get(id) {
                Some(Slot::Open(open)) if open.closing.get() => open.over.wait().await,
                Some(Slot::Open(open)) => return Ok(open),
                Some(Slot::Opening(known)) => known.wait().await,
                Some(Slot::Waiting(_)) => return Err(is_held()),
                None => {
                    let message = format!("session {id} is not open");
                    return Err(Refused::new("not_open", message).hint("call sessions.open first"));
                }
            }
        }
    }

    /// What open sessions have to know of new settings or a new key.
    pub(crate) fn settings_changed(self: &Rc<Self>) {
        let policy = self.settings.borrow().policy();
        let is_reachable = self.config().is_ok() && !self.misses_key();
        for open in self.sessions.open() {
            let before = open
                .config
                .borrow()
                .as_ref()
                .map(|config| config.policy.clone());
            if open.running.get() && before.is_some_and(|before| before != policy) {
                let live = open.live.borrow().clone();
                let policy = policy.clone();
                drop(live.submit(Command::SetPolicy { policy }));
            } else if open.resting.get() && is_reachable {
                spawn_local(async move { open.set_up_again().await });
            }
        }
    }

    /// Gives a session on, after the turn that runs. One that waits for a person waits on, stored.
    pub(crate) async fn close_session(&self, id: &SessionId) {
        match self.sessions.get(id) {
            Some(Slot::Waiting(leave)) => {
                leave.give();
                self.sessions.remove(id);
            }
            Some(Slot::Open(open)) => {
                if open.leave() {
                    open.over.wait().await;
                }
            }
            Some(Slot::Opening(_)) | None => {}
        }
    }

    /// Removes a session and everything it stored.
    pub(crate) async fn delete_session(self: &Rc<Self>, id: SessionId) -> Result<(), Refused> {
        let lock = match self.find(&id).await {
            Ok(open) => open.end().await,
            Err(refused) if refused == is_held() => return Err(refused),
            Err(_) => None,
        };
        let lock = match lock {
            Some(lock) => lock,
            None => self.lock_at_once(&id).await?,
        };
        let mut delete = Vec::new();
        let mut range = journal::range(&id, 0, PAGE);
        loop {
            let rows = self.storage().scan(range.clone()).await?;
            let whole = rows.len() == PAGE as usize;
            delete.extend(rows.into_iter().map(|(key, _)| key));
            match delete.last() {
                Some(last) if whole => range.start = format!("{last}\0"),
                _ => break,
            }
        }
        let summary = journal::summary_key(&id);
        if delete.is_empty() && self.storage().get(summary.clone()).await?.is_none() {
            return Err(OpenError::Missing(id).into());
        }
        delete.push(summary);
        let batch = Batch {
            delete,
            ..Batch::default()
        };
        let done = self.commit(batch).await;
        drop(lock);
        done
    }

    async fn lock_at_once(&self, id: &SessionId) -> Result<Lock, Refused> {
        let request = self.browser.lock(&id.0);
        let taken = JsFuture::from(request.taken());
        let lock = Lock(request);
        match select(taken, pin!(self.browser.holder(&id.0))).await {
            Either::Left((Ok(_), _)) => Ok(lock),
            _ => Err(is_held()),
        }
    }

    /// The session as it is stored; one nobody has said anything in yet, as it began.
    async fn stored_view(&self, id: &SessionId, here: Option<&Open>) -> Result<Value, Refused> {
        match (open(self.storage(), id).await, here) {
            (Err(OpenError::Missing(_)), Some(open)) => Ok(json!(open.beginning)),
            (session, _) => Ok(json!(session?.view())),
        }
    }
}

impl Sessions {
    fn get(&self, id: &SessionId) -> Option<Slot> {
        self.0.borrow().get(id).cloned()
    }

    fn put(&self, id: &SessionId, slot: Slot) {
        self.0.borrow_mut().insert(id.clone(), slot);
    }

    fn remove(&self, id: &SessionId) {
        self.0.borrow_mut().remove(id);
    }

    /// Removes `open`, unless the session was opened anew since.
    fn forget(&self, open: &Rc<Open>) {
        let mut slots = self.0.borrow_mut();
        if let Some(Slot::Open(known)) = slots.get(&open.id)
            && Rc::ptr_eq(known, open)
        {
            slots.remove(&open.id);
        }
    }

    fn open(&self) -> Vec<Rc<Open>> {
        let slots = self.0.borrow();
        let open = slots.values().filter_map(|slot| match slot {
            Slot::Open(open) => Some(Rc::clone(open)),
            _ => None,
        });
        open.collect()
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
    fn leave(&self) -> bool {
        self.leaving.set(true);
        let rests = self.rests(&self.waiting.borrow());
        if rests {
            self.close();
        }
        rests
    }

    /// Ends the turn that runs and then the run; gives the lock to the caller.
    async fn end(&self) -> Option<Lock> {
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
    async fn set_up_again(&self) {
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

#[derive(Deserialize)]
struct Holder {
    since: u64,
    page: String,
}

/// Who has a session, as far as that tab said.
fn held(id: &SessionId, holder: Option<&str>) -> Value {
    let holder: Option<Holder> = holder.and_then(|holder| serde_json::from_str(holder).ok());
    let words = holder.as_ref().map(|holder| match holder.page.trim() {
        "" => "Another tab".to_owned(),
        page => format!("Another tab ({page})"),
    });
    json!({
        "session": id,
        "holder": words,
        "since": holder.map(|holder| UnixMillis(holder.since)),
    })
}

fn no_key() -> Refused {
    Refused::new("no_key", "the endpoint's key is no longer in memory")
        .hint("enter it again, as it is never stored; forget it if none is needed")
}

fn is_held() -> Refused {
    Refused::new("held", "another tab has this conversation")
        .hint("it can be read here, and is opened as soon as that tab leaves it")
}
