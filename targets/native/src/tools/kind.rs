//! What kind of file the first bytes say it is.

/// How many bytes [`image`] and [`binary`] want to see.
pub(super) const SNIFFED_BYTES: usize = 8_192;

/// The MIME type of an image that models take.
pub(super) fn image(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

/// A name for content that is not text; `None` for text.
pub(super) fn binary(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 11] = [
        (b"\x7fELF", "ELF program"),
        (b"%PDF-", "PDF document"),
        (b"PK\x03\x04", "ZIP archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"\0asm", "WebAssembly module"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"MZ", "Windows program"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    // Every format above but PDF has a NUL early on; text may well begin with MZ.
    let has_nul = start.contains(&0);
    KNOWN
        .iter()
        .find(|(magic, kind)| start.starts_with(magic) && (has_nul || *kind == "PDF document"))
        .map(|(_, kind)| *kind)
        .or(has_nul.then_some("binary file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        assert_eq!(image(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(image(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(image(b"GIF8"), None);
        assert_eq!(binary(b"\x7fELF\x02\x01\x01\0"), Some("ELF program"));
        assert_eq!(binary(b"MZ is how this text begins"), None);
        assert_eq!(binary("\u{feff}text".as_bytes()), None);
        assert_eq!(binary(b"a\0b"), Some("binary file"));
    }
}
