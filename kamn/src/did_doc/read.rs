//! Reading documents, and every check on one that needs nothing else.

use alloc::{string::String, vec::Vec};

use super::{
    DOCUMENT_LIMIT_BYTES, Document, ENTRIES_LIMIT, Error, Metadata, Method, Relationship, Service,
    canonical_endpoint, endpoint::check_https,
};
use crate::{
    bytes::from_hex,
    did::{DidKey, KamnDid},
    error::beginning,
    jcs::{self, Fields, Value},
    kel::Key,
};

const WHAT: &str = "document";
const CONTEXTS: [&str; 2] = [
    "https://www.w3.org/ns/did/v1",
    "https://www.w3.org/ns/did/v1.1",
];

impl Document {
    /// Reads the document of `subject` from JSON. Its keys are held by the subject or by one of
    /// `controllers`, whose documents the caller knows.
    pub fn read(text: &[u8], subject: &str, controllers: &[&str]) -> Result<Self, Error> {
        let value = jcs::parse(text, DOCUMENT_LIMIT_BYTES)?;
        Self::from_value(value, subject, controllers)
    }

    /// The same from JSON that was read already.
    pub fn from_value(value: Value, subject: &str, controllers: &[&str]) -> Result<Self, Error> {
        check_nothing_private(&value)?;
        let mut fields = Fields::of(WHAT, value.clone())?;
        let id = fields.string("id")?;
        if id != subject {
            return Err(Error::Subject {
                expected: subject.into(),
                found: beginning(&id),
            });
        }
        check_context(fields.value("@context")?)?;
        let is_controller = |found: &str| found == id || controllers.contains(&found);
        if let Some(controller) = fields.optional_string("controller")?
            && !is_controller(&controller)
        {
            return invalid("controller", "it is neither the subject nor known");
        }
        let also_known_as = match fields.optional("alsoKnownAs") {
            Some(value) => strings("alsoKnownAs", value)?,
            None => Vec::new(),
        };
        let methods = methods(fields.array("verificationMethod")?, &id)?;
        if let Some(method) = methods.iter().find(|m| !is_controller(&m.controller)) {
            return Err(Error::Subject {
                expected: id,
                found: beginning(&method.controller),
            });
        }
        let relationships = relationships(&mut fields, &methods)?;
        let services = match fields.optional("service") {
            Some(value) => services(value, &id)?,
            None => Vec::new(),
        };
        let metadata = fields.optional("kamn").map(metadata).transpose()?;
        fields.end()?;
        Ok(Self {
            value,
            id,
            also_known_as,
            methods,
            relationships,
            services,
            metadata,
        })
    }
}

/// A name that says it is a secret, anywhere: worth a word of its own, though the member would be
/// unknown in any case.
fn check_nothing_private(value: &Value) -> Result<(), Error> {
    match value {
        Value::Object(object) => object.iter().try_for_each(|(name, value)| {
            let small = name.to_ascii_lowercase();
            if small.contains("private") || small.contains("secret") || small == "d" {
                let name = beginning(name);
                return Err(Error::Private { name });
            }
            check_nothing_private(value)
        }),
        Value::Array(items) => items.iter().try_for_each(check_nothing_private),
        _ => Ok(()),
    }
}

fn check_context(value: Value) -> Result<(), Error> {
    let first = match &value {
        Value::Array(items) => items.first().and_then(Value::as_str),
        value => value.as_str(),
    };
    if !first.is_some_and(|first| CONTEXTS.contains(&first)) {
        return invalid("@context", "it does not begin with that of DID documents");
    }
    if let Value::Array(_) = value {
        strings("@context", value)?;
    }
    Ok(())
}

fn methods(items: Vec<Value>, did: &str) -> Result<Vec<Method>, Error> {
    const MEMBER: &str = "verificationMethod";
    if items.is_empty() || items.len() > ENTRIES_LIMIT {
        return invalid(MEMBER, "there must be 1 to 64 keys");
    }
    let mut methods: Vec<Method> = Vec::new();
    for item in items {
        let mut fields = Fields::of("verification method", item)?;
        let id = own_id(fields.string("id")?, did, MEMBER)?;
        if fields.string("type")? != "Multikey" {
            return invalid(MEMBER, "a key's type is not Multikey");
        }
        let controller = fields.string("controller")?;
        let text = fields.string("publicKeyMultibase")?;
        fields.end()?;
        // A multikey is what a did:key has after its prefix.
        let key = match alloc::format!("did:key:{text}").parse()? {
            DidKey::Ed25519(key) => Key::Signing(key),
            DidKey::X25519(key) => Key::Agreement(key),
        };
        if methods.iter().any(|method| method.id == id) {
            return invalid(MEMBER, "an id is there twice");
        }
        methods.push(Method {
            id,
            controller,
            key,
        });
    }
    Ok(methods)
}

