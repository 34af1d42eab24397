//! The events of one run, numbered, the latest kept.

use alloc::collections::VecDeque;
use core::{fmt, num::NonZeroUsize, str::FromStr};
use tau_core::session::Event;
use thiserror::Error;

/// Events kept for watchers that were away for a moment: minutes of a streamed answer.
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// The place of an event: written `LIFE-NUMBER`, as the id of a server-sent event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The run of the session it belongs to.
    pub life: u64,
    /// Its number in that run, from 1; 0 stands before the first.
    pub number: u64,
}

/// Not a [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a mark is two numbers with a hyphen between them")]
pub struct UnknownMark;

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.life, self.number)
    }
}

impl FromStr for Mark {
    type Err = UnknownMark;

    fn from_str(text: &str) -> Result<Self, UnknownMark> {
        let (life, number) = text.split_once('-').ok_or(UnknownMark)?;
        Ok(Self {
            life: life.parse().map_err(|_| UnknownMark)?,
            number: number.parse().map_err(|_| UnknownMark)?,
        })
    }
}

/// What comes at a place.
pub(super) enum Next {
    /// This.
    Event(Mark, Event),
    /// Nothing yet.
    Later,
    /// Nothing ever: the run is over, or it is no longer kept.
    Never,
}

#[derive(Debug)]
pub(super) struct Feed {
    life: u64,
    events: VecDeque<Event>,
    /// The number of the event that comes next.
    next: u64,
    /// The number of the first event that a stored session does not show.
    unstored: u64,
    /// Events up to this number were joined: only who began with them in this state may read them.
    joined: u64,
    joins: u64,
    ended: bool,
}

impl Feed {
    pub(super) fn new(life: u64) -> Self {
        Self {
            life,
            events: VecDeque::new(),
            next: 1,
            unstored: 1,
            joined: 0,
            joins: 0,
            ended: false,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == KEPT.get() && !(self.first() >= self.unstored && self.join()) {
            self.events.pop_front();
        }
        match event {
            Event::TurnStarted { .. }
            | Event::Message { .. }
            | Event::Compacting { .. }
            | Event::Compacted { .. }
            | Event::Moved { .. }
            | Event::TurnFinished { .. } => self.unstored = self.next + 1,
            // What was streamed of the failed attempt does not count.
            Event::Retrying { .. } => self.unstored = self.next,
            _ => {}
        }
        self.events.push_back(event);
        self.next += 1;
    }

    /// Makes room by joining the two oldest pieces of text that follow one another: the beginning of
    /// a message that is not stored yet is nowhere else.
    fn join(&mut self) -> bool {
        let pair = self.events.iter().zip(self.events.iter().skip(1));
        let joined = pair.enumerate().find_map(|(at, pair)| match pair {
            (Event::TextDelta { text: one }, Event::TextDelta { text: two }) => {
                let text = [one.as_str(), two].concat();
                Some((at, Event::TextDelta { text }))
            }
            (Event::ThinkingDelta { text: one }, Event::ThinkingDelta { text: two }) => {
                let text = [one.as_str(), two].concat();
                Some((at, Event::ThinkingDelta { text }))
            }
            _ => None,
        });
        let Some((at, event)) = joined else {
            return false;
        };
        self.events.remove(at);
        self.events[at] = event;
        self.joined = self.first() + at as u64;
        self.joins += 1;
        true
    }

    /// How often events were joined so far.
    pub(super) fn joins(&self) -> u64 {
        self.joins
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn mark(&self) -> Mark {
        self.at(self.next - 1)
    }

    /// The number that a watcher who saw `after` reads next, and whether it misses nothing.
    pub(super) fn place(&self, after: Option<Mark>) -> (u64, bool) {
        match after {
            Some(Mark { life, number })
                if life == self.life
                    && number < self.next
                    && number + 1 >= self.first()
                    && number + 1 > self.joined =>
            {
                (number + 1, true)
            }
            _ => (self.unstored.max(self.first()), false),
        }
    }

    /// The event of that number, for a watcher that began when there were so many joins.
    pub(super) fn get(&self, number: u64, joins: u64) -> Next {
        if number <= self.joined && joins != self.joins {
            return Next::Never;
        }
        let event = number
            .checked_sub(self.first())
            .and_then(|place| self.events.get(usize::try_from(place).ok()?));
        match event {
            Some(event) => Next::Event(self.at(number), event.clone()),
            None if number < self.first() || self.ended => Next::Never,
            None => Next::Later,
        }
    }

    /// The number of the oldest event that is kept.
    fn first(&self) -> u64 {
        self.next - self.events.len() as u64
    }

    fn at(&self, number: u64) -> Mark {
        Mark {
            life: self.life,
            number,
        }
    }
}
