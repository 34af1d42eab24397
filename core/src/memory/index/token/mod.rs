//! Texts as the words they are searched by.
//!
//! A word is a run of letters and digits in small letters without marks, and of it the stem in the
//! language of the text. Names of things in programs are kept whole and taken apart:
//! `parseHttpHeader` is `parsehttpheader`, `pars`, `http`, `header`. Scripts that are written
//! without spaces give every character and every two that follow each other.
//!
//! Invariant: a text and the same text in capitals, full width or with its marks as characters of
//! their own give the same words.

mod english;
mod fold;
mod language;
mod turn;

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use language::Language;
pub(super) use turn::{asks_time, speaker};

/// Characters of a word that count; the rest of it is dropped.
const LONGEST: usize = 64;
/// Bytes of a query that are read.
const QUERY_BYTES: usize = 8 * 1024;
/// Different words of a query that are looked for, its first ones.
const QUERY_WORDS: usize = 128;

/// A text's words, and what else it says.
pub(super) struct Read {
    /// In byte order, each with how often it is there.
    pub(super) words: Vec<(Arc<str>, u32)>,
    /// Whether it tells a time; what is in brackets before a turn is not said.
    pub(super) tells_time: bool,
}

/// Reads a text that is to be found.
pub(super) fn read(text: &str) -> Read {
    let found = found(text);
    let language = language(&found).unwrap_or(Language::English);
    let head = match text.starts_with('[') {
        true => text.find(']').unwrap_or(0),
        false => 0,
    };
    let said = found.iter().filter(|found| found.at > head);
    let tells_time = turn::tells_time(said.map(|found| found.text.as_str()));
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for found in found {
        let word = match found.is_plain {
            true if is_common(&found.text) => continue,
            true => language::stem(&found.text, language),
            false => found.text,
        };
        *counts.entry(word).or_default() += 1;
    }
    let words = counts.into_iter().map(|(word, count)| (word.into(), count));
    Read {
        words: words.collect(),
        tells_time,
    }
}

/// The words of a query, each with its stems: a text that holds any of them holds the word.
pub(super) fn wanted(text: &str) -> Vec<Vec<String>> {
    let found = found(head(text));
    let language = language(&found);
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for found in found {
        let stems = match found.is_plain {
            true if is_common(&found.text) => continue,
            true => language::stems(&found.text, language),
            false => Vec::from([found.text]),
        };
        if !wanted.contains(&stems) && wanted.len() < QUERY_WORDS {
            wanted.push(stems);
        }
    }
    wanted
}

/// The words of a query as they are, in small letters.
pub(super) fn plain(text: &str) -> Vec<String> {
    plain_words(head(text))
}

fn plain_words(text: &str) -> Vec<String> {
    found(text).into_iter().map(|found| found.text).collect()
}

/// The beginning of `text`, as much as is read of a query.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUERY_BYTES)]
}

fn language(found: &[Found]) -> Option<Language> {
    let words: Vec<String> = found.iter().map(|found| found.text.clone()).collect();
    language::of(&words)
}

struct Found {
    text: String,
    /// Where its run of characters ends.
    at: usize,
    /// Whether it is a word of a language, that has a stem.
    is_plain: bool,
}

/// Every word, in order.
fn found(text: &str) -> Vec<Found> {
    let mut words = Vec::new();
    let mut run = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let joins = matches!(c, '_' | '-' | '.' | '\'' | '’')
            && !run.is_empty()
            && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if c.is_alphanumeric() || joins || (fold::is_mark(c) && !run.is_empty()) {
            if run.len() < 4 * LONGEST {
                run.push(if c == '’' { '\'' } else { c });
            }
        } else if !run.is_empty() {
            end(&run, at, &mut words);
            run.clear();
        }
    }
    if !run.is_empty() {
        end(&run, text.len(), &mut words);
    }
    // A piece may be nothing but marks, which are no part of a word.
    words.retain(|found| !found.text.is_empty());
    words
}

