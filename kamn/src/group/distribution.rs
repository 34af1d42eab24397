//! A sender's key on its way to a member.

use alloc::{string::String, vec::Vec};
use core::fmt;

use zeroize::Zeroizing;

use super::GroupError;
use crate::bytes::push_lp;

const DOMAIN: &[u8] = b"kamn-group-key-v1\0";

/// What a sender gives every member: the plaintext of a sealed message, never anything else.
#[derive(PartialEq, Eq)]
pub struct Distribution {
    pub(super) channel: String,
    pub(super) sender: String,
    pub(super) generation: u64,
    /// The number of the first message that can be read with it.
    pub(super) next: u64,
    pub(super) key: Zeroizing<[u8; 32]>,
}

impl Distribution {
    /// Which of the sender's keys it is, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The bytes to seal for a member.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::from(DOMAIN));
        push_lp(&mut bytes, self.channel.as_bytes());
        push_lp(&mut bytes, self.sender.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.next.to_be_bytes());
        bytes.extend_from_slice(self.key.as_slice());
        bytes
    }

    /// Reads what [`Distribution::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GroupError> {
        read(bytes).ok_or(GroupError::Distribution)
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Distribution({} in {}, generation {}, secret key)",
            self.sender, self.channel, self.generation
        )
    }
}

fn read(bytes: &[u8]) -> Option<Distribution> {
    let rest = bytes.strip_prefix(DOMAIN)?;
    let (channel, rest) = text(rest)?;
    let (sender, rest) = text(rest)?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (next, rest) = rest.split_first_chunk()?;
    let key = Zeroizing::new(rest.try_into().ok()?);
    Some(Distribution {
        channel,
        sender,
        generation: u64::from_be_bytes(*generation),
        next: u64::from_be_bytes(*next),
        key,
    })
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((String::from_utf8(text.into()).ok()?, rest))
}
