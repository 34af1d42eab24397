//! What an object does by itself: it stays awake, says what is due, keeps the directory's line.
//!
//! Invariants:
//! - What does not work is tried again, each time after as long again as it has not worked. That is
//!   told by what is stored, so it outlives the object's memory. The runtime's own attempts after a
//!   failed handler end within minutes, so the handler fails only where no alarm can be set.
//! - A turn that cannot be stored is given up by the alarm [`GIVEN_UP_MS`] after its last record:
//!   each attempt may be a paid call. The next command takes it up.
//! - Following the session waits for nothing but its events.

use futures_util::{StreamExt, future::select};
use std::{pin::pin, rc::Rc};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::Event,
};
use tau_platform::{Clock, live::Live, routine};
use tau_target_web::WebClock;
use wasm_bindgen_futures::spawn_local;

use super::Home;
use crate::{
    errors::ApiError,
    wire::{call, object},
};

/// From the start of a turn to the first alarm. The runtime may drop an object with no request in
/// it after ten seconds, whatever it waits for.
const FIRST_ALARM_MS: u64 = 5_000;
/// How long the handler of an alarm stays. Deadlines further away are looked at after it.
const STAY_MS: u64 = 60_000;
/// From the end of a handler to the next alarm, while the turn goes on.
const NEXT_ALARM_MS: u64 = 1_000;
/// The shortest and the longest wait before another attempt.
const RETRY_MS: (u64, u64) = (5_000, 300_000);
/// From the last record of a turn that cannot be stored to the last attempt at it.
const GIVEN_UP_MS: u64 = 120_000;

impl Home {
    /// Sees what happens in the session for as long as it runs.
    pub(super) fn follow(self: &Rc<Self>, id: &SessionId, live: &Live) {
        let mut mark = live.mark();
        let mut watch = live.watch(Some(mark));
        let home = Rc::clone(self);
        let live = live.clone();
        let id = id.clone();
        spawn_local(async move {
            loop {
                while let Some((seen, event)) = watch.next().await {
                    if !home.is_life(mark.life) {
                        return;
                    }
                    mark = seen;
                    home.saw(&id, mark.life, &event);
                }
                if !home.is_life(mark.life) {
                    return;
                }
                // It fell behind further than events are kept.
                watch = live.watch(Some(mark));
                if !watch.resumed {
                    let line = home.line().await.ok().flatten();
                    home.activity.begin(line.is_some_and(|line| line.running));
                    home.work_changed();
                }
            }
        });
    }

    fn saw(self: &Rc<Self>, id: &SessionId, life: u64, event: &Event) {
        if self.activity.see(event) {
            self.work_changed();
        }
        match event {
            Event::TurnStarted { .. } | Event::Compacting { .. } | Event::Moved { .. } => {
                self.tell_directory();
            }
            Event::TurnFinished { .. } => {
                self.tell_directory();
                self.settle_routines(id);
            }
            Event::Stopped { .. } => self.ended(life),
            _ => {}
        }
    }

    /// The run is over. What is in memory is not what is stored: the next one opens it again.
    pub(super) fn ended(self: &Rc<Self>, life: u64) {
        if !self.is_life(life) {
            return;
        }
        if let Some(running) = self.running.borrow_mut().take() {
            running.live.close();
        }
        self.activity.begin(false);
        self.work_changed();
        let home = Rc::clone(self);
        spawn_local(async move {
            // Where no alarm can be set, storage is failing, and the next command says so.
            home.is_stopped
                .set(home.is_unfinished().await.unwrap_or(true));
            let _ = home.take_up_later().await;
        });
    }

    /// A turn that is not finished has the alarm take it up, unless that went wrong for too long.
    async fn take_up_later(&self) -> Result<(), ApiError> {
        if self.is_unfinished().await? && self.stuck_ms().await? < GIVEN_UP_MS {
            self.try_later().await?;
        }
        Ok(())
    }

    /// Has the alarm go off for another attempt at what did not work.
    async fn try_later(&self) -> worker::Result<()> {
        let stuck_ms = match self.stuck_ms().await {
            // It was deleted meanwhile.
            Err(error) if error.is_missing() => return Ok(()),
            stuck_ms => stuck_ms.unwrap_or(RETRY_MS.1),
        };
        let at = WebClock.now().plus(stuck_ms.clamp(RETRY_MS.0, RETRY_MS.1));
        *self.awake.borrow_mut() = Some(self.alarm.wish(at));
        self.alarm.keep().await
    }

    /// How long nothing was stored, or something is due.
    async fn stuck_ms(&self) -> Result<u64, ApiError> {
        let now = WebClock.now();
        let stored = self.line().await?.map(|line| line.updated);
        let due = self.next_due(&self.setup().await?.session).await?;
        let since = stored.max(due.filter(|due| *due <= now));
        Ok(since.map_or(0, |since| now.since(since)))
    }

    /// Sets the alarm where one should be and is not: the first who looks at a session sees to it.
    pub(super) async fn see_alarm(&self, id: &SessionId) -> Result<(), ApiError> {
        if self.state.storage().get_alarm().await?.is_some() {
            return Ok(());
        }
        self.take_up_later().await?;
        self.plan(id).await
    }

    /// A turn goes on, or is asked for: an alarm that is set with the prompt is stored with it.
    pub(crate) fn begin_to_work(&self) {
        self.keep_awake(FIRST_ALARM_MS);
    }