/// The words of a run that ends at `at`.
fn end(run: &str, at: usize, words: &mut Vec<Found>) {
    let before = words.len();
    split(run, words);
    for found in &mut words[before..] {
        found.at = at;
    }
}

/// Takes apart what no space does.
fn split(run: &str, words: &mut Vec<Found>) {
    if run.chars().any(fold::is_unspaced) {
        return unspaced(run, words);
    }
    let before = words.len();
    let mut is_code = false;
    for part in run.split(['_', '-', '.']) {
        // What follows an apostrophe is an ending, or a pronoun.
        let word = match part.split_once('\'') {
            // Not in `l'eau`, `d'accord`.
            Some((article, word)) if article.chars().count() == 1 && word.chars().count() > 2 => {
                word
            }
            Some((word, _)) => word,
            None => part,
        };
        let pieces = pieces(word);
        if pieces.len() > 1 {
            is_code = true;
            words.extend(
                pieces
                    .into_iter()
                    .filter(|piece| piece.len() > 1)
                    .map(plain_word),
            );
            push_whole(word, words);
        } else if !word.is_empty() {
            words.push(plain_word(word));
        }
    }
    let has = |c: char| run.contains(c);
    is_code |= has('_') || has('.') || run.bytes().any(|byte| byte.is_ascii_digit());
    if is_code && run.contains(['_', '-', '.']) && words.len() > before {
        push_whole(run, words);
    }
}

fn plain_word(word: &str) -> Found {
    let text = fold::fold(word, LONGEST);
    let is_plain = !text.bytes().any(|byte| byte.is_ascii_digit());
    Found {
        text,
        at: 0,
        is_plain,
    }
}

fn push_whole(word: &str, words: &mut Vec<Found>) {
    words.push(Found {
        text: fold::fold(word, LONGEST),
        at: 0,
        is_plain: false,
    });
}

/// The parts of `parseHttp2Header`: cut before a capital that follows a small letter or comes
/// before one, and between letters and digits.
fn pieces(word: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    let mut cuts = Vec::from([0]);
    for at in 1..chars.len() {
        let (before, here) = (chars[at - 1].1, chars[at].1);
        let next_is_small = chars
            .get(at + 1)
            .is_some_and(|(_, next)| next.is_lowercase());
        let capital = here.is_uppercase()
            && (before.is_lowercase() || (before.is_uppercase() && next_is_small));
        let digits = before.is_ascii_digit() != here.is_ascii_digit();
        if capital || digits {
            cuts.push(chars[at].0);
        }
    }
    cuts.push(word.len());
    cuts.windows(2).map(|two| &word[two[0]..two[1]]).collect()
}

/// Characters one by one and two by two.
fn unspaced(run: &str, words: &mut Vec<Found>) {
    let mut push = |text: &str| {
        let text = fold::fold(text, LONGEST);
        words.push(Found {
            text,
            at: 0,
            is_plain: false,
        });
    };
    let mut last: Option<(usize, char)> = None;
    let mut other = None;
    for (at, c) in run.char_indices().chain([(run.len(), ' ')]) {
        let is_unspaced = fold::is_unspaced(c);
        if is_unspaced || c == ' ' {
            if let Some(start) = other.take() {
                push(&run[start..at]);
            }
        } else if !fold::is_mark(c) {
            other.get_or_insert(at);
        }
        if let Some((start, before)) = last {
            push(&run[start..start + before.len_utf8()]);
            if is_unspaced {
                push(&run[start..at + c.len_utf8()]);
            }
        }
        last = is_unspaced.then_some((at, c));
    }
}

fn is_common(word: &str) -> bool {
    turn::lists(COMMON, word)
}

/// Words that say nothing about what an English text is about. Elsewhere their rarity says so.
const COMMON: &str = " a an and are as at be been but by can could did do does doing for from had has \
    have having he her hers him his how i if in into is it its just me my no nor not of on or our \
    ours she should so some such than that the their theirs them then there these they this those \
    to too us very was we were what when where which while who whom whose why will with would you \
    your yours am being about ";

#[cfg(test)]
mod tests;
