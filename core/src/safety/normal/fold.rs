//! One character, as a reader takes it: its case, width, accents and disguise removed.
//!
//! Invariant: total over `char`; ASCII letters and digits fold to themselves in lower case.

/// What stands for a character without a shape: zero-width, a variation selector, a combining mark.
pub const NOTHING: char = '\0';

/// What stands for whatever parts words.
pub const SPACE: char = ' ';

/// Letters that look like a Latin one: the letter, then its doubles.
const NEAR: &[(u8, &[char])] = &[
    (b'a', &['а', 'ɑ', 'α', 'ǎ', 'а', 'ǟ']),
    (b'b', &['в', 'ь', 'Ƅ', 'β', 'ʙ', 'ɓ']),
    (b'c', &['с', 'ϲ']),
    (b'd', &['ԁ', 'ɗ', 'ժ']),
    (b'e', &['е', 'є', 'ҽ', 'ε', 'ё']),
    (b'f', &['ƒ', 'ϝ', 'ғ']),
    (b'g', &['ɡ', 'ց', 'ɢ', 'ԍ', 'ǵ']),
    (b'h', &['һ', 'հ', 'н', 'ʜ']),
    (b'i', &['і', 'ї', 'ɩ', 'ι', 'ɪ']),
    (b'j', &['ј', 'յ', 'ϳ']),
    (b'k', &['к', 'κ']),
    (b'l', &['ӏ', 'ǀ', 'ʟ', 'Ӏ']),
    (b'm', &['м']),
    (b'n', &['ո', 'ռ', 'ɴ', 'η']),
    (b'o', &['о', 'ο', 'σ', 'օ']),
    (b'p', &['р', 'ρ']),
    (b'q', &['ԛ', 'զ']),
    (b'r', &['г', 'ʀ']),
    (b's', &['ѕ', 'ʂ']),
    (b't', &['т', 'τ']),
    (b'u', &['υ', 'ս']),
    (b'v', &['ν', 'ѵ']),
    (b'w', &['ԝ', 'ѡ', 'ω']),
    (b'x', &['х', 'χ']),
    (b'y', &['у', 'ү', 'γ', 'ʏ']),
    (b'z', &['ʐ']),
];

/// The same above U+0600, where few letters have a Latin double.
const FAR: &[(u8, &[char])] = &[
    (b'a', &['ạ', 'ả', 'ᴀ', 'ꭺ', '∀']),
    (b'b', &['Ꮟ']),
    (b'c', &['ᴄ', 'ⅽ', 'Ꮯ']),
    (b'd', &['ⅾ', 'ᴅ', 'Ꮷ']),
    (b'e', &['ẹ', 'ẻ', 'ẽ', 'ᴇ', 'ℯ']),
    (b'f', &['ꜰ', 'ẝ']),
    (b'g', &['Ꮐ']),
    (b'h', &['Ꮒ']),
    (b'i', &['ⅰ', 'Ꭵ']),
    (b'j', &['ᴊ']),
    (b'k', &['ᴋ']),
    (b'l', &['ⅼ', 'Ꮮ']),
    (b'm', &['ⅿ', 'ᴍ']),
    (b'n', &['ⲛ']),
    (b'o', &['ᴏ', 'ọ', 'ỏ']),
    (b'p', &['ᴘ', 'Ꮲ']),
    (b'r', &['ᴦ', 'ꭇ']),
    (b's', &['ꜱ', 'Ꮪ']),
    (b't', &['ᴛ', 'ṭ']),
    (b'u', &['ᴜ', 'ụ', 'ủ']),
    (b'v', &['ᴠ', 'ⅴ']),
    (b'w', &['ᴡ']),
    (b'x', &['ⅹ']),
    (b'y', &['ỵ']),
    (b'z', &['ᴢ', 'Ꮓ']),
];

/// Below this, a double is found by its place.
const NEAR_END: usize = 0x600;

const DOUBLES: [u8; NEAR_END] = {
    let mut doubles = [0; NEAR_END];
    let mut row = 0;
    while row < NEAR.len() {
        let (letter, of) = NEAR[row];
        let mut i = 0;
        while i < of.len() {
            doubles[of[i] as usize] = letter;
            i += 1;
        }
        row += 1;
    }
    doubles
};

/// Greek capitals look like other Latin letters than their small forms do.
const GREEK_CAPITALS: &[u8; 25] = b"abgdezhoiklmnxopr stufxpo";

/// Base letters of U+00C0 to U+017F, in lower case.
const LATIN: &[u8; 192] = b"aaaaaaaceeeeiiiidnooooo ouuuuypsaaaaaaaceeeeiiiidnooooo ouuuuypy\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// What the characters below [`NEAR_END`] fold to: an ASCII character, or one of these.
static FOLDED: [u8; NEAR_END] = {
    let mut folded = [ITSELF; NEAR_END];
    let mut code = 0x80;
    while code < NEAR_END {
        folded[code] = near(code);
        code += 1;
    }
    folded
};
const ITSELF: u8 = 0;
const NO_SHAPE: u8 = 1;
/// From here on: a letter whose small form is so many characters further.
const SHIFTED: u8 = 2;
const SHIFTS: [u32; 4] = [1, 32, 48, 80];

