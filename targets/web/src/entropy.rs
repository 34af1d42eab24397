//! The runtime's source of randomness.

use tau_platform::{Entropy, EntropyError};

use crate::global::CRYPTO;

/// WebCrypto fills no more at a time.
const LONGEST_BYTES: usize = 65_536;

/// `crypto.getRandomValues`.
///
/// workerd has none while a Worker starts, only while it answers a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebEntropy;

impl Entropy for WebEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        CRYPTO.with(|crypto| {
            let crypto = crypto.as_ref().ok_or(EntropyError)?;
            for part in bytes.chunks_mut(LONGEST_BYTES) {
                crypto
                    .get_random_values_with_u8_array(part)
                    .map_err(|_| EntropyError)?;
            }
            Ok(())
        })
    }
}
