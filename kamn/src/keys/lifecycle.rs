//! The life of one key that rotates, and a record of it that cannot be changed unnoticed.
//!
//! For whoever follows a key from outside of its agent's log; whether a step is allowed at all, the
//! log decides.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use super::Error;
use crate::{
    bytes::{hex, lp, sha256},
    key::PublicKey,
};

const GENESIS: &str = "GENESIS";
const DOMAIN: &[u8] = b"kamn:key-audit:v1\0";

/// Where a key is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is used.
    Active {
        /// The key.
        key: PublicKey,
    },
    /// It is used, and the next one is known.
    Rotating {
        /// The key.
        key: PublicKey,
        /// The one to come.
        next: PublicKey,
    },
    /// It is not used any more, nor is another.
    Revoked,
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Self::Active { .. } => "active",
            Self::Rotating { .. } => "rotating",
            Self::Revoked => "revoked",
        }
    }
}

/// What should happen to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Another key is to follow.
    Initiate {
        /// The one to come.
        next: PublicKey,
    },
    /// The other key follows now.
    Activate,
    /// No key follows.
    Revoke,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    sequence: u64,
    kind: &'static str,
    payload: String,
}

impl Event {
    /// Its number among the events of its key, from 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What it is called.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

/// A key's life so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    phase: Phase,
    events: u64,
}

impl Lifecycle {
    /// The life of a key that is used from now on.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self {
            phase: Phase::Active { key },
            events: 0,
        }
    }

    /// Where the key is in its life.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The life after a command, and what happened.
    pub fn apply(&self, command: Command) -> Result<(Self, Event), Error> {
        let (phase, kind, payload) = match (&self.phase, command) {
            (Phase::Active { key }, Command::Initiate { next }) => {
                if *key == next {
                    return Err(Error::SameKey);
                }
                let payload = next.to_multikey();
                (
                    Phase::Rotating { key: *key, next },
                    "RotationInitiated",
                    payload,
                )
            }
            (Phase::Rotating { next, .. }, Command::Activate) => {
                let payload = next.to_multikey();
                (Phase::Active { key: *next }, "RotationActivated", payload)
            }
            (Phase::Active { key } | Phase::Rotating { key, .. }, Command::Revoke) => {
                (Phase::Revoked, "KeyRevoked", key.to_multikey())
            }
            (phase, command) => {
                return Err(Error::Transition {
                    phase: phase.name(),
                    command: match command {
                        Command::Initiate { .. } => "rotated",
                        Command::Activate => "activated",
                        Command::Revoke => "revoked",
                    },
                });
            }
        };
        let events = self.events + 1;
        let event = Event {
            sequence: events,
            kind,
            payload,
        };
        Ok((Self { phase, events }, event))
    }
}

/// A record of what happened, each line of which holds the hash of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit(Vec<Entry>);

/// One line of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub sequence: u64,
    /// What happened.
    pub kind: String,
    /// To which key.
    pub payload: String,
    /// The hash of the line before, in hex; `GENESIS` in the first.
    pub previous: String,
    /// SHA-256 over all of that, in hex.
    pub hash: String,
}

impl Audit {
    /// Adds a line.
    pub fn record(&mut self, event: &Event) {
        let previous = self.0.last().map_or(GENESIS, |entry| &entry.hash);
        let mut entry = Entry {
            sequence: self.0.len() as u64 + 1,
            kind: event.kind.to_owned(),
            payload: event.payload.clone(),
            previous: previous.to_owned(),
            hash: String::new(),
        };
        entry.hash = entry.digest();
        self.0.push(entry);
    }

    /// Its lines.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

impl Entry {
    fn digest(&self) -> String {
        let sequence = self.sequence.to_be_bytes();
        let fields = lp(&[
            DOMAIN,
            &sequence,
            self.kind.as_bytes(),
            self.payload.as_bytes(),
            self.previous.as_bytes(),
        ]);
        hex(&sha256(&fields))
    }
}

/// Checks that the lines follow from each other, the first included.
pub fn check_audit(entries: &[Entry]) -> Result<(), Error> {
    let mut previous = GENESIS.to_string();
    for (expected, entry) in (1..).zip(entries) {
        let follows = entry.sequence == expected && entry.previous == previous;
        if !follows || entry.hash != entry.digest() {
            let sequence = entry.sequence;
            return Err(Error::Audit { sequence });
        }
        previous.clone_from(&entry.hash);
    }
    Ok(())
}
