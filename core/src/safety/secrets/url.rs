//! Credentials in addresses, addresses that are secrets themselves, and signs within them.

use super::{
    Quality, Scanner, Severity,
    bytes::{self, BASE64, DOTTED, HEX, NAME, TOKEN, WORD},
    padded, password, shape,
};

/// How far an address is read.
const LIMIT: usize = 300;

impl Scanner<'_> {
    /// The address whose scheme ends at `at`.
    pub(super) fn url(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let start = at + 4;
        let rest = &bytes[start.min(bytes.len())..bytes.len().min(start + LIMIT)];
        let end = rest
            .iter()
            .position(|&byte| {
                matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|' | b')' | 0..=b' ' | 0x80..)
            })
            .unwrap_or(rest.len());
        let authority = &rest[..end];
        if let Some(sign) = authority.iter().rposition(|&byte| byte == b'@') {
            return self.user_information(start, &authority[..sign], &authority[sign + 1..]);
        }
        self.webhook(start, start + end, authority)
    }

    fn user_information(&mut self, start: usize, user: &[u8], host: &[u8]) -> Option<usize> {
        let colon = user.iter().position(|&byte| byte == b':');
        let from = colon.map_or(0, |colon| colon + 1);
        let value = &user[from..];
        let local = [
            &b"example."[..],
            b"localhost",
            b"127.0.0.1",
            b"host",
            b"0.0.0.0",
            b"db",
        ]
        .iter()
        .any(|name| {
            host.starts_with(name) || host.split(|&byte| byte == b'.').any(|part| part == *name)
        }) || bytes::contains_folded(host, b"example.");
        let port = value.len() <= 5 && value.iter().all(u8::is_ascii_digit);
        if value.len() < 3
            || port
            || !bytes::is_at(host, 0, WORD) && host.first() != Some(&b'[')
            || password::is_template(value)
            || shape::is_placeholder(value)
            || shape::distinct(value) < 3
            || local && (password::is_common(value) || value == &user[..colon.unwrap_or_default()])
            || colon.is_none() && (shape::quality(value) < Quality::Drawn || value.len() < 16)
        {
            return None;
        }
        let end = start + user.len();
        self.report(start + from, end, "url_password", Severity::High);
        Some(end)
    }

    /// Addresses that whoever knows them may post to.
    fn webhook(&mut self, start: usize, path: usize, host: &[u8]) -> Option<usize> {
        const HOOKS: [(&[u8], &[u8], &str); 16] = [
            (b"hooks.slack.com", b"/services/", "slack_webhook"),
            (b"hooks.slack.com", b"/workflows/", "slack_webhook"),
            (b"hooks.slack.com", b"/triggers/", "slack_webhook"),
            (b"hooks.slack-gov.com", b"/services/", "slack_webhook"),
            (b"discord.com", b"/api/webhooks/", "discord_webhook"),
            (b"discordapp.com", b"/api/webhooks/", "discord_webhook"),
            (b"webhook.office.com", b"/webhookb2/", "teams_webhook"),
            (b"outlook.office.com", b"/webhook/", "teams_webhook"),
            (b"hooks.zapier.com", b"/hooks/catch/", "zapier_webhook"),
            (b"hook.eu1.make.com", b"/", "make_webhook"),
            (b"hook.eu2.make.com", b"/", "make_webhook"),
            (b"hook.us1.make.com", b"/", "make_webhook"),
            (b"hook.integromat.com", b"/", "make_webhook"),
            (b".tines.com", b"/webhook/", "tines_webhook"),
            (b"maker.ifttt.com", b"/trigger/", "ifttt_webhook"),
            (
                b"chat.googleapis.com",
                b"/v1/spaces/",
                "google_chat_webhook",
            ),
        ];
        let bytes = self.bytes;
        let rest = &bytes[path..];
        let (_, prefix, family) = HOOKS
            .iter()
            .find(|(name, prefix, _)| host.ends_with(name) && rest.starts_with(prefix))?;
        let from = path + prefix.len();
        let end = from
            + bytes[from..bytes.len().min(from + LIMIT)]
                .iter()
                .take_while(|&&byte| {
                    bytes::is(byte, TOKEN) || matches!(byte, b'@' | b'?' | b'=' | b'&' | b'%')
                })
                .count();
        let value = &bytes[from..end];
        if value.len() < 16 || value.contains(&b'{') || is_example(value) {
            return None;
        }
        self.report(start, end, family, Severity::High);
        Some(end)
    }

    /// `&sig=<base64>`: a signature that gives access to whoever has the address.
    pub(super) fn signature(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let start = at + 5;
        if bytes.get(at + 1..start)? != b"sig=" {
            return None;
        }
        let end = start
            + bytes[start..bytes.len().min(start + 128)]
                .iter()
                .take_while(|&&byte| bytes::is(byte, BASE64 | NAME) || byte == b'%')
                .count();
        let value = &bytes[start..end];
        if value.len() < 40 || shape::quality(value) < Quality::Drawn {
            return None;
        }
        let end = padded(bytes, end);
        self.report(start, end, "signed_url", Severity::Medium);
        Some(end)
    }

    /// `<number>-<letters>.apps.googleusercontent.com`
    pub(super) fn google_client(&mut self, at: usize) -> Option<usize> {
        const HOST: &[u8] = b".googleusercontent.com";
        let bytes = self.bytes;
        if !bytes[at..].starts_with(HOST) || !bytes[..at].ends_with(b".apps") {
            return None;
        }
        let start = bytes::run_start(bytes, at - 5, NAME, 64);
        let id = &bytes[start..at - 5];
        let dash = id.iter().position(|&byte| byte == b'-')?;
        if dash < 8 || id.len() - dash < 30 || !id[..dash].iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.report(
            start,
            at + HOST.len(),
            "google_oauth_client",
            Severity::Medium,
        );
        Some(at + HOST.len())
    }

    /// `<14 characters>.atlasv1.<60 and more>`
    pub(super) fn atlas(&mut self, at: usize) -> Option<usize> {
        const MARK: &[u8] = b".atlasv1.";
        let bytes = self.bytes;
        let start = bytes::run_start(bytes, at, WORD, 20);
        let end = bytes::run_end(bytes, at + MARK.len(), NAME, 100);
        if !bytes[at..].starts_with(MARK) || at - start < 12 || end < at + MARK.len() + 50 {
            return None;
        }
        self.report(start, end, "terraform_token", Severity::High);
        Some(end)
    }

    /// `$krb5tgs$…`: what a password can be guessed from.
    pub(super) fn kerberos(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let end = at
            + bytes[at..bytes.len().min(at + 4096)]
                .iter()
                .take_while(|&&byte| {
                    bytes::is(byte, DOTTED) || matches!(byte, b'$' | b'@' | b':' | b'*' | b'/')
                })
                .count();
        let hash = bytes::run_start(bytes, end, HEX, 4096);
        if !bytes[at..].starts_with(b"$krb5") || end - hash < 32 {
            return Some(end);
        }
        self.report(at, end, "password_hash", Severity::High);
        Some(end)
    }

    /// The private part of a JSON web key.
    pub(super) fn jwk(&mut self, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let rest = bytes.get(at + 4..)?;
        let start = at + 4 + rest.iter().take(4).position(|&byte| byte == b'"')? + 1;
        let end = bytes::run_end(bytes, start, NAME, 1024);
        let around = &bytes[at.saturating_sub(600)..bytes.len().min(end + 600)];
        if end - start < 40
            || !bytes::is_at(bytes, start, NAME)
            || !around.windows(5).any(|window| window == b"\"kty\"")
            || shape::quality(&bytes[start..end]) == Quality::Written
        {
            return None;
        }
        self.report(start, end, "jwk_private_key", Severity::High);
        Some(end)
    }
}

fn is_example(value: &[u8]) -> bool {
    [
        &b"xxxxxxxxxxxxxxx"[..],
        b"XXXXXXXX",
        b"your",
        b"YOUR",
        b"00000000000",
    ]
    .iter()
    .any(|word| value.windows(word.len()).any(|window| window == *word))
}
