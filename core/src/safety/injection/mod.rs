//! The injection detector: text that gives the model orders it must not take from there.
//!
//! ```text
//! text ── prefilter ──▶ stretches ── as it stands ───────┐
//!          (all bytes)   (few)    ── closed up, decoded ─┴▶ words ─▶ rules, model ─▶ findings
//! ```
//!
//! Invariants: spans are of the original text, on character boundaries; encodings are undone once;
//! the work is linear in the text, whatever it says.

mod findings;
mod lexicon;
mod markers;
mod markup;
mod model;
mod prefilter;
mod reader;
mod rules;
mod shape;
mod tokens;
#[cfg(feature = "train")]
pub mod training;
mod words;

use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::Range;
use once_cell::race::OnceBox;

use self::{
    findings::{Findings, HIDDEN, OVERLOAD},
    lexicon::Lexicon,
    prefilter::{Prefilter, Reason},
    reader::read,
};
use super::{
    Finding, Severity,
    normal::{
        self,
        cipher::{self, Cipher},
    },
};

/// Texts up to this length are looked at closely whatever they hold.
const SHORT: usize = 1024;

/// The words, made searchable at first use.
fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceBox<Lexicon> = OnceBox::new();
    LEXICON.get_or_init(|| Box::new(Lexicon::new()))
}

/// What longer texts are looked through with, made at first use: a conversation of short ones needs
/// none.
fn prefilter() -> &'static Prefilter {
    static PREFILTER: OnceBox<Prefilter> = OnceBox::new();
    PREFILTER.get_or_init(|| Box::new(Prefilter::new()))
}

/// What in a text gives a model orders, by where it begins.
///
/// [`Severity::Medium`] and above is meant as a flag; [`Severity::Low`] is a hint.
#[must_use]
pub fn scan(text: &str) -> Vec<Finding> {
    weighed(text).0
}

/// The same, and how many bytes were looked at closely for it.
pub(super) fn weighed(text: &str) -> (Vec<Finding>, usize) {
    let most = EFFORT + text.len();
    let mut look = Look {
        text,
        findings: Findings::default(),
        left: most,
    };
    if text.len() <= SHORT {
        for reason in Reason::ALL.into_iter().filter(|why| *why != Reason::Markup) {
            look.stretch(0..text.len(), reason);
        }
    } else {
        prefilter::search(prefilter(), text, &mut |range, reason| {
            look.stretch(range, reason);
        });
    }
    (look.findings.finish(), most - look.left)
}

/// How many bytes are looked at closely in any text, beside its length: enough for a
/// short one whatever it is made of.
const EFFORT: usize = 12 * 1024;

/// The family of what was found in an encoding.
const ENCODED: &str = "encoded_instruction";

/// A text that is looked at closely here and there.
struct Look<'t> {
    text: &'t str,
    findings: Findings,
    /// How many bytes may still be looked at.
    left: usize,
}

impl<'t> Look<'t> {
    /// Looks closely at a stretch.
    fn stretch(&mut self, range: Range<usize>, why: Reason) {
        let base = range.start;
        let piece = &self.text[range.clone()];
        // To close up and to decode are less work than to read what comes out.
        let work = match why {
            Reason::Words => piece.len(),
            Reason::Spaced | Reason::Ciphered => piece.len() / 2,
            Reason::Encoded | Reason::Markup => piece.len() / 4,
        };
        if !self.may_look_at(work, &range) {
            return;
        }
        match why {
            Reason::Words => {
                self.as_it_stands(piece, base);
                self.markup(&range);
            }
            Reason::Markup => self.markup(&range),
            Reason::Spaced => {
                let closed = normal::close_up(piece);
                if self.may_look_at(closed.text.len(), &range) {
                    read(lexicon(), &closed.text, &mut |family, severity, span| {
                        let span = closed.origin(span);
                        self.findings
                            .add(family, severity, base + span.start..base + span.end);
                    });
                }
            }
            Reason::Encoded => normal::decode::decode(piece, &mut |decoded| {
                let span = base + decoded.span.start..base + decoded.span.end;
                self.inside(&decoded.text, decoded.unusual, &span);
            }),
            Reason::Ciphered => {
                for (cipher, span) in cipher::pieces(piece) {
                    let plain = cipher::undo(&piece[span.clone()], cipher);
                    self.inside(&plain, true, &(base + span.start..base + span.end));
                }
            }
        }
    }

