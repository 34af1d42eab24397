//! Letters that came, and messages that wait to be sent: rows of the store.
//!
//! ```text
//!  letter/in/<did>/<n>     a letter of that agent, the how-manieth message of its
//!  letter/done/<did>/<n>   that a session was given it
//!  letter/out/<did>/<n>    a message to that agent, n its number, and how it went
//!  letter/at/<did>         where that agent takes messages
//! ```

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    json::{self, FromJson, ToJson},
    message::Letter,
    session::{Batch, Range},
};
use tau_kamn::AgentDid;

use super::MessageError;
use crate::Storage;

const IN: &str = "letter/in/";
const DONE: &str = "letter/done/";
const OUT: &str = "letter/out/";
const AT: &str = "letter/at/";
/// Rows that are read at a time: a letter may be as long as 64 KiB.
const PAGE: u32 = 32;
/// So many letters of one agent are kept: older ones go when they were read.
pub(super) const KEPT: u64 = 1_000;
const VERSION: u32 = 1;

/// A letter in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name in the store, without what all have.
    pub name: String,
    /// The letter.
    pub letter: Letter,
    /// The session it was given to.
    pub session: Option<SessionId>,
}

/// A message that was written, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, FromJson, ToJson)]
pub struct Sent {
    pub(super) v: u32,
    /// To whom.
    pub to: String,
    /// Its own id.
    pub id: String,
    /// Its number among those to this agent.
    pub number: u64,
    /// When it was written.
    pub created: UnixMillis,
    /// When it is of no use any more.
    pub expires: UnixMillis,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent again.
    pub next: UnixMillis,
    /// How it stands.
    pub status: Status,
    /// Why the last attempt failed, or why it was refused.
    pub why: Option<String>,
    /// The signed envelope.
    pub(super) envelope: String,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was not taken yet.
    Waiting,
    /// The other agent took it.
    Taken,
    /// It was handed over otherwise: with the answer to the other agent's own message, or in a file.
    Handed,
    /// The other agent refused it.
    Refused,
    /// Its time ran out.
    Expired,
}

#[derive(FromJson, ToJson)]
struct Done {
    v: u32,
    session: SessionId,
}

#[derive(FromJson, ToJson)]
struct At {
    v: u32,
    url: String,
}

impl Sent {
    /// Where it is kept.
    pub(super) fn key(&self) -> String {
        format!("{OUT}{}/{:012}", self.to, self.number)
    }

    pub(super) async fn keep(&self, storage: &impl Storage) -> Result<(), MessageError> {
        let batch = Batch {
            put: vec![(self.key(), json::to_vec(self))],
            ..Batch::default()
        };
        Ok(storage.commit(batch).await?)
    }

    /// The signed envelope's text.
    #[must_use]
    pub fn envelope(&self) -> &str {
        &self.envelope
    }
}

/// Where the message of that number is.
pub(super) fn out_key(to: &AgentDid, number: u64) -> String {
    format!("{OUT}{}/{number:012}", to.as_kamn())
}

/// The row of a letter, and of what must go or be read before it is taken.
pub(super) async fn in_rows(
    storage: &impl Storage,
    from: &AgentDid,
    number: u64,
    letter: &Letter,
) -> Result<Batch, MessageError> {
    let name = |number: u64| format!("{}/{number:012}", from.as_kamn());
    let mut batch = Batch::default();
    let key = format!("{IN}{}", name(number));
    batch.require_absent.push(key.clone());
    batch.put.push((key, json::to_vec(letter)));
    if let Some(old) = number.checked_sub(KEPT) {
        let old = name(old);
        let (letter, done) = (format!("{IN}{old}"), format!("{DONE}{old}"));
        let is_unread = storage.get(letter.clone()).await?.is_some()
            && storage.get(done.clone()).await?.is_none();
        if is_unread {
            return Err(MessageError::InboxFull {
                peer: from.as_kamn(),
                limit: KEPT,
            });
        }
        batch.delete.extend([letter, done]);
    }
    Ok(batch)
}

/// The letters that came, of one agent or of all, in the order of their senders and numbers; those that
/// no session was given alone, if `unread`.
pub async fn list(
    storage: &impl Storage,
    from: Option<&AgentDid>,
    unread: bool,
) -> Result<Vec<Held>, MessageError> {
    let prefix = match from {
        Some(did) => format!("{IN}{}/", did.as_kamn()),
        None => IN.into(),
    };
    let mut all = Vec::new();
    for (key, bytes) in rows(storage, &prefix).await? {
        let Some(name) = key.strip_prefix(IN) else {
            continue;
        };
        let session = session_of(storage, name).await?;
        if !(unread && session.is_some()) {
            all.push(Held {
                name: name.into(),
                letter: letter(&key, &bytes)?,
                session,
            });
        }
    }
    Ok(all)
}

