//! Randomness. Asked once a session, for its seed.

use thiserror::Error;

/// The system's source of randomness.
pub trait Entropy {
    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system's source of randomness failed")]
pub struct EntropyError;
