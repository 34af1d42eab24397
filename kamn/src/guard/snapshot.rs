//! A guard as JSON. What could not have come about is not restored, not even in part.

use alloc::{format, string::String, vec::Vec};
use thiserror::Error as ThisError;

use super::{Delivery, Guard, Lane, Limits, NAME_LIMIT_BYTES, Order, Refusal, Sender, WindowSize};
use crate::{
    bytes,
    jcs::{self, Fields, Integer, Object, Value},
};

const SNAPSHOT: &str = "guard snapshot";
const RECORD: &str = "guard record";

/// Why a snapshot or a record is not restored.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Corrupt {
    /// It is not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// It is of a version that is not read here.
    #[error("guard state of version {found}, only 1 is read")]
    Version {
        /// Its version.
        found: u64,
    },
    /// It says what no guard could say.
    #[error("guard state: {why}")]
    Unsound {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record of something that would not have been taken.
    #[error("guard record: {0}")]
    Refused(Refusal),
}

impl Corrupt {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.reason_code(),
            Self::Version { .. } => "guard_version_unknown",
            Self::Unsound { .. } => "guard_snapshot_invalid",
            Self::Refused(_) => "guard_record_invalid",
        }
    }
}

impl Guard {
    /// Everything it remembers. Fails where a time is beyond what JSON can hold.
    pub fn snapshot(&self) -> Result<Value, jcs::Error> {
        let mut senders = Vec::new();
        for (name, sender) in &self.senders {
            let mut ids = Object::new();
            for (id, until_ms) in &sender.ids {
                ids.set(id, Integer::try_from(*until_ms)?);
            }
            let mut lanes = Object::new();
            for (name, lane) in &sender.lanes {
                let taken = lane.taken.iter().flat_map(|word| word.to_be_bytes());
                let taken: Vec<u8> = taken.collect();
                let lane = Object::new()
                    .with("newest", Integer::try_from(lane.newest)?)
                    .with("taken", bytes::hex(&taken))
                    .with("until_ms", Integer::try_from(lane.until_ms)?);
                lanes.set(name, lane);
            }
            let sender = Object::new()
                .with("sender", name.as_str())
                .with("ids", ids)
                .with("lanes", lanes);
            senders.push(Value::from(sender));
        }
        let object = Object::new()
            .with("v", 1)
            .with("order", order_name(self.order))
            .with("latest_ms", Integer::try_from(self.latest_ms)?)
            .with("senders", senders);
        Ok(object.into())
    }

    /// The guard of a snapshot. The limits are those of whoever restores it.
    pub fn restore(snapshot: Value, limits: Limits) -> Result<Self, Corrupt> {
        let mut fields = versioned(SNAPSHOT, snapshot)?;
        let order = order_of(&fields.string("order")?)?;
        let mut guard = Self::new(order, limits);
        guard.latest_ms = fields.unsigned("latest_ms")?;
        let senders = fields.array("senders")?;
        fields.end()?;
        if senders.len() > limits.senders {
            return unsound("it has more senders than there is room for");
        }
        for value in senders {
            let (name, sender) = sender(value, order, &limits)?;
            if guard.senders.insert(name, sender).is_some() {
                return unsound("a sender is there twice");
            }
        }
        Ok(guard)
    }
}

/// What is written when a delivery is taken.
pub(super) fn record(delivery: &Delivery, now_ms: u64) -> Result<Value, jcs::Error> {
    let object = Object::new()
        .with("v", 1)
        .with("message_id", delivery.message_id.as_str())
        .with("sender", delivery.sender.as_str())
        .with("lane", delivery.lane.as_str())
        .with("nonce", Integer::try_from(delivery.nonce)?)
        .with("created_ms", Integer::try_from(delivery.created_ms)?)
        .with("expires_ms", Integer::try_from(delivery.expires_ms)?)
        .with("received_ms", Integer::try_from(now_ms)?);
    Ok(object.into())
}

