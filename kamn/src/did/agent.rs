//! An agent's DID, bound to its identity key: `kamn:did:agent:<label>--keyh-<32 hex>`.
//!
//! The hex is the first half of SHA-256 over the 32 bytes of the identity key, so nobody can put
//! another key under the same name. That key is the one the agent's key event log begins with; those
//! that sign messages are others, and change without a change of the DID; an agent without a log may
//! have one key for both. An equal DID is still no proof of an equal key, since its owner could have
//! made two.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ID_LIMIT_BYTES, KamnDid, Role, is_id};
use crate::{
    error::{Error, beginning},
    key::PublicKey,
};

const MARKER: &str = "--keyh-";
const FINGERPRINT_BYTES: usize = 16;
const FINGERPRINT_DIGITS: usize = 2 * FINGERPRINT_BYTES;

/// The DID of an agent. One that was parsed may be bound to no key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentDid(KamnDid);

/// How much a DID proves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It names the key it is bound to: its key event log proves whose it is.
    Bound,
    /// It is only a name: whose it is, only a registry can say that is trusted to.
    Unbound,
}

impl AgentDid {
    /// The DID of the agent called `label` whose identity key is `identity`.
    pub fn new(label: &str, identity: &PublicKey) -> Result<Self, Error> {
        let refused = |why| Error::Label {
            label: beginning(label),
            why,
        };
        if label.is_empty() {
            return Err(refused("it is empty"));
        }
        if !is_id(label) {
            return Err(refused("it has something other than a-z, 0-9, _ and -"));
        }
        if label.contains(MARKER) {
            return Err(refused("it holds the mark that comes before a fingerprint"));
        }
        let id = format!("{label}{MARKER}{}", fingerprint(&identity.to_bytes()));
        if id.len() > ID_LIMIT_BYTES {
            return Err(refused("it is longer than 89 bytes"));
        }
        Ok(Self(KamnDid {
            role: Role::Agent,
            id,
        }))
    }

    /// Reads the native form or the W3C alias.
    pub fn parse_any(did: &str) -> Result<Self, Error> {
        KamnDid::parse_any(did)?.try_into()
    }

    /// What the agent is called: the part before the fingerprint, or all of an unbound id.
    #[must_use]
    pub fn label(&self) -> &str {
        self.binding().map_or(self.0.id(), |(label, _)| label)
    }

    /// The fingerprint of the key it is bound to, 32 hex digits; `None` when it is bound to none,
    /// and then it proves nothing by itself.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.binding().map(|(_, fingerprint)| fingerprint)
    }

    /// How much it proves by itself.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match self.binding() {
            Some(_) => Trust::Bound,
            None => Trust::Unbound,
        }
    }

    /// Whether it is bound to `identity`. An unbound DID is bound to no key.
    #[must_use]
    pub fn is_bound_to(&self, identity: &PublicKey) -> bool {
        self.is_bound_to_bytes(&identity.to_bytes())
    }

    /// Whether it is bound to a key of these bytes, of whatever kind.
    pub(crate) fn is_bound_to_bytes(&self, key: &[u8]) -> bool {
        let expected = fingerprint(key);
        self.fingerprint()
            .is_some_and(|found| found.as_bytes().ct_eq(expected.as_bytes()).into())
    }

    /// The native form: what is stored and signed.
    #[must_use]
    pub fn as_kamn(&self) -> String {
        self.0.as_kamn()
    }

    /// The W3C alias: what documents use.
    #[must_use]
    pub fn as_w3c(&self) -> String {
        self.0.as_w3c()
    }

    /// The same DID without the promise that it names an agent.
    #[must_use]
    pub fn as_did(&self) -> &KamnDid {
        &self.0
    }

    /// Label and fingerprint, split at the last mark.
    fn binding(&self) -> Option<(&str, &str)> {
        let (label, digits) = self.0.id().rsplit_once(MARKER)?;
        let is_fingerprint = digits.len() == FINGERPRINT_DIGITS
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (!label.is_empty() && is_fingerprint).then_some((label, digits))
    }
}

impl TryFrom<KamnDid> for AgentDid {
    type Error = Error;

    fn try_from(did: KamnDid) -> Result<Self, Error> {
        if did.role() == Role::Agent {
            Ok(Self(did))
        } else {
            Err(Error::Did {
                did: beginning(&did.as_kamn()),
                expected: "KAMN agent",
                why: "its role is another",
            })
        }
    }
}

impl FromStr for AgentDid {
    type Err = Error;

    /// Reads the native form alone.
    fn from_str(did: &str) -> Result<Self, Error> {
        did.parse::<KamnDid>()?.try_into()
    }
}

impl fmt::Display for AgentDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn fingerprint(key: &[u8]) -> String {
    let digest = Sha256::digest(key);
    digest[..FINGERPRINT_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
