//! Values that a name calls a password, however short, and credentials of basic authentication.

use super::{
    Quality, Scanner, Severity,
    bytes::{self, BASE64, DIGIT, LOWER, NAME, UPPER, WORD},
    decode, padded, shape,
};

/// The longest password.
const LIMIT: usize = 128;

/// How a value is written.
struct Value {
    start: usize,
    end: usize,
    quoted: bool,
}

impl Scanner<'_> {
    /// A name such as `password` that may hold `at`, and its value.
    pub(super) fn password(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let end = bytes::run_end(bytes, at, NAME, 32);
        let name_start = bytes::run_start(bytes, at, NAME, 40);
        if !names_a_password(&bytes[at..end]) {
            return None;
        }
        let name = &bytes[name_start..end];
        let (value, spaced) = value_after(bytes, end)?;
        let text = bytes.get(value.start..value.end)?;
        let compact = !spaced && bytes.get(end) == Some(&b'=');
        let in_list = compact
            && (matches!(bytes.get(value.end), Some(b';' | b'&'))
                || name_start > 0 && matches!(bytes[name_start - 1], b';' | b'?' | b'&'));
        let constant = compact && !name.iter().any(|&byte| bytes::is(byte, LOWER));
        let severity = judge(text, &value, in_list, constant)?;
        self.report(value.start, value.end, "password", severity);
        Some(value.end)
    }

    /// The header of basic authentication.
    pub(super) fn basic(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let word = bytes.get(at..at + 6)?;
        if !word.eq_ignore_ascii_case(b"basic ") || !bytes::begins_at(bytes, at) {
            return None;
        }
        let start = at + 6;
        let end = bytes::run_end(bytes, start, BASE64 | NAME, 512);
        let run = &bytes[start..end];
        if run.len() < 8 {
            return None;
        }
        let (text, length) = decode::base64_head::<64>(run);
        let text = &text[..length];
        let colon = text.iter().position(|&byte| byte == b':')?;
        let is_text = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        if !is_text || is_template(&text[colon + 1..]) || text.len() - colon < 3 {
            return None;
        }
        let end = padded(bytes, end);
        self.report(start, end, "basic_auth", Severity::High);
        Some(end)
    }

    /// `curl -u user:password`
    pub(super) fn user_option(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let rest = bytes.get(at..(at + 300).min(bytes.len()))?;
        let skip = [&b" -u "[..], b"-user ", b"-user="]
            .iter()
            .find(|option| rest.starts_with(option))?
            .len();
        let rest = &rest[skip..];
        let rest_start = at + skip + rest.iter().take_while(|&&byte| byte == b' ').count();
        let start = rest_start + usize::from(matches!(bytes.get(rest_start)?, b'"' | b'\''));
        let end = start
            + bytes[start..bytes.len().min(start + 256)]
                .iter()
                .position(|byte| matches!(byte, b' ' | b'\n' | b'"' | b'\'' | b'\\' | b'`'))
                .unwrap_or(bytes.len().min(start + 256) - start);
        let colon = start + bytes[start..end].iter().position(|&byte| byte == b':')?;
        let password = &bytes[colon + 1..end];
        let weak = !password.iter().any(|&byte| !bytes::is(byte, LOWER | UPPER));
        if password.len() < 6 || weak || is_template(password) || shape::is_placeholder(password) {
            return None;
        }
        self.report(colon + 1, end, "basic_auth", Severity::Medium);
        Some(end)
    }
}

/// Whether the rest of a name, from `pass` or `pwd` on, calls its value a password.
fn names_a_password(tail: &[u8]) -> bool {
    const HEADS: [&[u8]; 8] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"passwort",
        b"passcode",
        b"passwrd",
        b"pass",
        b"pwd",
    ];
    const TAILS: &[u8] = b" s 1 2 _1 _2 _prod _dev _test _value value prod _db _hash_key";
    HEADS
        .iter()
        .filter_map(|head| {
            let (word, rest) = tail.split_at_checked(head.len())?;
            word.eq_ignore_ascii_case(head).then_some(rest)
        })
        .any(|rest| {
            TAILS
                .split(|&byte| byte == b' ')
                .any(|known| known.eq_ignore_ascii_case(rest))
        })
}

