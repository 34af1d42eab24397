//! Long runs of letters and digits: secrets by their form, or by what stands before them.

use super::{
    Quality, Scanner, Severity,
    bytes::{self, BASE64, DIGIT, HEX, NAME, TOKEN, WORD},
    context::{self, Context, Label},
    decode, forms, padded, prefixes, shape,
    words::Word,
};

/// The shortest run that is looked at.
const LEAST: usize = 12;
/// Beyond this a run is data, not a token.
const MOST: usize = 4096;

impl Scanner<'_> {
    /// Looks at every run of at least [`LEAST`] characters of tokens.
    #[inline(never)]
    pub(super) fn long_runs(&mut self) {
        // A run of twelve holds eight bytes that begin at a multiple of five, wherever it begins.
        const STEP: usize = LEAST - 7;
        const SPACES: u64 = 0x2121_2121_2121_2121;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let bytes = self.bytes;
        // Where the last run ended, and where to look next.
        let (mut clear, mut at) = (0, 0);
        while let Some(&window) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(window);
            at += STEP;
            // Most windows of prose have a space: bytes below 0x21, all at once.
            if word.wrapping_sub(SPACES) & !word & HIGH != 0
                || !window.iter().all(|&byte| bytes::is(byte, TOKEN))
            {
                continue;
            }
            let found = at - STEP;
            let start = bytes::run_start(bytes, found, TOKEN, found - clear);
            let end = bytes::run_end(bytes, found + 8, TOKEN, usize::MAX);
            if end - start >= LEAST {
                self.run(start, end);
            }
            clear = end;
            at = at.max(end);
        }
    }

    #[inline(never)]
    fn run(&mut self, start: usize, end: usize) {
        let bytes = self.bytes;
        let mut start = start;
        // The letter of an escape such as `\n` belongs to what is before.
        if start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't') {
            start += 1;
        }
        let run = &bytes[start..end];
        let head = &run[..run.len().min(160)];
        let has_digit = head.iter().any(|&byte| bytes::is(byte, DIGIT));
        // A word: of letters alone only long ones can be anything else.
        if !has_digit && run.len() < 16 && run[0] != b'A' {
            return;
        }
        if (has_digit || run.len() >= 24 || run[0] == b'A') && self.formed(start, end) {
            return;
        }
        if run.len() > MOST || self.opens && run.len() >= 20 && self.opened(start, end) {
            return;
        }
        // A full stop or a slash before and a full stop after belong to the text around.
        let is_quoted = start > 0 && matches!(bytes[start - 1], b'"' | b'\'' | b'`');
        let (mut start, mut end) = (start, end);
        while start < end && !bytes::is(bytes[start], WORD) && !is_quoted {
            start += 1;
        }
        while end > start && matches!(bytes[end - 1], b'.' | b'~') {
            end -= 1;
        }
        let value = &bytes[start..end];
        let quality = shape::quality(value);
        let digits = || head.iter().filter(|&&byte| bytes::is(byte, DIGIT)).count();
        if quality >= Quality::Doubtful || digits() >= 8 {
            self.named(start, end, quality);
        }
    }

    /// A run that its name or its own beginning calls a secret.
    fn named(&mut self, start: usize, end: usize, quality: Quality) {
        let bytes = self.bytes;
        let value = &bytes[start..end];
        let (from, family, severity) = if let Some(inside) = name_inside(value) {
            (start + inside, "labelled_secret", Severity::Medium)
        } else if is_unknown_token(bytes, start, end) {
            (start, "prefixed_token", Severity::Medium)
        } else if quality == Quality::Written {
            return;
        } else {
            let context = context::before(bytes, start);
            let Some(severity) = judge(value, quality, context) else {
                return;
            };
            match context.label {
                Label::Vendor => (start, "vendor_secret", severity),
                _ => (start, "labelled_secret", severity),
            }
        };
        if !is_reference(bytes, from, end) && !shape::is_placeholder(&bytes[from..end]) {
            self.report(from, padded(bytes, end), family, severity);
        }
    }

    /// Base64 that holds a text with a secret.
    fn opened(&mut self, start: usize, end: usize) -> bool {
        let bytes = self.bytes;
        let run = &bytes[start..end];
        if !decode::holds_text(run) || !run.iter().all(|&byte| bytes::is(byte, BASE64 | NAME)) {
            return false;
        }
        let Some(text) = decode::base64_text(run) else {
            return false;
        };
        let hits = Scanner::new(text.as_bytes(), false).scan();
        // The first of the strongest: vendors' tokens come before what only has a name.
        let worst = hits.into_iter().rev().max_by_key(|hit| hit.severity);
        if let Some(hit) = worst {
            self.report(start, padded(bytes, end), hit.family, hit.severity);
        }
        worst.is_some()
    }

    /// A run whose form alone says what it is.
    fn formed(&mut self, start: usize, end: usize) -> bool {
        let bytes = self.bytes;
        let run = &bytes[start..end];
        let first = run.first().copied().unwrap_or_default();
        if prefixes::short(run).any(|form| self.prefixed(form, start).is_some()) {
            return true;
        }
        if let Some(length) = forms::artifactory(run) {
            self.report(start, start + length, "artifactory_token", Severity::Medium);
            return true;
        }
        if let Some((from, to)) = forms::jwt(run) {
            let to = padded(bytes, start + to);
            self.report(start + from, to, "jwt", Severity::High);
            return true;
        }
        if self.crypt(start, end) {
            return true;
        }
        if let Some((from, to, family)) = forms::numbered(bytes, start, end) {
            self.report(from, to, family, Severity::High);
            return true;
        }
        let shaped = match run.len() {
            34..=38 if forms::is_mailchimp(run) => "mailchimp_key",
            57..=75 if forms::is_discord(run) => "discord_token",
            82 if run.starts_with(b"pat") && forms::parts(run).eq([17, 64]) => "airtable_token",
            66..=68 if forms::is_truenas(run) => "truenas_key",
            70 if run.starts_with(b"1000.") && forms::parts(run).eq([4, 32, 32]) => "zoho_token",
            50 if &run[10..13] == b"msh" && run.ends_with(b"jsn") => "rapidapi_key",
            36..=44 if forms::is_azure_client(run) => "azure_client_secret",
            40 if self.beside_aws_id(start, end) => "aws_secret_key",
            15..=18 if run.starts_with(b"00D") && bytes.get(end) == Some(&b'!') => {
                let to = bytes::run_end(bytes, end + 1, TOKEN, 256);
                if to - end < 40 {
                    return false;
                }
                self.report(start, to, "salesforce_token", Severity::High);
                return true;
            }
            23 if forms::is_bootstrap(run) => "kubernetes_token",
            40 if run.ends_with(b"NRAL") => "newrelic_key",
            42 if run.starts_with(b"00") && shape::quality(run) == Quality::Random => "okta_token",
            49 if forms::is_hex(&run[..32]) && run[32] == b'.' => "zhipu_key",
            49 if run[27] == b'_' && first == b'2' && forms::parts(run).eq([49]) => {
                if shape::quality(run) < Quality::Random {
                    return false;
                }
                "ngrok_token"
            }
            50 if forms::is_hex(&run[..32]) && run[32] == b'-' && run[41] == b'-' => "mailgun_key",
            106 if &run[64..70] == b"_PF84_" => "webex_token",
            60.. if first == b'0' && run[1] == b'.' && shape::is_uuid(&run[2..38]) => {
                "bitwarden_token"
            }
            40..=110 if forms::has_azure_mark(run) => "azure_key",
            24..=200 if forms::is_versioned(run) => "airtable_token",
            76.. if forms::is_opaque(run) => "opaque_token",
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

/// A token of a vendor that is not in the tables: a short prefix and a long random body, or one that
/// stands alone on its line.
fn is_unknown_token(bytes: &[u8], start: usize, end: usize) -> bool {
    let run = &bytes[start..end];
    let Some(joint) = run.iter().position(|&byte| !bytes::is(byte, WORD)) else {
        return false;
    };
    let (prefix, body) = (&run[..joint], &run[joint + 1..]);
    if !(2..=12).contains(&prefix.len())
        || body.len() < 24
        || !matches!(run[joint], b'_' | b'-' | b'.')
        || context::meaning(prefix) == Word::Other
        || shape::quality(prefix) != Quality::Written
        || body.contains(&b'/')
        || shape::is_uuid(run)
    {
        return false;
    }
    let is_sign = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let is_alone = bytes[..start].last().is_none_or(is_sign) && bytes.get(end).is_none_or(is_sign);
    if is_alone {
        shape::quality(body) >= Quality::Drawn
    } else {
        body.len() >= 32
            && run[joint] == b'_'
            && body.iter().all(|&byte| bytes::is(byte, WORD))
            && shape::quality(body) == Quality::Random
    }
}

/// Where the value begins in a run that holds its name too: `acme-secret-5f0c…`.
fn name_inside(run: &[u8]) -> Option<usize> {
    let head = &run[..run.len().min(48)];
    let joints = (3..head.len().min(run.len().saturating_sub(LEAST)))
        .filter(|&at| matches!(head[at], b'-' | b'_' | b'.'))
        .take(6);
    let mut name = context::Growing::new();
    let mut from = 0;
    let mut is_name = true;
    for at in joints {
        let meaning = name.add(&run[from..at]);
        from = at;
        let enough = match meaning {
            Word::Secret => LEAST,
            Word::Key | Word::Vendor => 16,
            _ => continue,
        };
        let value = &run[at + 1..];
        // Some have what they belong to before the word: `pi_3Mtw…_secret_YrKJ…`.
        let is_marked = run[..at].ends_with(b"_secret");
        if value.len() < enough || !is_name && !is_marked {
            continue;
        }
        if run.contains(&b'/') || shape::quality(value) < Quality::Drawn {
            return None;
        }
        is_name = shape::quality(&run[..at]) < Quality::Drawn;
        if is_name || is_marked {
            return Some(at + 1);
        }
    }
    None
}

/// Whether a value of this form under this name is a secret, and how surely.
fn judge(value: &[u8], quality: Quality, context: Context) -> Option<Severity> {
    let given = context.assigned || context.quoted;
    let enough = match context.label {
        Label::None => return None,
        Label::Secret if context.direct && (given || value.len() >= 14) => Quality::Doubtful,
        Label::Secret => Quality::Drawn,
        _ if !context.direct => return None,
        Label::Key if value.len() < 16 && !given => return None,
        Label::Vendor if value.len() < 16 => return None,
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
    let is_commit = || bytes[start..end].iter().all(|&byte| bytes::is(byte, HEX));
    before.ends_with(b"$")
        || before.ends_with(b"${")
        || before.ends_with(b"&")
        || before.ends_with(b"{{")
        || before.ends_with(b"base64,")
        || before.ends_with(b"@") && is_commit()
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
