//! Values that a name calls a password, however short, and credentials of basic authentication.

use super::{
    Quality, Scanner, Severity,
    bytes::{self, BASE64, DIGIT, LOWER, NAME, TOKEN, UPPER, WORD},
    decode, padded, shape, words,
};

/// The longest password.
const LIMIT: usize = 128;

/// The longest rest of a name from `pass` on, and one more.
const NAME_LIMIT: usize = 17;

/// A value and how it is written.
struct Value {
    start: usize,
    end: usize,
    /// In quotes.
    quoted: bool,
    /// `name=value`, without spaces.
    compact: bool,
    /// After a comma: the second of two arguments, or the next of a list.
    listed: bool,
    /// `password 'value'`, without a sign.
    is_statement: bool,
}

impl Scanner<'_> {
    /// A name such as `password` that may hold `at`, and its value.
    pub(super) fn password(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        if at < self.refused {
            return None;
        }
        let end = bytes::run_end(bytes, at, NAME, NAME_LIMIT);
        if end - at == NAME_LIMIT {
            return None;
        }
        let name_start = bytes::run_start(bytes, at, NAME, 40);
        if !names_a_password(&bytes[name_start..at], &bytes[at..end]) {
            return None;
        }
        let value = value_after(bytes, end)?;
        let is_secret = bytes[at] | 0x20 == b's';
        if is_secret && value.is_statement {
            return None;
        }
        let text = &bytes[value.start..value.end];
        let before = name_start.checked_sub(1).map(|at| bytes[at]);
        let after = bytes.get(value.end).copied();
        let place = Place {
            is_secret,
            in_list: value.compact
                && (matches!(after, Some(b';' | b'&'))
                    || matches!(before, Some(b';' | b'?' | b'&'))),
            in_connection: value.compact && before == Some(b';') && after == Some(b';'),
            beside_name: value.is_statement && follows_user(bytes, name_start, value.quoted),
            is_directory: end - at == 3 && bytes.get(value.start) == Some(&b'/'),
            is_constant: value.compact
                && !bytes[name_start..end]
                    .iter()
                    .any(|&byte| bytes::is(byte, LOWER)),
        };
        // Whatever is said to `pass` something is no statement of a password.
        let is_given = !value.is_statement || place.beside_name || value.quoted && end - at > 4;
        if !is_given || !is_password(text, &value, &place) {
            // What was no value is not looked through again for names; of what was in quotes, the
            // second half is.
            self.refused = if value.quoted {
                value.start + (value.end - value.start) / 2
            } else {
                value.end
            };
            return None;
        }
        let family = if is_secret {
            "labelled_secret"
        } else {
            "password"
        };
        self.report(value.start, value.end, family, Severity::Medium);
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

impl Scanner<'_> {
    /// A password that is a program's argument: `sshpass -p 'password'`, `psexec … -p password`,
    /// `ConvertTo-SecureString "password"`.
    pub(super) fn argument(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let rest = &bytes[at..bytes.len().min(at + 120)];
        let line = rest.split(|&byte| byte == b'\n').next()?;
        let option: &[u8] = if line.starts_with(b"to-S") || line.starts_with(b"To-S") {
            b"To-SecureString "
        } else if line.starts_with(b"sshpass ") || line.starts_with(b"psexec") {
            b" -p "
        } else {
            return None;
        };
        let skip = line
            .windows(option.len())
            .position(|window| window.eq_ignore_ascii_case(option))?
            + option.len();
        let value = &line[skip..];
        let quote = value.first().filter(|first| b"\"'".contains(first));
        let skip = skip + usize::from(quote.is_some());
        let value = &line[skip..];
        let length = value
            .iter()
            .position(|byte| {
                quote.map_or(matches!(byte, b' ' | b'\t' | b'\r'), |quote| byte == quote)
            })
            .or(quote.is_none().then_some(value.len()))?;
        let value = &value[..length];
        if value.len() < 4
            || matches!(value[0], b'$' | b'-')
            || is_template(value)
            || shape::is_placeholder(value)
            || is_common(value)
        {
            return None;
        }
        self.report(at + skip, at + skip + length, "password", Severity::Medium);
        Some(at + skip + length)
    }
}

