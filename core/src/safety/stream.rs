//! An answer as it is shown while it is written, without the secrets in it.
//!
//! Invariant: what was shown is never part of a secret that the detectors know by one run of
//! characters, or by the words before it: a run is held back until its end is seen.

use alloc::string::String;

use super::{Gate, secrets};
use crate::model::Delta;

/// Bytes before what is to be shown that its meaning may depend on.
const CONTEXT_BYTES: usize = 512;
/// Bytes of a run that are held back; a longer one is no token.
const RUN_BYTES: usize = 4 * 1024;

/// What of an answer was shown, and what is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streamed {
    window: String,
    /// Bytes of the window that were shown.
    shown: usize,
    is_thinking: bool,
}

impl Streamed {
    /// Takes the next piece; `show` gets what can be shown by now.
    pub(crate) fn push(&mut self, gate: &Gate, delta: &Delta, show: &mut impl FnMut(Delta)) {
        let (text, is_thinking) = match delta {
            Delta::Text { text } => (text, false),
            Delta::Thinking { text } => (text, true),
            _ => return,
        };
        if is_thinking != self.is_thinking {
            self.finish(gate, show);
            self.is_thinking = is_thinking;
        }
        self.window.push_str(text);
        let cut = self.cut();
        self.show_to(cut, gate, show);
    }

    /// Shows what was held back.
    pub(crate) fn finish(&mut self, gate: &Gate, show: &mut impl FnMut(Delta)) {
        self.show_to(self.window.len(), gate, show);
        self.window.clear();
        self.shown = 0;
    }

    /// Up to where nothing can become part of a secret by what comes next.
    fn cut(&self) -> usize {
        let held = self.window.get(self.shown..).unwrap_or_default();
        // Tokens are runs of printable ASCII, whatever of no width stands between.
        let ends = |c: char| c.is_whitespace() || !c.is_ascii() && !secrets::has_no_width(c);
        let end = match held.rfind(ends) {
            Some(at) => {
                let c = held.get(at..).and_then(|rest| rest.chars().next());
                at + c.map_or(0, char::len_utf8)
            }
            None => 0,
        };
        let end = if held.len() - end > RUN_BYTES {
            held.len()
        } else {
            end
        };
        self.shown + held.get(..end).and_then(open_block).unwrap_or(end)
    }

    fn show_to(&mut self, cut: usize, gate: &Gate, show: &mut impl FnMut(Delta)) {
        if cut <= self.shown {
            return;
        }
        let text = self.window.get(..cut).unwrap_or_default();
        let text = gate.without_secrets_after(text, self.shown);
        if !text.is_empty() {
            show(if self.is_thinking {
                Delta::Thinking { text }
            } else {
                Delta::Text { text }
            });
        }
        self.shown = cut;
        let old = self
            .window
            .floor_char_boundary(cut.saturating_sub(CONTEXT_BYTES));
        self.window.drain(..old);
        self.shown -= old;
    }
}

/// Where a private key begins that has not ended yet.
fn open_block(text: &str) -> Option<usize> {
    open_pem(text).into_iter().chain(open_putty(text)).min()
}

/// RFC 7468, section 2.
fn open_pem(text: &str) -> Option<usize> {
    let start = text.rfind("-----BEGIN")?;
    let block = text.get(start..)?;
    let line = block.lines().next()?;
    // Of a line that is not whole, nobody knows what it will say.
    let is_key = line.contains("PRIVATE KEY") || !block.contains('\n');
    (is_key && !block.contains("-----END")).then_some(start)
}

