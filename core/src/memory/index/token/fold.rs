//! Letters as they are compared: small, without marks, of usual width.

use alloc::string::String;

use crate::letter;

/// The base letters of `À` to `ſ`, one for each; `*` where there are two, `_` where it is none.
const LATIN: &str = "aaaaaa*ceeeeiiiidnooooo_ouuuuy**aaaaaa*ceeeeiiiidnooooo_ouuuuy*y\
    aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii**jjkkklllllll\
    lllnnnnnnnnnoooooo**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// `text` as it is compared, at most `limit` characters of it.
pub(super) fn fold(text: &str, limit: usize) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_mark(*c)).take(limit) {
        let c = match c {
            // Full width.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        };
        match c {
            'ß' | 'ẞ' => folded.push_str("ss"),
            'Æ' | 'æ' => folded.push_str("ae"),
            'Œ' | 'œ' => folded.push_str("oe"),
            'Þ' | 'þ' => folded.push_str("th"),
            'Ĳ' | 'ĳ' => folded.push_str("ij"),
            // The sigma at the end of a word is the one within.
            'ς' => folded.push('σ'),
            '\u{c0}'..='\u{17f}' => {
                let base = LATIN.as_bytes().get(c as usize - 0xc0);
                folded.push(
                    base.filter(|base| base.is_ascii_lowercase())
                        .map_or(c, |base| char::from(*base)),
                );
            }
            // Vietnamese and other letters with several marks.
            '\u{1e00}'..='\u{1eff}' => folded.push(additional(c)),
            _ => folded.extend(letter::lower_case(c)),
        }
    }
    folded
}

/// The base letter of one of the block that adds to the Latin ones.
fn additional(c: char) -> char {
    const RUNS: [(u32, char); 40] = [
        (0x1e00, 'a'),
        (0x1e02, 'b'),
        (0x1e08, 'c'),
        (0x1e0a, 'd'),
        (0x1e14, 'e'),
        (0x1e1e, 'f'),
        (0x1e20, 'g'),
        (0x1e22, 'h'),
        (0x1e2c, 'i'),
        (0x1e30, 'k'),
        (0x1e36, 'l'),
        (0x1e3e, 'm'),
        (0x1e44, 'n'),
        (0x1e4c, 'o'),
        (0x1e54, 'p'),
        (0x1e58, 'r'),
        (0x1e60, 's'),
        (0x1e6a, 't'),
        (0x1e72, 'u'),
        (0x1e7c, 'v'),
        (0x1e80, 'w'),
        (0x1e8a, 'x'),
        (0x1e8e, 'y'),
        (0x1e90, 'z'),
        (0x1e96, 'h'),
        (0x1e97, 't'),
        (0x1e98, 'w'),
        (0x1e99, 'y'),
        (0x1e9a, 'a'),
        (0x1e9b, 's'),
        (0x1e9f, 'd'),
        (0x1ea0, 'a'),
        (0x1eb8, 'e'),
        (0x1ec8, 'i'),
        (0x1ecc, 'o'),
        (0x1ee4, 'u'),
        (0x1ef2, 'y'),
        (0x1efa, 'l'),
        (0x1efc, 'v'),
        (0x1efe, 'y'),
    ];
    let after = RUNS.partition_point(|(first, _)| *first <= c as u32);
    after.checked_sub(1).map_or(c, |at| RUNS[at].1)
}

/// A mark that is a character of its own.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Of a script that is written without spaces between words.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        // Thai, Lao; Myanmar; Khmer
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // Kana; Han; Hangul
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}
