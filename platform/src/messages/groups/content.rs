//! What is sealed of a message to a channel: which channel, by which of its states, and what it says.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use tau_kamn::{
    bytes::hex,
    envelope::ENVELOPE_LIMIT_BYTES,
    jcs::{self, Fields, Integer, Object, Value},
    kel::KeyLog,
};
use zeroize::Zeroizing;

use super::{ChannelId, ChannelRefusal, state::State};

/// Bytes of logs of keys that come with a state: the rest of an envelope is what 32 members need.
const LOGS_BYTES: usize = 26 * 1024;

/// A message to a channel, opened.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) channel: ChannelId,
    pub(super) what: What,
}

/// What a message to a channel says.
#[derive(Debug)]
pub(super) enum What {
    /// Something to read, by the state that its sender knows.
    Words {
        number: u64,
        digest: String,
        body: BTreeMap<String, String>,
    },
    /// What the channel is from now on, with the logs of its members' keys.
    State { state: State, logs: Vec<Value> },
    /// That who gets this is in it no more, from that number on.
    Removed { number: u64 },
    /// That who sends this leaves, and since which number it was in it.
    Leaves { since: u64 },
}

impl Content {
    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, ChannelRefusal> {
        let object = Object::new().with("channel", self.channel.as_str());
        let object = match &self.what {
            What::Words {
                number,
                digest,
                body,
            } => {
                let body = body.iter().fold(Object::new(), |object, (name, text)| {
                    object.with(name, text.as_str())
                });
                object
                    .with("number", Integer::try_from(*number)?)
                    .with("digest", digest.as_str())
                    .with("body", body)
            }
            What::State { state, logs } => object
                .with("state", state.to_object()?)
                .with("logs", logs.clone()),
            What::Removed { number } => object.with("removed", Integer::try_from(*number)?),
            What::Leaves { since } => object.with("leaves", Integer::try_from(*since)?),
        };
        let text = Value::from(object).to_canonical();
        Ok(Zeroizing::new(text.into_bytes()))
    }

    /// Reads what was sealed by who signed the envelope, of which nothing else is believed yet.
    pub(super) fn read(plaintext: &[u8]) -> Result<Self, ChannelRefusal> {
        let mut fields = Fields::of("message", jcs::parse(plaintext, ENVELOPE_LIMIT_BYTES)?)?;
        let channel = ChannelId::parse(&fields.string("channel")?)?;
        let rest = fields.rest();
        let is = |name| rest.get(name).is_some();
        let (removed, leaves, state) = (is("removed"), is("leaves"), is("state"));
        let mut fields = Fields::of("message", rest.into())?;
        let what = if removed {
            let number = fields.unsigned("removed")?;
            What::Removed { number }
        } else if leaves {
            let since = fields.unsigned("leaves")?;
            What::Leaves { since }
        } else if state {
            What::State {
                state: State::from_value(fields.value("state")?)?,
                logs: fields.array("logs")?,
            }
        } else {
            What::Words {
                number: fields.unsigned("number")?,
                digest: fields.string("digest")?,
                body: words(fields.value("body")?)?,
            }
        };
        fields.end()?;
        Ok(Self { channel, what })
    }
}

/// Those of `logs` that fit, in their order. Who misses one is told so when it writes to that member.
pub(super) fn fitting<'a>(logs: impl IntoIterator<Item = &'a KeyLog>) -> Vec<Value> {
    let mut left = LOGS_BYTES;
    let mut fit = Vec::new();
    for log in logs {
        let value = log.to_value();
        if let Some(rest) = left.checked_sub(value.to_canonical().len()) {
            left = rest;
            fit.push(value);
        }
    }
    fit
}

/// A digest as it is told.
pub(super) fn digest(state: &State) -> Result<String, ChannelRefusal> {
    Ok(hex(&state.digest()?))
}

fn words(value: Value) -> Result<BTreeMap<String, String>, ChannelRefusal> {
    let form = |why| ChannelRefusal::Form { why };
    let Value::Object(object) = value else {
        return Err(form("it says nothing"));
    };
    let entries = object.into_iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(form("it says something that is no text")),
    });
    let body: BTreeMap<_, _> = entries.collect::<Result<_, _>>()?;
    match body.is_empty() {
        true => Err(form("it says nothing")),
        false => Ok(body),
    }
}