/// A key file of PuTTY, to the line with its code.
fn open_putty(text: &str) -> Option<usize> {
    const HEAD: &str = "PuTTY-User-Key-File-";
    let start = text.rfind(HEAD)?;
    let block = text.get(start..)?;
    let is_file = block.get(HEAD.len() + 1..)?.starts_with(':');
    let code = block.split_once("\nPrivate-MAC:");
    let has_ended = code.is_some_and(|(_, code)| code.contains('\n'));
    (is_file && !has_ended).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    fn shown(pieces: &[&str]) -> Vec<String> {
        let mut streamed = Streamed::default();
        let gate = Gate::default();
        let mut shown = Vec::new();
        let mut show = |delta| match delta {
            Delta::Text { text } | Delta::Thinking { text } => shown.push(text),
            _ => {}
        };
        for piece in pieces {
            let text = (*piece).into();
            streamed.push(&gate, &Delta::Text { text }, &mut show);
        }
        streamed.finish(&gate, &mut show);
        shown
    }

    #[test]
    fn words_are_shown_once_they_have_ended_and_nothing_is_lost() {
        assert_eq!(shown(&["One t", "wo", " three"]), ["One ", "two ", "three"]);
        assert_eq!(shown(&["漢", "字", "x"]), ["漢", "字", "x"]);
        let long = "x".repeat(RUN_BYTES + 1);
        assert_eq!(shown(&[&long, "y"]), [long.as_str(), "y"]);
    }

    #[test]
    fn a_secret_in_pieces_is_never_shown() {
        let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        let text = format!("The token is {secret} and no more.");
        for size in [1, 3, 7, 20] {
            let pieces: Vec<&str> = (0..text.len())
                .step_by(size)
                .map(|at| &text[at..text.len().min(at + size)])
                .collect();
            let all = shown(&pieces).concat();
            assert!(!all.contains(&secret[..12]), "{all}");
            assert!(all.starts_with("The token is [redacted: "), "{all}");
            assert!(all.ends_with("] and no more."), "{all}");
        }
    }

    #[test]
    fn a_private_key_is_held_back_to_its_end() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".repeat(4);
        let (begin, end) = ("-----BEGIN PRIVATE", "-----END PRIVATE");
        let lines: Vec<String> = [
            "Here it is:\n".into(),
            format!("{begin} KEY-----\n"),
            format!("{body}\n"),
            format!("{end} KEY-----\n"),
            "That was it.".into(),
        ]
        .into();
        let pieces: Vec<&str> = lines.iter().map(String::as_str).collect();
        let all = shown(&pieces);
        assert_eq!(all[0], "Here it is:\n");
        let all = all.concat();
        assert!(!all.contains(&body[..16]), "{all}");
        assert!(
            all.contains("[redacted: ") && all.ends_with("That was it."),
            "{all}"
        );
    }

    /// The whole text as it is shown, written in pieces of so many characters.
    fn shown_by(text: &str, size: usize) -> String {
        let letters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = letters
            .chunks(size)
            .map(|piece| piece.iter().collect())
            .collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        shown(&pieces).concat()
    }

    #[test]
    fn values_that_the_words_before_them_make_secret_are_never_shown() {
        let drawn = "k7Xq29LmZp4Rt8Vw3Ys6Nb1c";
        for (before, value, after) in [
            ("password: ", "Tr0ub4dor&3", "\n"),
            (
                "The password is set: password = \"",
                "correct-horse-9",
                "\" and so on",
            ),
            ("{\n  \"password\": \"", "hunter22", "\"\n}"),
            ("DB_PASS=", "hunter2!", "\nDB_HOST=x"),
            ("username 'me'\n  password '", "S3cr3tPw1", "'\n"),
            ("machine acme.com login me password ", "S3cr3tPw1", "\n"),
            ("acme_token: ", drawn, " is it"),
            ("acmeToken = \"", drawn, "\";"),
            ("\"name\": \"acme_token\",\n\"value\": \"", drawn, "\""),
            ("Authorization: Bearer ", drawn, "\n"),
            ("Authorization: Basic ", "YWxpY2U6d29uZGVybGFuZA==", " then"),
            ("curl -u admin:", "s3cr3t-pw", " https://x"),
            ("sshpass -p '", "S3cr3tPw1", "' ssh me@host"),
            ("postgres://app:", "v3ryS3cret", "@db.acme.com:5432/x now"),
            (
                "https://x.blob.core.windows.net/c?sv=1&sig=",
                "k7Xq29LmZp4Rt8Vw3Ys6Nb1ck7Xq29LmZp4Rt8Vw3Ys",
                " is",
            ),
            ("<acmeToken>\n    ", drawn, "\n</acmeToken>"),
            (
                "root:",
                "$2b$10$k7Xq29LmZp4Rt8Vw3Ys6Nb1ck7Xq29LmZp4Rt8Vw3Ysk7Xq29Lm",
                ":0:0",
            ),
        ] {
            let text = format!("Here: {before}{value}{after}");
            for size in 1..=7 {
                let all = shown_by(&text, size);
                assert!(!all.contains(value), "{size}: {all}");
                assert!(
                    all.contains("[redacted: ") && all.starts_with("Here: "),
                    "{all}"
                );
            }
        }
    }

    #[test]
    fn what_has_no_width_does_not_end_a_run() {
        let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        let hidden: String = secret.chars().flat_map(|c| [c, '\u{200b}']).collect();
        for size in 1..=7 {
            let all = shown_by(&format!("It is {hidden} there."), size);
            let letters: String = all.chars().filter(char::is_ascii).collect();
            assert!(!letters.contains(&secret[..12]), "{all}");
        }
    }

    #[test]
    fn a_key_file_of_putty_is_held_back_to_its_code() {
        let line = "AAAAB3NzaC1yc2EAAAADAQABAAABAQC7k7Xq29LmZp4Rt8Vw3Ys6Nb1c";
        let text = format!(
            "So:\nPuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: 1\n{line}\nPrivate-Lines: 1\n{line}\nPrivate-MAC: 0123456789abcdef0123456789abcdef01234567\nDone."
        );
        for size in 1..=7 {
            let all = shown_by(&text, size);
            assert!(!all.contains(&line[..20]), "{all}");
            assert!(all.starts_with("So:\n") && all.ends_with("Done."), "{all}");
        }
    }
}
