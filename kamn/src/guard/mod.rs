//! Guards: no message is taken twice, too late or out of its time.
//!
//! A message that was taken is refused ever after: by its id and its number as long as it could come
//! again, and by its time from then on. Therefore nothing is forgotten to make room: a guard that is
//! full refuses. A clock that goes back brings nothing back, since the latest time seen counts.
//!
//! Guards run after the signature was checked, so numbers and ids are remembered by sender, and what
//! one sender does takes no room from others.

mod kept;
mod lane;
mod refusal;
mod snapshot;

pub use kept::{Kept, Persist, Unwritten};
pub use lane::{Order, WindowSize};
pub use refusal::Refusal;
pub use snapshot::Corrupt;

use alloc::{collections::BTreeMap, string::String};

use lane::Lane;

/// How far clocks may be apart.
pub const SKEW_MS: u64 = 300_000;
/// How long a message may live.
pub const LIFETIME_LIMIT_MS: u64 = 86_400_000;
/// The highest number a message can have: the last whole number every reader of JSON knows.
pub const NONCE_MAX: u64 = (1 << 53) - 1;
/// How many bytes an id, a sender or a lane may have.
pub const NAME_LIMIT_BYTES: usize = 512;

/// What a guard looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message's own id.
    pub message_id: String,
    /// Who signed it.
    pub sender: String,
    /// Where it arrived: what one sender sends there is counted together.
    pub lane: String,
    /// Its number there, from 1.
    pub nonce: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
}

/// Something that takes each delivery at most once, checking and remembering in one step.
pub trait GuardStore {
    /// Takes a delivery that arrived at `now_ms`, for good, or says why not and remembers nothing.
    fn admit(&mut self, delivery: &Delivery, now_ms: u64) -> Result<(), Refusal>;
}

/// Checks a message's time alone: it may end up to the millisecond it arrives in.
pub fn check_window(created_ms: u64, expires_ms: u64, now_ms: u64) -> Result<(), Refusal> {
    if expires_ms <= created_ms || expires_ms - created_ms > LIFETIME_LIMIT_MS {
        return Err(Refusal::InvalidWindow);
    }
    if now_ms > expires_ms {
        return Err(Refusal::Expired);
    }
    if created_ms > now_ms.saturating_add(SKEW_MS) {
        return Err(Refusal::Future);
    }
    Ok(())
}

/// How much a guard remembers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many senders.
    pub senders: usize,
    /// In how many places each.
    pub lanes_per_sender: usize,
    /// How many messages that have not ended each.
    pub ids_per_sender: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            senders: 256,
            lanes_per_sender: 16,
            ids_per_sender: 1024,
        }
    }
}

/// A guard in memory; [`Kept`] also writes down what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    order: Order,
    limits: Limits,
    /// The latest time it has seen.
    latest_ms: u64,
    senders: BTreeMap<String, Sender>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sender {
    lanes: BTreeMap<String, Lane>,
    /// Ids, and until when they could come again.
    ids: BTreeMap<String, u64>,
}

impl Guard {
    /// A guard that has taken nothing yet.
    #[must_use]
    pub fn new(order: Order, limits: Limits) -> Self {
        Self {
            order,
            limits,
            latest_ms: 0,
            senders: BTreeMap::new(),
        }
    }

