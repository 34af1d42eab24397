//! Messages to a group: each sender has a key that its members know, and signs what it sends.
//!
//! ```text
//!   distribution   sender key of a generation, to each member under a session or a seal
//!   message        XChaCha20-Poly1305 under the chain of that key, signed with Ed25519
//! ```
//!
//! Knowing a sender's key lets a member read, not write as the sender: the signature does. A member
//! who joins gets the chain as it is then, and reads nothing from before.
//!
//! Invariants: generations only grow; when a member is removed nobody seals under, or takes, a key he
//! knows: each remaining sender draws a new one first. Nothing changes unless signature and tag fit.

mod distribution;

pub use distribution::Distribution;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use crate::{
    bytes::push_lp,
    error::{Error, beginning},
    key::{PublicKey, Signature, SigningKey},
    ratchet::{
        MESSAGE_LIMIT, RatchetError,
        chain::{ReceiveChain, SendChain},
    },
};

/// How many members a group has at most.
pub const MEMBER_LIMIT: usize = 256;

/// Why a group refuses something.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum GroupError {
    /// Somebody who is no member.
    #[error("{did:?} is no member of the group")]
    NotMember {
        /// The beginning of what was given.
        did: String,
    },
    /// Somebody who is one already, or the group is full.
    #[error("{did:?} cannot be added: a member already, or the group has {MEMBER_LIMIT}")]
    NotAdded {
        /// The beginning of what was given.
        did: String,
    },
    /// A key must be drawn before the next message: none was yet, or a member was removed.
    #[error("a new sender key must be drawn and distributed first")]
    RotationRequired,
    /// A generation that has been replaced.
    #[error("generation {found} is over, {expected} is the least that is taken")]
    StaleGeneration {
        /// The one given.
        found: u64,
        /// The least one taken.
        expected: u64,
    },
    /// A generation whose key has not come.
    #[error("the key of generation {found} has not come")]
    UnknownGeneration {
        /// The one given.
        found: u64,
    },
    /// A distribution for another group, of another sender, or none at all.
    #[error("the distribution is not one of this sender for this group")]
    Distribution,
    /// The signature does not fit.
    #[error(transparent)]
    Signature(#[from] Error),
    /// The message does not open.
    #[error(transparent)]
    Ratchet(#[from] RatchetError),
}

impl GroupError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::NotMember { .. } => "not_a_member",
            Self::NotAdded { .. } => "member_not_added",
            Self::RotationRequired => "rotation_required",
            Self::StaleGeneration { .. } => "stale_generation",
            Self::UnknownGeneration { .. } => "unknown_generation",
            Self::Distribution => "distribution_invalid",
            Self::Signature(error) => error.reason_code(),
            Self::Ratchet(error) => error.reason_code(),
        }
    }
}

/// A message to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMessage {
    /// Which of the sender's keys it is under, from 1.
    pub generation: u64,
    /// Its number under that key, from 1.
    pub counter: u64,
    /// The ciphertext, its 16-byte tag at the end.
    pub ciphertext: Vec<u8>,
    /// The sender's, over all of it.
    pub signature: Signature,
}

/// A group as one member sees it.
pub struct Group {
    channel: String,
    me: String,
    members: BTreeSet<String>,
    own: Option<Own>,
    /// The last generation drawn; a key of it may be unusable by now.
    drawn: u64,
    peers: BTreeMap<String, Peer>,
    /// The least generation taken of a sender, where one was taken before.
    least: BTreeMap<String, u64>,
}

struct Own {
    generation: u64,
    chain: SendChain,
}

struct Peer {
    generation: u64,
    chain: ReceiveChain,
}

impl Group {
    /// The group of a channel whose `members` include `me`.
    pub fn new(channel: &str, me: &str, members: BTreeSet<String>) -> Result<Self, GroupError> {
        let full = members.len() > MEMBER_LIMIT;
        if full || !members.contains(me) {
            return Err(GroupError::NotMember { did: beginning(me) });
        }
        Ok(Self {
            channel: channel.into(),
            me: me.into(),
            members,
            own: None,
            drawn: 0,
            peers: BTreeMap::new(),
            least: BTreeMap::new(),
        })
    }

    /// Who is in it.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Takes a new key for what this member sends: at first, after a removal, and whenever it likes.
    /// `key` must be fresh and from a cryptographically secure source.
    pub fn rotate(&mut self, key: Zeroizing<[u8; 32]>) -> Result<Distribution, GroupError> {
        let generation = self
            .drawn
            .checked_add(1)
            .ok_or(GroupError::Ratchet(RatchetError::Exhausted))?;
        self.drawn = generation;
        self.own = Some(Own {
            generation,
            chain: SendChain::new(key, 1),
        });
        self.distribution()
    }

