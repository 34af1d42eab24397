//! Envelopes as DIDComm v2 plaintext messages, and back.
//!
//! DIDs are written as W3C has them, recipients keep their order, and what DIDComm has no member for is
//! under `kamn`, so an envelope comes back as it was. The proof does not travel: DIDComm signs and
//! encrypts its own way, with the keys that are named.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{InteropError, shape};
use crate::{
    did::{AgentDid, KamnDid},
    envelope::{Attachment, Envelope, MessageType},
    error::beginning,
    jcs::{Fields, Integer, Object, Value},
};

const TYPE_PREFIX: &str = "https://kamn.network/message/1.0/";
const MEDIA_TYPE: &str = "application/didcomm-plain+json";
const JSON: &str = "application/json";
const SIGNING: &str = "Ed25519";

/// The plaintext message that an envelope is, signed with `method` (`<did>#keys-1`).
///
/// Fails on an attachment that is no JSON, and where a recipient has no key it can be encrypted to.
pub fn to_didcomm(envelope: &Envelope, method: &str) -> Result<Value, InteropError> {
    for recipient in &envelope.to {
        let prefix = format!("{recipient}#");
        if !envelope
            .recipient_keys
            .iter()
            .any(|key| key.starts_with(&prefix))
        {
            return Err(shape("recipient", "it has no key to encrypt to"));
        }
    }
    if !method.starts_with(&format!("{}#", envelope.from)) {
        return Err(shape("verification method", "it is none of the sender's"));
    }
    let to: Value = envelope.to.iter().map(KamnDid::as_w3c).collect();
    let body = envelope
        .body
        .iter()
        .fold(Object::new(), |body, (name, text)| {
            body.with(name, text.as_str())
        });
    let attachments = envelope
        .attachments
        .iter()
        .map(attachment)
        .collect::<Result<Vec<_>, _>>()?;
    let kids: Value = envelope.recipient_keys.iter().map(String::as_str).collect();
    let kamn = Object::new()
        .with("created", envelope.created)
        .with("expires", envelope.expires)
        .with("nonce", envelope.nonce)
        .with("priority", envelope.priority.as_str())
        .with("content_type", envelope.content_type.as_str())
        .with("algorithm", SIGNING)
        .with("verification_method", method)
        .with("kids", kids);
    let object = Object::new()
        .with("id", envelope.id.as_str())
        .with("typ", MEDIA_TYPE)
        .with(
            "type",
            format!("{TYPE_PREFIX}{}", envelope.message_type.name()),
        )
        .with("from", envelope.from.as_w3c())
        .with("to", to)
        .with("created_time", seconds(envelope.created.unix_ms())?)
        .with("expires_time", seconds(envelope.expires.unix_ms())?)
        .with_optional("thid", envelope.thread_id.as_deref())
        .with_optional("pthid", envelope.parent_id.as_deref())
        .with("body", body)
        .with("attachments", Value::Array(attachments))
        .with("kamn", kamn);
    Ok(object.into())
}

/// The envelope that a plaintext message is, and the method it says it was signed with. Nothing is
/// proved by it.
pub fn from_didcomm(message: Value) -> Result<(Envelope, String), InteropError> {
    let mut fields = Fields::of("DIDComm message", message)?;
    if fields.string("typ")? != MEDIA_TYPE {
        return Err(shape("DIDComm message", "it is no plaintext message"));
    }
    let mut kamn = fields.fields("kamn", "DIDComm metadata")?;
    let algorithm = kamn.string("algorithm")?;
    if algorithm != SIGNING {
        return Err(InteropError::Unmapped {
            what: "algorithm",
            found: beginning(&algorithm),
        });
    }
    let mut body = BTreeMap::new();
    for (name, value) in fields.fields("body", "DIDComm body")?.rest() {
        match value {
            Value::String(text) => body.insert(name, text),
            _ => return Err(shape("DIDComm body", "an entry is no text")),
        };
    }
    let to = fields.strings("to")?;
    let to = to.iter().map(|did| KamnDid::parse_any(did));
    let attachments = fields.array("attachments")?.into_iter();
    let envelope = Envelope {
        id: fields.string("id")?,
        from: AgentDid::parse_any(&fields.string("from")?)?,
        to: to.collect::<Result<_, _>>()?,
        created: kamn.string("created")?.parse()?,
        expires: kamn.string("expires")?.parse()?,
        thread_id: fields.optional_string("thid")?,
        parent_id: fields.optional_string("pthid")?,
        nonce: Integer::try_from(kamn.unsigned("nonce")?)?,
        message_type: message_type(&fields.string("type")?)?,
        priority: kamn.string("priority")?,
        content_type: kamn.string("content_type")?,
        recipient_keys: kamn.strings("kids")?,
        body,
        attachments: attachments.map(read_attachment).collect::<Result<_, _>>()?,
    };
    let times = [
        (fields.unsigned("created_time")?, envelope.created),
        (fields.unsigned("expires_time")?, envelope.expires),
    ];
    if times
        .iter()
        .any(|(found, time)| *found != time.unix_ms() / 1000)
    {
        return Err(shape("DIDComm message", "its times are two different ones"));
    }
    let method = kamn.string("verification_method")?;
    kamn.end()?;
    fields.end()?;
    envelope.check()?;
    Ok((envelope, method))
}

