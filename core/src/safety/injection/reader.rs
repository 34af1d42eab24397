//! Reads words and markup, and tells what they come to.

use core::ops::Range;

use super::{
    lexicon::Lexicon,
    markers,
    model::{Verdict, Weigher},
    rules::{RULES, Rule},
    tokens::tokens,
    words::{CIPHERED, Concepts, REVERSED},
};
use crate::safety::Severity;

/// How many words with a meaning are kept in mind.
const MEMORY: usize = 16;

/// What a reading told beside findings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// There is a word of an attack in a letter cipher.
    pub(super) ciphered: bool,
    /// There is a word of an attack back to front.
    pub(super) reversed: bool,
}

/// A word with a meaning.
#[derive(Clone, Copy, Default)]
struct Event {
    concepts: Concepts,
    word: u32,
    start: usize,
}

/// Reads a text.
pub(super) fn read(
    lexicon: &Lexicon,
    text: &str,
    found: &mut dyn FnMut(&'static str, Severity, Range<usize>),
) -> Told {
    let mut events = [Event::default(); MEMORY];
    let mut count = 0;
    let mut word = 0_u32;
    let mut told = Told::default();
    let mut weigher = Weigher::new();
    markers::search(text, found);
    tokens(lexicon, text, &mut |token| {
        word += 1;
        if token.hash != 0
            && let Some((verdict, start, end)) = weigher.take(token.hash, token.start, token.end)
        {
            found(LIKELY, strength(verdict), start..end);
        }
        if token.concepts != 0 {
            told.ciphered |= token.concepts & CIPHERED != 0;
            told.reversed |= token.concepts & REVERSED != 0;
            events[count % MEMORY] = Event {
                concepts: token.concepts,
                word,
                start: token.start,
            };
            count += 1;
            judge(&events, count, token.end, found);
        }
    });
    if let Some((verdict, start, end)) = weigher.finish() {
        found(LIKELY, strength(verdict), start..end);
    }
    told
}

/// The family of what the model alone finds.
const LIKELY: &str = "likely_injection";

fn strength(verdict: Verdict) -> Severity {
    match verdict {
        Verdict::Weak => Severity::Low,
        Verdict::Strong => Severity::Medium,
    }
}

/// Holds the rules against the words with a meaning, the newest of them being new.
fn judge(
    events: &[Event; MEMORY],
    count: usize,
    end: usize,
    found: &mut dyn FnMut(&'static str, Severity, Range<usize>),
) {
    let known = count.min(MEMORY);
    let newest = events[(count - 1) % MEMORY];
    let all = events[..known]
        .iter()
        .fold(0, |all, event| all | event.concepts);
    for rule in RULES {
        if rule.groups.iter().all(|group| all & group != 0)
            && let Some(start) = meets(rule, events, count, newest)
        {
            found(rule.family, rule.severity, start..end);
        }
    }
}

/// Where the words begin that fulfil a rule together with the newest.
fn meets(rule: &Rule, events: &[Event; MEMORY], count: usize, newest: Event) -> Option<usize> {
    let wanted = rule.groups.iter().fold(0, |all, group| all | group);
    if newest.concepts & wanted == 0 {
        return None;
    }
    let mut seen = 0;
    let mut words = 0;
    for back in 0..count.min(MEMORY) {
        let event = events[(count - 1 - back) % MEMORY];
        if newest.word - event.word > rule.within {
            return None;
        }
        if event.concepts & wanted == 0 {
            continue;
        }
        seen |= event.concepts;
        words += 1;
        // A word that does two things still counts as one word.
        if words >= rule.groups.len() && rule.groups.iter().all(|group| seen & group != 0) {
            return Some(event.start);
        }
    }
    None
}
