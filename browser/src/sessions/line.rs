//! The line for a session: one tab has it, the others wait their turn and can read meanwhile.

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use std::{pin::pin, rc::Rc};
use tau_core::{
    ids::{SessionId, UnixMillis},
    json::{self, FromJson},
};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Slot;
use crate::{
    State,
    browser::{Lock, words},
    error::Refused,
    signal::Signal,
};

impl State {
    /// Opens a session nobody has, or gets in line for it.
    pub(super) async fn open_or_wait(self: &Rc<Self>, id: &SessionId) -> Result<Value, Refused> {
        let request = self.browser.lock(&id.0);
        let mut taken = JsFuture::from(request.taken());
        let lock = Lock(request);
        let holder = {
            let holder = pin!(self.browser.holder(&id.0));
            match select(&mut taken, holder).await {
                Either::Left((taken, _)) => {
                    taken.map_err(|thrown| Refused::new("lock", words(&thrown)))?;
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
        // Who left gets no turn, even if both come together.
        let Either::Right((Ok(_), _)) = select(pin!(leave.wait()), taken).await else {
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

    /// A session's lock, unless another tab has it.
    pub(super) async fn lock_at_once(&self, id: &SessionId) -> Result<Lock, Refused> {
        let request = self.browser.lock(&id.0);
        let taken = JsFuture::from(request.taken());
        let lock = Lock(request);
        match select(taken, pin!(self.browser.holder(&id.0))).await {
            Either::Left((Ok(_), _)) => Ok(lock),
            _ => Err(is_held()),
        }
    }
}

#[derive(FromJson)]
struct Holder {
    since: u64,
    page: String,
}

/// Who has a session, as far as that tab said.
fn held(id: &SessionId, holder: Option<&str>) -> Value {
    let holder: Option<Holder> = holder.and_then(|holder| json::from_str(holder).ok());
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

pub(super) fn is_held() -> Refused {
    Refused::new("held", "another tab has this conversation")
        .hint("it can be read here, and is opened as soon as that tab leaves it")
}