fn message_type(uri: &str) -> Result<MessageType, InteropError> {
    let name = uri.strip_prefix(TYPE_PREFIX);
    MessageType::ALL
        .into_iter()
        .find(|found| Some(found.name()) == name)
        .ok_or_else(|| InteropError::Unmapped {
            what: "message type",
            found: beginning(uri),
        })
}

fn attachment(attachment: &Attachment) -> Result<Value, InteropError> {
    if attachment.media_type != JSON {
        return Err(shape("attachment", "it is no JSON"));
    }
    let links = Value::Array([attachment.uri.as_str().into()].into());
    Ok(Object::new()
        .with("id", attachment.id.as_str())
        .with("media_type", JSON)
        .with("data", Object::new().with("links", links))
        .into())
}

fn read_attachment(value: Value) -> Result<Attachment, InteropError> {
    let mut fields = Fields::of("DIDComm attachment", value)?;
    let media_type = fields.string("media_type")?;
    if media_type != JSON {
        return Err(shape("attachment", "it is no JSON"));
    }
    let id = fields.string("id")?;
    let mut data = fields.fields("data", "DIDComm attachment data")?;
    let mut links = data.strings("links")?;
    data.end()?;
    fields.end()?;
    match (links.pop(), links.is_empty()) {
        (Some(uri), true) => Ok(Attachment {
            id,
            media_type,
            uri: uri.to_string(),
        }),
        _ => Err(shape("attachment", "it is not in exactly one place")),
    }
}

fn seconds(unix_ms: u64) -> Result<Integer, InteropError> {
    Ok(Integer::try_from(unix_ms / 1000)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alice, bob, carol};

    fn envelope() -> Envelope {
        Envelope {
            id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
            from: alice().did,
            to: [carol(), bob()]
                .map(|agent| agent.did.as_did().clone())
                .into(),
            created: "2026-02-07T20:15:30.123Z".parse().unwrap(),
            expires: "2026-02-07T20:45:30.123Z".parse().unwrap(),
            thread_id: Some("t".into()),
            parent_id: None,
            nonce: 1_u32.into(),
            message_type: MessageType::PaymentOffer,
            priority: "Normal".into(),
            content_type: "application/json".into(),
            recipient_keys: [carol().key_ref(), bob().key_ref()].into(),
            body: [("a".to_string(), "b".to_string())].into(),
            attachments: [Attachment {
                id: "x".into(),
                media_type: "application/json".into(),
                uri: "https://example.com/x".into(),
            }]
            .into(),
        }
    }

    fn method() -> String {
        format!("{}#keys-1", alice().did)
    }

    #[test]
    fn envelopes_go_and_come_back_with_recipients_in_order() {
        let message = to_didcomm(&envelope(), &method()).unwrap();
        let text = message.to_canonical();
        assert!(text.contains("\"from\":\"did:kamn:agent:alice--keyh-"));
        assert!(text.contains("\"type\":\"https://kamn.network/message/1.0/PaymentOffer\""));
        assert!(text.contains("\"created_time\":1770495330"));
        assert_eq!(from_didcomm(message), Ok((envelope(), method())));
    }

    #[test]
    fn what_cannot_be_said_in_didcomm_is_refused() {
        let changes: [fn(&mut Envelope); 2] = [
            |e| e.recipient_keys.truncate(1),
            |e| e.attachments[0].media_type = "text/plain".into(),
        ];
        for change in changes {
            let mut other = envelope();
            change(&mut other);
            assert!(to_didcomm(&other, &method()).is_err());
        }
        assert!(to_didcomm(&envelope(), &format!("{}#keys-1", bob().did)).is_err());
        let text = to_didcomm(&envelope(), &method()).unwrap().to_canonical();
        for (from, to) in [
            ("\"Ed25519\"", "\"ES256K\""),
            ("plain+json", "signed+json"),
            ("1.0/PaymentOffer", "1.0/Event"),
            (
                "\"media_type\":\"application/json\"",
                "\"media_type\":\"text/plain\"",
            ),
            ("\"created_time\":1770495330", "\"created_time\":1770495331"),
            ("\"body\":{", "\"body\":{\"n\":1,"),
            ("\"thid\":", "\"other\":"),
        ] {
            assert!(text.contains(from), "{from}");
            let value = crate::jcs::parse(text.replace(from, to).as_bytes(), 65_536).unwrap();
            assert!(from_didcomm(value).is_err(), "{from} -> {to}");
        }
    }
}
