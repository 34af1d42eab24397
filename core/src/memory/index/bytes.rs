//! Segments as bytes: what both kinds have in common.
//!
//! ```text
//! 8 bytes   which kind it is
//! u32       format version
//! u32       length of all of it
//! u64       checksum of everything behind it
//! …         the kind's own, little endian
//! ```

use alloc::{format, string::String, sync::Arc, vec::Vec};

use super::store::IndexError;

/// The format's version.
pub(super) const VERSION: u32 = 1;
/// Where the kind's own begins.
pub(super) const HEAD: usize = 24;

/// A new segment with a head that [`seal`] completes.
pub(super) fn begin(magic: [u8; 8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    bytes.extend_from_slice(&magic);
    bytes.resize(HEAD, 0);
    bytes
}

/// Completes the head.
pub(super) fn seal(mut bytes: Vec<u8>) -> Arc<[u8]> {
    let length = bytes.len() as u32;
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(&bytes);
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
    bytes.into()
}

/// A segment of `content`, whatever it is: what tests make broken ones of.
#[must_use]
pub fn sealed(magic: [u8; 8], content: &[u8]) -> Vec<u8> {
    let mut bytes = begin(magic);
    bytes.extend_from_slice(content);
    seal(bytes).to_vec()
}

/// Whether `bytes` are what was sealed under `magic`.
pub(super) fn check(key: &str, bytes: &[u8], magic: [u8; 8]) -> Result<(), IndexError> {
    let damaged = |detail: String| IndexError::Damaged {
        key: key.into(),
        detail,
    };
    if bytes.len() < HEAD || bytes[..8] != magic {
        return Err(damaged("it does not begin as a segment does".into()));
    }
    let version = u32_at(bytes, 8);
    let length = u32_at(bytes, 12) as usize;
    if version > VERSION && length == bytes.len() {
        return Err(IndexError::Newer {
            key: key.into(),
            found: version,
            known: VERSION,
        });
    }
    if length != bytes.len() {
        return Err(damaged(format!(
            "it has {} bytes, not {length}",
            bytes.len()
        )));
    }
    let written = u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32;
    if version != VERSION || written != checksum(bytes) {
        return Err(damaged("its checksum is another".into()));
    }
    Ok(())
}

/// Mixes everything but itself, eight bytes at a time. Each step is a bijection both of what came
/// before and of what is mixed in, so that a change within one word always shows.
fn checksum(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = u64::from(u32_at(bytes, 8)) << 32 | u64::from(u32_at(bytes, 12));
    let mut mix = |word: u64| sum = (sum.rotate_left(23) ^ word).wrapping_mul(ODD);
    let (words, rest) = bytes[HEAD..].as_chunks::<8>();
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(u64::from_le_bytes(last));
    sum
}

/// The number at `at`; 0 behind the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    found.map_or(0, u32::from_le_bytes)
}

/// The number at `at`; 0 behind the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok());
    found.map_or(0, u64::from_le_bytes)
}

/// Seven bits a byte, the low ones first.
pub(super) fn push_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front of `bytes`; 0 at the end.
pub(super) fn take_varint(bytes: &mut &[u8]) -> u32 {
    let mut number = 0_u32;
    for shift in (0..35).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            break;
        };
        *bytes = rest;
        number |= u32::from(byte & 0x7f).wrapping_shl(shift);
        if *byte < 0x80 {
            break;
        }
    }
    number
}
