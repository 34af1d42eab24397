//! From what was sent to an envelope: strictly, and not believing any of it yet.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    Attachment, ENVELOPE_LIMIT_BYTES, Envelope, Error, MessageType, SignedEnvelope,
    write::{ALGORITHM, TYPE},
};
use crate::{
    error::beginning,
    jcs::{self, Fields, Integer, Object, Value},
    proof::Proven,
};

impl SignedEnvelope {
    /// Reads an envelope and its proof from JSON, however that is spaced and ordered.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        let whole = "signed envelope";
        let object = Fields::of(whole, jcs::parse(text, ENVELOPE_LIMIT_BYTES)?)?.rest();
        let proven = Proven::read(object)?;
        let signed = Self {
            envelope: envelope(proven.document().clone())?,
            proven,
        };
        signed.envelope.check()?;
        signed.check_signer()?;
        Ok(signed)
    }
}

fn envelope(document: Object) -> Result<Envelope, Error> {
    let mut document = Fields::of("message", document.into())?;
    let mut outer = document.fields("envelope", "envelope")?;
    let mut header = document.fields("header", "header")?;
    let mut encryption = header.fields("encryption", "encryption")?;
    expect("type", TYPE, &outer.string("type")?)?;
    expect("algorithm", ALGORITHM, &encryption.string("algorithm")?)?;
    let to = outer.strings("to")?;
    let read = Envelope {
        id: outer.string("id")?,
        from: outer.string("from")?.parse()?,
        to: to.iter().map(|did| did.parse()).collect::<Result<_, _>>()?,
        created: outer.string("created")?.parse()?,
        expires: outer.string("expires")?.parse()?,
        thread_id: outer.optional_string("thread_id")?,
        parent_id: outer.optional_string("parent_id")?,
        nonce: Integer::try_from(outer.unsigned("nonce")?)?,
        message_type: message_type(&header.string("message_type")?)?,
        priority: header.string("priority")?,
        content_type: header.string("content_type")?,
        recipient_keys: encryption.strings("recipient_keys")?,
        body: body(document.value("body")?)?,
        attachments: attachments(document.array("attachments")?)?,
    };
    for fields in [outer, encryption, header, document] {
        fields.end()?;
    }
    Ok(read)
}

fn message_type(name: &str) -> Result<MessageType, Error> {
    let mut all = MessageType::ALL.into_iter();
    let found = all.find(|known| known.name() == name);
    found.ok_or_else(|| Error::MessageType {
        found: beginning(name),
    })
}

fn body(value: Value) -> Result<BTreeMap<alloc::string::String, alloc::string::String>, Error> {
    let not_text = || jcs::Error::Kind {
        what: "message",
        name: "body".into(),
        expected: "an object of strings",
    };
    let Value::Object(object) = value else {
        return Err(not_text().into());
    };
    object
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(not_text().into()),
        })
        .collect()
}

fn attachments(items: Vec<Value>) -> Result<Vec<Attachment>, Error> {
    items
        .into_iter()
        .map(|item| {
            let mut fields = Fields::of("attachment", item)?;
            let read = Attachment {
                id: fields.string("id")?,
                media_type: fields.string("media_type")?,
                uri: fields.string("uri")?,
            };
            fields.end()?;
            Ok(read)
        })
        .collect()
}

fn expect(member: &'static str, expected: &str, found: &str) -> Result<(), Error> {
    if found != expected {
        let why = "it is none that is read here";
        return Err(Error::Shape { member, why });
    }
    Ok(())
}
