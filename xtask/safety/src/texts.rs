//! The texts that speed is measured on: ordinary ones from the corpora, and hostile ones.
//!
//! A hostile text makes a scanner work for nothing: it begins what the scanner looks for over and
//! over, or is made of what has to be decoded first.

use crate::corpus::Row;

/// What the figures are for.
pub(crate) const BYTES: usize = 64 * 1024;

/// A text by name.
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// 64 KiB each of prose and of code, from the benign rows.
pub(crate) fn ordinary(rows: &[Row]) -> Result<Vec<Text>, String> {
    let kinds = [("prose", "legal_text"), ("code", "code_")];
    kinds
        .into_iter()
        .map(|(name, family)| {
            let of_family = rows
                .iter()
                .filter(|row| !row.is_hit && row.family.starts_with(family));
            let mut text = String::with_capacity(2 * BYTES);
            for row in of_family.cycle().take(10_000) {
                text.push_str(&row.text);
                text.push('\n');
                if text.len() >= BYTES {
                    break;
                }
            }
            if text.len() < BYTES {
                return Err(format!(
                    "injection.jsonl has no benign rows of family {family}"
                ));
            }
            text.truncate(text.floor_char_boundary(BYTES));
            let name = name.to_owned();
            Ok(Text { name, text })
        })
        .collect()
}

/// Beginnings of what detectors look for.
const BEGINNINGS: [&str; 62] = [
    "ignore ",
    "ignore all ",
    "ignore all previous ",
    "ignore previous instruction",
    "disregard ",
    "forget everything ",
    "you are now ",
    "system: ",
    "system prompt ",
    "<|im_start|>",
    "<|",
    "[INST",
    "<<SYS",
    "### Instruction",
    "<system",
    "new instructions",
    "act as ",
    "pretend ",
    "do anything now ",
    "developer mode ",
    "reveal your ",
    "repeat the words above ",
    "<!-- ",
    "<!--",
    "![](http",
    "](https://",
    "http://",
    "https://a.b/?q=",
    "display:none",
    "base64 ",
    "AKIA",
    "AKIA0",
    "ghp_",
    "sk-",
    "sk_live_",
    "xoxb-",
    "eyJ",
    "eyJhbGciOi",
    "eyJ.eyJ.",
    "-----BEGIN",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----",
    "password=",
    "password = \"",
    "token: ",
    "api_key=",
    "secret",
    "key",
    "Authorization: Basic ",
    "Bearer ",
    "postgres://u:p@",
    "://a:b@",
    "mongodb+srv://",
    "AIza",
    "glpat-",
    "npm_",
    "hooks.slack.com/services/",
    "%",
    "\\x",
    "\\u00",
    "&#x",
    "=?",
];

/// Single characters that are decoded, folded or left out before anything is looked for.
const ODD: [(&str, &str); 20] = [
    ("zero-width spaces", "\u{200b}"),
    ("zero-width joiners", "\u{200d}"),
    ("soft hyphens", "\u{ad}"),
    ("tag characters", "\u{e0041}"),
    ("variation selectors", "\u{fe0f}"),
    ("combining marks", "a\u{301}"),
    ("stacked marks", "\u{301}"),
    ("bidirectional marks", "\u{202e}"),
    ("full-width letters", "ｉｇｎｏｒｅ"),
    ("Cyrillic look-alikes", "іgnоrе аll "),
    ("mathematical letters", "𝐢𝐠𝐧𝐨𝐫𝐞 "),
    ("circled letters", "ⓘⓖⓝⓞⓡⓔ"),
    ("leetspeak", "1gn0r3 4ll pr3v10u5 "),
    ("spaced letters", "i g n o r e "),
    ("dotted letters", "i.g.n.o.r.e."),
    ("dashed letters", "i-g-n-o-r-e-"),
    ("emoji", "🦀"),
    ("ideographs", "漢字"),
    ("control characters", "\u{1}"),
    ("escape sequences", "\u{1b}[31m"),
];

/// Long runs of what may be encoded text.
const WALLS: [(&str, &str); 16] = [
    ("one letter", "a"),
    ("one digit", "1"),
    ("spaces", " "),
    ("line ends", "\n"),
    ("base64", "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM"),
    ("base64 with spaces", "aWdub3Jl IGFsbCBw cmV2aW91 "),
    ("base64 in short words", "aWdub3JlIGFsbCBw\n"),
    ("hex", "69676e6f726520616c6c"),
    ("spaced hex", "69 67 6e 6f 72 65 "),
    ("percent", "%69%67%6e%6f%72%65"),
    ("percent without end", "%%%%6"),
    ("unicode escapes", "\\u0069\\u0067"),
    ("entities", "&#105;&#103;&#110;"),
    ("rot13", "vtaber nyy cerivbhf vafgehpgvbaf "),
    ("brackets", "[[[((({{{"),
    ("quotes", "\"'`"),
];

/// Every hostile text of `bytes` bytes.
pub(crate) fn hostile(bytes: usize) -> Vec<Text> {
    let named = ODD
        .iter()
        .chain(&WALLS)
        .map(|(name, unit)| ((*name).to_owned(), *unit));
    let beginnings = BEGINNINGS
        .iter()
        .map(|unit| (format!("{unit:?} repeated"), *unit));
    let mut texts: Vec<Text> = named
        .chain(beginnings)
        .map(|(name, unit)| Text {
            name,
            text: repeated(unit, bytes),
        })
        .collect();
    texts.push(Text {
        name: "long random token".into(),
        text: token(bytes),
    });
    texts.push(Text {
        name: "random words".into(),
        text: words(bytes),
    });
    texts
}

/// `unit` until there are `bytes` bytes, cut on a character's boundary.
pub(crate) fn repeated(unit: &str, bytes: usize) -> String {
    let mut text = unit.repeat(bytes / unit.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// What the search mixes: every unit there is.
pub(crate) fn units() -> Vec<&'static str> {
    let named = ODD.iter().chain(&WALLS).map(|(_, unit)| *unit);
    named.chain(BEGINNINGS).collect()
}

/// One word of letters and digits without pattern.
fn token(bytes: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = Random(7);
    (0..bytes)
        .map(|_| char::from(LETTERS[random.below(LETTERS.len())]))
        .collect()
}

/// The beginnings in random order.
fn words(bytes: usize) -> String {
    let mut random = Random(11);
    let mut text = String::with_capacity(bytes + 64);
    while text.len() < bytes {
        text.push_str(BEGINNINGS[random.below(BEGINNINGS.len())]);
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// Numbers that are the same in every run (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        number as usize % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_have_the_size_asked_for_and_names_of_their_own() {
        let texts = hostile(1000);
        assert!(
            texts
                .iter()
                .all(|text| (997..=1000).contains(&text.text.len()))
        );
        let names: std::collections::BTreeSet<_> = texts.iter().map(|text| &text.name).collect();
        assert_eq!(names.len(), texts.len());
    }
}