/// What a record says: a delivery, and when it came.
pub(super) fn read_record(record: Value) -> Result<(Delivery, u64), Corrupt> {
    let mut fields = versioned(RECORD, record)?;
    let delivery = Delivery {
        message_id: fields.string("message_id")?,
        sender: fields.string("sender")?,
        lane: fields.string("lane")?,
        nonce: fields.unsigned("nonce")?,
        created_ms: fields.unsigned("created_ms")?,
        expires_ms: fields.unsigned("expires_ms")?,
    };
    let now_ms = fields.unsigned("received_ms")?;
    fields.end()?;
    Ok((delivery, now_ms))
}

fn sender(value: Value, order: Order, limits: &Limits) -> Result<(String, Sender), Corrupt> {
    let mut fields = Fields::of("sender", value)?;
    let name = checked_name(fields.string("sender")?)?;
    let ids = fields.fields("ids", "ids")?.rest();
    let lanes = fields.fields("lanes", "lanes")?.rest();
    fields.end()?;
    if ids.len() > limits.ids_per_sender || lanes.len() > limits.lanes_per_sender {
        return unsound("a sender has more than there is room for");
    }
    let mut sender = Sender::default();
    for (id, until_ms) in ids {
        let until_ms = match until_ms {
            Value::Integer(number) => number.unsigned(),
            _ => None,
        };
        let Some(until_ms) = until_ms else {
            return unsound("an id's end is no time");
        };
        sender.ids.insert(checked_name(id)?, until_ms);
    }
    for (name, value) in lanes {
        sender
            .lanes
            .insert(checked_name(name)?, lane(value, order)?);
    }
    Ok((name, sender))
}

fn lane(value: Value, order: Order) -> Result<Lane, Corrupt> {
    let mut fields = Fields::of("lane", value)?;
    let text = fields.string("taken")?;
    let mut taken = Vec::new();
    if !text.len().is_multiple_of(16) || !text.is_ascii() {
        return unsound("a lane's numbers are no hex");
    }
    for at in (0..text.len()).step_by(16) {
        let word = bytes::from_hex::<8>("a lane's numbers", &text[at..at + 16]);
        let Ok(word) = word else {
            return unsound("a lane's numbers are no hex");
        };
        taken.push(u64::from_be_bytes(word));
    }
    let lane = Lane {
        newest: fields.unsigned("newest")?,
        taken,
        until_ms: fields.unsigned("until_ms")?,
    };
    fields.end()?;
    if !lane.is_sound(order) {
        return unsound("a lane's numbers contradict each other");
    }
    Ok(lane)
}

fn versioned(what: &'static str, value: Value) -> Result<Fields, Corrupt> {
    let mut fields = Fields::of(what, value)?;
    match fields.unsigned("v")? {
        1 => Ok(fields),
        found => Err(Corrupt::Version { found }),
    }
}

fn checked_name(name: String) -> Result<String, Corrupt> {
    if name.trim().is_empty() || name.len() > NAME_LIMIT_BYTES {
        return unsound("a name is blank or too long");
    }
    Ok(name)
}

fn order_name(order: Order) -> String {
    match order {
        Order::Strict => "strict".into(),
        Order::Window(size) => format!("window:{}", size.numbers()),
    }
}

fn order_of(name: &str) -> Result<Order, Corrupt> {
    if name == "strict" {
        return Ok(Order::Strict);
    }
    let size = name.strip_prefix("window:").and_then(|numbers| {
        let size = WindowSize::new(numbers.parse().ok()?)?;
        // One spelling alone.
        (order_name(Order::Window(size)) == name).then_some(size)
    });
    match size {
        Some(size) => Ok(Order::Window(size)),
        None => unsound("its order is unknown"),
    }
}

fn unsound<T>(why: &'static str) -> Result<T, Corrupt> {
    Err(Corrupt::Unsound { why })
}
