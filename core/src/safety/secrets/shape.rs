//! How much a value looks like something a machine drew, and whether it is only an example.

use super::bytes::{self, CAPITALS, DIGIT, HEX, LOWER, UPPER, WORD};

/// How far into a value one looks.
const LOOK: usize = 160;

/// How much a value looks drawn rather than written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quality {
    /// A word, a name, a path, a version.
    Written,
    /// It could be either.
    Doubtful,
    /// Letters and digits as nobody writes them.
    Drawn,
    /// The same, long and of all kinds.
    Random,
}

/// What a value of letters, digits and joining signs looks like.
pub(super) fn quality(value: &[u8]) -> Quality {
    if is_uuid(value) {
        return Quality::Drawn;
    }
    let value = &value[..value.len().min(LOOK)];
    if value.len() >= 20 && is_grouped(value) {
        return Quality::Drawn;
    }
    let slashes = value.iter().filter(|&&byte| byte == b'/').count();
    let mut best = Quality::Written;
    let mut written = 0;
    for chunk in value.split(|&byte| !bytes::is(byte, WORD)) {
        let quality = chunk_quality(chunk);
        best = best.max(quality);
        if quality == Quality::Written && chunk.len() >= 4 {
            written += 1;
        }
    }
    // Of a path or a dotted name most parts are words.
    if written >= 2 && (slashes >= 2 || written >= 3) && best < Quality::Random {
        return Quality::Written;
    }
    best
}

fn chunk_quality(chunk: &[u8]) -> Quality {
    let count = |class| chunk.iter().filter(|&&byte| bytes::is(byte, class)).count();
    let (length, digits) = (chunk.len(), count(DIGIT));
    let (lower, upper) = (count(LOWER), count(UPPER));
    if length < 8 {
        return Quality::Written;
    }
    let changes = changes(chunk);
    let often = changes * 3 >= length;
    if digits == length {
        return if length >= 24 {
            Quality::Doubtful
        } else {
            Quality::Written
        };
    }
    if digits == 0 {
        return match (often, consonants(chunk)) {
            (true, _) if length >= 16 && upper >= 3 => Quality::Drawn,
            (_, 5..) if length >= 20 => Quality::Drawn,
            (_, 5..) if length >= 12 => Quality::Doubtful,
            _ => Quality::Written,
        };
    }
    if length >= 24 && digits >= 2 && often && lower > 0 && upper > 0 {
        return Quality::Random;
    }
    if length >= 16 && chunk.iter().all(|&byte| bytes::is(byte, HEX)) && (lower == 0 || upper == 0)
        || digits >= 2 && changes >= 3 && length >= 10
        || length >= 16 && (often || consonants(chunk) >= 5 || digits >= 4 && changes >= 2)
    {
        return Quality::Drawn;
    }
    if digits >= 2 && length >= 10 || digits >= 1 && consonants(chunk) >= 5 {
        Quality::Doubtful
    } else {
        Quality::Written
    }
}

/// How often the kind of character changes between small letters, capitals and digits. A capital
/// that begins a word counts once, with the word.
fn changes(chunk: &[u8]) -> usize {
    chunk
        .windows(2)
        .filter(|pair| {
            let kind = |byte| (bytes::is(byte, DIGIT), bytes::is(byte, UPPER));
            kind(pair[0]) != kind(pair[1])
                && !(bytes::is(pair[0], UPPER) && bytes::is(pair[1], LOWER))
        })
        .count()
}

/// The longest run of consonants of one case: written words have four at most, names seldom more.
fn consonants(chunk: &[u8]) -> usize {
    let mut longest = 0;
    let mut run = 0;
    let mut case = 0;
    for &byte in chunk {
        let vowel = matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u');
        if vowel || !bytes::is(byte, LOWER | UPPER) {
            run = 0;
            continue;
        }
        run = if byte & 0x20 == case { run + 1 } else { 1 };
        case = byte & 0x20;
        longest = longest.max(run);
    }
    longest
}

/// Groups of capitals and digits of one length, joined by dashes.
fn is_grouped(value: &[u8]) -> bool {
    let mut groups = value.split(|&byte| byte == b'-');
    let first = groups.next().map_or(0, <[u8]>::len);
    first >= 4
        && value.contains(&b'-')
        && value
            .iter()
            .all(|&byte| byte == b'-' || bytes::is(byte, CAPITALS))
        && groups.all(|group| group.len() == first)
}

/// `8-4-4-4-12`. Any letter counts: some vendors go beyond hexadecimal.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, &byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => bytes::is(byte, WORD),
        })
}

/// Words that say that a value is to be put in by the reader, or was taken out.
const PLACEHOLDERS: [&[u8]; 22] = [
    b"example",
    b"xxxx",
    b"your-",
    b"your_",
    b"yourown",
    b"yourtoken",
    b"yourapi",
    b"yoursecret",
    b"yourkey",
    b"placeholder",
    b"changeme",
    b"change-me",
    b"change_me",
    b"redacted",
    b"insert",
    b"replace",
    b"dummy",
    b"sample",
    b"_here",
    b"-here",
    b"...",
    b"****",
];

/// Whether a value stands for another: documentation, a mask, one character again and again.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOK)];
    (distinct(value) as usize) < 5.min(value.len() / 2)
        // A long random value holds any short word by chance, so long words only.
        || PLACEHOLDERS
            .iter()
            .any(|word| word.len() * 12 >= value.len() && bytes::contains_folded(value, word))
}

/// How many different letters, digits and signs there are.
pub(super) fn distinct(value: &[u8]) -> u32 {
    value
        .iter()
        .fold(0_u128, |seen, &byte| seen | 1 << (byte & 0x7f))
        .count_ones()
}
