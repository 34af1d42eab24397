//! What tests share: the two agents of the worked examples.

use alloc::{format, string::String, vec::Vec};

use crate::{
    crypto::hkdf,
    did::AgentDid,
    key::{AgreementSecret, SigningKey},
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
        let derived =
            |info: &str| *hkdf::<32>(Some(b"kamn:key-tree:v1"), &[seed; 32], info.as_bytes());
        let identity = SigningKey::from_seed(&derived("identity:0"));
        Self {
            did: AgentDid::new(label, &identity.public_key()).unwrap(),
            signing: SigningKey::from_seed(&derived("signing:1")),
            agreement: AgreementSecret::from_bytes(&derived("agreement:1")),
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