/// The value given to the name that ends at `end`, and whether spaces stand around the sign.
fn value_after(bytes: &[u8], end: usize) -> Option<(Value, bool)> {
    let mut at = end;
    let spaces = |at: &mut usize| {
        let from = *at;
        *at += bytes
            .get(from..)?
            .iter()
            .take(8)
            .take_while(|&&byte| byte == b' ' || byte == b'\t')
            .count();
        Some(*at > from)
    };
    // The end of a quoted, indexed or escaped name: `"password":`, `["password"] =`.
    at += bytes
        .get(at..)?
        .iter()
        .take(4)
        .take_while(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b')'))
        .count();
    let mut spaced = spaces(&mut at)?;
    const SIGNS: [&[u8]; 13] = [
        b"::=", b"??=", b":=", b"=>", b"==", b"?=", b"+=", b".=", b"<-", b"=", b":", b",", b">",
    ];
    let sign = SIGNS.iter().find(|sign| bytes[at..].starts_with(sign))?;
    at += sign.len();
    spaced |= spaces(&mut at)?;
    // A type before the value: `password: string = "…"`.
    let word = bytes::run_end(bytes, at, WORD, 16);
    if *sign == b":"
        && bytes
            .get(word..word + 3)
            .is_some_and(|rest| rest.starts_with(b" = "))
    {
        at = word + 3;
    }
    let prefixed = matches!(bytes.get(at), Some(b'@' | b'b' | b'r' | b'f' | b'u'))
        && matches!(bytes.get(at + 1), Some(b'"' | b'\''));
    at += usize::from(prefixed);
    let escaped = bytes.get(at) == Some(&b'\\');
    at += usize::from(escaped);
    let limit = bytes.len().min(at + LIMIT);
    let quote = *bytes.get(at)?;
    if matches!(quote, b'"' | b'\'' | b'`') {
        let start = at + 1;
        let mut end = start;
        while end < limit && bytes[end] != quote && bytes[end] != b'\n' {
            end += 1 + usize::from(bytes[end] == b'\\' && !escaped);
        }
        let closed = end < limit && bytes[end] == quote;
        end -= usize::from(closed && escaped && bytes[end - 1] == b'\\');
        let end = end.min(limit);
        return closed.then_some((
            Value {
                start,
                end,
                quoted: true,
            },
            spaced,
        ));
    }
    if matches!(*sign, b"," | b">" | b"==" | b"+=" | b".=") {
        return None;
    }
    let length = bytes[at..limit]
        .iter()
        .position(|&byte| {
            matches!(
                byte,
                b' ' | b'\t'
                    | b'\r'
                    | b'\n'
                    | b';'
                    | b','
                    | b'&'
                    | b'"'
                    | b'\''
                    | b'<'
                    | b'>'
                    | b'`'
                    | b'\\'
                    | 0x80..
            )
        })
        .unwrap_or(limit - at);
    Some((
        Value {
            start: at,
            end: at + length,
            quoted: false,
        },
        spaced,
    ))
}

fn judge(text: &[u8], value: &Value, in_list: bool, constant: bool) -> Option<Severity> {
    let letters = text.iter().all(|&byte| bytes::is(byte, LOWER | UPPER));
    let digits = text.iter().any(|&byte| bytes::is(byte, DIGIT));
    let least = if value.quoted { 4 } else { 6 };
    if text.len() < least
        || is_template(text)
        || shape::is_placeholder(text)
        || shape::distinct(text) < 3
        || is_common(text)
    {
        return None;
    }
    if in_list {
        return Some(Severity::Medium);
    }
    if text.iter().any(|byte| matches!(byte, b' ' | b'\t')) {
        return None;
    }
    if letters {
        // A word in small letters is a weak password, or a word.
        let small = text.iter().all(|&byte| bytes::is(byte, LOWER));
        let drawn = shape::quality(text) >= Quality::Doubtful;
        return (drawn || small && text.len() >= 6 && (value.quoted || constant))
            .then_some(Severity::Medium);
    }
    let code = text
        .iter()
        .any(|byte| matches!(byte, b'(' | b'[' | b'{' | b'*'))
        && !value.quoted
        || text.windows(2).any(|two| two == b"::" || two == b"->");
    let name = text
        .iter()
        .all(|&byte| bytes::is(byte, NAME) || byte == b'.');
    if code
        || name && !digits
        || !value.quoted
            && name
            && !constant
            && shape::quality(text) == Quality::Written
            && !written_with_digits(text)
    {
        return None;
    }
    Some(Severity::Medium)
}

/// A word and digits, as people make passwords; not a name with parts.
fn written_with_digits(text: &[u8]) -> bool {
    text.iter().all(|&byte| bytes::is(byte, WORD))
        && text.iter().filter(|&&byte| bytes::is(byte, DIGIT)).count() >= 1
}

/// Whether a value is put together when a program runs.
pub(super) fn is_template(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'$' | b'{' | b'<' | b'%' | b'[' | b'(' | b'#' | b'&' | b'@' | b'!')
        if text.len() < 64 && text.iter().skip(1).any(|byte| matches!(byte, b'}' | b'>' | b')' | b']' | b'%')) || text.first() == Some(&b'$') && text[1..].iter().all(|&byte| bytes::is(byte, NAME) || matches!(byte, b'{' | b'}' | b'.')))
        || [
            &b"${"[..],
            b"{{",
            b"<%",
            b"%s",
            b"%d",
            b"%v",
            b"%q",
            b"#{",
            b"$(",
            b"{}",
            b"{0}",
            b"process.env",
            b"os.environ",
            b"getenv",
            b"env.",
        ]
        .iter()
        .any(|mark| text.windows(mark.len()).any(|window| window == *mark))
}

/// Words that stand where a password would.
pub(super) fn is_common(text: &[u8]) -> bool {
    const WORDS: &[u8] = b"password passwd passphrase pass pwd secret token none null true false string \
required optional hidden text undefined default empty test tests testing changeit enter confirm username \
user value input number boolean integer object function return prompt ignore ignored disabled enabled \
invalid forgot reset update change create current missing unknown plain bcrypt argon2 sha256 md5 \
mypassword my_password my-password userpassword user_password yourpassword newpassword oldpassword \
password1 password123 pass123 new_password old_password password_hash passwordhash db_password \
test123 testpass testpassword test_password password_confirmation somepassword";
    WORDS
        .split(|&byte| byte == b' ')
        .any(|word| word.eq_ignore_ascii_case(text))
}
