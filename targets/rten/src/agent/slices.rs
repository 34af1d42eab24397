//! The parts of an instruction that arguments are made of: what to search, what to remember, where, with what.
//!
//! Invariant: all but [`glob`] give slices of the instruction.

use serde_json::Value;

use super::arguments::Offer;
use super::words::{self, Word};

/// What is to be searched: a quotation, a name of code, a name, or a run of telling words.
pub(super) fn pattern<'t>(text: &'t str, words: &[Word<'t>], quotations: &[&'t str]) -> Offer<'t> {
    if let Some(quoted) = quotations.first() {
        return Offer::Value(Value::from(*quoted));
    }
    let place = words::folder(words, true).map(|word| word.start);
    let telling: Vec<Word<'_>> = content_words(words)
        .into_iter()
        .filter(|word| {
            Some(word.start) != place && !words::is_file(word.text) && !words::is_folder(word.text)
        })
        .collect();
    if let Some(name) = telling.iter().find(|word| words::is_identifier(word.text)) {
        return Offer::Value(Value::from(name.text));
    }
    // `the word apple`: what follows is meant, whatever it is.
    let noun = [
        "word", "words", "text", "term", "phrase", "string", "name", "function", "variable",
    ];
    let pointed = words.windows(2).find(|pair| {
        pair[0].is_one_of(&noun) && !pair[0].ends_clause && telling.contains(&pair[1])
    });
    if let Some(pair) = pointed {
        let all = spans(text, &telling);
        let run = all
            .iter()
            .filter(|span| text[pair[1].start..].starts_with(**span))
            .max_by_key(|span| span.len());
        return Offer::Value(Value::from(*run.unwrap_or(&pair[1].text)));
    }
    let capital = |word: &Word<'_>| word.start > 0 && word.text.starts_with(char::is_uppercase);
    let names: Vec<Word<'_>> = telling.iter().copied().filter(capital).collect();
    if !names.is_empty() {
        let all = spans(text, &names);
        let longest = all.iter().copied().max_by_key(|span| span.len());
        return longest.map_or(Offer::Nothing, |name| Offer::Value(Value::from(name)));
    }
    match spans(text, &telling) {
        spans if spans.is_empty() => Offer::Nothing,
        spans => Offer::Among(spans),
    }
}

