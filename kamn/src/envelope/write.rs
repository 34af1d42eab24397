//! From an envelope to what is sent.

use alloc::{format, string::String};

use super::{Attachment, ENVELOPE_LIMIT_BYTES, Envelope, Error};
use crate::{
    bytes::sha256,
    guard,
    jcs::{Object, Value},
    key::{PublicKey, Signature, SigningKey},
    proof::{Options, Proven, Purpose, Unsigned},
    time::Timestamp,
};

pub(super) const TYPE: &str = "kamn:message:v1";
pub(super) const ALGORITHM: &str = "X25519-XChaCha20-Poly1305";

impl Envelope {
    /// The envelope as JSON, without proof.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let to: Value = self.to.iter().map(|did| did.as_kamn()).collect();
        let envelope = Object::new()
            .with("id", self.id.as_str())
            .with("type", TYPE)
            .with("from", self.from.as_kamn())
            .with("to", to)
            .with("created", self.created)
            .with("expires", self.expires)
            .with_optional("thread_id", self.thread_id.as_deref())
            .with_optional("parent_id", self.parent_id.as_deref())
            .with("nonce", self.nonce);
        let keys: Value = self.recipient_keys.iter().map(String::as_str).collect();
        let encryption = Object::new()
            .with("algorithm", ALGORITHM)
            .with("recipient_keys", keys);
        let header = Object::new()
            .with("message_type", self.message_type.name())
            .with("priority", self.priority.as_str())
            .with("content_type", self.content_type.as_str())
            .with("encryption", encryption);
        let body = self.body.iter();
        let body = body.fold(Object::new(), |body, (name, text)| {
            body.with(name, text.as_str())
        });
        let attachments: Value = self.attachments.iter().map(Attachment::to_object).collect();
        Object::new()
            .with("envelope", envelope)
            .with("header", header)
            .with("body", body)
            .with("attachments", attachments)
    }

    /// Signs it as `<from>#<fragment>` with `key`, at `signed`: between its creation and its end.
    ///
    /// Fails where no reader would take it.
    pub fn sign(
        self,
        fragment: &str,
        key: &SigningKey,
        signed: Timestamp,
    ) -> Result<SignedEnvelope, Error> {
        let unsigned = self.unsigned(fragment, signed)?;
        let signature = key.sign(&unsigned.to_bytes());
        unsigned.signed_with(signature, &key.public_key())
    }

    /// The same where the key is elsewhere: what it is to sign as `<from>#<fragment>`.
    pub fn unsigned(self, fragment: &str, signed: Timestamp) -> Result<UnsignedEnvelope, Error> {
        self.check()?;
        let created_ms = self.created.unix_ms();
        guard::check_window(created_ms, self.expires.unix_ms(), created_ms)?;
        let options = Options {
            created: signed,
            method: format!("{}#{fragment}", self.from),
            purpose: Purpose::Authentication,
        };
        let unsigned = Unsigned::new(self.to_object(), options);
        Ok(UnsignedEnvelope {
            envelope: self,
            unsigned,
        })
    }
}

/// An envelope that waits for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedEnvelope {
    envelope: Envelope,
    unsigned: Unsigned,
}

impl UnsignedEnvelope {
    /// What is to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        self.unsigned.to_bytes()
    }

    /// With the signature of `key`, which must be one. Fails where no reader would take it.
    pub fn signed_with(
        self,
        signature: Signature,
        key: &PublicKey,
    ) -> Result<SignedEnvelope, Error> {
        let signed = SignedEnvelope {
            envelope: self.envelope,
            proven: self.unsigned.signed_with(signature, key)?,
        };
        signed.check_signer()?;
        let (limit, found) = (ENVELOPE_LIMIT_BYTES, signed.to_canonical().len());
        if found > limit {
            return Err(Error::TooLong { limit, found });
        }
        Ok(signed)
    }
}

impl Attachment {
    fn to_object(&self) -> Object {
        Object::new()
            .with("id", self.id.as_str())
            .with("media_type", self.media_type.as_str())
            .with("uri", self.uri.as_str())
    }
}

/// An envelope with a proof, which nobody has held against a key yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEnvelope {
    pub(super) envelope: Envelope,
    pub(super) proven: Proven,
}

impl SignedEnvelope {
    /// What it says.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Its proof.
    #[must_use]
    pub fn proof(&self) -> &Options {
        self.proven.options()
    }

    /// The text that is sent.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        Value::Object(self.proven.to_object()).to_canonical()
    }

    /// SHA-256 of the text that is sent: what an answer names.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.to_canonical().as_bytes())
    }

    /// Checks that the proof names a key of the sender and a moment of the envelope's life.
    pub(super) fn check_signer(&self) -> Result<(), Error> {
        let refused = |why| {
            let member = "proof";
            Err(Error::Shape { member, why })
        };
        let options = self.proven.options();
        let from = self.envelope.from.as_kamn();
        let fragment = options.method.strip_prefix(from.as_str());
        if !fragment.is_some_and(|rest| rest.starts_with('#')) {
            return refused("its key is none of the sender");
        }
        if options.purpose != Purpose::Authentication {
            return refused("its purpose is not authentication");
        }
        let (created, expires) = (self.envelope.created, self.envelope.expires);
        let life = created.unix_ms()..=expires.unix_ms();
        if !life.contains(&options.created.unix_ms()) {
            return refused("it was not made between created and expires");
        }
        Ok(())
    }
}
