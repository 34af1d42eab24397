//! Making documents: of an agent's key event log, and of a key that is its own DID.

use alloc::{format, string::String, vec::Vec};

use super::{Document, Error, Metadata, Relationship, Service, messaging_endpoint};
use crate::{
    bytes::hex,
    did::DidKey,
    did_web::DidWeb,
    jcs::{Integer, Object, Value},
    kel::{KeyLog, State},
    key::PublicKey,
};

const CONTEXT: &str = "https://www.w3.org/ns/did/v1.1";
const KAMN_CONTEXT: &str = "https://kamn.network/context/v1";

/// Under which of its two names an agent's document is written; the other is one of its aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `kamn:did:agent:…`, as in everything that is signed.
    Native,
    /// `did:kamn:agent:…`, which satisfies the grammar of DID Core.
    W3c,
}

/// The document of an agent as its log has it now.
///
/// `metadata` says what the log does not; its number and hash of the last event are put in here.
/// `services` come after the one that takes messages, their ids given without the DID.
pub fn of_state(
    state: &State,
    form: Form,
    metadata: &Metadata,
    services: &[Service],
) -> Result<Document, Error> {
    let did = match form {
        Form::Native => state.did().as_kamn(),
        Form::W3c => state.did().as_w3c(),
    };
    let value = value(state, &did, form, metadata, services)?;
    Document::from_value(value, &did, &[])
}

fn value(
    state: &State,
    did: &str,
    form: Form,
    metadata: &Metadata,
    services: &[Service],
) -> Result<Value, Error> {
    let other = match form {
        Form::Native => state.did().as_w3c(),
        Form::W3c => state.did().as_kamn(),
    };
    let identity = DidKey::Ed25519(*state.identity());
    let aliases = Value::from_iter([other, format!("{identity}")]);
    let id = |fragment: &str| format!("{did}#{fragment}");
    let messaging = Service {
        id: "messaging".into(),
        kind: "KAMNMessaging".into(),
        endpoint: messaging_endpoint(state.did().as_did()),
    };
    let services: Value = [&messaging]
        .into_iter()
        .chain(services)
        .map(|service| {
            Object::new()
                .with("id", id(&service.id))
                .with("type", service.kind.as_str())
                .with("serviceEndpoint", service.endpoint.as_str())
        })
        .collect();
    let object = keys(state, did)?
        .with("@context", Value::from_iter([CONTEXT, KAMN_CONTEXT]))
        .with("alsoKnownAs", aliases)
        .with("service", services)
        .with("kamn", of_metadata(metadata, state));
    Ok(object.into())
}

/// The keys that count, under the name `did`, each listed for what it is for.
fn keys(state: &State, did: &str) -> Result<Object, Error> {
    if state.is_deactivated() {
        return Err(crate::kel::Error::Deactivated.into());
    }
    let missing = |purpose| Error::NoKey { purpose };
    let (signing_id, signing) = state.current_signing().ok_or(missing("sign"))?;
    let current = state.current_agreement();
    let (agreement_id, agreement) = current.ok_or(missing("agree on secrets"))?;
    let id = |fragment: &str| format!("{did}#{fragment}");
    let one = |fragment: &str| Value::from_iter([id(fragment)]);
    let methods: Value = [
        ("identity", state.identity().to_multikey()),
        (signing_id, signing.to_multikey()),
        (agreement_id, agreement.to_multikey()),
    ]
    .into_iter()
    .map(|(fragment, key)| multikey(&id(fragment), did, key))
    .collect();
    Ok(Object::new()
        .with("id", did)
        .with("controller", did)
        .with("verificationMethod", methods)
        .with("authentication", one(signing_id))
        .with("assertionMethod", one(signing_id))
        .with("capabilityInvocation", one("identity"))
        .with("keyAgreement", one(agreement_id)))
}

/// The document that a host serves for an agent: its keys under the host's name, and the names that
/// prove them as aliases. It is worth what the host is; the log under those names proves it.
pub fn of_web(state: &State, host: &DidWeb) -> Result<Document, Error> {
    let did = format!("{host}");
    let identity = format!("{}", DidKey::Ed25519(*state.identity()));
    let aliases = Value::from_iter([state.did().as_kamn(), state.did().as_w3c(), identity]);
    let object = keys(state, &did)?
        .with("@context", Value::from_iter([CONTEXT]))
        .with("alsoKnownAs", aliases);
    Document::from_value(object.into(), &did, &[])
}

fn of_metadata(metadata: &Metadata, state: &State) -> Object {
    let capabilities = metadata.capabilities.iter().map(String::as_str);
    Object::new()
        .with("agentType", metadata.agent_type.as_str())
        .with("modelFamily", metadata.model_family.as_str())
        .with("capabilities", capabilities.collect::<Value>())
        .with_optional("operator", metadata.operator.as_deref())
        .with("keyEventSeq", Integer::from(state.seq()))
        .with("keyEventHash", hex(state.head()))
}

impl Document {
    /// Checks that this is, to the byte, the document that the agent's log yields, apart from what
    /// only the agent can say of itself: its metadata and its further services.
    pub fn check_log(&self, log: &KeyLog) -> Result<(), Error> {
        let state = log.state()?;
        let metadata = self.metadata.as_ref().ok_or(Error::NotOfLog)?;
        let form = match self.id.as_str() {
            id if id == state.did().as_kamn() => Form::Native,
            id if id == state.did().as_w3c() => Form::W3c,
            _ => return Err(Error::NotOfLog),
        };
        // The one that takes messages is made here; ids are given without the DID.
        let of_agent = self.services.iter().skip(1);
        let services: Vec<Service> = of_agent
            .map(|service| Service {
                id: service.id[self.id.len() + 1..].into(),
                ..service.clone()
            })
            .collect();
        match value(state, &self.id, form, metadata, &services)? == self.value {
            true => Ok(()),
            false => Err(Error::NotOfLog),
        }
    }
}

/// The document of a `did:key` that signs: the key for everything a signature is good for, and the
/// one that follows from it to agree on secrets with. It never changes.
pub fn of_did_key(key: &PublicKey) -> Result<Document, Error> {
    let did = format!("{}", DidKey::Ed25519(*key));
    let agreement = key.to_agreement();
    let signing = DidKey::Ed25519(*key).to_url();
    let agreeing = format!("{did}#{}", agreement.to_multikey());
    let methods: Value = [
        multikey(&signing, &did, key.to_multikey()),
        multikey(&agreeing, &did, agreement.to_multikey()),
    ]
    .into_iter()
    .collect();
    let object = Object::new()
        .with("@context", Value::from_iter([CONTEXT]))
        .with("id", did.as_str())
        .with("verificationMethod", methods);
    let object = Relationship::ALL
        .into_iter()
        .fold(object, |object, listed| {
            let id = match listed {
                Relationship::KeyAgreement => agreeing.as_str(),
                _ => signing.as_str(),
            };
            object.with(listed.name(), Value::from_iter([id]))
        });
    Document::from_value(object.into(), &did, &[])
}

fn multikey(id: &str, controller: &str, key: String) -> Object {
    Object::new()
        .with("id", id)
        .with("type", "Multikey")
        .with("controller", controller)
        .with("publicKeyMultibase", key)
}
