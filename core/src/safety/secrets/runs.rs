//! Long runs of letters and digits: secrets by their form, or by what stands before them.

use super::{
    Quality, Scanner, Severity,
    bytes::{self, BASE64, CAPITALS, DIGIT, HEX, NAME, TOKEN, WORD},
    context::{self, Context, Label, Meaning},
    decode, padded, prefixes, shape,
};

/// The shortest run that is looked at.
const LEAST: usize = 12;
/// Beyond this a run is data, not a token.
const MOST: usize = 4096;

impl Scanner<'_> {
    /// Looks at every run of at least [`LEAST`] characters of tokens.
    pub(super) fn long_runs(&mut self) {
        let bytes = self.bytes;
        let mut start = 0;
        // Everything from `start` to `clear` belongs to a run.
        let mut clear = 0;
        while start + LEAST <= bytes.len() {
            let window = &bytes[clear..start + LEAST];
            if let Some(gap) = window.iter().rposition(|&byte| !bytes::is(byte, TOKEN)) {
                let next = clear + gap + 1;
                clear = start + LEAST;
                start = next;
                continue;
            }
            let end = bytes::run_end(bytes, start + LEAST, TOKEN, usize::MAX);
            self.run(start, end);
            start = end + 1;
            clear = start.min(bytes.len());
        }
    }

    fn run(&mut self, start: usize, end: usize) {
        let bytes = self.bytes;
        let mut start = start;
        // The letter of an escape such as `\n` belongs to what is before.
        if start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't') {
            start += 1;
        }
        if self.formed(start, end) {
            return;
        }
        if self.opens && end - start >= 20 && end - start <= MOST && self.opened(start, end) {
            return;
        }
        let run = &bytes[start..end];
        let look = &run[..run.len().min(160)];
        let digits = look.iter().any(|&byte| bytes::is(byte, DIGIT));
        if run.len() > MOST || !digits && run.len() < 16 {
            return;
        }
        let trims = |byte: &u8| bytes::is(*byte, WORD);
        let Some(first) = run.iter().position(trims) else {
            return;
        };
        let last = run.iter().rposition(trims).unwrap_or(first);
        let (start, end) = (start + first, start + last + 1);
        if shape::quality(&bytes[start..end]) >= Quality::Doubtful {
            self.named(start, end);
        }
    }

    /// A run that its name or its own beginning calls a secret.
    fn named(&mut self, start: usize, end: usize) {
        let bytes = self.bytes;
        let value = &bytes[start..end];
        if is_reference(bytes, start, end) || shape::is_placeholder(value) {
            return;
        }
        if let Some(from) = self.name_inside(value) {
            let family = "labelled_secret";
            self.report(start + from, padded(bytes, end), family, Severity::Medium);
            return;
        }
        let context = context::before(bytes, start);
        if let Some(severity) = judge(value, context) {
            let family = match context.label {
                Label::Vendor => "vendor_secret",
                _ => "labelled_secret",
            };
            self.report(start, padded(bytes, end), family, severity);
        }
    }

    /// Where the value begins in a run that holds its name too: `acme-secret-5f0c…`.
    fn name_inside(&self, run: &[u8]) -> Option<usize> {
        let head = &run[..run.len().min(48)];
        head.iter()
            .enumerate()
            .filter(|&(at, &byte)| at >= 3 && matches!(byte, b'-' | b'_' | b'.'))
            .map(|(at, _)| at)
            .find(|&at| {
                let value = &run[at + 1..];
                value.len() >= LEAST
                    && is_name(&run[..at])
                    && shape::quality(value) >= Quality::Drawn
                    && match context::meaning(&run[..at]) {
                        Meaning::Secret => true,
                        Meaning::Key | Meaning::Vendor => value.len() >= 16,
                        _ => false,
                    }
            })
            .map(|at| at + 1)
    }

    /// Base64 that holds a text with a secret.
    fn opened(&mut self, start: usize, end: usize) -> bool {
        let bytes = self.bytes;
        let run = &bytes[start..end];
        if !run.iter().all(|&byte| bytes::is(byte, BASE64 | NAME)) || !decode::holds_text(run) {
            return false;
        }
        let Some(text) = decode::base64_text(run) else {
            return false;
        };
        let worst = Scanner::new(text.as_bytes(), false)
            .scan()
            .into_iter()
            .max_by_key(|hit| hit.severity);
        if let Some(hit) = worst {
            self.report(start, padded(bytes, end), hit.family, hit.severity);
        }
        worst.is_some()
    }

    /// A run whose form alone says what it is.
    fn formed(&mut self, start: usize, end: usize) -> bool {
        let bytes = self.bytes;
        let run = &bytes[start..end];
        for rule in prefixes::SHORT {
            if run.starts_with(rule.prefix.as_bytes()) && self.prefixed(rule, start).is_some() {
                return true;
            }
        }
        if let Some((from, to)) = jwt(run) {
            let to = padded(bytes, start + to);
            self.report(start + from, to, "jwt", Severity::High);
            return true;
        }
        if self.crypt(start, end) {
            return true;
        }
        let shaped = match run.len() {
            34..=38 if is_mailchimp(run) => "mailchimp_key",
            35 if is_telegram(bytes, start, end) => {
                let from = bytes::run_start(bytes, start - 1, DIGIT, 12);
                self.report(from, end, "telegram_token", Severity::High);
                return true;
            }
            57..=75 if is_discord(run) => "discord_token",
            82 if run.starts_with(b"pat") && parts(run).eq([17, 64]) => "airtable_token",
            66..=68 if is_truenas(run) => "truenas_key",
            70 if run.starts_with(b"1000.") && parts(run).eq([4, 32, 32]) => "zoho_token",
            50 if &run[10..13] == b"msh" && run.ends_with(b"jsn") => "rapidapi_key",
            36..=44 if is_azure_client(run) => "azure_client_secret",
            40 if self.beside_aws_id(start, end) => "aws_secret_key",
            15..=18 if run.starts_with(b"00D") && bytes.get(end) == Some(&b'!') => {
                let to = bytes::run_end(bytes, end + 1, TOKEN, 256);
                if to - end < 40 {
                    return false;
                }
                self.report(start, to, "salesforce_token", Severity::High);
                return true;
            }
            40..=110 if has_azure_mark(run) => "azure_key",
            _ => return false,
        };
        self.report(start, padded(bytes, end), shaped, Severity::High);
        true
    }

    /// An AWS secret key has no form of its own, but stands beside its access id.
    fn beside_aws_id(&self, start: usize, end: usize) -> bool {
        let run = &self.bytes[start..end];
        run.iter().all(|&byte| bytes::is(byte, BASE64))
            && shape::distinct(run) >= 20
            && !shape::is_placeholder(run)
            && self
                .hits
                .iter()
                .rev()
                .take_while(|hit| hit.end + 400 > start || hit.start > start)
                .any(|hit| hit.family == "aws_access_key" && hit.start < end + 400)
    }

    /// A hash of a password in the form of crypt(3): `$6$salt$hash`.
    fn crypt(&mut self, start: usize, end: usize) -> bool {
        let bytes = self.bytes;
        if start < 4 || bytes[start - 1] != b'$' || end - start < 22 {
            return false;
        }
        let from = start.saturating_sub(140);
        let head = &bytes[from..start];
        let Some(line) = head
            .split(|&byte| matches!(byte, b' ' | b'\n' | b'"' | b'\''))
            .next_back()
        else {
            return false;
        };
        let Some(first) = line.iter().position(|&byte| byte == b'$') else {
            return false;
        };
        let scheme = &line[first..];
        const SCHEMES: [&[u8]; 17] = [
            b"$1$",
            b"$2a$",
            b"$2b$",
            b"$2x$",
            b"$2y$",
            b"$5$",
            b"$6$",
            b"$7$",
            b"$8$",
            b"$9$",
            b"$y$",
            b"$gy$",
            b"$apr1$",
            b"$argon2",
            b"$pbkdf2",
            b"$scrypt$",
            b"$sha1$",
        ];
        if !SCHEMES.iter().any(|known| scheme.starts_with(known)) {
            return false;
        }
        self.report(start - scheme.len(), end, "password_hash", Severity::High);
        true
    }
}

