//! What tests share: the two agents of the worked examples.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    did::{AgentDid, KamnDid},
    key::{AgreementSecret, PublicKey, SigningKey},
    keys::KeyTree,
    signers::Signers,
};

/// The bytes of hex digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The 32 bytes of hex digits.
pub(crate) fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

/// An agent with the keys of a seed that is one byte again and again.
pub(crate) struct Agent {
    pub(crate) did: AgentDid,
    pub(crate) signing: SigningKey,
    pub(crate) agreement: AgreementSecret,
}

impl Agent {
    pub(crate) fn new(label: &str, seed: u8) -> Self {
        let tree = KeyTree::from_seed(&[seed; 32]);
        Self {
            did: AgentDid::new(label, &tree.identity(0).public_key()).unwrap(),
            signing: tree.signing(1),
            agreement: tree.agreement(1),
        }
    }

    pub(crate) fn key_ref(&self) -> String {
        format!("{}#key-agreement-1", self.did)
    }
}

pub(crate) fn alice() -> Agent {
    Agent::new("alice", 0x11)
}

pub(crate) fn bob() -> Agent {
    Agent::new("bob", 0x22)
}

pub(crate) fn carol() -> Agent {
    Agent::new("carol", 0x77)
}

/// The keys of some agents, the same at all times.
pub(crate) struct Known(BTreeMap<KamnDid, PublicKey>);

impl Known {
    pub(crate) fn of(agents: &[&Agent]) -> Self {
        let keys = agents
            .iter()
            .map(|agent| (agent.did.as_did().clone(), agent.signing.public_key()));
        Self(keys.collect())
    }
}

impl Signers for Known {
    fn signing_key(&self, did: &KamnDid, _created_ms: u64, _seen_ms: u64) -> Option<PublicKey> {
        self.0.get(did).copied()
    }
}
