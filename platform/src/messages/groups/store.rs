//! Channels in the store.
//!
//! ```text
//!  channel/group/<id>/state    the channel as it is known here
//!  channel/group/<id>/<n>      that it changed the n-th time, or that this agent wrote there
//! ```
//!
//! Invariant: each change is a row that must not exist when it is written, so that of two processes one
//! reads again; what came is taken by the state that was looked at, or not at all.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use tau_core::session::{Batch, Range};
use tau_kamn::{
    AgentDid,
    jcs::{self, Fields, Integer, Object, Value},
};

use super::{
    ChannelId, ChannelRefusal, Over,
    state::{State, agent, dids},
};
use crate::{Storage, messages::MessageError};

const PREFIX: &str = "channel/group/";
const VERSION: u64 = 1;
/// So many rows stay that say a channel changed.
const LAG: u64 = 256;
/// Bytes of a row: 32 members twice, and their admins.
const ROW_LIMIT_BYTES: usize = 64 * 1024;
const PAGE: u32 = 64;
/// How many channels are known at most, and to how many of them one agent brought this one.
const CHANNELS_LIMIT: usize = 256;
const OF_ONE_LIMIT: usize = 15;

/// A channel in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) state: State,
    /// Who brought this agent in: itself, if it made the channel.
    pub(super) by: AgentDid,
    /// How many messages this agent wrote there.
    pub(super) sent: u64,
    /// Members who said that they left, and since when they were in it: until a state says so too.
    pub(super) left: BTreeMap<AgentDid, u64>,
    /// Why this agent is in it no more.
    pub(super) over: Option<Over>,
    /// How often it changed here.
    pub(super) changes: u64,
}

impl Kept {
    /// A channel that was not known, as `by` tells it.
    pub(super) fn begin(state: State, by: &AgentDid) -> Self {
        Self {
            state,
            by: by.clone(),
            sent: 0,
            left: BTreeMap::new(),
            over: None,
            changes: 0,
        }
    }

    /// Goes on with another state: who left stays away, unless it has come in again since.
    pub(super) fn follow(&mut self, next: State) {
        self.left
            .retain(|did, since| next.members.get(did) == Some(since));
        self.state = next;
    }

    /// Whether this agent is still in it.
    pub(super) fn check_open(&self) -> Result<(), ChannelRefusal> {
        match self.over {
            None => Ok(()),
            Some(over) => Err(ChannelRefusal::Over {
                channel: self.state.id.to_string(),
                over,
            }),
        }
    }

    /// Adds to `batch` that it is what it is now.
    pub(super) fn keep(&self, batch: &mut Batch) -> Result<(), ChannelRefusal> {
        let id = &self.state.id;
        let changes = self.changes + 1;
        let mut left = Object::new();
        for (did, since) in &self.left {
            left.set(&did.as_kamn(), Integer::try_from(*since)?);
        }
        let row = Object::new()
            .with("v", Integer::try_from(VERSION)?)
            .with("changes", Integer::try_from(changes)?)
            .with("by", self.by.as_kamn())
            .with("sent", Integer::try_from(self.sent)?)
            .with("left", left)
            .with_optional("over", self.over.map(Over::name))
            .with("state", self.state.to_object()?);
        batch.require_absent.push(change_key(id, changes));
        batch
            .put
            .push((change_key(id, changes), br#"{"v":1}"#.to_vec()));
        let row = Value::from(row).to_canonical().into_bytes();
        batch.put.push((state_key(id), row));
        if let Some(old) = changes.checked_sub(LAG) {
            batch.delete.push(change_key(id, old));
        }
        Ok(())
    }

    /// Adds to `batch` that it must not have changed since it was read.
    pub(super) fn hold(&self, batch: &mut Batch) {
        let next = change_key(&self.state.id, self.changes + 1);
        batch.require_absent.push(next);
    }

    fn read(bytes: &[u8]) -> Result<Self, ChannelRefusal> {
        let mut fields = Fields::of("channel", jcs::parse(bytes, ROW_LIMIT_BYTES)?)?;
        if fields.unsigned("v")? != VERSION {
            let why = "it is of another version than 1";
            return Err(ChannelRefusal::Form { why });
        }
        let over = match fields.optional_string("over")?.as_deref() {
            None => None,
            Some("left") => Some(Over::Left),
            Some("removed") => Some(Over::Removed),
            Some(_) => {
                let why = "it is over for no reason that is known";
                return Err(ChannelRefusal::Form { why });
            }
        };
        let kept = Self {
            changes: fields.unsigned("changes")?,
            by: agent(&fields.string("by")?)?,
            sent: fields.unsigned("sent")?,
            left: dids(fields.value("left")?)?,
            over,
            state: State::from_value(fields.value("state")?)?,
        };
        fields.end()?;
        Ok(kept)
    }
}

/// The channel of that id, as it is known here.
pub(super) async fn load(
    storage: &impl Storage,
    id: &ChannelId,
) -> Result<Option<Kept>, MessageError> {
    let key = state_key(id);
    let Some(bytes) = storage.get(key.clone()).await? else {
        return Ok(None);
    };
    read(&key, &bytes).map(Some)
}

/// Every channel of several agents that is known here, in the order of their ids.
pub(super) async fn all(storage: &impl Storage) -> Result<Vec<Kept>, MessageError> {
    let mut found = Vec::new();
    let mut range = Range::prefix(PREFIX, PAGE);
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(found);
        };
        range.start = format!("{last}\0");
        for (key, bytes) in page.iter().filter(|(key, _)| key.ends_with("/state")) {
            found.push(read(key, bytes)?);
        }
    }
}

/// Whether `by` can bring this agent into one more channel.
pub(super) async fn check_room(storage: &impl Storage, by: &AgentDid) -> Result<(), MessageError> {
    let known = all(storage).await?;
    let full = |of, limit| Err(ChannelRefusal::Full { of, limit }.into());
    if known.len() >= CHANNELS_LIMIT {
        return full("are known here", CHANNELS_LIMIT);
    }
    match known.iter().filter(|kept| kept.by == *by).count() < OF_ONE_LIMIT {
        true => Ok(()),
        false => full("of that agent are known here", OF_ONE_LIMIT),
    }
}

/// Forgets a channel that is over: who is invited again begins anew.
pub(super) async fn forget(storage: &impl Storage, kept: &Kept) -> Result<(), MessageError> {
    let id = &kept.state.id;
    let changes = kept.changes.saturating_sub(LAG)..=kept.changes;
    let mut batch = Batch {
        delete: changes.map(|change| change_key(id, change)).collect(),
        ..Batch::default()
    };
    batch.delete.push(state_key(id));
    kept.hold(&mut batch);
    Ok(storage.commit(batch).await?)
}

fn read(key: &str, bytes: &[u8]) -> Result<Kept, MessageError> {
    Kept::read(bytes).map_err(|error| MessageError::Damaged {
        key: key.into(),
        why: error.to_string(),
    })
}

fn state_key(id: &ChannelId) -> String {
    format!("{PREFIX}{id}/state")
}

fn change_key(id: &ChannelId, change: u64) -> String {
    format!("{PREFIX}{id}/{change:012}")
}