pub(super) fn glob(words: &[Word<'_>], quotations: &[&str]) -> Offer<'static> {
    let starred = words
        .iter()
        .find(|word| word.text.contains('*'))
        .map(|word| word.text.to_owned());
    let extension = || {
        let dotted = words
            .iter()
            .find(|word| word.text.starts_with('.') && !word.text.contains('/'))?;
        Some(format!("**/*{}", dotted.text))
    };
    let quoted = || quotations.first().map(|quoted| format!("**/*{quoted}*"));
    starred
        .or_else(extension)
        .or_else(quoted)
        .map_or(Offer::Nothing, |text| Offer::Value(text.into()))
}

/// A place: a zone's name, or the capitalised words at the end of `in New York`.
pub(super) fn zone<'t>(text: &'t str, words: &[Word<'t>]) -> Option<&'t str> {
    if let Some(zone) = words.iter().find(|word| words::is_zone(word.text)) {
        return Some(zone.text);
    }
    let at = words
        .iter()
        .rposition(|word| word.is_one_of(&["in", "at", "for"]))?;
    let capital = |word: &&Word<'_>| word.text.starts_with(char::is_uppercase);
    let names: Vec<&Word<'_>> = words[at + 1..].iter().take_while(capital).collect();
    Some(&text[names.first()?.start..names.last()?.end()])
}

/// What is to be remembered: the words after the request to do so, or before it if nothing follows.
pub(super) fn fact<'t>(text: &'t str, words: &[Word<'t>]) -> &'t str {
    let triggers = [
        "remember", "mind", "note", "forget", "store", "save", "memorise", "memorize", "memory",
        "down", "future", "know",
    ];
    let links = [
        "that",
        "this",
        "for",
        "later",
        "next",
        "time",
        "the",
        "fact",
        "following",
        "it",
        "in",
        "your",
        "to",
        "memory",
        "down",
        "of",
        "please",
    ];
    let end = text.trim_end().trim_end_matches(['.', '!', '?']).len();
    let Some(trigger) = words.iter().position(|word| word.is_one_of(&triggers)) else {
        return text[..end].trim();
    };
    let mut from = trigger + 1;
    let closed = |at: usize| {
        words
            .get(at)
            .is_some_and(|word| text[word.end()..].starts_with(':'))
    };
    if !closed(trigger) {
        while let Some(word) = words.get(from) {
            // `the` opens a fact of its own unless it is `the fact` or `the following`.
            let own = word.is("the")
                && !words
                    .get(from + 1)
                    .is_some_and(|next| next.is_one_of(&["fact", "following"]));
            if own || !word.is_one_of(&links) {
                break;
            }
            from += 1;
            if closed(from - 1) || (word.is("that") && words.get(from).is_some()) {
                break;
            }
        }
    }
    match words.get(from) {
        Some(first) => text[first.start..end].trim(),
        None => {
            let before =
                text[..words[trigger].start].trim_end_matches([',', ';', ' ', '.', ':', '-']);
            // `For next time, …` only introduces.
            let opening = before.find(',').filter(|comma| {
                let lead = before[..*comma].to_ascii_lowercase();
                lead.starts_with("for ") || lead.starts_with("from now")
            });
            let fact = opening.map_or(before, |comma| &before[comma + 1..]).trim();
            let fact = fact
                .trim_end_matches(" please")
                .trim_end_matches(['.', ',', ' ']);
            if fact.is_empty() {
                text[..end].trim()
            } else {
                fact
            }
        }
    }
}

/// The rest of the instruction after the first of these words, up to a file's `in report.txt`.
pub(super) fn after<'t>(text: &'t str, words: &[Word<'t>], marks: &[&str]) -> Option<&'t str> {
    let at = words.iter().position(|word| word.is_one_of(marks))? + 1;
    let rest = words.get(at..)?;
    let stop = rest
        .windows(2)
        .position(|pair| pair[0].is_one_of(&["in", "to", "into"]) && words::is_file(pair[1].text));
    let last = match stop {
        Some(at) => rest.get(at.checked_sub(1)?)?.end(),
        None => text.trim_end().trim_end_matches(['.', '!', '?']).len(),
    };
    text.get(rest.first()?.start..last)
}

/// `one` of `change one to two`.
pub(super) fn before_change<'t>(text: &'t str, words: &[Word<'t>]) -> Option<&'t str> {
    let verb = words
        .iter()
        .position(|word| word.is_one_of(&["replace", "change", "rename", "turn"]))?;
    let link = words
        .iter()
        .position(|word| word.is_one_of(&["with", "to", "by", "into"]))?;
    let (first, last) = (words.get(verb + 1)?, words.get(link.checked_sub(1)?)?);
    text.get(first.start..last.end())
}

/// Runs of up to four of these words that stand together in the text.
pub(super) fn spans<'t>(text: &'t str, words: &[Word<'t>]) -> Vec<&'t str> {
    let mut out = Vec::new();
    for from in 0..words.len() {
        for to in from..words.len().min(from + 4) {
            let together = to == from
                || (!words[to - 1].ends_clause
                    && text[words[to - 1].end()..words[to].start].trim().is_empty());
            if !together {
                break;
            }
            out.push(&text[words[from].start..words[to].end()]);
        }
    }
    out
}

/// Words that say something of their own, not how a search is asked for.
pub(super) fn content_words<'t>(words: &[Word<'t>]) -> Vec<Word<'t>> {
    words
        .iter()
        .copied()
        .filter(|word| !word.is_one_of(PLAIN))
        .collect()
}

const PLAIN: &[&str] = &[
    "a",
    "about",
    "all",
    "an",
    "and",
    "any",
    "anyone",
    "anything",
    "anywhere",
    "appear",
    "appears",
    "are",
    "around",
    "as",
    "at",
    "be",
    "by",
    "call",
    "called",
    "can",
    "check",
    "code",
    "contain",
    "containing",
    "contains",
    "could",
    "current",
    "defined",
    "definition",
    "did",
    "directory",
    "do",
    "document",
    "documents",
    "does",
    "each",
    "every",
    "everywhere",
    "file",
    "files",
    "find",
    "folder",
    "for",
    "from",
    "function",
    "get",
    "give",
    "grep",
    "has",
    "have",
    "here",
    "how",
    "i",
    "i'd",
    "i'll",
    "i'm",
    "i've",
    "if",
    "in",
    "inside",
    "into",
    "is",
    "it",
    "line",
    "lines",
    "list",
    "look",
    "looking",
    "me",
    "mention",
    "mentioned",
    "mentions",
    "my",
    "name",
    "named",
    "names",
    "note",
    "notes",
    "occur",
    "occurrence",
    "occurrences",
    "occurs",
    "of",
    "on",
    "our",
    "out",
    "over",
    "phrase",
    "place",
    "places",
    "please",
    "project",
    "search",
    "see",
    "set",
    "show",
    "some",
    "string",
    "talk",
    "talks",
    "tell",
    "term",
    "text",
    "that",
    "the",
    "there",
    "these",
    "this",
    "through",
    "to",
    "use",
    "used",
    "uses",
    "using",
    "variable",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "with",
    "word",
    "words",
    "would",
    "you",
    "your",
];