/// Whether a name, in two parts at `pass` or `pwd`, calls its value a password.
fn names_a_password(before: &[u8], tail: &[u8]) -> bool {
    let mut folded = [0; NAME_LIMIT];
    for (place, byte) in folded.iter_mut().zip(tail) {
        *place = byte.to_ascii_lowercase();
    }
    let folded = &folded[..tail.len().min(NAME_LIMIT)];
    let heads: &[&[u8]] = match folded {
        [b'p', b'a', b's', b's', b'w', ..] => &[b"password", b"passwd", b"passwort", b"passwrd"],
        [b'p', b'a', b's', b's', ..] => &[b"passphrase", b"passcode", b"pass"],
        [b'p', b'w', b'd', ..] => &[b"pwd"],
        [b's', ..] => &[b"secret_key", b"secretkey", b"secret"],
        _ => &[],
    };
    let ends = |rest: &[u8]| {
        matches!(
            rest,
            b"" | b"s"
                | b"1"
                | b"2"
                | b"_1"
                | b"_2"
                | b"_prod"
                | b"_dev"
                | b"_test"
                | b"_value"
                | b"value"
                | b"_db"
        )
    };
    // Other words end in these letters too: `bypass`, `minipass`.
    const SHORT_BEFORE: [&[u8]; 8] = [
        b"db", b"user", b"my", b"admin", b"root", b"smtp", b"mail", b"ftp",
    ];
    heads.iter().any(|head| {
        let joined = || {
            before.last().is_some_and(|&byte| bytes::is(byte, LOWER)) && bytes::is(tail[0], LOWER)
        };
        let known = || SHORT_BEFORE.iter().any(|known| before.ends_with(known));
        folded.strip_prefix(*head).is_some_and(ends) && (head.len() > 4 || !joined() || known())
    })
}

/// The sign that gives a value to the name before it.
fn sign(rest: &[u8]) -> Option<&[u8]> {
    let length = match rest {
        [b':' | b'?', b':' | b'?', b'=', ..] if rest[0] == rest[1] => 3,
        [b':' | b'=' | b'?' | b'+' | b'.', b'=', ..] | [b'=', b'>', ..] | [b'<', b'-', ..] => 2,
        [b'=' | b':' | b',' | b'>', ..] => 1,
        // A statement without a sign: `password 'value'`.
        [b'"' | b'\'', ..] => 0,
        [byte, ..] if bytes::is(*byte, WORD) => 0,
        _ => return None,
    };
    Some(&rest[..length])
}

/// The value given to the name that ends at `end`.
fn value_after(bytes: &[u8], end: usize) -> Option<Value> {
    // The end of a quoted, indexed or escaped name: `"password":`, `["password"] =`.
    let named = end + count(bytes, end, 4, b"\"'`\\])");
    let spaced = named + count(bytes, named, 8, b" \t");
    let sign = sign(bytes.get(spaced..)?)?;
    let is_statement = sign.is_empty();
    if is_statement && (named > end || spaced == named) {
        return None;
    }
    let signed = spaced + sign.len();
    let mut at = signed + count(bytes, signed, 8, b" \t");
    let compact = sign == b"=" && named == end && at == end + 1;
    // A list of names is none of values, and a path goes on.
    if sign == b"," && named == end || sign == b":" && bytes.get(at) == Some(&b':') {
        return None;
    }
    // A type before the value: `password: string = "…"`.
    let word = bytes::run_end(bytes, at, WORD, 16);
    if sign == b":"
        && bytes
            .get(word..)
            .is_some_and(|rest| rest.starts_with(b" = "))
    {
        at = word + 3;
    }
    at += usize::from(
        matches!(bytes.get(at), Some(b'@' | b'b' | b'r' | b'f' | b'u'))
            && matches!(bytes.get(at + 1), Some(b'"' | b'\'')),
    );
    let escaped = bytes.get(at) == Some(&b'\\');
    at += usize::from(escaped);
    let limit = bytes.len().min(at + LIMIT);
    let quote = *bytes.get(at)?;
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    let (start, end) = if quoted {
        (at + 1, quoted_end(bytes, at + 1, limit, quote, escaped)?)
    } else if matches!(sign, b"," | b">" | b"==" | b"+=" | b".=") {
        return None;
    } else {
        let ends = |&byte: &u8| {
            byte <= b' ' || byte >= 0x80 || b";,\"'<>`\\".contains(&byte) || compact && byte == b'&'
        };
        let rest = &bytes[at..limit];
        (at, at + rest.iter().position(ends).unwrap_or(rest.len()))
    };
    let listed = sign == b",";
    Some(Value {
        start,
        end,
        quoted,
        compact,
        listed,
        is_statement,
    })
}

/// Whether a statement that names the user stands before: `username 'user'`, and in the form of
/// netrc `machine host login user`.
fn follows_user(bytes: &[u8], at: usize, is_quoted: bool) -> bool {
    let mut end = at;
    let mut word = || {
        let rest = bytes[..end].trim_ascii_end();
        let from = rest.len().saturating_sub(40);
        let space = rest[from..].iter().rposition(u8::is_ascii_whitespace);
        let start = space.map_or(from, |space| from + space + 1);
        end = start;
        &bytes[start..rest.len()]
    };
    word();
    let name = word();
    if is_quoted {
        return name.eq_ignore_ascii_case(b"username") || name.eq_ignore_ascii_case(b"user");
    }
    name == b"login" && (word() == b"default" || word() == b"machine")
}

/// How many of the bytes from `from` on are among `set`, `limit` at most.
fn count(bytes: &[u8], from: usize, limit: usize, set: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter()
        .take(limit)
        .take_while(|byte| set.contains(byte))
        .count()
}

