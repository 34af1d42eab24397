//! What a channel of several agents is called.

use alloc::{format, string::String};
use core::fmt;

use tau_kamn::{AgentDid, bytes::hex};

use super::ChannelRefusal;

const PREFIX: &str = "channel:group:";
const NAME_LIMIT_BYTES: usize = 32;
/// Hexadecimal digits.
const MARK_BYTES: usize = 16;

/// The id of a channel: who made it, what it is called, and a mark that no other has.
///
/// Nothing but letters, digits, `-` and `_` of a foreign agent's choice is in it, so that it can stand
/// where Tau's own words do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(String);

impl ChannelId {
    pub(super) fn new(
        creator: &AgentDid,
        name: &str,
        mark: [u8; MARK_BYTES / 2],
    ) -> Result<Self, ChannelRefusal> {
        Self::parse(&format!("{PREFIX}{creator}:{name}:{}", hex(&mark)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ChannelRefusal> {
        let why = "an id is channel:group:DID:NAME:MARK, its name 1 to 32 of a-z 0-9 - _";
        let form = ChannelRefusal::Form { why };
        let mut parts = text
            .strip_prefix(PREFIX)
            .unwrap_or_default()
            .rsplitn(3, ':');
        let (mark, name, creator) = (parts.next(), parts.next(), parts.next());
        let is_name = |name: &str| {
            let is_legible =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            (1..=NAME_LIMIT_BYTES).contains(&name.len()) && name.bytes().all(is_legible)
        };
        let is_mark = |mark: &str| {
            let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            mark.len() == MARK_BYTES && mark.bytes().all(is_digit)
        };
        let is_creator = |did: &str| did.parse::<AgentDid>().is_ok_and(|did| is_bound(&did));
        let is_whole = mark.is_some_and(is_mark)
            && name.is_some_and(is_name)
            && creator.is_some_and(is_creator);
        match is_whole {
            true => Ok(Self(text.into())),
            false => Err(form),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its maker called it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit(':').nth(1).unwrap_or_default()
    }

    /// Who made it.
    #[must_use]
    pub fn creator(&self) -> &str {
        let mut parts = self.0.rsplitn(3, ':');
        let creator = parts.nth(2).unwrap_or_default();
        creator.strip_prefix(PREFIX).unwrap_or_default()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether its name proves its key.
pub(super) fn is_bound(did: &AgentDid) -> bool {
    did.fingerprint().is_some()
}