/// The letter of that name.
pub async fn read(storage: &impl Storage, name: &str) -> Result<Option<Held>, MessageError> {
    let key = format!("{IN}{name}");
    let Some(bytes) = storage.get(key.clone()).await? else {
        return Ok(None);
    };
    Ok(Some(Held {
        name: name.into(),
        letter: letter(&key, &bytes)?,
        session: session_of(storage, name).await?,
    }))
}

/// Keeps that a session was given the letter. Of two who would give it away one fails with
/// [`tau_core::session::StoreError::Conflict`].
pub async fn mark_done(
    storage: &impl Storage,
    name: &str,
    session: &SessionId,
) -> Result<(), MessageError> {
    let key = done(name);
    let value = json::to_vec(&Done {
        v: VERSION,
        session: session.clone(),
    });
    let batch = Batch {
        require_absent: vec![key.clone()],
        put: vec![(key, value)],
        ..Batch::default()
    };
    Ok(storage.commit(batch).await?)
}

/// Takes back what [`mark_done`] kept, of a letter that the session did not take after all.
pub async fn unmark(storage: &impl Storage, name: &str) -> Result<(), MessageError> {
    let batch = Batch {
        delete: vec![done(name)],
        ..Batch::default()
    };
    Ok(storage.commit(batch).await?)
}

/// Where it is kept that a session was given the letter of that name.
#[must_use]
pub fn done(name: &str) -> String {
    format!("{DONE}{name}")
}

/// The messages that were written, and how they went.
pub async fn outbox(storage: &impl Storage) -> Result<Vec<Sent>, MessageError> {
    let rows = rows(storage, OUT).await?;
    rows.iter().map(|(key, bytes)| sent(key, bytes)).collect()
}

/// The message of that number.
pub(super) async fn out(
    storage: &impl Storage,
    to: &AgentDid,
    number: u64,
) -> Result<Option<Sent>, MessageError> {
    let key = out_key(to, number);
    let stored = storage.get(key.clone()).await?;
    stored.map(|bytes| sent(&key, &bytes)).transpose()
}

/// The number of the newest message to an agent; 0 where there is none.
pub(super) async fn newest(storage: &impl Storage, to: &AgentDid) -> Result<u64, MessageError> {
    let key = format!("{AT}{}/newest", to.as_kamn());
    match storage.get(key.clone()).await? {
        None => Ok(0),
        Some(bytes) => json::from_slice(&bytes).map_err(|error| damaged(&key, &error)),
    }
}

/// The row that says which message is the newest.
pub(super) fn newest_row(to: &AgentDid, number: u64) -> (String, Vec<u8>) {
    let key = format!("{AT}{}/newest", to.as_kamn());
    (key, json::to_vec(&number))
}

/// Where an agent takes messages, if it was said or seen.
pub(super) async fn address(
    storage: &impl Storage,
    of: &AgentDid,
) -> Result<Option<String>, MessageError> {
    let key = format!("{AT}{}", of.as_kamn());
    let Some(bytes) = storage.get(key.clone()).await? else {
        return Ok(None);
    };
    let at: At = json::from_slice(&bytes).map_err(|error| damaged(&key, &error))?;
    Ok(Some(at.url))
}

/// Remembers where an agent takes messages.
pub(super) async fn keep_address(
    storage: &impl Storage,
    of: &AgentDid,
    url: &str,
) -> Result<(), MessageError> {
    if address(storage, of).await?.as_deref() == Some(url) {
        return Ok(());
    }
    let at = At {
        v: VERSION,
        url: url.into(),
    };
    let batch = Batch {
        put: vec![(format!("{AT}{}", of.as_kamn()), json::to_vec(&at))],
        ..Batch::default()
    };
    Ok(storage.commit(batch).await?)
}

async fn rows(
    storage: &impl Storage,
    prefix: &str,
) -> Result<Vec<(String, Vec<u8>)>, MessageError> {
    let mut all = Vec::new();
    let mut range = Range::prefix(prefix, PAGE);
    loop {
        let page = storage.scan(range.clone()).await?;
        let Some((last, _)) = page.last() else {
            return Ok(all);
        };
        range.start = format!("{last}\0");
        all.extend(page);
    }
}

async fn session_of(storage: &impl Storage, name: &str) -> Result<Option<SessionId>, MessageError> {
    let key = done(name);
    let Some(bytes) = storage.get(key.clone()).await? else {
        return Ok(None);
    };
    let done: Done = json::from_slice(&bytes).map_err(|error| damaged(&key, &error))?;
    Ok(Some(done.session))
}

fn letter(key: &str, bytes: &[u8]) -> Result<Letter, MessageError> {
    Letter::read(bytes).map_err(|error| damaged(key, &error))
}

fn sent(key: &str, bytes: &[u8]) -> Result<Sent, MessageError> {
    json::from_slice(bytes).map_err(|error| damaged(key, &error))
}

fn damaged(key: &str, error: &json::Error) -> MessageError {
    MessageError::Damaged {
        key: key.into(),
        why: error.to_string(),
    }
}
