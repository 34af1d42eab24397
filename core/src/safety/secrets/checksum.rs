//! Checksums that some vendors put into their tokens, so that a real one is told from an example.

use super::bytes::{self, WORD};

/// Whether the last six characters of a token's body are the CRC-32 of those before them, in base
/// 62: GitHub's and npm's form.
pub(super) fn crc32_base62(body: &[u8]) -> bool {
    let Some((payload, check)) = body.split_last_chunk::<6>() else {
        return false;
    };
    let Some(expected) = check.iter().try_fold(0_u64, |sum, &byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        Some(sum * 62 + u64::from(digit))
    }) else {
        return false;
    };
    payload.iter().all(|&byte| bytes::is(byte, WORD)) && u64::from(crc32(payload)) == expected
}

/// CRC-32 as in ISO 3309, bit by bit: tokens are short and a table is not.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