const fn near(code: usize) -> u8 {
    match code {
        0xad | 0x300..=0x36f => NO_SHAPE,
        0xa0..=0xbf => b' ',
        0xc0..=0x17f => LATIN[code - 0xc0],
        0x218 | 0x219 => b's',
        0x21a | 0x21b => b't',
        0x391..=0x3a9 => GREEK_CAPITALS[code - 0x391],
        0x400..=0x40f => small(code, 3),
        0x410..=0x42f => small(code, 1),
        0x460..=0x4bf | 0x4d0..=0x52f if code & 1 == 0 => small(code, 0),
        0x531..=0x556 => small(code, 2),
        _ => DOUBLES[code],
    }
}

/// The double of a capital's small form, or the way to that.
const fn small(code: usize, shift: usize) -> u8 {
    match DOUBLES[code + SHIFTS[shift] as usize] {
        0 => SHIFTED + shift as u8,
        letter => letter,
    }
}

/// The character as it is compared: a small letter without accents, a digit, another script's
/// letter, [`SPACE`] or [`NOTHING`]; ASCII punctuation stays.
#[must_use]
pub fn fold(c: char) -> char {
    if c.is_ascii() {
        return match c {
            '\t' | '\r' => SPACE,
            c => c.to_ascii_lowercase(),
        };
    }
    match FOLDED.get(c as usize) {
        Some(&ITSELF) => c,
        Some(&NO_SHAPE) => NOTHING,
        Some(&folded) if folded < b' ' => shifted(c, folded - SHIFTED),
        Some(&folded) => char::from(folded),
        None => fold_far(c),
    }
}

/// The same from [`NEAR_END`] on.
fn fold_far(c: char) -> char {
    let code = u32::from(c);
    match code {
        0x61c | 0x640 | 0x115f | 0x1160 | 0x3164 | 0xfeff => NOTHING,
        0x64b..=0x652 | 0x180b..=0x180e | 0x200b..=0x200f => NOTHING,
        0x202a..=0x202e | 0x2060..=0x206f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => NOTHING,
        0xe0001 | 0xe007f | 0xe0100..=0xe01ef => NOTHING,
        0xe0020..=0xe007e => ascii(code - 0xe0000),
        0xff01..=0xff5e => ascii(code - 0xfee0),
        0x1d400..=0x1d6a3 => letter((code - 0x1d400) % 26),
        0x1d7ce..=0x1d7ff => ascii(u32::from(b'0') + (code - 0x1d7ce) % 10),
        0x249c..=0x24b5 => letter(code - 0x249c),
        0x24b6..=0x24e9 => letter((code - 0x24b6) % 26),
        0x1f130..=0x1f149 | 0x1f150..=0x1f169 | 0x1f170..=0x1f189 => letter((code - 0x1f130) % 32),
        0x1f1e6..=0x1f1ff => letter(code - 0x1f1e6),
        0x622 | 0x623 | 0x625 | 0x671 => 'ا',
        0x2010..=0x2015 => '-',
        0x2018 | 0x2019 | 0x2032 => '\'',
        0x201c | 0x201d => '"',
        0x2000..=0x20cf | 0x2190..=0x245f | 0x24ea..=0x2bff => SPACE,
        0x3000..=0x303f | 0xfe30..=0xfe6f | 0xff00..=0xff65 | 0xffe0..=0xffff => SPACE,
        0xe000..=0xf8ff | 0x1f000..=0x1faff => SPACE,
        0x1d00..=0x1eff | 0x13a0..=0x13ff | 0x2100..=0x2cff | 0xa700..=0xabff => FAR
            .iter()
            .find(|(_, doubles)| doubles.contains(&c))
            .map_or(c, |(letter, _)| char::from(*letter)),
        _ => c,
    }
}

/// Whether the script is written without spaces, or with endings that hide where words part.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0xe00..=0xe7f | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7a3)
}

/// Whether the character is hidden text: Unicode tags, which mirror ASCII and show as nothing.
#[must_use]
pub fn is_tag(c: char) -> bool {
    matches!(u32::from(c), 0xe0020..=0xe007e)
}

/// Whether a Latin letter is what the character imitates.
#[must_use]
pub fn is_imitation(c: char) -> bool {
    !c.is_ascii()
        && !matches!(u32::from(c), 0xa0..=0x17f | 0x1e00..=0x1eff)
        && fold(c).is_ascii_alphanumeric()
}

fn letter(index: u32) -> char {
    ascii(u32::from(b'a') + index % 26)
}

fn ascii(code: u32) -> char {
    u8::try_from(code).map_or(NOTHING, |byte| char::from(byte.to_ascii_lowercase()))
}

fn shifted(c: char, shift: u8) -> char {
    let by = SHIFTS.get(usize::from(shift)).copied().unwrap_or(0);
    char::from_u32(u32::from(c) + by).unwrap_or(SPACE)
}
