//! Reads words and markup, and tells what they come to.

use core::ops::Range;

use super::{
    findings::LIKELY,
    lexicon::Lexicon,
    markers,
    model::{Verdict, Weigher},
    rules::{RULES, Rule},
    tokens::tokens,
    words::{
        ALL, ALONE, Concepts, FORWARD_3, FORWARD_13, FORWARD_23, MIRRORED, MUST, REVERSED, USER,
        WITHOUT, YOU, YOUR,
    },
};
use crate::safety::Severity;

/// How many words with a meaning are kept in mind.
const MEMORY: usize = 16;

/// What the words of attacks can be disguised by.
const DISGUISES: Concepts = FORWARD_3 | FORWARD_13 | FORWARD_23 | MIRRORED | REVERSED;

/// Words so common that they complete nothing: what they belong to comes after them too.
const COMMON: Concepts = ALL | YOUR | YOU | USER | WITHOUT | MUST;

/// What a reading told beside findings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// The disguises that words of attacks were found in.
    pub(super) disguises: Concepts,
}

/// A word with a meaning.
#[derive(Clone, Copy, Default)]
struct Event {
    concepts: Concepts,
    groups: u128,
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
            told.disguises |= token.concepts & DISGUISES;
            events[count % MEMORY] = Event {
                concepts: token.concepts,
                groups: groups(token.concepts),
                word,
                start: token.start,
            };
            count += 1;
            if token.concepts & !COMMON != 0 {
                judge(&events, count, token.end, found);
            }
        }
    });
    if let Some((verdict, start, end)) = weigher.finish() {
        found(LIKELY, strength(verdict), start..end);
    }
    told
}

fn strength(verdict: Verdict) -> Severity {
    match verdict {
        Verdict::Weak => Severity::Low,
        Verdict::Strong => Severity::Medium,
    }
}

/// Holds the rules against the words with a meaning, the newest of them being new.
fn judge(events: &[Event; MEMORY], count: usize, end: usize, found: &mut Found) {
    let newest = events[(count - 1) % MEMORY];
    // One bit for each rule in each of four parts, one for each of its groups.
    let met = events.iter().fold(0, |met, event| met | event.groups);
    let new = newest.groups;
    let mut rules =
        (met & met >> 32 & met >> 64 & met >> 96 & (new | new >> 32 | new >> 64 | new >> 96))
            as u32;
    while rules != 0 {
        let rule = &RULES[rules.trailing_zeros() as usize];
        rules &= rules - 1;
        if let Some(start) = meets(rule, events, count, newest) {
            found(rule.family, rule.severity, start..end);
        }
    }
}

/// For each concept, which groups of which rules it is in. A group that a rule has not is met by
/// the first.
static GROUPS: [u128; 64] = {
    assert!(RULES.len() <= 32, "a rule is a bit of 32");
    let mut groups = [0; 64];
    let mut rule = 0;
    while rule < RULES.len() {
        let mut part = 0;
        while part < 4 {
            let of = RULES[rule].groups;
            let group = of[if part < of.len() { part } else { 0 }];
            let mut concept = 0;
            while concept < 64 {
                if group >> concept & 1 != 0 {
                    groups[concept] |= 1 << (part * 32 + rule);
                }
                concept += 1;
            }
            part += 1;
        }
        rule += 1;
    }
    groups
};

/// The groups of rules that concepts are in.
fn groups(mut concepts: Concepts) -> u128 {
    let mut groups = 0;
    while concepts != 0 {
        groups |= GROUPS[concepts.trailing_zeros() as usize];
        concepts &= concepts - 1;
    }
    groups
}

type Found<'a> = dyn FnMut(&'static str, Severity, Range<usize>) + 'a;

/// Where the words begin that fulfil a rule together with the newest.
fn meets(rule: &Rule, events: &[Event; MEMORY], count: usize, newest: Event) -> Option<usize> {
    let wanted = rule.groups.iter().fold(0, |all, group| all | group);
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
        // A word that does two things still counts as one word, unless it is never an accident.
        words += match event.concepts & ALONE {
            0 => 1,
            _ => rule.groups.len(),
        };
        if words >= rule.groups.len() && rule.groups.iter().all(|group| seen & group != 0) {
            return Some(event.start);
        }
    }
    None
}
