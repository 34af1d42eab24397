//! Bytes that are hashed, signed and printed.
//!
//! Everything signed begins with a domain that names its kind, so a signature over one kind of thing
//! is none over another; fields of bytes are joined with their lengths, so no two lists of fields
//! give the same bytes.

use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;
use sha2::{Digest, Sha256};

use crate::{error::Error, jcs::Value};

/// Appends `field` after its length in four bytes, most significant first.
///
/// A field of 4 GiB does not fit into the memory of what this is built for; its length would wrap.
pub fn push_lp(into: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(field);
}

/// All fields, each after its length.
#[must_use]
pub fn lp(fields: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for field in fields {
        push_lp(&mut joined, field);
    }
    joined
}

/// What is signed and hashed of `value` as one of `domain`: the domain, a zero byte, the canonical
/// text.
#[must_use]
pub fn in_domain(domain: &str, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::from(domain.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(value.to_canonical().as_bytes());
    bytes
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The `N` bytes of a text of lower-case hex, and of no other spelling of them.
pub fn from_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], Error> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(Error::Hex { what, bytes: N });
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
            return Err(Error::Hex { what, bytes: N });
        };
        *byte = high << 4 | low;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_reads_back_in_one_spelling_alone() {
        assert_eq!(hex(&[0x00, 0x9f, 0xa0]), "009fa0");
        assert_eq!(from_hex("hash", "009fa0"), Ok([0x00, 0x9f, 0xa0]));
        for refused in ["009FA0", "009fa", "009fa00", "009fg0", "0x9fa0", "é9fa"] {
            let error = from_hex::<3>("hash", refused).unwrap_err();
            assert_eq!(error.reason_code(), "hex_invalid", "{refused}");
        }
    }

    #[test]
    fn moving_a_byte_between_fields_changes_what_is_signed() {
        assert_eq!(lp(&[b"ab", b""]), b"\0\0\0\x02ab\0\0\0\0");
        assert_ne!(lp(&[b"ab", b"c"]), lp(&[b"a", b"bc"]));
    }
}
