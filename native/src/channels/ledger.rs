//! What is kept of a channel: rows of the store below `channel/<name>/`.
//!
//! ```text
//! place               what the channel is given back, and the ids of the messages that came last
//! inbox/<number>      a message that was accepted and is not answered yet
//! outbox/<number>     an answer that is not sent yet
//! session/<hash>      the session of a conversation
//! allowed/<hash>      a sender a person allowed
//! stranger/<hash>     a sender nobody allowed: who, when, how often; nothing of what they wrote
//! ```
//!
//! Invariant: every step is one commit, and what it did not do yet is a row. So whatever ends the
//! process, the next one finds what is left to do, and does nothing twice but perhaps a sending.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tau_core::{
    ids::UnixMillis,
    journal::sha256_hex,
    memory::Scope,
    session::{Batch, Range, StoreError},
};
use tau_platform::Storage;

use super::protocol::Message;
use crate::{
    exit::{Error, Exit},
    store::Store,
};

/// The version of the rows.
const VERSION: u32 = 1;
/// Ids of messages that are remembered, so that a message that comes again is known.
const REMEMBERED: usize = 1_000;
/// Rows read at once.
const ROWS: u32 = 10_000;

/// The rows of one channel.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    store: Store,
    name: String,
}

/// How far the channel was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    v: u32,
    /// What the channel gave last.
    pub(crate) state: Value,
    /// Hashes of the ids that came last, the newest last.
    seen: Vec<String>,
    /// The number of the next row of inbox or outbox.
    next: u64,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            v: VERSION,
            state: Value::Null,
            seen: Vec::new(),
            next: 0,
        }
    }
}

impl Place {
    /// Takes note of a message; whether it is new.
    pub(crate) fn note(&mut self, id: &str) -> bool {
        let mut hash = sha256_hex(id.as_bytes());
        hash.truncate(32);
        if self.seen.contains(&hash) {
            return false;
        }
        self.seen.push(hash);
        let old = self.seen.len().saturating_sub(REMEMBERED);
        self.seen.drain(..old);
        true
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// A message to be answered, as the gate let it through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    v: u32,
    #[serde(skip)]
    key: String,
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) conversation: String,
    pub(crate) text: String,
    /// When it came.
    pub(crate) at: UnixMillis,
}

/// An answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    v: u32,
    #[serde(skip)]
    key: String,
    /// The same whenever it is sent again.
    pub(crate) id: String,
    pub(crate) conversation: String,
    pub(crate) text: String,
    /// The message it answers.
    pub(crate) reply_to: String,
    /// How often sending it failed.
    #[serde(default)]
    pub(crate) tries: u32,
    /// Not before that time.
    #[serde(default)]
    pub(crate) due: UnixMillis,
}

/// The session of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    v: u32,
    pub(crate) conversation: String,
    /// What the session's name is drawn from, in hex: known before anything of it is stored.
    seed: String,
}

/// A sender who is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    v: u32,
    pub(crate) sender: String,
    /// The only conversation it is for; without one, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<String>,
    pub(crate) since: UnixMillis,
}

/// A sender nobody allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stranger {
    v: u32,
    #[serde(skip)]
    pub(super) key: String,
    pub(crate) sender: String,
    /// Where they wrote last.
    pub(crate) conversation: String,
    pub(crate) messages: u64,
    pub(crate) last: UnixMillis,
    /// When they were told that nobody allowed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<UnixMillis>,
}

impl Stranger {
    pub(super) fn new(sender: &str, conversation: &str, now: UnixMillis) -> Self {
        Self {
            v: VERSION,
            key: String::new(),
            sender: sender.into(),
            conversation: conversation.into(),
            messages: 0,
            last: now,
            told: None,
        }
    }
}

impl Allowed {
    fn key(ledger: &Ledger, sender: &str, conversation: Option<&str>) -> String {
        // No name holds a control character.
        ledger.hashed(
            "allowed",
            &format!("{sender}\0{}", conversation.unwrap_or_default()),
        )
    }
}

impl Seat {
    /// The seed.
    pub(crate) fn seed(&self) -> Option<[u8; 32]> {
        let mut seed = [0; 32];
        let digits = self.seed.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in seed.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(seed)
    }
}

impl Ledger {
    /// The rows of the channel `name` in `store`.
    pub(crate) fn new(store: Store, name: &str) -> Self {
        Self {
            store,
            name: name.into(),
        }
    }

    fn folder(&self, kind: &str) -> String {
        format!("channel/{}/{kind}", self.name)
    }

    fn hashed(&self, kind: &str, name: &str) -> String {
        let mut hash = sha256_hex(name.as_bytes());
        hash.truncate(32);
        format!("{}/{hash}", self.folder(kind))
    }