    /// Sets the alarm as the session needs it now.
    pub(crate) fn work_changed(&self) {
        if self.activity.is_working() {
            self.begin_to_work();
            return;
        }
        self.awake.borrow_mut().take();
        let alarm = self.alarm.clone();
        spawn_local(async move {
            // An alarm that stays set wakes the object once, for nothing.
            let _ = alarm.settle().await;
        });
    }

    fn keep_awake(&self, after_ms: u64) {
        let at = WebClock.now().plus(after_ms);
        *self.awake.borrow_mut() = Some(self.alarm.wish(at));
        let alarm = self.alarm.clone();
        spawn_local(async move {
            // Where the alarm cannot be set, storage is failing and the next commit says so.
            let _ = alarm.keep().await;
        });
    }

    /// Sees to what the alarm was set for, and sets it anew.
    pub(super) async fn alarm_went_off(self: &Rc<Self>) -> worker::Result<()> {
        self.alarm.went_off();
        self.awake.borrow_mut().take();
        self.due.borrow_mut().take();
        match self.see_to_it().await {
            Ok(()) => self.alarm.settle().await,
            Err(error) => {
                worker::console_error!("alarm: {}", error.message());
                self.try_later().await
            }
        }
    }

    async fn see_to_it(self: &Rc<Self>) -> Result<(), ApiError> {
        let id = match self.setup().await {
            // It was deleted.
            Err(error) if error.is_missing() => return Ok(()),
            setup => setup?.session,
        };
        let is_unfinished = self.is_unfinished().await?;
        let due = self.next_due(&id).await?;
        let is_due = due.is_some_and(|due| due <= WebClock.now());
        if is_unfinished || is_due {
            self.live(&id).await?;
        }
        if is_due {
            self.say_what_is_due(&id);
        } else {
            self.plan(&id).await?;
        }
        if !is_unfinished && !is_due {
            self.tell_directory();
        }
        let stay = WebClock.now().plus(STAY_MS);
        select(
            pin!(self.activity.quiet()),
            pin!(WebClock.sleep_until(stay)),
        )
        .await;
        if self.activity.is_working() {
            self.keep_awake(NEXT_ALARM_MS);
        }
        Ok(())
    }

    /// When the next routine is due; in a session that is full none is.
    async fn next_due(&self, id: &SessionId) -> Result<Option<UnixMillis>, ApiError> {
        match self.need_room(id).await {
            Ok(()) => Ok(routine::next_due(&self.store()?, id).await?),
            Err(error) if error.is_missing() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Has the alarm go off when the next routine is due, unless somebody is carrying out what is
    /// due and will plan anew.
    pub(crate) async fn plan(&self, id: &SessionId) -> Result<(), ApiError> {
        if self.is_saying.get() {
            return Ok(());
        }
        let due = self.next_due(id).await?;
        *self.due.borrow_mut() = due.map(|due| self.alarm.wish(due));
        Ok(self.alarm.keep().await?)
    }

    /// Begins to say what is due, once the session is at rest.
    fn say_what_is_due(self: &Rc<Self>, id: &SessionId) {
        if self.is_saying.replace(true) {
            return;
        }
        let home = Rc::clone(self);
        let id = id.clone();
        spawn_local(async move {
            let said = home.run_due(&id).await;
            home.is_saying.set(false);
            // Where no alarm can be set, storage is failing, and the next command says so.
            let _ = match said {
                Ok(()) => home.plan(&id).await,
                Err(_) => home.try_later().await.map_err(ApiError::from),
            };
        });
    }

    async fn run_due(self: &Rc<Self>, id: &SessionId) -> Result<(), ApiError> {
        self.activity.rest().await;
        // What was taken up before may have stopped meanwhile.
        let live = self.live(id).await?;
        routine::run_due(&self.store()?, &WebClock, &live, id).await?;
        Ok(())
    }

    /// Completes the records of runs that another life of this object began.
    fn settle_routines(self: &Rc<Self>, id: &SessionId) {
        if self.is_saying.get() {
            return;
        }
        let Ok(store) = self.store() else { return };
        let id = id.clone();
        spawn_local(async move {
            // Left as it is where it fails, and done when the session is opened again.
            let _ = routine::settle(&store, &id).await;
        });
    }

    /// Puts the session's line into the principal's list, one at a time and the latest in the end.
    fn tell_directory(self: &Rc<Self>) {
        self.is_untold.set(true);
        if self.is_telling.replace(true) {
            return;
        }
        let home = Rc::clone(self);
        spawn_local(async move {
            let mut told = Ok(());
            while home.is_untold.replace(false) {
                told = home.put_line().await;
            }
            home.is_telling.set(false);
            if told.is_err() && !home.activity.is_working() {
                // Where no alarm can be set, storage is failing, and the next command says so.
                let _ = home.try_later().await;
            }
        });
    }

    async fn put_line(&self) -> Result<(), ApiError> {
        let Some(line) = self.line().await? else {
            return Ok(());
        };
        let principal = self.setup().await?.principal;
        let directory = object(&self.settings.directories()?, &principal)?;
        let response = call(&directory, "/line", &tau_core::json::to_vec(&line)).await?;
        if response.status_code() == 200 {
            Ok(())
        } else {
            Err(ApiError::new(
                500,
                "directory_failed",
                "the list was not written",
            ))
        }
    }
}
