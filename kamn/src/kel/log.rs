//! A log: its events, what they amount to, and whether it forked.

use alloc::vec::Vec;

use super::{Change, EVENTS_LIMIT, Error, Event, LOG_LIMIT_BYTES, SignedEvent, State, next_digest};
use crate::{
    did::{AgentDid, Trust},
    jcs::{self, Fields, Object, Value},
    keys::KeyTree,
    time::Timestamp,
};

/// The key event log of one agent. One that exists was checked from its first event on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLog {
    events: Vec<SignedEvent>,
    state: State,
    /// An event as valid as the one in its place.
    fork: Option<SignedEvent>,
}

/// What seeing an event brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It was the next one, and is in the log.
    Appended,
    /// It was in the log already.
    Known,
}

impl KeyLog {
    /// The log of a new agent, bound to the first identity key of `tree` and committed to the second:
    /// whoever steals the first cannot replace it.
    pub fn of_tree(label: &str, tree: &KeyTree, created: Timestamp) -> Result<Self, Error> {
        let identity = tree.identity(0);
        let event = Event {
            did: AgentDid::new(label, &identity.public_key())?,
            seq: 0,
            previous: None,
            created,
            change: Change::Inception {
                identity: identity.public_key(),
                signing: tree.signing(1).public_key(),
                agreement: tree.agreement(1).public_key(),
                next_digest: Some(next_digest(&tree.identity(1).public_key())),
                recovery: None,
            },
        };
        Self::begin(event.signed_by(&identity))
    }

    /// The log that begins with this inception, whose DID is bound to its identity key.
    pub fn begin(inception: SignedEvent) -> Result<Self, Error> {
        let state = State::begin(&inception)?;
        check_binding(&state)?;
        Ok(Self::of(inception, state))
    }

    /// The same for a DID that is bound to no key: only for a registry that is trusted to say whose
    /// it is.
    pub fn begin_unbound(inception: SignedEvent) -> Result<Self, Error> {
        let state = State::begin(&inception)?;
        if state.did.trust() == Trust::Bound {
            check_binding(&state)?;
        }
        Ok(Self::of(inception, state))
    }

    /// The log of these events, each checked.
    pub fn replay(events: impl IntoIterator<Item = SignedEvent>) -> Result<Self, Error> {
        Self::replay_from(Self::begin, events.into_iter())
    }

    fn replay_from(
        begin: fn(SignedEvent) -> Result<Self, Error>,
        mut events: impl Iterator<Item = SignedEvent>,
    ) -> Result<Self, Error> {
        let empty = Error::Length {
            limit: EVENTS_LIMIT,
            found: 0,
        };
        let mut log = begin(events.next().ok_or(empty)?)?;
        events.try_for_each(|event| log.append(event))?;
        Ok(log)
    }