    /// Whether so many bytes more may be looked at; where not, what lies there is held for an attack.
    fn may_look_at(&mut self, bytes: usize, place: &Range<usize>) -> bool {
        if let Some(left) = self.left.checked_sub(bytes)
            && !self.findings.are_dense()
        {
            self.left = left;
            return true;
        }
        self.left = 0;
        self.findings.add(OVERLOAD, Severity::High, place.clone());
        false
    }

    /// Reads a stretch as it stands; and once more turned round or deciphered if a word asks for it.
    fn as_it_stands(&mut self, piece: &str, base: usize) {
        let range = base..base + piece.len();
        let told = read(lexicon(), piece, &mut |family, severity, span| {
            self.findings
                .add(family, severity, base + span.start..base + span.end);
        });
        tags(piece, base, &mut self.findings);
        for (disguise, cipher) in [
            (words::FORWARD_3, Cipher::Shift(3)),
            (words::FORWARD_13, Cipher::Shift(13)),
            (words::FORWARD_23, Cipher::Shift(23)),
            (words::MIRRORED, Cipher::Atbash),
        ] {
            if told.disguises & disguise != 0 && self.may_look_at(piece.len(), &range) {
                // Every character keeps its place, so what is found lies where it was found.
                let plain = cipher::undo(piece, cipher);
                read(lexicon(), &plain, &mut |_, severity, span| {
                    self.findings
                        .add(ENCODED, severity, base + span.start..base + span.end);
                });
            }
        }
        if told.disguises & words::REVERSED != 0 {
            let turned: String = piece.chars().rev().collect();
            self.inside(&turned, false, &range);
        }
    }

    fn markup(&mut self, range: &Range<usize>) {
        let found = &mut |family, severity, span| self.findings.add(family, severity, span);
        markup::search(lexicon(), self.text, range, found);
    }

    /// Reads what was encoded in `span`.
    fn inside(&mut self, text: &str, unusual: bool, span: &Range<usize>) {
        // To begin costs as much as some words.
        if !self.may_look_at(text.len() + 48, span) {
            return;
        }
        let mut strongest = None;
        read(lexicon(), text, &mut |_, severity, _| {
            strongest = strongest.max(Some(severity));
        });
        // Nobody writes sentences so without a wish to hide them.
        if unusual && is_prose(text) {
            strongest = strongest.max(Some(Severity::Medium));
        }
        if let Some(severity) = strongest {
            self.findings.add(ENCODED, severity, span.clone());
        }
    }
}

/// Whether a text is sentences: words of the usual lengths, of many letters.
fn is_prose(text: &str) -> bool {
    let words = text.split(' ').filter(|word| {
        (2..=14).contains(&word.len()) && word.bytes().any(|b| b.is_ascii_lowercase() || b >= 0x80)
    });
    let letters = text
        .bytes()
        .filter(u8::is_ascii_alphabetic)
        .fold(0_u32, |set, b| set | 1 << (b & 31));
    let words = words.count();
    words >= 6 && letters.count_ones() >= 10 && (3..=9).contains(&(text.len() / (words + 1)))
}

/// Finds text of Unicode tags, which shows as nothing. Flags of regions are made of them too.
fn tags(piece: &str, base: usize, findings: &mut Findings) {
    if !piece.as_bytes().contains(&0xf3) {
        return;
    }
    let mut run: Option<Range<usize>> = None;
    let mut before = ' ';
    for (at, c) in piece.char_indices() {
        if normal::is_tag(c) {
            let begun = run.take().map_or(at, |run| run.start);
            run = Some(begun..at + c.len_utf8());
        } else if c.is_whitespace() || c == '\u{e0001}' || c == '\u{e007f}' || c.is_alphabetic() {
            // Text that tags cannot spell stays between them.
            if let Some(range) = run.take_if(|run| at - run.end > 8) {
                finish_tags(range, before, base, findings);
            }
            if run.is_none() {
                before = c;
            }
        } else {
            if let Some(range) = run.take() {
                finish_tags(range, before, base, findings);
            }
            before = c;
        }
    }
    if let Some(range) = run {
        finish_tags(range, before, base, findings);
    }
}

fn finish_tags(range: Range<usize>, before: char, base: usize, findings: &mut Findings) {
    let is_flag = before == '\u{1f3f4}' && range.len() <= 6 * 4;
    if range.len() >= 3 * 4 && !is_flag {
        findings.add(HIDDEN, Severity::High, base + range.start..base + range.end);
    }
}

#[cfg(test)]
mod tests;
