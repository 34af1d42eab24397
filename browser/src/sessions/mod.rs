//! The sessions this tab has open, or waits for.
//!
//! Invariants:
//! - A session is driven only while this tab holds its Web Lock, and what is driven was read after
//!   the lock was taken.
//! - An open session drives itself to its end or to a question; a turn that a reload cut off goes on
//!   by itself as soon as the session is open and its model can be reached.
//! - New settings count from the next turn on; a policy counts at once.

mod line;
mod open;

use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use tau_core::{
    ids::SessionId,
    json::to_value,
    session::{Command, Session},
};
use tau_platform::{
    open::{OpenError, open},
    removal,
};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::{
    State,
    browser::{Lock, words},
    error::Refused,
    signal::Signal,
};
use line::is_held;
use open::Open;

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

impl State {
    /// A session nobody has said anything in yet.
    pub(crate) async fn create_session(self: &Rc<Self>) -> Result<Value, Refused> {
        self.read_grants().await?;
        let config = self.config()?;
        let mut seed = [0; 32];
        self.fill(&mut seed)?;
        let session = Session::new(config, seed, self.now());
        let id = session.id().clone();
        let request = self.browser.lock(&id.0);
        let taken = JsFuture::from(request.taken()).await;
        let lock = Lock(request);
        taken.map_err(|thrown| Refused::new("lock", words(&thrown)))?;
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

    /// Opens a session whose lock is here.
    async fn start(self: &Rc<Self>, id: &SessionId, lock: Lock) -> Result<Value, Refused> {
        self.read_grants().await?;
        let session = open(self.storage(), id).await?;
        let view = to_value(&session.view());
        self.begin(session, lock);
        Ok(view)
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
        let begins = matches!(
            command,
            Command::Prompt { .. }
                | Command::Relay { .. }
                | Command::Deliver { .. }
                | Command::Compact
        );
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
        // Until it is open nobody knows what there is to give on.
        while let Some(Slot::Opening(known)) = self.sessions.get(id) {
            known.wait().await;
        }
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
        let done = removal::remove(self.storage(), &[id]).await;
        drop(lock);
        done.map(drop).map_err(Refused::from)
    }

    /// The session as it is stored; one nobody has said anything in yet, as it began.
    async fn stored_view(&self, id: &SessionId, here: Option<&Open>) -> Result<Value, Refused> {
        match (open(self.storage(), id).await, here) {
            (Err(OpenError::Missing(_)), Some(open)) => Ok(to_value(&open.beginning)),
            (session, _) => Ok(to_value(&session?.view())),
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

fn no_key() -> Refused {
    Refused::new("no_key", "the endpoint's key is no longer in memory")
        .hint("enter it again, as it is never stored; forget it if none is needed")
}
