//! Private keys as whole blocks, also within strings of programs, and cut off ones.

use super::{
    Scanner, Severity,
    bytes::{self, BASE64, NAME, WORD},
};

/// The longest block: a key of 16384 bits in base64, in a string of a program.
const LIMIT: usize = 32 * 1024;

impl Scanner<'_> {
    /// `-----BEGIN … PRIVATE KEY-----` and what follows, to its end or as far as it looks like a key.
    pub(super) fn block(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let title_start = at + 6;
        let start = bytes::run_start(bytes, at, NAME, 8);
        let dashes = bytes[..at]
            .iter()
            .rev()
            .take(6)
            .filter(|&&byte| byte == b'-' || byte == b' ')
            .count();
        if dashes < 4 || !bytes[at..].starts_with(b"BEGIN ") {
            return None;
        }
        let title_end = title_start
            + bytes[title_start..bytes.len().min(title_start + 64)]
                .windows(4)
                .position(|window| window == b"----")?;
        let title = &bytes[title_start..title_end];
        if !title.windows(11).any(|window| window == b"PRIVATE KEY") {
            return None;
        }
        let body = bytes::run_end(bytes, title_end, NAME, 8);
        let start = start.min(at - dashes.min(5));
        let end = block_end(bytes, body);
        let held = bytes[body..end]
            .iter()
            .filter(|&&byte| bytes::is(byte, WORD))
            .count();
        if held < 8 || is_elided(&bytes[body..end]) {
            return Some(end);
        }
        self.report(start, end, "private_key", Severity::High);
        Some(end)
    }

    /// A key file of PuTTY, to the code at its end.
    pub(super) fn putty(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        if !bytes[at..].starts_with(b"PuTTY-User-Key-File-") {
            return None;
        }
        let rest = &bytes[at..bytes.len().min(at + LIMIT)];
        const HEAD: &[u8] = b"PuTTY-User-Key-File-";
        // A second head means that this one was cut off.
        let limit = bytes::find_all(rest, HEAD.len()..rest.len(), HEAD)
            .map_or(rest.len(), |(next, _)| next);
        let Some((_, private)) = bytes::find_all(rest, 0..limit, b"Private-Lines:") else {
            return Some(at + limit);
        };
        let end = match bytes::find_all(rest, private..limit, b"Private-MAC:") {
            Some((_, code)) => bytes::run_end(rest, code + 1, WORD, 128),
            None => private + key_lines(&rest[private..limit]),
        };
        self.report(at, at + end, "private_key", Severity::High);
        Some(at + end)
    }
}

/// Where the block whose body begins at `body` ends.
fn block_end(bytes: &[u8], body: usize) -> usize {
    let rest = &bytes[body..bytes.len().min(body + LIMIT)];
    let sign = rest
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"----")
        .map(|(at, _)| {
            at + rest[at..]
                .iter()
                .take(8)
                .take_while(|&&byte| byte == b'-' || byte == b' ')
                .count()
        });
    for at in sign {
        if rest[at..].starts_with(b"END ") {
            let line = &rest[at..rest.len().min(at + 80)];
            let title = line
                .windows(3)
                .position(|window| window == b"---")
                .unwrap_or(line.len());
            return bytes::run_end(bytes, body + at + title, NAME, 8);
        }
        // A block cannot begin within another: this one was cut off.
        if rest[at..].starts_with(b"BEGIN ") {
            return body + key_lines(&rest[..at]);
        }
    }
    body + key_lines(rest)
}

/// How much of a text looks like the lines of a cut off key. Its first line is taken whatever it is.
fn key_lines(rest: &[u8]) -> usize {
    let mut end = 0;
    for (lines, line) in rest.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let text = line.trim_ascii();
        let is_key = text.iter().all(|&byte| {
            bytes::is(byte, BASE64 | NAME)
                || matches!(byte, b'=' | b'"' | b'\'' | b'\\' | b'+' | b',' | b';')
        });
        let is_header = lines < 6 && text.windows(2).any(|two| two == b": ");
        if lines > 1 && !is_key && !is_header || lines > 2 && text.is_empty() {
            break;
        }
        end += line.len();
    }
    rest[..end].trim_ascii_end().len()
}

/// Whether a block was left empty on purpose: `...` in its place.
fn is_elided(body: &[u8]) -> bool {
    body.len() < 120 && body.windows(3).any(|window| window == b"...")
}
