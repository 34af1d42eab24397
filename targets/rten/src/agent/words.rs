//! An instruction taken apart: words, quotations, and what looks like a file, a folder or a time zone.
//!
//! Invariant: everything found is a slice of the instruction, so an argument made of it was said by the person.

/// Names of files that have no extension.
const BARE_FILES: [&str; 9] = [
    "Makefile",
    "Dockerfile",
    "README",
    "LICENSE",
    "LICENCE",
    "CHANGELOG",
    "NOTICE",
    "AUTHORS",
    "TODO.md",
];
/// The first parts of time zones' names in the IANA database.
const ZONE_AREAS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// A word without the punctuation around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    /// Byte offset in the instruction.
    pub(crate) start: usize,
    /// Whether punctuation that ends a clause follows.
    pub(crate) ends_clause: bool,
}

impl Word<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn is(&self, lower: &str) -> bool {
        self.text.eq_ignore_ascii_case(lower)
    }

    pub(crate) fn is_one_of(&self, lower: &[&str]) -> bool {
        lower.iter().any(|word| self.is(word))
    }
}

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    for piece in text.split(char::is_whitespace) {
        let opening = |c: char| {
            matches!(
                c,
                '"' | '\''
                    | '`'
                    | '('
                    | '['
                    | '{'
                    | '<'
                    | '“'
                    | '‘'
                    | ','
                    | ':'
                    | ';'
                    | '!'
                    | '?'
                    | '¿'
                    | '¡'
            )
        };
        let closing =
            |c: char| opening(c) || matches!(c, ')' | ']' | '}' | '>' | '”' | '’' | '.' | '…');
        let head = piece.trim_start_matches(opening);
        let core = head.trim_end_matches(closing);
        if !core.is_empty() && core.chars().any(|c| c.is_alphanumeric() || c == '*') {
            let start = at + piece.len() - head.len();
            let tail = &head[core.len()..];
            out.push(Word {
                text: core,
                start,
                ends_clause: tail.contains([',', '.', ':', ';', '!', '?', '…']),
            });
        }
        at += piece.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    out
}

/// The quoted parts of a text, without their marks.
pub(crate) fn quotations(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((at, mark)) = rest.char_indices().find(|(at, mark)| {
        // An apostrophe inside a word opens nothing.
        let free = rest[..*at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric());
        matches!(mark, '"' | '`' | '“' | '«') || (matches!(mark, '\'' | '‘') && free)
    }) {
        let close = match mark {
            '“' => '”',
            '«' => '»',
            '‘' => '’',
            same => same,
        };
        let inner = &rest[at + mark.len_utf8()..];
        let end = inner.char_indices().find(|(end, c)| {
            let free = inner[end + c.len_utf8()..]
                .chars()
                .next()
                .is_none_or(|c| !c.is_alphanumeric());
            *c == close && free
        });
        let Some((end, mark)) = end else {
            rest = inner;
            continue;
        };
        if !inner[..end].trim().is_empty() {
            out.push(inner[..end].trim());
        }
        rest = &inner[end + mark.len_utf8()..];
    }
    out
}

/// Whether a word names a file: an extension, a dotfile, or a name everyone knows.
pub(crate) fn is_file(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    if word.contains("://") || is_zone(word) {
        return false;
    }
    if BARE_FILES.contains(&name)
        || (word.starts_with('/') && !word.ends_with('/') && word.len() > 1)
    {
        return true;
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) => {
            (1..=10).contains(&extension.len())
                && extension
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_')
                && extension.chars().any(char::is_alphabetic)
                && (!stem.is_empty() || word.len() > 2)
                && (word.contains('/') || stem.len() > 1 || extension.len() > 1)
        }
        None => false,
    }
}

/// Whether a word names a folder by itself: a path that is not a file.
pub(crate) fn is_folder(word: &str) -> bool {
    (word.contains('/') || word == "." || word == "..")
        && !word.contains("://")
        && !is_file(word)
        && !is_zone(word)
}

/// Whether a word is a time zone's name.
pub(crate) fn is_zone(word: &str) -> bool {
    word == "UTC"
        || word
            .split_once('/')
            .is_some_and(|(area, _)| ZONE_AREAS.contains(&area))
}

/// Whether a word is a name of code: `snake_case`, `camelCase`, `MAX`, `f()`, `a::b`.
pub(crate) fn is_identifier(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let inner_capital = word.chars().skip(1).any(char::is_uppercase);
    word.contains('_')
        || word.contains("::")
        || word.ends_with("()")
        || (inner_capital && letters >= 3)
}

