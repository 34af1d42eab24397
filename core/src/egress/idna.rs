//! Names in other scripts, in the ASCII form that is sent: lower case, full width, circled and other
//! disguises of ASCII undone, labels encoded by Punycode (RFC 3492).
//!
//! Not all of UTS 46, whose tables would outweigh the rest of egress: letters that it maps to others
//! are refused unless they are known here. A slip is no danger, because this form is what is decided
//! about and what is sent.

use alloc::string::String;

use crate::letter::lower_case;

/// `None` for what has no ASCII form here.
pub(super) fn to_ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain.to_ascii_lowercase());
    }
    let mut mapped = String::with_capacity(domain.len());
    for c in domain.chars() {
        map(c, &mut mapped)?;
    }
    let mut ascii = String::with_capacity(mapped.len());
    for (at, label) in mapped.split('.').enumerate() {
        if at > 0 {
            ascii.push('.');
        }
        if label.is_ascii() {
            ascii.push_str(label);
        } else if label.starts_with("xn--") {
            return None;
        } else {
            ascii.push_str("xn--");
            punycode(label, &mut ascii)?;
        }
    }
    Some(ascii)
}

/// The letters `base`… stand for, counted from `first`.
fn nth(c: char, first: char, base: u8) -> char {
    char::from(base + (c as u32 - first as u32) as u8)
}

fn map(c: char, out: &mut String) -> Option<()> {
    let c = match c {
        // Soft hyphens, zero-width spaces and joiners of words, variation selectors: nothing.
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' => {
            return Some(());
        }
        '。' | '．' | '｡' => '.',
        '！'..='～' => nth(c, '！', b'!').to_ascii_lowercase(),
        'ª' => 'a',
        'º' => 'o',
        '²' | '³' => nth(c, '²', b'2'),
        '¹' => '1',
        'ſ' => 's',
        '⁰' => '0',
        'ⁱ' => 'i',
        'ⁿ' => 'n',
        '⁴'..='⁹' => nth(c, '⁴', b'4'),
        '₀'..='₉' => nth(c, '₀', b'0'),
        'K' => 'k',
        '①'..='⑨' => nth(c, '①', b'1'),
        '⑩'..='⑲' => {
            out.push('1');
            nth(c, '⑩', b'0')
        }
        '⑳' => {
            out.push('2');
            '0'
        }
        'Ⓐ'..='Ⓩ' => nth(c, 'Ⓐ', b'a'),
        'ⓐ'..='ⓩ' => nth(c, 'ⓐ', b'a'),
        '⓪' => '0',
        '🄰'..='🅉' => nth(c, '🄰', b'a'),
        '𝟎'..='𝟿' => char::from(b'0' + ((c as u32 - '𝟎' as u32) % 10) as u8),
        '🯰'..='🯹' => nth(c, '🯰', b'0'),
        _ if is_mapped_to_others(c) => return None,
        c if c.is_ascii() => c.to_ascii_lowercase(),
        c => {
            out.extend(lower_case(c));
            return Some(());
        }
    };
    out.push(c);
    Some(())
}

/// Blocks of compatibility characters, marks that combine with the letter before them, and what no
/// name may hold. Wider than need be: who means such a name writes it in ASCII.
fn is_mapped_to_others(c: char) -> bool {
    let code = c as u32;
    let after = REFUSED.partition_point(|(_, last)| *last < code);
    REFUSED.get(after).is_some_and(|(first, _)| *first <= code)
}