    /// Reads a log as [`KeyLog::to_value`] writes it, and checks it from its first event on.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        Self::from_value(jcs::parse(text, LOG_LIMIT_BYTES)?)
    }

    /// The same, from JSON that was read already.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        Self::from_value_by(Self::begin, value)
    }

    /// The same for a DID that may be bound to no key; see [`KeyLog::begin_unbound`].
    pub fn from_value_unbound(value: Value) -> Result<Self, Error> {
        Self::from_value_by(Self::begin_unbound, value)
    }

    fn from_value_by(
        begin: fn(SignedEvent) -> Result<Self, Error>,
        value: Value,
    ) -> Result<Self, Error> {
        let mut fields = Fields::of("key event log", value)?;
        let found = fields.unsigned("v")?;
        if found != 1 {
            return Err(Error::Version { found });
        }
        let events = fields.array("events")?;
        let fork = fields.optional("fork");
        fields.end()?;
        let (limit, found) = (EVENTS_LIMIT, events.len());
        if found > limit {
            return Err(Error::Length { limit, found });
        }
        let events = events.into_iter().map(SignedEvent::from_value);
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let mut log = Self::replay_from(begin, events.into_iter())?;
        if let Some(fork) = fork {
            let fork = SignedEvent::from_value(fork)?;
            let seq = fork.event.seq;
            match log.observe(fork) {
                Err(Error::Fork { .. }) => {}
                Err(error) => return Err(error),
                // Whoever wrote it says that it forks, and it does not.
                Ok(_) => return Err(Error::Previous { seq }),
            }
        }
        Ok(log)
    }

    /// The log as JSON: `{"v":1,"events":[…]}`, with the event that makes it a fork if there is one.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let events: Value = self.events.iter().map(SignedEvent::to_value).collect();
        let fork = self.fork.as_ref().map(SignedEvent::to_value);
        Object::new()
            .with("v", 1)
            .with("events", events)
            .with_optional("fork", fork)
            .into()
    }

    /// What the log amounts to. Fails once it forked: then no key of it is to be believed.
    pub fn state(&self) -> Result<&State, Error> {
        self.check_fork()?;
        Ok(&self.state)
    }

    /// The same even after a fork, to show and not to believe.
    #[must_use]
    pub fn unchecked_state(&self) -> &State {
        &self.state
    }

    /// Its events, the inception first.
    #[must_use]
    pub fn events(&self) -> &[SignedEvent] {
        &self.events
    }

    /// The event that makes it a fork.
    #[must_use]
    pub fn fork(&self) -> Option<&SignedEvent> {
        self.fork.as_ref()
    }

    /// The event that comes next and makes this change, to be signed.
    #[must_use]
    pub fn next(&self, created: Timestamp, change: Change) -> Event {
        Event {
            did: self.state.did.clone(),
            seq: self.state.seq + 1,
            previous: Some(self.state.head),
            created,
            change,
        }
    }

    /// Takes the next event.
    pub fn append(&mut self, event: SignedEvent) -> Result<(), Error> {
        self.check_fork()?;
        let (limit, found) = (EVENTS_LIMIT, self.events.len() + 1);
        if found > limit {
            return Err(Error::Length { limit, found });
        }
        self.state = self.state.apply(&event)?;
        self.events.push(event);
        Ok(())
    }

    /// Takes an event that somebody showed: the next one, one that is here already, or one that
    /// contradicts the log. A valid one that contradicts it is kept, and the log is a fork for good.
    pub fn observe(&mut self, event: SignedEvent) -> Result<Observed, Error> {
        let seq = event.event.seq;
        if seq > self.state.seq {
            return self.append(event).map(|()| Observed::Appended);
        }
        let at = seq as usize;
        if self.events[at].event == event.event {
            self.check_fork()?;
            return Ok(Observed::Known);
        }
        self.check_instead(&event)?;
        if self.fork.is_none() {
            self.fork = Some(event);
        }
        Err(Error::Fork { seq })
    }

    /// Takes every event of another log of the same agent: the longer one wins if it goes on where
    /// this one ends, and if they contradict each other this one is a fork.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        for event in other.events.iter().chain(&other.fork) {
            self.observe(event.clone())?;
        }
        Ok(())
    }

    fn of(inception: SignedEvent, state: State) -> Self {
        Self {
            events: Vec::from([inception]),
            state,
            fork: None,
        }
    }

    fn check_fork(&self) -> Result<(), Error> {
        match &self.fork {
            None => Ok(()),
            Some(event) => Err(Error::Fork {
                seq: event.event.seq,
            }),
        }
    }

    /// Checks that an event would be valid in the place of the one that is there.
    fn check_instead(&self, event: &SignedEvent) -> Result<(), Error> {
        let before = &self.events[..event.event.seq as usize];
        let Some((first, rest)) = before.split_first() else {
            let state = State::begin(event)?;
            if state.did != self.state.did {
                let found = state.did.as_kamn();
                return Err(Error::Subject { found });
            }
            // Without a binding anybody could begin another log for the same DID.
            return check_binding(&state);
        };
        let mut state = State::begin(first)?;
        for earlier in rest {
            state = state.apply(earlier)?;
        }
        state.apply(event).map(|_| ())
    }
}

fn check_binding(state: &State) -> Result<(), Error> {
    let did = || state.did.as_kamn();
    match state.did.trust() {
        Trust::Unbound => Err(Error::Unbound { did: did() }),
        Trust::Bound if state.did.is_bound_to(state.first_identity()) => Ok(()),
        Trust::Bound => Err(Error::Binding { did: did() }),
    }
}
