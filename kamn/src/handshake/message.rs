//! The three messages, as bodies of envelopes.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use super::{HandshakeError, VERSION};
use crate::{
    bytes::{from_hex, hex},
    error::beginning,
    key::AgreementKey,
};

const HS: &str = "hs";
const CHANNEL_ID: &str = "channel_id";
const CHANNEL_TYPE: &str = "channel_type";
const EPH: &str = "eph";
const HS_NONCE: &str = "hs_nonce";
const SUITES: &str = "suites";
const SUITE: &str = "suite";
const PERMISSIONS_DIGEST: &str = "permissions_digest";
const KEL_HEAD: &str = "kel_head";
const IN_REPLY_TO: &str = "in_reply_to";
const CONFIRM: &str = "confirm";

/// How many suites a message may name.
const SUITE_LIMIT: usize = 16;

/// The first message: what the initiator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The channel the session is for.
    pub channel_id: String,
    /// Its kind, as channels name it.
    pub channel_type: String,
    /// The initiator's ephemeral key.
    pub ephemeral: AgreementKey,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// The suites it has, the best first.
    pub suites: Vec<String>,
    /// SHA-256 over the permissions that it takes the channel to have.
    pub permissions_digest: [u8; 32],
    /// The hash of its newest key event.
    pub kel_head: [u8; 32],
}

/// The second: what the responder agrees to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The responder's ephemeral key.
    pub ephemeral: AgreementKey,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// The suite it chose.
    pub suite: String,
    /// The suites it has, so that the initiator can see that the choice was the best.
    pub suites: Vec<String>,
    /// The hash of the signed proposal.
    pub in_reply_to: [u8; 32],
    /// The hash of its newest key event.
    pub kel_head: [u8; 32],
    /// That it has the keys.
    pub confirm: [u8; 32],
}

/// The third: that the initiator has the keys too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The hash of the signed acceptance.
    pub in_reply_to: [u8; 32],
    /// That it has the keys.
    pub confirm: [u8; 32],
}

impl Proposal {
    /// The entries of the envelope's body.
    #[must_use]
    pub fn to_entries(&self) -> BTreeMap<String, String> {
        entries([
            (CHANNEL_ID, self.channel_id.clone()),
            (CHANNEL_TYPE, self.channel_type.clone()),
            (EPH, self.ephemeral.to_multikey()),
            (HS_NONCE, hex(&self.nonce)),
            (SUITES, self.suites.join(" ")),
            (PERMISSIONS_DIGEST, hex(&self.permissions_digest)),
            (KEL_HEAD, hex(&self.kel_head)),
        ])
    }

    /// Reads the entries of an envelope's body, and refuses any further one.
    pub fn from_entries(body: &BTreeMap<String, String>) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(body)?;
        let proposal = Self {
            channel_id: reader.text(CHANNEL_ID)?,
            channel_type: reader.text(CHANNEL_TYPE)?,
            ephemeral: reader.key(EPH)?,
            nonce: reader.bytes(HS_NONCE)?,
            suites: reader.suites()?,
            permissions_digest: reader.bytes(PERMISSIONS_DIGEST)?,
            kel_head: reader.bytes(KEL_HEAD)?,
        };
        reader.end().map(|()| proposal)
    }
}

impl Acceptance {
    /// The entries of the envelope's body.
    #[must_use]
    pub fn to_entries(&self) -> BTreeMap<String, String> {
        entries([
            (EPH, self.ephemeral.to_multikey()),
            (HS_NONCE, hex(&self.nonce)),
            (SUITE, self.suite.clone()),
            (SUITES, self.suites.join(" ")),
            (IN_REPLY_TO, hex(&self.in_reply_to)),
            (KEL_HEAD, hex(&self.kel_head)),
            (CONFIRM, hex(&self.confirm)),
        ])
    }

    /// Reads the entries of an envelope's body, and refuses any further one.
    pub fn from_entries(body: &BTreeMap<String, String>) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(body)?;
        let acceptance = Self {
            ephemeral: reader.key(EPH)?,
            nonce: reader.bytes(HS_NONCE)?,
            suite: reader.text(SUITE)?,
            suites: reader.suites()?,
            in_reply_to: reader.bytes(IN_REPLY_TO)?,
            kel_head: reader.bytes(KEL_HEAD)?,
            confirm: reader.bytes(CONFIRM)?,
        };
        reader.end().map(|()| acceptance)
    }
}

impl Confirmation {
    /// The entries of the envelope's body.
    #[must_use]
    pub fn to_entries(&self) -> BTreeMap<String, String> {
        entries([
            (IN_REPLY_TO, hex(&self.in_reply_to)),
            (CONFIRM, hex(&self.confirm)),
        ])
    }

    /// Reads the entries of an envelope's body, and refuses any further one.
    pub fn from_entries(body: &BTreeMap<String, String>) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(body)?;
        let confirmation = Self {
            in_reply_to: reader.bytes(IN_REPLY_TO)?,
            confirm: reader.bytes(CONFIRM)?,
        };
        reader.end().map(|()| confirmation)
    }
}

fn entries<const N: usize>(of: [(&str, String); N]) -> BTreeMap<String, String> {
    let named = of.into_iter().map(|(name, value)| (name.into(), value));
    core::iter::once((HS.into(), VERSION.into()))
        .chain(named)
        .collect()
}

/// Takes a body's entries one after another.
struct Reader<'a> {
    left: BTreeMap<&'a str, &'a str>,
}

impl<'a> Reader<'a> {
    fn new(body: &'a BTreeMap<String, String>) -> Result<Self, HandshakeError> {
        let left = body.iter().map(|(name, value)| (&**name, &**value));
        let mut reader = Self {
            left: left.collect(),
        };
        match reader.entry(HS)? {
            VERSION => Ok(reader),
            found => Err(HandshakeError::Version {
                found: beginning(found),
            }),
        }
    }

    fn entry(&mut self, name: &'static str) -> Result<&'a str, HandshakeError> {
        self.left
            .remove(name)
            .ok_or_else(|| refused(name, "is missing"))
    }

    fn text(&mut self, name: &'static str) -> Result<String, HandshakeError> {
        let text = self.entry(name)?;
        if text.trim().is_empty() {
            return Err(refused(name, "is blank"));
        }
        Ok(text.into())
    }

    fn bytes(&mut self, name: &'static str) -> Result<[u8; 32], HandshakeError> {
        Ok(from_hex(name, self.entry(name)?)?)
    }

    fn key(&mut self, name: &'static str) -> Result<AgreementKey, HandshakeError> {
        Ok(AgreementKey::from_multikey(self.entry(name)?)?)
    }

    fn suites(&mut self) -> Result<Vec<String>, HandshakeError> {
        let text = self.entry(SUITES)?;
        let suites: Vec<String> = text.split(' ').map(ToString::to_string).collect();
        let is_list = suites.len() <= SUITE_LIMIT
            && suites
                .iter()
                .enumerate()
                .all(|(at, suite)| !suite.is_empty() && !suites[..at].contains(suite));
        if is_list {
            Ok(suites)
        } else {
            Err(refused(SUITES, "is no list of up to 16 different suites"))
        }
    }

    fn end(self) -> Result<(), HandshakeError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(refused(name, "is none of a handshake")),
        }
    }
}

fn refused(entry: &str, why: &'static str) -> HandshakeError {
    HandshakeError::Body {
        entry: beginning(entry),
        why,
    }
}
