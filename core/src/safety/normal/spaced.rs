//! Words written letter by letter, or with marks strewn between the letters, closed up.
//!
//! `i g n o r e`, `i.g.n.o.r.e` and `ig*no*re` read `ignore`. Where the gaps between words are as
//! wide as those between letters, the letters come out in one piece.

use super::{
    Normal,
    fold::{NOTHING, fold},
};

/// A mark between letters: shown, but no letter. An apostrophe is part of a word.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() && c != '\''
}

/// Closes up a piece of text. Marks vanish; a single space between single letters vanishes.
#[must_use]
pub fn close_up(text: &str) -> Normal {
    let mut normal = Normal::default();
    let mut chars = text
        .char_indices()
        .map(|(at, c)| (at, if c == '\n' { ' ' } else { fold(c) }))
        .filter(|(_, c)| *c != NOTHING)
        .peekable();
    // How long the run of letters is that just ended, and how wide the gap since.
    let mut letters = 0_usize;
    let mut gap = 0_usize;
    let mut marks = 0_usize;
    let mut gap_at = 0;
    while let Some((at, c)) = chars.next() {
        if c == ' ' {
            if gap == 0 && marks == 0 {
                gap_at = at;
            }
            gap += 1;
        } else if is_mark(c) {
            if gap == 0 && marks == 0 {
                gap_at = at;
            }
            marks += 1;
        } else {
            if gap + marks > 0 {
                let next_is_letter = chars.peek().is_some_and(|(_, n)| *n != ' ' && !is_mark(*n));
                let single = letters == 1 && !next_is_letter;
                // A spaced-out word has gaps of one; marks alone never part words.
                if gap > 1 || (gap == 1 && !single) {
                    normal.push(' ', gap_at);
                }
                letters = 0;
                gap = 0;
                marks = 0;
            }
            normal.push(c, at);
            letters += 1;
        }
    }
    normal.finish(text.len())
}