    /// The memory of a conversation: of no other, and not the person's.
    pub(crate) fn scope(&self, conversation: &str) -> Scope {
        let mut hash = sha256_hex(format!("{}\0{conversation}", self.name).as_bytes());
        hash.truncate(16);
        Scope::Channel(hash)
    }

    /// How far it was read.
    pub(crate) async fn place(&self) -> Result<Place, Error> {
        Ok(self.get(self.folder("place")).await?.unwrap_or_default())
    }

    /// What is to be answered, the oldest first.
    pub(crate) async fn inbox(&self) -> Result<Vec<Waiting>, Error> {
        let rows = self.rows::<Waiting>("inbox").await?;
        let with_key = |(key, row)| Waiting { key, ..row };
        Ok(rows.into_iter().map(with_key).collect())
    }

    /// What is to be sent, the oldest first.
    pub(crate) async fn outbox(&self) -> Result<Vec<Outgoing>, Error> {
        let rows = self.rows::<Outgoing>("outbox").await?;
        let with_key = |(key, row)| Outgoing { key, ..row };
        Ok(rows.into_iter().map(with_key).collect())
    }

    /// The senders who are allowed.
    pub(crate) async fn all_allowed(&self) -> Result<Vec<Allowed>, Error> {
        let rows = self.rows::<Allowed>("allowed").await?;
        let mut all: Vec<Allowed> = rows.into_iter().map(|(_, row)| row).collect();
        all.sort_by(|a, b| (&a.sender, &a.conversation).cmp(&(&b.sender, &b.conversation)));
        Ok(all)
    }

    /// The senders nobody allowed, who wrote last first.
    pub(crate) async fn strangers(&self) -> Result<Vec<Stranger>, Error> {
        let rows = self.rows::<Stranger>("stranger").await?;
        let with_key = |(key, row)| Stranger { key, ..row };
        let mut all: Vec<Stranger> = rows.into_iter().map(with_key).collect();
        all.sort_by(|a, b| (b.last, &a.sender).cmp(&(a.last, &b.sender)));
        Ok(all)
    }

    /// Whether a person allowed `sender` to write in `conversation`.
    pub(crate) async fn allows(&self, sender: &str, conversation: &str) -> Result<bool, Error> {
        for place in [None, Some(conversation)] {
            let row: Option<Allowed> = self.get(Allowed::key(self, sender, place)).await?;
            if row.is_some_and(|row| row.sender == sender && row.conversation.as_deref() == place) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Allows `sender`, who is no stranger from here on.
    pub(crate) async fn allow(
        &self,
        sender: &str,
        conversation: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let row = Allowed {
            v: VERSION,
            sender: sender.into(),
            conversation: conversation.map(Into::into),
            since: now,
        };
        let batch = Batch {
            put: vec![(Allowed::key(self, sender, conversation), bytes(&row)?)],
            delete: vec![self.hashed("stranger", sender)],
            ..Batch::default()
        };
        Ok(self.store.commit(batch).await?)
    }

    /// Takes all that `sender` was allowed back; whether there was anything.
    pub(crate) async fn disallow(&self, sender: &str) -> Result<bool, Error> {
        let rows = self.rows::<Allowed>("allowed").await?;
        let of_sender = rows.into_iter().filter(|(_, row)| row.sender == sender);
        let delete: Vec<String> = of_sender.map(|(key, _)| key).collect();
        let found = !delete.is_empty();
        let batch = Batch {
            delete,
            ..Batch::default()
        };
        self.store.commit(batch).await?;
        Ok(found)
    }

    /// Removes every row; how many there were.
    pub(crate) async fn forget(&self) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let range = Range::prefix(&format!("channel/{}/", self.name), ROWS);
            let rows = self.store.scan(range).await?;
            if rows.is_empty() {
                return Ok(count);
            }
            count += rows.len();
            let batch = Batch {
                delete: rows.into_iter().map(|(key, _)| key).collect(),
                ..Batch::default()
            };
            self.store.commit(batch).await?;
        }
    }

