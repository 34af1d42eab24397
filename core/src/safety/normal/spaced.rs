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
    normal.text.reserve(text.len());
    normal.origins.reserve(text.len() + 1);
    // How long the run of letters before the gap is, how wide the gap since, and where it begins.
    let mut run = 0_usize;
    let mut gap: Option<Gap> = None;
    let mut chars = text.char_indices();
    // A letter after a gap waits for what follows it: whether it stands alone decides about the gap.
    let mut waiting: Option<(usize, char)> = None;
    loop {
        let next = chars
            .next()
            .map(|(at, c)| (at, if c == '\n' { ' ' } else { fold(c) }));
        if let Some((_, NOTHING)) = next {
            continue;
        }
        let is_letter = next.is_some_and(|(_, c)| c != ' ' && !is_mark(c));
        if let Some((at, c)) = waiting.take() {
            if let Some(gap) = gap.take() {
                // A spaced-out word has gaps of one; marks alone never part words.
                if gap.spaces > 1 || (gap.spaces == 1 && (run != 1 || is_letter)) {
                    normal.push(' ', gap.start);
                }
                run = 0;
            }
            normal.push(c, at);
            run += 1;
        }
        match next {
            None => break,
            Some((at, c)) if is_letter => {
                if gap.is_some() {
                    waiting = Some((at, c));
                } else {
                    normal.push(c, at);
                    run += 1;
                }
            }
            Some((at, c)) => {
                let gap = gap.get_or_insert(Gap {
                    spaces: 0,
                    start: at,
                });
                gap.spaces += usize::from(c == ' ');
            }
        }
    }
    normal.finish(text.len())
}

/// What stands between letters.
struct Gap {
    spaces: usize,
    start: usize,
}