    /// What every other member is sent, each under a session or a seal; to one who joins as well.
    pub fn distribution(&self) -> Result<Distribution, GroupError> {
        let own = self.own.as_ref().ok_or(GroupError::RotationRequired)?;
        Ok(Distribution {
            channel: self.channel.clone(),
            sender: self.me.clone(),
            generation: own.generation,
            next: own.chain.next(),
            key: own.chain.key().clone(),
        })
    }

    /// Takes the key of `sender`, from whom it came: the caller has verified that.
    pub fn install(&mut self, sender: &str, distribution: &Distribution) -> Result<(), GroupError> {
        self.check_member(sender)?;
        let is_ours = distribution.channel == self.channel
            && distribution.sender == sender
            && sender != self.me
            && distribution.next > 0;
        if !is_ours {
            return Err(GroupError::Distribution);
        }
        let found = distribution.generation;
        let expected = self.least.get(sender).copied().unwrap_or(1);
        if found < expected {
            return Err(GroupError::StaleGeneration { found, expected });
        }
        let after = found
            .checked_add(1)
            .ok_or(GroupError::Ratchet(RatchetError::Exhausted))?;
        self.peers.insert(
            sender.into(),
            Peer {
                generation: found,
                chain: ReceiveChain::new(distribution.key.clone(), distribution.next),
            },
        );
        // The same generation again would open what was opened before.
        self.least.insert(sender.into(), after);
        Ok(())
    }

    /// Adds a member, who is then sent [`Group::distribution`].
    pub fn add(&mut self, member: &str) -> Result<(), GroupError> {
        if self.members.len() >= MEMBER_LIMIT || !self.members.insert(member.into()) {
            return Err(GroupError::NotAdded {
                did: beginning(member),
            });
        }
        Ok(())
    }

    /// Removes a member. Nothing can be sealed until [`Group::rotate`], nor opened from another until
    /// his next key comes.
    pub fn remove(&mut self, member: &str) -> Result<(), GroupError> {
        self.check_member(member)?;
        if member == self.me {
            return Err(GroupError::NotMember {
                did: beginning(member),
            });
        }
        self.members.remove(member);
        self.own = None;
        self.peers.clear();
        Ok(())
    }

    /// Seals and signs the next message of this member.
    pub fn seal(
        &mut self,
        signing: &SigningKey,
        plaintext: &[u8],
    ) -> Result<GroupMessage, GroupError> {
        if plaintext.is_empty() {
            return Err(RatchetError::EmptyPlaintext.into());
        }
        let own = self.own.as_mut().ok_or(GroupError::RotationRequired)?;
        if own.chain.next() > MESSAGE_LIMIT {
            return Err(GroupError::RotationRequired);
        }
        let (generation, channel, me) = (own.generation, &self.channel, &self.me);
        let (counter, ciphertext) = own
            .chain
            .seal(|counter| aad(channel, me, generation, counter), plaintext)?;
        let signed = to_sign(&aad(channel, me, generation, counter), &ciphertext);
        Ok(GroupMessage {
            generation,
            counter,
            ciphertext,
            signature: signing.sign(&signed),
        })
    }

    /// Opens a message of `sender`, once. `sender_key` is the key he signs with, as his document has
    /// it.
    pub fn open(
        &mut self,
        sender: &str,
        sender_key: &PublicKey,
        message: &GroupMessage,
    ) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        self.check_member(sender)?;
        let (found, counter) = (message.generation, message.counter);
        let aad = aad(&self.channel, sender, found, counter);
        sender_key.verify(&to_sign(&aad, &message.ciphertext), &message.signature)?;
        let expected = self.least.get(sender).copied().unwrap_or(1);
        match self.peers.get_mut(sender) {
            Some(peer) if found == peer.generation => {
                Ok(peer.chain.open(counter, &aad, &message.ciphertext)?)
            }
            _ if found < expected => Err(GroupError::StaleGeneration { found, expected }),
            _ => Err(GroupError::UnknownGeneration { found }),
        }
    }

    fn check_member(&self, did: &str) -> Result<(), GroupError> {
        if self.members.contains(did) {
            Ok(())
        } else {
            Err(GroupError::NotMember {
                did: beginning(did),
            })
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.own.as_ref().map(|own| own.generation);
        f.debug_struct("Group")
            .field("channel", &self.channel)
            .field("me", &self.me)
            .field("members", &self.members)
            .field("generation", &generation)
            .finish_non_exhaustive()
    }
}

fn aad(channel: &str, sender: &str, generation: u64, counter: u64) -> Vec<u8> {
    let mut aad = Vec::from(b"kamn-group-v1\0");
    push_lp(&mut aad, channel.as_bytes());
    push_lp(&mut aad, sender.as_bytes());
    aad.extend_from_slice(&generation.to_be_bytes());
    aad.extend_from_slice(&counter.to_be_bytes());
    aad
}

fn to_sign(aad: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(b"kamn:group-message:v3\0");
    bytes.extend_from_slice(aad);
    push_lp(&mut bytes, ciphertext);
    bytes
}

#[cfg(test)]
mod tests;