/// Where the string that begins at `from` is closed, on its line and before `limit`.
fn quoted_end(bytes: &[u8], from: usize, limit: usize, quote: u8, escaped: bool) -> Option<usize> {
    let mut end = from;
    while end < limit && bytes[end] != quote && bytes[end] != b'\n' {
        end += 1 + usize::from(bytes[end] == b'\\' && !escaped);
    }
    let closed = end < limit && bytes[end] == quote;
    // Within a string the closing quote has its own backslash.
    closed.then(|| end - usize::from(escaped && end > from && bytes[end - 1] == b'\\'))
}

/// Where a name and its value stand.
struct Place {
    /// Among others of the kind: a query, a connection string.
    in_list: bool,
    /// Between the semicolons of a connection string.
    in_connection: bool,
    /// After a statement that names the user.
    beside_name: bool,
    /// `PWD=/home/me`
    is_directory: bool,
    /// The name is written in capitals, as variables of an environment are.
    is_constant: bool,
    /// The name says `secret`, which much is called that is none.
    is_secret: bool,
}

fn is_password(text: &[u8], value: &Value, place: &Place) -> bool {
    let least = if value.quoted { 4 } else { 6 };
    let in_list = place.in_list && !place.is_secret;
    let is_number = !value.quoted && text.starts_with(b"0x");
    if text.len() < least
        || is_number
        || place.is_directory
        || !in_list && text.iter().any(|&byte| byte <= b' ')
        || shape::is_placeholder(text)
        || is_template(text)
        || shape::distinct(text) < 3
        || is_common(text) && !place.in_connection && !place.beside_name
    {
        return false;
    }
    if in_list || place.beside_name {
        return true;
    }
    // Such a value in letters and digits alone is found by its form.
    if place.is_secret {
        let signs = text.iter().filter(|&&byte| !bytes::is(byte, TOKEN)).count();
        let is_sentence =
            text.iter().filter(|&&byte| bytes::is(byte, WORD)).count() * 5 > text.len() * 4;
        return value.quoted && text.len() >= 8 && signs >= 2 && (!is_sentence || text.len() >= 24);
    }
    let all = |class| text.iter().all(|&byte| bytes::is(byte, class));
    let has = |class| text.iter().any(|&byte| bytes::is(byte, class));
    if all(LOWER | UPPER) {
        // A word in small letters is a weak password, or a word.
        let small = all(LOWER) && text.len() >= 6 && !value.listed;
        return small && (value.quoted || place.is_constant)
            || shape::quality(text) >= Quality::Doubtful;
    }
    let is_name = text
        .iter()
        .all(|&byte| bytes::is(byte, NAME) || byte == b'.');
    if is_name && !has(DIGIT) || text.windows(2).any(|two| two == b"::" || two == b"->") {
        return false;
    }
    // What stands without quotes in a program is a name or a call.
    let calls =
        has_any(text, b"()[]{}*") || is_name && !place.is_constant && !is_word_and_digits(text);
    value.quoted
        || !calls && (has(DIGIT) || value.compact)
        || shape::quality(text) >= Quality::Drawn
}

fn has_any(text: &[u8], set: &[u8]) -> bool {
    text.iter().any(|byte| set.contains(byte))
}

/// A word and digits, as people make passwords; not a name with parts.
fn is_word_and_digits(text: &[u8]) -> bool {
    text.iter().all(|&byte| bytes::is(byte, WORD))
        && text.iter().any(|&byte| bytes::is(byte, DIGIT))
}

/// Whether a value is put together when a program runs.
pub(super) fn is_template(text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else {
        return false;
    };
    let is_variable = || {
        rest.iter()
            .all(|&byte| bytes::is(byte, NAME) || byte == b'.')
    };
    let enclosed = || rest.last().is_some_and(|last| b"}>)]%".contains(last));
    *first == b'$' && is_variable()
        || b"{<%[(#@!&".contains(first) && enclosed()
        || (0..text.len()).any(|at| begins_template(&text[at..]))
}

/// Whether a text begins with a mark of templates or of reading the environment.
#[inline]
fn begins_template(text: &[u8]) -> bool {
    match text {
        [b'$', b'{' | b'(', ..]
        | [b'{', b'{' | b'}', ..]
        | [b'{', b'0', b'}', ..]
        | [b'<', b'%', ..]
        | [b'%', b's' | b'd' | b'v' | b'q', ..]
        | [b'#', b'{', ..] => true,
        [b'p', b'r', ..] => text.starts_with(b"process.env"),
        [b'o', b's', ..] => text.starts_with(b"os.environ"),
        [b'g', b'e', ..] => text.starts_with(b"getenv"),
        [b'e', b'n', ..] => text.starts_with(b"env."),
        _ => false,
    }
}

/// Words that stand where a password would.
pub(super) fn is_common(text: &[u8]) -> bool {
    text.len() <= 24 && words::is_common(text)
}