fn relationships(
    fields: &mut Fields,
    methods: &[Method],
) -> Result<Vec<(Relationship, Vec<String>)>, Error> {
    let mut read = Vec::new();
    for listed in Relationship::ALL {
        let relationship = listed.name();
        let Some(value) = fields.optional(relationship) else {
            if matches!(
                listed,
                Relationship::Authentication | Relationship::CapabilityInvocation
            ) {
                return invalid(relationship, "it is missing");
            }
            continue;
        };
        let ids = strings(relationship, value)?;
        if ids.is_empty() {
            return invalid(relationship, "it lists no key");
        }
        for (at, id) in ids.iter().enumerate() {
            let refused = |why| {
                let id = beginning(id);
                Err(Error::Relationship {
                    relationship,
                    id,
                    why,
                })
            };
            let Some(method) = methods.iter().find(|method| method.id == *id) else {
                return refused("no key has this id");
            };
            let agrees = matches!(method.key, Key::Agreement(_));
            if agrees != (listed == Relationship::KeyAgreement) {
                return refused("a key of this curve cannot do that");
            }
            if ids[..at].contains(id) {
                return refused("it is listed twice");
            }
        }
        read.push((listed, ids));
    }
    Ok(read)
}

fn services(value: Value, did: &str) -> Result<Vec<Service>, Error> {
    const MEMBER: &str = "service";
    let Value::Array(items) = value else {
        return invalid(MEMBER, "it is no list");
    };
    if items.len() > ENTRIES_LIMIT {
        return invalid(MEMBER, "there are more than 64");
    }
    let mut services: Vec<Service> = Vec::new();
    for item in items {
        let mut fields = Fields::of(MEMBER, item)?;
        let service = Service {
            id: own_id(fields.string("id")?, did, MEMBER)?,
            kind: fields.string("type")?,
            endpoint: fields.string("serviceEndpoint")?,
        };
        fields.end()?;
        if service.kind.trim().is_empty() {
            return invalid(MEMBER, "a type is blank");
        }
        if services.iter().any(|earlier| earlier.id == service.id) {
            return invalid(MEMBER, "an id is there twice");
        }
        if service.kind == "KAMNMessaging" {
            if canonical_endpoint(&service.endpoint)? != service.endpoint {
                return Err(Error::Endpoint {
                    endpoint: beginning(&service.endpoint),
                    why: "it is not in its canonical spelling",
                });
            }
        } else {
            check_https(&service.endpoint)?;
        }
        services.push(service);
    }
    Ok(services)
}

fn metadata(value: Value) -> Result<Metadata, Error> {
    const MEMBER: &str = "kamn";
    let mut fields = Fields::of(MEMBER, value)?;
    let read = Metadata {
        agent_type: fields.string("agentType")?,
        model_family: fields.string("modelFamily")?,
        capabilities: fields.strings("capabilities")?,
        operator: fields.optional_string("operator")?,
        key_event_seq: fields.unsigned("keyEventSeq")?,
        key_event_hash: fields.string("keyEventHash")?,
    };
    fields.end()?;
    if read.capabilities.is_empty() || read.capabilities.len() > ENTRIES_LIMIT {
        return invalid(MEMBER, "there must be 1 to 64 capabilities");
    }
    let mut texts = read.capabilities.iter();
    let is_blank = |text: &String| text.trim().is_empty();
    if texts.any(is_blank) || is_blank(&read.agent_type) || is_blank(&read.model_family) {
        return invalid(MEMBER, "a capability or a name is blank");
    }
    if let Some(operator) = &read.operator {
        operator.parse::<KamnDid>()?;
    }
    from_hex::<32>("keyEventHash", &read.key_event_hash)?;
    Ok(read)
}

/// An id of the form `<did>#<fragment>`.
fn own_id(id: String, did: &str, member: &'static str) -> Result<String, Error> {
    let fragment = id.strip_prefix(did).and_then(|rest| rest.strip_prefix('#'));
    let is_fragment = |text: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        !text.is_empty() && text.bytes().all(is_letter)
    };
    match fragment.is_some_and(is_fragment) {
        true => Ok(id),
        false => invalid(member, "an id is not the DID, # and a fragment"),
    }
}

fn strings(member: &'static str, value: Value) -> Result<Vec<String>, Error> {
    let Value::Array(items) = value else {
        return invalid(member, "it is no list");
    };
    if items.len() > ENTRIES_LIMIT {
        return invalid(member, "it is longer than 64");
    }
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Ok(text),
            // Keys written out inside of a relationship are not taken: one place says what they are.
            _ => invalid(member, "it lists something that is no text"),
        })
        .collect()
}

fn invalid<T>(member: &'static str, why: &'static str) -> Result<T, Error> {
    Err(Error::Invalid { member, why })
}
