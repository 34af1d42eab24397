//! What leaves the session, in order, with one rule: persist before act.
//!
//! Effects and events that follow a commit wait until it is answered. A home cannot get this
//! wrong, because it never sees them earlier.

use alloc::{collections::VecDeque, vec::Vec};

use super::{Effect, Event};
use crate::ids::EffectId;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Effect(EffectId, Effect),
    /// Effects behind it wait for the answer to the commit with this id.
    Commit(EffectId, Effect, Vec<Event>),
}

/// Effects, events and cancellations on their way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outbox {
    effects: VecDeque<Item>,
    events: VecDeque<Event>,
    cancelled: VecDeque<EffectId>,
    /// The commit being stored, and what is told once it is.
    storing: Option<(EffectId, Vec<Event>)>,
}

impl Outbox {
    pub(crate) fn effect(&mut self, id: EffectId, effect: Effect) {
        self.effects.push_back(Item::Effect(id, effect));
    }

    pub(crate) fn commit(&mut self, id: EffectId, effect: Effect, then: Vec<Event>) {
        self.effects.push_back(Item::Commit(id, effect, then));
    }

    /// Told at once: nothing is decided by it.
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Takes an effect back, or asks the home to drop it when it has it already.
    pub(crate) fn cancel(&mut self, id: EffectId) {
        let before = self.effects.len();
        self.effects
            .retain(|item| !matches!(item, Item::Effect(of, _) if *of == id));
        if self.effects.len() == before {
            self.cancelled.push_back(id);
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        if self.storing.is_some() {
            return None;
        }
        match self.effects.pop_front()? {
            Item::Effect(id, effect) => Some((id, effect)),
            Item::Commit(id, effect, then) => {
                self.storing = Some((id, then));
                Some((id, effect))
            }
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_cancelled(&mut self) -> Option<EffectId> {
        self.cancelled.pop_front()
    }

    /// Whether `id` is the commit being stored; if so it no longer is.
    pub(crate) fn take_stored(&mut self, id: EffectId) -> Option<Vec<Event>> {
        match self.storing.take() {
            Some((storing, then)) if storing == id => Some(then),
            other => {
                self.storing = other;
                None
            }
        }
    }

    /// Whether nothing waits to be stored or done.
    pub(crate) fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.storing.is_none()
    }

    /// Forgets everything that was still to be done.
    pub(crate) fn stop(&mut self) {
        self.effects.clear();
    }
}
