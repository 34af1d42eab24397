//! Records as KAMN keeps them in its state: by key, sorted, and read back with nothing believed.
//!
//! What follows from other fields is not written: the rates, and the number of endorsements.

use alloc::{string::ToString, vec::Vec};

use super::{
    VERSION,
    record::{Dispute, Endorsement, Record, RecordError, VerifiedCapability},
};
use crate::{
    error::beginning,
    escrow::Amount,
    jcs::{Fields, Integer, Object, Value},
    trust::MAX_SCORE,
};

/// The records as one JSON value, sorted by the keys of KAMN's state.
pub fn export<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Value, RecordError> {
    let mut records: Vec<&Record> = records.into_iter().collect();
    records.sort_by_key(|record| record.state_key());
    let twice = records.windows(2).find(|pair| pair[0].did == pair[1].did);
    if let Some(pair) = twice {
        return Err(super::record::duplicate("record", &pair[0].state_key()));
    }
    let records = records.into_iter().map(|record| {
        let key = record.state_key();
        Ok(Object::new()
            .with("key", key)
            .with("record", record.to_object()?))
    });
    let records = records.collect::<Result<Vec<Object>, RecordError>>()?;
    Ok(Object::new()
        .with("v", 1_u32)
        .with("formula", VERSION)
        .with("records", records.into_iter().collect::<Value>())
        .into())
}

/// The records of an export, each field checked. Refused whole when anything in it is not right.
pub fn restore(value: Value) -> Result<Vec<Record>, RecordError> {
    let mut fields = Fields::of("export", value)?;
    let (version, formula) = (fields.unsigned("v")?, fields.string("formula")?);
    if version != 1 || formula != VERSION {
        return Err(RecordError::Version {
            found: beginning(&formula),
            version,
        });
    }
    let items = fields.array("records")?;
    fields.end()?;
    let mut records: Vec<Record> = Vec::new();
    for item in items {
        let mut fields = Fields::of("record of a key", item)?;
        let key = fields.string("key")?;
        let record = Record::from_fields(fields.fields("record", "record")?)?;
        fields.end()?;
        if record.state_key() != key {
            return Err(RecordError::Key {
                key: beginning(&key),
                did: record.did.to_string(),
            });
        }
        if records.iter().any(|other| other.did == record.did) {
            return Err(super::record::duplicate("record", &key));
        }
        records.push(record);
    }
    Ok(records)
}

impl Record {
    fn to_object(&self) -> Result<Object, RecordError> {
        let mut history = Vec::new();
        for (height, score) in &self.history {
            history.push(
                Object::new()
                    .with("height", integer(*height)?)
                    .with("score", u32::from(*score)),
            );
        }
        Ok(Object::new()
            .with("agent_did", self.did.to_string())
            .with("trust_score", u32::from(self.score))
            .with("tasks_completed", integer(self.completed)?)
            .with("tasks_failed", integer(self.failed)?)
            .with("tasks_delegated", integer(self.delegated)?)
            .with("response_time_avg_ms", integer(self.response_ms)?)
            .with("total_earned", Amount::new(self.earned))
            .with("total_spent", Amount::new(self.spent))
            .with("endorsements", list(&self.endorsements, endorsement)?)
            .with("disputes", list(&self.disputes, dispute)?)
            .with(
                "verified_capabilities",
                list(&self.capabilities, capability)?,
            )
            .with("last_updated_block", integer(self.last_height)?)
            .with("score_history", history.into_iter().collect::<Value>()))
    }

    fn from_fields(mut fields: Fields) -> Result<Self, RecordError> {
        let did = fields.string("agent_did")?;
        let did = did.parse().map_err(|_| RecordError::Did {
            did: beginning(&did),
        })?;
        let mut record = Self::new(did);
        record.score = score(fields.unsigned("trust_score")?)?;
        record.completed = fields.unsigned("tasks_completed")?;
        record.failed = fields.unsigned("tasks_failed")?;
        record.delegated = fields.unsigned("tasks_delegated")?;
        record.response_ms = fields.unsigned("response_time_avg_ms")?;
        record.earned = amount(&fields.string("total_earned")?)?;
        record.spent = amount(&fields.string("total_spent")?)?;
        record.last_height = fields.unsigned("last_updated_block")?;
        for item in fields.array("endorsements")? {
            let mut fields = Fields::of("endorsement", item)?;
            let new = Endorsement {
                id: fields.string("id")?,
                from: fields.string("from")?,
                note: fields.string("note")?,
                height: fields.unsigned("height")?,
            };
            fields.end()?;
            record.endorse(new)?;
        }
        for item in fields.array("disputes")? {
            let mut fields = Fields::of("dispute", item)?;
            let new = Dispute {
                id: fields.string("id")?,
                opened_by: fields.string("opened_by")?,
                reason: fields.string("reason")?,
                height: fields.unsigned("height")?,
            };
            fields.end()?;
            record.dispute(new)?;
        }
        for item in fields.array("verified_capabilities")? {
            let mut fields = Fields::of("verified capability", item)?;
            let new = VerifiedCapability {
                capability: fields.string("capability")?,
                verifier: fields.string("verifier")?,
                proof_ref: fields.string("proof_ref")?,
                height: fields.unsigned("height")?,
            };
            fields.end()?;
            record.verify(new)?;
        }
        let mut before = 1;
        for item in fields.array("score_history")? {
            let mut fields = Fields::of("recorded score", item)?;
            let (height, found) = (fields.unsigned("height")?, fields.unsigned("score")?);
            fields.end()?;
            if height < before || height > record.last_height {
                return Err(RecordError::Height {
                    found: height,
                    last: record.last_height,
                });
            }
            before = height;
            record.history.push((height, score(found)?));
        }
        fields.end()?;
        Ok(record)
    }
}

fn endorsement(endorsement: &Endorsement) -> Result<Object, RecordError> {
    Ok(Object::new()
        .with("id", endorsement.id.as_str())
        .with("from", endorsement.from.as_str())
        .with("note", endorsement.note.as_str())
        .with("height", integer(endorsement.height)?))
}

fn dispute(dispute: &Dispute) -> Result<Object, RecordError> {
    Ok(Object::new()
        .with("id", dispute.id.as_str())
        .with("opened_by", dispute.opened_by.as_str())
        .with("reason", dispute.reason.as_str())
        .with("height", integer(dispute.height)?))
}

fn capability(verified: &VerifiedCapability) -> Result<Object, RecordError> {
    Ok(Object::new()
        .with("capability", verified.capability.as_str())
        .with("verifier", verified.verifier.as_str())
        .with("proof_ref", verified.proof_ref.as_str())
        .with("height", integer(verified.height)?))
}

fn list<T>(
    items: &[T],
    to_object: fn(&T) -> Result<Object, RecordError>,
) -> Result<Value, RecordError> {
    items
        .iter()
        .map(to_object)
        .collect::<Result<Vec<_>, _>>()
        .map(|list| list.into_iter().collect())
}

fn integer(number: u64) -> Result<Integer, RecordError> {
    Ok(Integer::try_from(number)?)
}

fn score(found: u64) -> Result<u16, RecordError> {
    u16::try_from(found)
        .ok()
        .filter(|score| *score <= MAX_SCORE)
        .ok_or(RecordError::Score { found })
}

fn amount(text: &str) -> Result<u128, RecordError> {
    let amount: Result<Amount, _> = text.parse();
    amount.map(Amount::units).map_err(|_| RecordError::Amount {
        text: beginning(text),
    })
}