/// The folder an instruction names, if it does: a path, a word beside `folder` or `directory`, or (`loose`) a word
/// after `in`.
pub(crate) fn folder<'a>(words: &[Word<'a>], loose: bool) -> Option<Word<'a>> {
    let noun = |word: &Word<'_>| {
        word.is_one_of(&["folder", "directory", "dir", "subfolder", "subdirectory"])
    };
    let vague = |word: &Word<'_>| word.is_one_of(VAGUE);
    if let Some(path) = words.iter().find(|word| is_folder(word.text)) {
        return Some(*path);
    }
    for (i, word) in words.iter().enumerate() {
        if !noun(word) {
            continue;
        }
        let after = words.get(i + 1).filter(|_| !word.ends_clause);
        let named = after
            .filter(|next| next.is_one_of(&["called", "named"]))
            .and(words.get(i + 2));
        let beside = named
            .or_else(|| {
                i.checked_sub(1)
                    .and_then(|before| words.get(before))
                    .filter(|w| !vague(w) && !w.ends_clause)
            })
            .or_else(|| after.filter(|w| !vague(w)));
        if let Some(found) = beside {
            return Some(*found);
        }
    }
    let after_in = words.iter().enumerate().rev().find_map(|(i, word)| {
        let last = word.is_one_of(&["in", "inside", "under", "within", "into"]);
        let mut next = words.get(i + 1).filter(|_| last)?;
        let mut end = i + 1;
        if next.is_one_of(&["the", "my", "our"]) {
            end += 1;
            next = words.get(end)?;
        }
        let alone = end + 1 == words.len()
            || next.ends_clause
            || words
                .get(end + 1)
                .is_some_and(|w| w.is_one_of(&["for", "and", "please", "right", "now"]));
        (alone && !vague(next) && !is_zone(next.text)).then_some(*next)
    });
    after_in.filter(|word| loose || is_file(word.text))
}

/// Words that name no place of their own.
const VAGUE: &[&str] = &[
    "a",
    "all",
    "an",
    "any",
    "anything",
    "are",
    "at",
    "code",
    "codebase",
    "contents",
    "content",
    "current",
    "directory",
    "documents",
    "each",
    "every",
    "everything",
    "file",
    "files",
    "folder",
    "for",
    "from",
    "have",
    "here",
    "i",
    "in",
    "inside",
    "is",
    "it",
    "its",
    "list",
    "me",
    "mind",
    "my",
    "of",
    "on",
    "our",
    "parent",
    "please",
    "project",
    "repo",
    "repository",
    "same",
    "that",
    "the",
    "them",
    "there",
    "these",
    "this",
    "those",
    "to",
    "what",
    "which",
    "whole",
    "with",
    "working",
    "workspace",
    "your",
    "total",
    "case",
    "question",
    "short",
    "detail",
    "general",
    "text",
    "half",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_place() {
        let text = "See  ./a.txt, \"b c\" ok?";
        let found = words(text);
        assert_eq!(
            found.iter().map(|w| w.text).collect::<Vec<_>>(),
            ["See", "./a.txt", "b", "c", "ok"]
        );
        assert!(found.iter().all(|w| &text[w.start..w.end()] == w.text));
        assert!(found[1].ends_clause && !found[0].ends_clause);
    }

    #[test]
    fn quotations_ignore_apostrophes() {
        assert_eq!(
            quotations("what's \"a b\" and 'it's c' in `d`"),
            ["a b", "it's c", "d"]
        );
        assert!(quotations("don't can't \"").is_empty());
    }

    #[test]
    fn files_folders_and_zones_are_told_apart() {
        for file in [
            "a.md",
            "src/x.rs",
            ".env",
            "/etc/hosts",
            "Makefile",
            "2024-01-02.md",
        ] {
            assert!(is_file(file), "{file}");
        }
        for other in ["3.5", "e.g", "Europe/Rome", "src/", "v1.2", "word"] {
            assert!(!is_file(other), "{other}");
        }
        assert!(is_folder("docs/api") && is_folder("src/") && !is_folder("Asia/Tokyo"));
    }

    #[test]
    fn folders_are_found_beside_their_noun() {
        let found = |text: &'static str, loose| folder(&words(text), loose).map(|word| word.text);
        assert_eq!(
            found("what is in the holiday folder?", false),
            Some("holiday")
        );
        assert_eq!(found("open the folder holiday", false), Some("holiday"));
        assert_eq!(found("everything in this folder", true), None);
        assert_eq!(found("apples in garden", true), Some("garden"));
    }
}
