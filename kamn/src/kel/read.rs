//! Reading events: exactly the members each kind has.

use alloc::vec::Vec;

use super::{
    APPROVERS_LIMIT, Approval, Change, Error, Event, Recovery, SignedEvent,
    event::{DIGEST_PREFIX, GENESIS},
};
use crate::{
    bytes,
    did::DidKey,
    error::beginning,
    jcs::{self, Fields, Integer, Value},
    key::{AgreementKey, PublicKey, Signature},
};

const WHAT: &str = "key event";

impl SignedEvent {
    /// Reads an event and its proofs; whether they prove it is for a log to say.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(WHAT, value)?;
        let found = fields.unsigned("v")?;
        if found != 1 {
            return Err(Error::Version { found });
        }
        let kind = fields.string("type")?;
        let did = fields.string("did")?.parse()?;
        let seq = u32::try_from(fields.unsigned("seq")?).map_err(|_| out_of_range("seq"))?;
        let previous = match fields.string("prev")?.as_str() {
            GENESIS => None,
            hash => Some(bytes::from_hex("the previous event's hash", hash)?),
        };
        let created = fields.string("created")?.parse()?;
        let change = change(&kind, &mut fields)?;
        let event = Event {
            did,
            seq,
            previous,
            created,
            change,
        };
        let signature = |text: Option<_>| text.map(Signature::from_multibase);
        let sig = fields.optional_string("sig")?;
        let previous_sig = fields.optional_string("previous_sig")?;
        let read = Self {
            event,
            sig: signature(sig.as_deref()).transpose()?,
            previous_sig: signature(previous_sig.as_deref()).transpose()?,
            approvals: approvals(&mut fields)?,
        };
        fields.end()?;
        Ok(read)
    }
}

fn change(kind: &str, fields: &mut Fields) -> Result<Change, Error> {
    Ok(match kind {
        "inception" => Change::Inception {
            identity: PublicKey::from_multikey(&fields.string("identity_key")?)?,
            signing: PublicKey::from_multikey(&fields.string("signing_key")?)?,
            agreement: AgreementKey::from_multikey(&fields.string("agreement_key")?)?,
            next_digest: next_digest(fields)?,
            recovery: match fields.optional("recovery") {
                Some(value) => Some(recovery(value)?),
                None => None,
            },
        },
        "rotate" => {
            let signing = fields.optional_string("signing_key")?;
            let agreement = fields.optional_string("agreement_key")?;
            let signing = signing.map(|key| PublicKey::from_multikey(&key));
            let agreement = agreement.map(|key| AgreementKey::from_multikey(&key));
            Change::Rotate {
                signing: signing.transpose()?,
                agreement: agreement.transpose()?,
            }
        }
        "revoke_key" => Change::RevokeKey {
            key_id: fields.string("key_id")?,
            reason: fields.string("reason")?,
            compromised_since_ms: integer(fields, "compromised_since_ms")?,
        },
        "rotate_identity" => Change::RotateIdentity {
            identity: PublicKey::from_multikey(&fields.string("identity_key")?)?,
            next_digest: next_digest(fields)?,
        },
        "deactivate" => Change::Deactivate,
        "recover" => Change::Recover {
            identity: PublicKey::from_multikey(&fields.string("identity_key")?)?,
            next_digest: next_digest(fields)?,
            nonce: integer(fields, "nonce")?,
        },
        other => {
            return Err(Error::Kind {
                kind: beginning(other),
            });
        }
    })
}

fn next_digest(fields: &mut Fields) -> Result<Option<[u8; 32]>, Error> {
    let Some(text) = fields.optional_string("next_digest")? else {
        return Ok(None);
    };
    // Without its prefix it is the empty text, which is no digest.
    let digits = text.strip_prefix(DIGEST_PREFIX).unwrap_or_default();
    Ok(Some(bytes::from_hex("next_digest after sha256:", digits)?))
}

fn recovery(value: Value) -> Result<Recovery, Error> {
    let mut fields = Fields::of("recovery", value)?;
    let threshold = u32::try_from(fields.unsigned("threshold")?);
    let threshold = threshold.map_err(|_| out_of_range("threshold"))?;
    let approvers = fields.strings("approvers")?;
    fields.end()?;
    if approvers.len() > APPROVERS_LIMIT {
        let why = "there must be 1 to 16 approvers";
        return Err(Error::RecoveryPolicy { why });
    }
    let approvers = approvers.iter().map(|did| approver(did));
    Recovery::new(threshold, approvers.collect::<Result<_, _>>()?)
}

fn approvals(fields: &mut Fields) -> Result<Vec<Approval>, Error> {
    let items = match fields.optional("approvals") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) if (1..=APPROVERS_LIMIT).contains(&items.len()) => items,
        Some(_) => {
            return Err(kind("approvals", "a list of 1 to 16 approvals").into());
        }
    };
    items
        .into_iter()
        .map(|item| {
            let mut fields = Fields::of("approval", item)?;
            let read = Approval {
                approver: approver(&fields.string("approver")?)?,
                sig: Signature::from_multibase(&fields.string("sig")?)?,
            };
            fields.end()?;
            Ok(read)
        })
        .collect()
}

fn approver(did: &str) -> Result<PublicKey, Error> {
    match did.parse()? {
        DidKey::Ed25519(key) => Ok(key),
        DidKey::X25519(_) => Err(Error::RecoveryPolicy {
            why: "an approver's key cannot sign",
        }),
    }
}

fn integer(fields: &mut Fields, name: &'static str) -> Result<Integer, Error> {
    Ok(Integer::try_from(fields.unsigned(name)?)?)
}

fn out_of_range(name: &str) -> Error {
    kind(name, "a whole number below 2^32").into()
}

fn kind(name: &str, expected: &'static str) -> jcs::Error {
    jcs::Error::Kind {
        what: WHAT,
        name: name.into(),
        expected,
    }
}