    /// The session of `conversation`; one that has none gets one of `seed`.
    pub(crate) async fn seat(&self, conversation: &str, seed: [u8; 32]) -> Result<Seat, Error> {
        let key = self.hashed("session", conversation);
        if let Some(seat) = self.get(key.clone()).await? {
            return Ok(seat);
        }
        let seat = Seat {
            v: VERSION,
            conversation: conversation.into(),
            seed: seed.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let batch = Batch {
            require_absent: vec![key.clone()],
            put: vec![(key, bytes(&seat)?)],
            ..Batch::default()
        };
        self.store.commit(batch).await?;
        Ok(seat)
    }

    /// A message that was accepted.
    pub(super) fn accept(
        &self,
        place: &mut Place,
        message: &Message,
        text: String,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let row = Waiting {
            v: VERSION,
            key: String::new(),
            id: message.id.clone(),
            from: message.from.clone(),
            conversation: message.conversation.clone(),
            text,
            at: now,
        };
        let key = self.numbered("inbox", place);
        batch.require_absent.push(key.clone());
        batch.put.push((key, bytes(&row)?));
        Ok(())
    }

    /// An answer to be sent.
    pub(super) fn reply(
        &self,
        place: &mut Place,
        conversation: &str,
        reply_to: &str,
        text: String,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let mut id = sha256_hex(format!("{}\0{reply_to}", self.name).as_bytes());
        id.truncate(32);
        let row = Outgoing {
            v: VERSION,
            key: String::new(),
            id,
            conversation: conversation.into(),
            text,
            reply_to: reply_to.into(),
            tries: 0,
            due: UnixMillis(0),
        };
        let key = self.numbered("outbox", place);
        batch.require_absent.push(key.clone());
        batch.put.push((key, bytes(&row)?));
        Ok(())
    }

    pub(super) fn keep_stranger(
        &self,
        stranger: &Stranger,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let key = self.hashed("stranger", &stranger.sender);
        batch.put.push((key, bytes(stranger)?));
        Ok(())
    }

    /// Stores what was received: how far it was read with all that came of it, or nothing.
    pub(super) async fn store(&self, place: &Place, mut batch: Batch) -> Result<(), Error> {
        batch.put.push((self.folder("place"), bytes(place)?));
        Ok(self.store.commit(batch).await?)
    }

    /// The message is answered: its answer takes its place.
    pub(crate) async fn answered(&self, waiting: &Waiting, text: String) -> Result<(), Error> {
        let mut place = self.place().await?;
        let mut batch = Batch::default();
        self.reply(
            &mut place,
            &waiting.conversation,
            &waiting.id,
            text,
            &mut batch,
        )?;
        batch.delete.push(waiting.key.clone());
        self.store(&place, batch).await
    }

    /// The message is not to be answered any more.
    pub(crate) async fn dropped(&self, waiting: &Waiting) -> Result<(), Error> {
        self.remove(&waiting.key).await
    }

    /// The answer was sent, or is given up.
    pub(crate) async fn done(&self, outgoing: &Outgoing) -> Result<(), Error> {
        self.remove(&outgoing.key).await
    }

    /// The answer is to be sent again at `due`.
    pub(crate) async fn postpone(&self, outgoing: &Outgoing, due: UnixMillis) -> Result<(), Error> {
        let row = Outgoing {
            tries: outgoing.tries + 1,
            due,
            ..outgoing.clone()
        };
        let batch = Batch {
            put: vec![(outgoing.key.clone(), bytes(&row)?)],
            ..Batch::default()
        };
        Ok(self.store.commit(batch).await?)
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        let batch = Batch {
            delete: vec![key.into()],
            ..Batch::default()
        };
        Ok(self.store.commit(batch).await?)
    }

    fn numbered(&self, kind: &str, place: &mut Place) -> String {
        format!("{}/{:020}", self.folder(kind), place.number())
    }

    async fn get<T: DeserializeOwned>(&self, key: String) -> Result<Option<T>, Error> {
        match self.store.get(key.clone()).await? {
            None => Ok(None),
            Some(row) => read(&key, &row).map(Some),
        }
    }

    async fn rows<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, Error> {
        let range = Range::prefix(&format!("{}/", self.folder(kind)), ROWS);
        let rows = self.store.scan(range).await?;
        rows.into_iter()
            .map(|(key, row)| {
                let row = read(&key, &row)?;
                Ok((key, row))
            })
            .collect()
    }
}

/// A row, unless a newer Tau wrote it.
fn read<T: DeserializeOwned>(key: &str, row: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Head {
        v: u32,
    }
    let damaged = |detail: String| Error::from(StoreError::Corrupt { detail });
    let head: Head =
        serde_json::from_slice(row).map_err(|error| damaged(format!("{key}: {error}")))?;
    if head.v > VERSION {
        let found = head.v;
        return Err(Error::new(
            Exit::Store,
            format!("{key} is of format {found}, and this Tau reads up to {VERSION}"),
        )
        .hint("use the newer Tau that wrote it"));
    }
    serde_json::from_slice(row).map_err(|error| damaged(format!("{key}: {error}")))
}

fn bytes(row: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(row).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thousand_messages_are_known_again() {
        let mut place = Place::default();
        for number in 0..1_500 {
            assert!(place.note(&format!("m{number}")));
        }
        assert!(!place.note("m1499") && !place.note("m500"));
        assert!(place.note("m499"), "older ones are forgotten");
        assert_eq!(place.seen.len(), REMEMBERED);
    }
}