/// Whether a value of this form under this name is a secret, and how surely.
fn judge(value: &[u8], context: Context) -> Option<Severity> {
    let quality = shape::quality(value);
    let given = context.assigned || context.quoted;
    let enough = match context.label {
        Label::None => return None,
        Label::Secret if context.direct && given => Quality::Doubtful,
        Label::Secret => Quality::Drawn,
        Label::Key | Label::Vendor if value.len() < 16 || !context.direct => return None,
        Label::Key | Label::Vendor => Quality::Drawn,
    };
    (quality >= enough).then_some(
        if quality == Quality::Random && context.label == Label::Secret {
            Severity::High
        } else {
            Severity::Medium
        },
    )
}

/// Whether a program reads the value from somewhere: a variable, a call, an element.
fn is_reference(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = &bytes[start.saturating_sub(12)..start];
    before.ends_with(b"$")
        || before.ends_with(b"${")
        || before.ends_with(b"{{")
        || before.ends_with(b"base64,")
        || matches!(bytes.get(end), Some(b'(' | b'['))
        || bytes[end..].starts_with(b"::")
        || [
            &b"sha1-"[..],
            b"sha256-",
            b"sha384-",
            b"sha512-",
            b"blake3-",
        ]
        .iter()
        .any(|hash| bytes[start..end].starts_with(hash))
}