    /// Whether a delivery would be taken that arrives at `now_ms`. Changes nothing but what it
    /// remembers of messages that have ended.
    pub fn check(&mut self, delivery: &Delivery, now_ms: u64) -> Result<(), Refusal> {
        let now_ms = now_ms.max(self.latest_ms);
        check_window(delivery.created_ms, delivery.expires_ms, now_ms)?;
        check_names(delivery)?;
        let Some(sender) = self.senders.get_mut(&delivery.sender) else {
            Lane::new(self.order).check(delivery.nonce)?;
            if self.senders.len() >= self.limits.senders {
                self.forget(now_ms);
            }
            let is_full = self.senders.len() >= self.limits.senders;
            return room(!is_full, "senders");
        };
        if sender.ids.contains_key(&delivery.message_id) {
            return Err(Refusal::Replay);
        }
        match sender.lanes.get(&delivery.lane) {
            Some(lane) => lane.check(delivery.nonce)?,
            None => Lane::new(self.order).check(delivery.nonce)?,
        }
        if sender.ids.len() >= self.limits.ids_per_sender {
            // What is forgotten here has ended, and stays so.
            self.latest_ms = now_ms;
            sender.ids.retain(|_, until_ms| *until_ms >= now_ms);
        }
        let is_new = !sender.lanes.contains_key(&delivery.lane);
        if is_new && sender.lanes.len() >= self.limits.lanes_per_sender {
            self.latest_ms = now_ms;
            sender.forget_lanes(self.order, now_ms);
        }
        room(sender.ids.len() < self.limits.ids_per_sender, "messages")?;
        let has_room = !is_new || sender.lanes.len() < self.limits.lanes_per_sender;
        room(has_room, "lanes")
    }

    /// Forgets what has ended and could not come again.
    ///
    /// Strict lanes stay: their next number would not be known.
    pub fn forget(&mut self, now_ms: u64) {
        let now_ms = now_ms.max(self.latest_ms);
        let order = self.order;
        self.senders.retain(|_, sender| {
            sender.ids.retain(|_, until_ms| *until_ms >= now_ms);
            sender.forget_lanes(order, now_ms);
            !(sender.ids.is_empty() && sender.lanes.is_empty())
        });
        self.latest_ms = now_ms;
    }

    /// How many senders, lanes and ids are remembered.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize, usize) {
        let all = || self.senders.values();
        let lanes = all().map(|sender| sender.lanes.len()).sum();
        let ids = all().map(|sender| sender.ids.len()).sum();
        (self.senders.len(), lanes, ids)
    }

    /// Remembers what was checked.
    fn take(&mut self, delivery: &Delivery, now_ms: u64) {
        self.latest_ms = self.latest_ms.max(now_ms);
        let order = self.order;
        let until_ms = delivery.expires_ms.saturating_add(SKEW_MS);
        let sender = self.senders.entry(delivery.sender.clone()).or_default();
        sender.ids.insert(delivery.message_id.clone(), until_ms);
        let lane = sender.lanes.entry(delivery.lane.clone());
        let lane = lane.or_insert_with(|| Lane::new(order));
        lane.take(delivery.nonce);
        lane.until_ms = lane.until_ms.max(until_ms);
    }
}

impl GuardStore for Guard {
    fn admit(&mut self, delivery: &Delivery, now_ms: u64) -> Result<(), Refusal> {
        self.check(delivery, now_ms)?;
        self.take(delivery, now_ms);
        Ok(())
    }
}

impl Sender {
    fn forget_lanes(&mut self, order: Order, now_ms: u64) {
        if matches!(order, Order::Window(_)) {
            self.lanes.retain(|_, lane| lane.until_ms >= now_ms);
        }
    }
}

fn check_names(delivery: &Delivery) -> Result<(), Refusal> {
    let invalid = |why| Err(Refusal::Invalid { why });
    let names = [&delivery.message_id, &delivery.sender, &delivery.lane];
    if names.iter().any(|name| name.trim().is_empty()) {
        return invalid("a name is blank");
    }
    if names.iter().any(|name| name.len() > NAME_LIMIT_BYTES) {
        return invalid("a name is longer than 512 bytes");
    }
    if !(1..=NONCE_MAX).contains(&delivery.nonce) {
        return invalid("its number is not between 1 and 2^53 - 1");
    }
    Ok(())
}

fn room(is_there: bool, what: &'static str) -> Result<(), Refusal> {
    match is_there {
        true => Ok(()),
        false => Err(Refusal::Full { what }),
    }
}

#[cfg(test)]
mod tests;
