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
    findings::Findings,
    lexicon::Lexicon,
    prefilter::{Prefilter, Reason},
    reader::read,
};
use super::{
    Finding, Severity,
    normal::{self, cipher},
};

/// Texts up to this length are looked at closely whatever they hold.
const SHORT: usize = 1024;

/// The tables, made at first use.
struct Tables {
    lexicon: Lexicon,
    prefilter: Prefilter,
}

fn tables() -> &'static Tables {
    static TABLES: OnceBox<Tables> = OnceBox::new();
    TABLES.get_or_init(|| {
        Box::new(Tables {
            lexicon: Lexicon::new(),
            prefilter: Prefilter::new(),
        })
    })
}

fn lexicon() -> &'static Lexicon {
    &tables().lexicon
}

/// What in a text gives a model orders, by where it begins.
///
/// [`Severity::Medium`] and above is meant as a flag; [`Severity::Low`] is a hint.
#[must_use]
pub fn scan(text: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    if text.len() <= SHORT {
        for reason in Reason::ALL {
            stretch(text, 0..text.len(), reason, &mut findings);
        }
    } else {
        prefilter::search(&tables().prefilter, text, &mut |range, reason| {
            stretch(text, range, reason, &mut findings)
        });
    }
    findings.finish()
}

/// Looks closely at a stretch.
fn stretch(text: &str, range: Range<usize>, why: Reason, findings: &mut Findings) {
    let base = range.start;
    let piece = &text[range];
    match why {
        Reason::Words => words(piece, base, findings),
        Reason::Spaced => {
            let closed = normal::close_up(piece);
            read(lexicon(), &closed.text, &mut |family, severity, span| {
                let span = closed.origin(span);
                findings.add(family, severity, base + span.start..base + span.end);
            });
        }
        Reason::Encoded => normal::decode::decode(piece, &mut |decoded| {
            let span = base + decoded.span.start..base + decoded.span.end;
            inside(&decoded.text, decoded.unusual, &span, findings);
        }),
        Reason::Ciphered => ciphered(piece, base, findings),
    }
}

/// Reads a stretch as it stands; and once more turned round or deciphered if a word asks for it.
fn words(piece: &str, base: usize, findings: &mut Findings) {
    let told = read(lexicon(), piece, &mut |family, severity, span| {
        findings.add(family, severity, base + span.start..base + span.end);
    });
    tags(piece, base, findings);
    if told.ciphered {
        ciphered(piece, base, findings);
    }
    if told.reversed {
        let turned: String = piece.chars().rev().collect();
        inside(&turned, false, &(base..base + piece.len()), findings);
    }
}

fn ciphered(piece: &str, base: usize, findings: &mut Findings) {
    for (cipher, span) in cipher::pieces(piece) {
        let plain = cipher::undo(&piece[span.clone()], cipher);
        inside(
            &plain,
            true,
            &(base + span.start..base + span.end),
            findings,
        );
    }
}

/// Reads what was encoded in `span`.
fn inside(text: &str, unusual: bool, span: &Range<usize>, findings: &mut Findings) {
    let mut strongest = None;
    read(lexicon(), text, &mut |_, severity, _| {
        strongest = strongest.max(Some(severity));
    });
    // Nobody writes sentences so without a wish to hide them.
    if unusual && is_prose(text) {
        strongest = strongest.max(Some(Severity::Medium));
    }
    if let Some(severity) = strongest {
        findings.add("encoded_instruction", severity, span.clone());
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
        findings.add(
            "hidden_text",
            Severity::High,
            base + range.start..base + range.end,
        );
    }
}

#[cfg(test)]
mod tests;
