//! A registry as JSON. Restoring it checks every log from its first event on.

use alloc::vec::Vec;

use super::{Entry, Error, Registry};
use crate::{
    did::{KamnDid, Trust},
    jcs::{self, Fields, Integer, Object, Value},
    kel::{self, KeyLog},
};

impl Registry {
    /// Everything it knows. Fails where a mutation's number is beyond what JSON can hold.
    pub fn snapshot(&self) -> Result<Value, jcs::Error> {
        let mut entries = Vec::new();
        for entry in self.entries.values() {
            let object = Object::new()
                .with("log", entry.log.to_value())
                .with_optional("operator", entry.operator.as_ref().map(KamnDid::as_kamn))
                .with("last_nonce", Integer::try_from(entry.last_nonce)?);
            entries.push(Value::from(object));
        }
        let object = Object::new()
            .with("v", 1)
            .with("vouches_for_names", self.vouches_for_names)
            .with("entries", entries);
        Ok(object.into())
    }

    /// The registry of a snapshot.
    pub fn restore(snapshot: Value) -> Result<Self, Error> {
        let mut fields = Fields::of("registry", snapshot).map_err(kel::Error::from)?;
        let read = read(&mut fields).map_err(kel::Error::from)?;
        fields.end().map_err(kel::Error::from)?;
        let (vouches_for_names, entries) = read;
        let mut registry = Self {
            vouches_for_names,
            ..Self::default()
        };
        for value in entries {
            let entry = entry(value, vouches_for_names)?;
            let did = entry.log.unchecked_state().did().clone();
            if did.trust() == Trust::Unbound && !vouches_for_names {
                let did = did.as_kamn();
                return Err(Error::Unbound { did });
            }
            if registry.entries.insert(did.clone(), entry).is_some() {
                let did = did.as_kamn();
                return Err(Error::Registered { did });
            }
        }
        Ok(registry)
    }
}

fn read(fields: &mut Fields) -> Result<(bool, Vec<Value>), jcs::Error> {
    let version = fields.unsigned("v")?;
    let vouches = fields.value("vouches_for_names")?;
    let (1, Value::Bool(vouches)) = (version, vouches) else {
        return Err(jcs::Error::Kind {
            what: "registry",
            name: "v".into(),
            expected: "1, and vouches_for_names a boolean",
        });
    };
    Ok((vouches, fields.array("entries")?))
}

fn entry(value: Value, vouches_for_names: bool) -> Result<Entry, kel::Error> {
    let mut fields = Fields::of("registry entry", value)?;
    let log = fields.value("log")?;
    let operator = fields.optional_string("operator")?;
    let last_nonce = fields.unsigned("last_nonce")?;
    fields.end()?;
    let log = match vouches_for_names {
        true => KeyLog::from_value_unbound(log)?,
        false => KeyLog::from_value(log)?,
    };
    let operator = operator.map(|did| did.parse::<KamnDid>()).transpose()?;
    Ok(Entry {
        log,
        operator,
        last_nonce,
    })
}
