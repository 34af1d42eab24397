//! Multibase, in the one base KAMN writes: `z` and base58btc (draft-msporny-base58, multibase 1.0).
//!
//! Every byte string has one text and every text one byte string: leading zeros are kept.

use alloc::{string::String, vec::Vec};

use crate::error::{Error, beginning};

/// Decoding takes time by the square of the length; the longest thing written so is a signature.
const TEXT_LIMIT_BYTES: usize = 256;

/// `z` and the base58btc digits of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::from("z");
    text.push_str(&bs58::encode(bytes).into_string());
    text
}

/// The bytes of a text written by [`encode`]: at least one, from at most 256 characters.
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    let refused = || Error::Multibase {
        text: beginning(text),
    };
    let digits = text.strip_prefix('z').ok_or_else(refused)?;
    if digits.is_empty() || text.len() > TEXT_LIMIT_BYTES {
        return Err(refused());
    }
    bs58::decode(digits).into_vec().map_err(|_| refused())
}