/// Whether a run's beginning can be a name: words, not a value.
fn is_name(name: &[u8]) -> bool {
    shape::quality(name) == Quality::Written
}

/// The lengths of the parts between full stops.
fn parts(run: &[u8]) -> impl Iterator<Item = usize> {
    run.split(|&byte| byte == b'.').map(<[u8]>::len)
}

/// A JSON web token: two or three parts, the first two JSON.
fn jwt(run: &[u8]) -> Option<(usize, usize)> {
    let head = &run[..run.len().min(MOST)];
    let from = (0..head.len().min(256)).find(|&at| {
        head[at..].starts_with(b"eyJ") && (at == 0 || !bytes::is(head[at - 1], WORD))
    })?;
    let end = bytes::run_end(run, from, NAME | bytes::DOTTED, usize::MAX);
    let mut parts = run[from..end].split(|&byte| byte == b'.');
    let (header, payload) = (parts.next()?, parts.next()?);
    let (text, length) = decode::base64_head::<24>(header);
    let is_json = length >= 12
        && text[..length]
            .iter()
            .all(|byte| (b' '..=b'~').contains(byte));
    (is_json && header.len() >= 16 && payload.len() >= 8 && end - from >= 40).then_some((from, end))
}

/// Thirty-two hexadecimal digits and a data centre.
fn is_mailchimp(run: &[u8]) -> bool {
    run[..32]
        .iter()
        .all(|&byte| bytes::is(byte, HEX) && !byte.is_ascii_uppercase())
        && run[32..].starts_with(b"-us")
        && run.len() > 35
        && run[35..].iter().all(u8::is_ascii_digit)
}

/// A bot's number, a colon, and 35 characters that begin with `AA`.
fn is_telegram(bytes: &[u8], start: usize, end: usize) -> bool {
    let run = &bytes[start..end];
    run.starts_with(b"AA")
        && run.iter().all(|&byte| bytes::is(byte, NAME))
        && start > 8
        && bytes[start - 1] == b':'
        && start - 1 - bytes::run_start(bytes, start - 1, DIGIT, 12) >= 8
}

/// A user's number in base64, a time, and a code.
fn is_discord(run: &[u8]) -> bool {
    let mut parts = run.split(|&byte| byte == b'.');
    let (Some(user), Some(time), Some(code), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    (23..=28).contains(&user.len())
        && time.len() == 6
        && (27..=38).contains(&code.len())
        && user.iter().all(|&byte| bytes::is(byte, WORD))
        && run
            .iter()
            .all(|&byte| bytes::is(byte, NAME) || byte == b'.')
        && shape::quality(user) >= Quality::Drawn
}

/// A number, a dash, and 64 letters and digits.
fn is_truenas(run: &[u8]) -> bool {
    run.iter()
        .position(|&byte| byte == b'-')
        .is_some_and(|dash| {
            (1..=3).contains(&dash)
                && run[..dash].iter().all(u8::is_ascii_digit)
                && run[dash + 1..].len() == 64
                && run[dash + 1..].iter().all(|&byte| bytes::is(byte, WORD))
                && shape::quality(&run[dash + 1..]) == Quality::Random
        })
}

/// The client secrets of Microsoft's directory: a digit and `Q~` after three characters.
fn is_azure_client(run: &[u8]) -> bool {
    bytes::is(run[3], DIGIT) && &run[4..6] == b"Q~" && shape::quality(&run[6..]) >= Quality::Drawn
}

/// The marks that Microsoft's services put near the end of their keys, so that they can be found.
fn has_azure_mark(run: &[u8]) -> bool {
    const MARKS: [&[u8; 4]; 14] = [
        b"AzSe", b"AzCa", b"AzFu", b"ACDb", b"+ASt", b"+AEh", b"+ASb", b"AIoT", b"+ABa", b"+AMC",
        b"+ACR", b"APIM", b"AZDO", b"ACOG",
    ];
    run.iter().all(|&byte| bytes::is(byte, BASE64))
        && run[run.len() - 16..]
            .windows(4)
            .any(|end| MARKS.iter().any(|mark| end == &mark[..]))
        && shape::quality(run) >= Quality::Drawn
        && !run.iter().all(|&byte| bytes::is(byte, CAPITALS))
}
