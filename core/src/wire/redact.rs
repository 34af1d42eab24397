//! Making other people's error text fit to show: one line, short, without credentials.
//!
//! Providers and proxies quote the key that was wrong. What looks like one is replaced here,
//! before anything is shown, stored or sent to a model.

use alloc::string::String;

const GONE: &str = "[redacted]";

/// How keys of well-known providers begin, in lower case.
const KEY_PREFIXES: &[&str] = &[
    "sk-", "sk_", "gsk_", "xai-", "pplx-", "nvapi-", "hf_", "ghp_", "aiza", "eyj",
];

/// `text` as one line of at most `limit` characters, without credentials and control characters.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    // More than this can only be cut away again.
    for word in credentials(head(text)).split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    match line.char_indices().nth(limit) {
        None => line,
        Some(_) => {
            let kept = line.chars().take(limit.saturating_sub(1));
            let mut short: String = kept.collect();
            short.push('…');
            short
        }
    }
}

/// The words of an HTML page, or of what is none: its title if it has one, else its text.
pub(super) fn page(text: &str) -> String {
    let text = head(text);
    if !text.trim_start().starts_with('<') {
        return text.into();
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + "<title>".len());
    let title = title.and_then(|from| {
        let length = lower.get(from..)?.find("</title>")?;
        text.get(from..from + length)
    });
    if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
        return title.into();
    }
    let mut words = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                words.push(' ');
            }
            c if !in_tag => words.push(c),
            _ => {}
        }
    }
    words
}

/// A URL without user name, password, query and fragment.
pub(super) fn url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return credentials(url);
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    alloc::format!("{scheme}://{host}{}", path.trim_end_matches('/'))
}

/// The first 8 KiB.
fn head(text: &str) -> &str {
    let mut end = text.len().min(8 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// `text` with everything that looks like a credential replaced.
fn credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut boundary = true;
    // How many words ago a key was spoken of.
    let mut since_key = usize::MAX;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c| !is_key_char(c)).unwrap_or(rest.len());
        if !boundary || run == 0 {
            clean.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            boundary = !c.is_ascii_alphanumeric();
            continue;
        }
        let word = rest.get(..run).unwrap_or_default();
        let lower = word.to_ascii_lowercase();
        let spoken = since_key <= 3 && run >= 16 && word.contains(|c: char| c.is_ascii_digit());
        let prefix = KEY_PREFIXES.iter().find(|p| lower.starts_with(**p));
        let bearer = matches!(lower.as_str(), "bearer" | "basic");
        since_key = match lower.contains("key") || lower.contains("token") {
            true => 0,
            false => since_key.saturating_add(1),
        };
        if let Some(prefix) = prefix.filter(|prefix| run > prefix.len()) {
            clean.push_str(word.get(..prefix.len()).unwrap_or_default());
            clean.push_str(GONE);
        } else if spoken {
            clean.push_str(GONE);
        } else if let Some(value) = bearer.then(|| after(rest, run)).flatten() {
            clean.push_str(word);
            clean.push(' ');
            clean.push_str(GONE);
            rest = value;
            boundary = true;
            continue;
        } else {
            // A key may stand further on in this run, after a slash or an equals sign.
            let part = word
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(run)
                .max(1);
            clean.push_str(word.get(..part).unwrap_or_default());
            rest = rest.get(part..).unwrap_or_default();
            boundary = false;
            continue;
        }
        rest = rest.get(run..).unwrap_or_default();
        boundary = true;
    }
    clean
}

/// What follows the credential after the scheme's name at the start of `text`, if there is one.
fn after(text: &str, scheme: usize) -> Option<&str> {
    let rest = text.get(scheme..)?;
    let value = rest.trim_start();
    let gap = rest.len() - value.len();
    let length = value
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')'))
        .unwrap_or(value.len());
    (gap > 0 && length > 0)
        .then(|| value.get(length..))
        .flatten()
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '+' | '/' | '~')
}