/// First and last of each, in order.
#[rustfmt::skip]
const REFUSED: [(u32, u32); 93] = [
    (0xb5, 0xb5), (0xbc, 0xbe), (0x132, 0x133), (0x13f, 0x140), (0x149, 0x149), (0x1c4, 0x1cc),
    (0x1f1, 0x1f3), (0x2b0, 0x2b8), (0x2e0, 0x2e4), (0x300, 0x36f), (0x374, 0x374), (0x37e, 0x387),
    (0x3d0, 0x3d6), (0x3f0, 0x3f5), (0x3f9, 0x3f9), (0x558, 0x558), (0x587, 0x587), (0x58b, 0x58c),
    (0x675, 0x678), (0x958, 0x95f), (0x9dc, 0x9df), (0xa33, 0xa36), (0xa59, 0xa5e), (0xb5c, 0xb5d),
    (0xe33, 0xe33), (0xeb3, 0xeb3), (0xedc, 0xedd), (0xf0c, 0xf0c), (0xf43, 0xf43), (0xf4d, 0xf4d),
    (0xf52, 0xf52), (0xf57, 0xf57), (0xf5c, 0xf5c), (0xf69, 0xf69), (0xf73, 0xf79), (0xf81, 0xf81),
    (0xf93, 0xf93), (0xf9d, 0xf9d), (0xfa2, 0xfa2), (0xfa7, 0xfa7), (0xfac, 0xfac), (0xfb9, 0xfb9),
    (0x10fc, 0x10fc), (0x115f, 0x1160), (0x13a0, 0x13fd), (0x17b4, 0x17b5), (0x180b, 0x180f),
    (0x1c80, 0x1c88), (0x1d2c, 0x1d78), (0x1d9b, 0x1dbf), (0x1e9a, 0x1e9b), (0x1f71, 0x20a8),
    (0x2102, 0x2189), (0x222c, 0x2230), (0x2329, 0x232a), (0x2474, 0x24b5), (0x2a0c, 0x2a0c),
    (0x2a75, 0x2a76), (0x2adc, 0x2adc), (0x2c7c, 0x2c7d), (0x2d6f, 0x2d6f), (0x2e9f, 0x2e9f),
    (0x2ef3, 0x2fd5), (0x3036, 0x303a), (0x309f, 0x309f), (0x30ff, 0x30ff), (0x3131, 0x319f),
    (0x3200, 0x33ff), (0xa69c, 0xa69d), (0xa770, 0xa770), (0xa7dd, 0xa7f9), (0xab5c, 0xabbf),
    (0xf900, 0xfdff), (0xfe10, 0xfe69), (0xfe70, 0xfefc), (0xff5f, 0xffee), (0x10781, 0x107bf),
    (0x1b123, 0x1b126), (0x1bca0, 0x1bca3), (0x1ccd6, 0x1ccf9), (0x1d15e, 0x1d17a),
    (0x1d1bb, 0x1d1c0), (0x1d400, 0x1d7cb), (0x1df40, 0x1dfff), (0x1e030, 0x1e06d),
    (0x1ee00, 0x1eefb), (0x1f101, 0x1f12e), (0x1f14a, 0x1f14f), (0x1f16a, 0x1f16c),
    (0x1f190, 0x1f190), (0x1f200, 0x1f251), (0x2f800, 0x2fa1d), (0xe0100, 0xe01ef),
];

/// Appends `label` encoded (RFC 3492, section 6.3); `None` when it is longer than a label may be.
fn punycode(label: &str, out: &mut String) -> Option<()> {
    const BASE: u32 = 36;
    const LONGEST: usize = 63;
    let length = label.chars().count();
    if length > LONGEST {
        return None;
    }
    let basic = label.chars().filter(char::is_ascii).count();
    out.extend(label.chars().filter(char::is_ascii));
    if basic > 0 {
        out.push('-');
    }
    let (mut next, mut delta, mut bias, mut done) = (128_u32, 0_u32, 72_u32, basic);
    while done < length {
        let codes = || label.chars().map(|c| c as u32);
        let least = codes().filter(|code| *code >= next).min()?;
        delta += (least - next) * (done as u32 + 1);
        next = least;
        for code in codes() {
            if code < next {
                delta += 1;
            }
            if code != next {
                continue;
            }
            let mut rest = delta;
            let mut weight = BASE;
            loop {
                let threshold = weight.saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                out.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
                rest = (rest - threshold) / (BASE - threshold);
                weight += BASE;
            }
            out.push(digit(rest));
            bias = adapted(delta, done as u32 + 1, done == basic);
            delta = 0;
            done += 1;
        }
        delta += 1;
        next += 1;
    }
    Some(())
}

/// RFC 3492, section 6.1.
fn adapted(delta: u32, length: u32, is_first: bool) -> u32 {
    let mut delta = delta / if is_first { 700 } else { 2 };
    delta += delta / length;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

fn digit(value: u32) -> char {
    char::from(match value {
        0..26 => b'a' + value as u8,
        _ => b'0' + (value - 26) as u8,
    })
}
