//! Who sends too much, in memory: refused before anybody works for it.
//!
//! Invariant: bounded, whoever sends. By where something comes from before it is read, which costs
//! nothing; by its sender after the signature was checked, so that nobody uses up another's share.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    string::{String, ToString},
};
use spin::Mutex;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    envelope::{AntiSpam, Spam, SpamPolicy},
    notice::{self, Notice, NoticeLimit},
};
use thiserror::Error;

use crate::turnstile::{Turn, Turnstile};

/// How much is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many packets come from one place at once.
    pub burst: u32,
    /// In how many milliseconds one more may come.
    pub refill_ms: u64,
    /// How many places are watched at once.
    pub places: usize,
    /// How much one agent may send.
    pub sender: SpamPolicy,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            burst: 32,
            refill_ms: 500,
            places: 1_024,
            sender: SpamPolicy {
                messages: 30,
                window_ms: 60_000,
                // Nobody pays for messages here.
                deposit: 0,
                violations: 3,
                suspension_ms: 60_000,
                remembered: 4_096,
                senders: 1_024,
            },
        }
    }
}

/// Too much.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flood {
    /// From one place.
    #[error("too much comes from {place}: once more in {wait_ms} ms")]
    Place {
        /// From where.
        place: String,
        /// How long to wait.
        wait_ms: u64,
    },
    /// From so many places that no further one can be watched.
    #[error("too much comes from too many places")]
    Places,
    /// From one agent.
    #[error(transparent)]
    Sender(#[from] Spam),
}

impl Flood {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Place { .. } => "place_rate_exceeded",
            Self::Places => "places_full",
            Self::Sender(spam) => spam.reason_code(),
        }
    }
}

/// Who sent how much lately. One for all who receive in a process.
#[derive(Debug)]
pub struct Desk {
    watch: Mutex<Watch>,
    /// One message after another: those of one sender build on each other.
    door: Turnstile<()>,
}

#[derive(Debug)]
struct Watch {
    pace: Pace,
    /// When each place's allowance would be full again.
    places: BTreeMap<String, u64>,
    /// When those that are full again may be looked for.
    sweep_ms: u64,
    senders: AntiSpam,
    notices: NoticeLimit,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new(Pace::default())
    }
}

impl Desk {
    /// A desk that has seen nobody yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let watch = Watch {
            pace,
            places: BTreeMap::new(),
            sweep_ms: 0,
            senders: AntiSpam::new(pace.sender),
            notices: NoticeLimit::new(10, 60_000, pace.sender.senders),
        };
        Self {
            watch: Mutex::new(watch),
            door: Turnstile::new(),
        }
    }

    /// Takes a packet of `place`, of which nothing was read yet.
    pub fn admit_place(&self, place: &str, now: UnixMillis) -> Result<(), Flood> {
        let watch = &mut *self.watch.lock();
        let (pace, now_ms) = (watch.pace, now.0);
        if !watch.places.contains_key(place) && watch.places.len() >= pace.places {
            // Looked through once in a while: a flood must not make each of its packets dear.
            if now_ms < watch.sweep_ms {
                return Err(Flood::Places);
            }
            watch.sweep_ms = now_ms.saturating_add(pace.refill_ms);
            watch.places.retain(|_, full_ms| *full_ms > now_ms);
            if watch.places.len() >= pace.places {
                return Err(Flood::Places);
            }
        }
        let full_ms = watch.places.get(place).copied().unwrap_or_default();
        let then_ms = full_ms.max(now_ms).saturating_add(pace.refill_ms);
        let most_ms = pace.refill_ms.saturating_mul(pace.burst.into());
        if then_ms - now_ms > most_ms {
            let wait_ms = then_ms - now_ms - most_ms;
            let place = place.to_owned();
            return Err(Flood::Place { place, wait_ms });
        }
        watch.places.insert(place.to_owned(), then_ms);
        Ok(())
    }

    /// Takes a message of `sender`, whose signature was checked.
    pub(super) fn admit_sender(
        &self,
        sender: &impl ToString,
        id: &str,
        now: UnixMillis,
    ) -> Result<(), Flood> {
        let mut watch = self.watch.lock();
        match watch.senders.admit(&sender.to_string(), id, 0, now.0) {
            // Whether it was taken is the guard's to say: this one forgets, and a refusal may follow.
            Ok(()) | Err(Spam::Duplicate) => Ok(()),
            Err(spam) => Err(spam.into()),
        }
    }

    /// Counts one more notice to a sender.
    pub(super) fn admit_notice(
        &self,
        notice: &Notice,
        now: UnixMillis,
    ) -> Result<(), notice::Error> {
        self.watch.lock().notices.count(notice, now.0)
    }

    /// Waits until no other message is taken in.
    pub(super) async fn turn(&self) -> Turn<'_, ()> {
        self.door.turn().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_place_that_sends_too_much_waits_and_others_do_not() {
        let desk = Desk::default();
        let at = |ms: u64| UnixMillis(1_000_000 + ms);
        for _ in 0..32 {
            assert_eq!(desk.admit_place("a", at(0)), Ok(()));
        }
        let flood = desk.admit_place("a", at(0)).unwrap_err();
        assert_eq!(flood.reason_code(), "place_rate_exceeded");
        assert_eq!(desk.admit_place("b", at(0)), Ok(()));
        assert_eq!(desk.admit_place("a", at(500)), Ok(()));
        assert!(desk.admit_place("a", at(500)).is_err());
    }

    #[test]
    fn a_million_packets_of_as_many_places_take_bounded_room() {
        let desk = Desk::default();
        let mut refused = 0;
        for place in 0..1_000_000_u32 {
            let said = desk.admit_place(&format!("{place}"), UnixMillis(1_000_000));
            refused += u32::from(said == Err(Flood::Places));
        }
        assert_eq!(refused, 1_000_000 - 1_024);
        assert_eq!(desk.watch.lock().places.len(), 1_024);
        assert_eq!(desk.admit_place("later", UnixMillis(1_001_000)), Ok(()));
    }
}
