//! DID documents: what an agent's keys are, in the form that the rest of the world reads.
//!
//! A document proves nothing by itself. That of a KAMN agent is what its key event log yields, and
//! [`Document::check_log`] holds it against the log; that of a `did:web` is what its host says.
//! Whatever says it, a document that is taken has only keys that are sound, each listed for what its
//! curve can do, and nothing private.

mod emit;
mod endpoint;
mod error;
mod read;

pub use emit::{Form, of_did_key, of_state, of_web};
pub use endpoint::{canonical_endpoint, channel_fragment, messaging_endpoint};
pub use error::Error;

use alloc::{string::String, vec::Vec};

use crate::{bytes::sha256, jcs::Value, kel::Key};

/// How many bytes a document may have.
pub const DOCUMENT_LIMIT_BYTES: usize = 65_536;
/// How many keys, services and capabilities a document may have each.
pub const ENTRIES_LIMIT: usize = 64;

/// A document that passed every check that needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    value: Value,
    id: String,
    also_known_as: Vec<String>,
    methods: Vec<Method>,
    relationships: Vec<(Relationship, Vec<String>)>,
    services: Vec<Service>,
    metadata: Option<Metadata>,
}

/// A key of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its whole id, `<did>#keys-1`.
    pub id: String,
    /// Who holds it.
    pub controller: String,
    /// The key.
    pub key: Key,
}

/// What keys are listed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relationship {
    /// Who sends is who they say.
    Authentication,
    /// What is said is claimed.
    AssertionMethod,
    /// What is asked for may be done.
    CapabilityInvocation,
    /// Others may be let do it.
    CapabilityDelegation,
    /// Secrets are agreed on.
    KeyAgreement,
}

impl Relationship {
    /// Every relationship there is.
    pub const ALL: [Self; 5] = [
        Self::Authentication,
        Self::AssertionMethod,
        Self::CapabilityInvocation,
        Self::CapabilityDelegation,
        Self::KeyAgreement,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::AssertionMethod => "assertionMethod",
            Self::CapabilityInvocation => "capabilityInvocation",
            Self::CapabilityDelegation => "capabilityDelegation",
            Self::KeyAgreement => "keyAgreement",
        }
    }
}

/// Where an agent can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its whole id, `<did>#messaging`.
    pub id: String,
    /// What kind of service it is.
    pub kind: String,
    /// Its address.
    pub endpoint: String,
}

/// What KAMN agents say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What kind of agent it is, such as `autonomous`.
    pub agent_type: String,
    /// The family of its model.
    pub model_family: String,
    /// What it can do: at least one thing.
    pub capabilities: Vec<String>,
    /// Who runs it, in the native form.
    pub operator: Option<String>,
    /// The number of the last event of its log.
    pub key_event_seq: u64,
    /// The hash of that event, in hex.
    pub key_event_hash: String,
}

impl Document {
    /// Whose document it is, as it says.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What else its subject is called, as it says.
    #[must_use]
    pub fn also_known_as(&self) -> &[String] {
        &self.also_known_as
    }

    /// Its keys.
    #[must_use]
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The keys listed for that.
    pub fn methods_for(&self, relationship: Relationship) -> impl Iterator<Item = &Method> {
        let mut all = self.relationships.iter();
        let ids = all.find(|(found, _)| *found == relationship);
        let ids = ids.map_or(&[][..], |(_, ids)| ids.as_slice());
        ids.iter()
            .filter_map(|id| self.methods.iter().find(|method| method.id == *id))
    }

    /// Where its subject can be reached.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// What a KAMN agent says of itself.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The document as JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// SHA-256 of its canonical text.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.value.to_canonical().as_bytes())
    }
}

#[cfg(test)]
mod tests;
