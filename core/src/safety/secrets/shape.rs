//! How much a value looks like something a machine drew, and whether it is only an example.

use super::bytes::{self, CAPITALS, DIGIT, HEX, LOWER, UPPER, WORD};

/// How far into a value one looks.
pub(super) const LOOK: usize = 160;

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
    if ends_in_uuid(value) {
        return Quality::Drawn;
    }
    let value = &value[..value.len().min(LOOK)];
    let mut best = Quality::Written;
    let mut whole = Counts::default();
    let (mut part, mut slashes, mut written) = (Counts::default(), 0, 0);
    let mut class = value.first().map_or(0, |&byte| bytes::class(byte));
    for (at, &byte) in value.iter().enumerate() {
        let next = value.get(at + 1).map_or(0, |&byte| bytes::class(byte));
        if class & WORD != 0 {
            part.add(byte, class, next);
        }
        if next & WORD == 0 && part.length > 0 {
            let quality = part.quality();
            best = best.max(quality);
            written += u32::from(quality == Quality::Written && part.length >= 4);
            whole.join(&part);
            part = Counts::default();
        }
        slashes += u32::from(byte == b'/');
        class = next;
    }
    // Of a path or a dotted name most parts are words.
    if written >= 2 && (slashes >= 2 || written >= 3) && best < Quality::Random && !whole.is_mixed()
    {
        best = Quality::Written;
    }
    // Short parts may be one value all the same.
    if best < Quality::Drawn
        && (slashes == 0 || whole.is_mixed())
        && (whole.joins_up() || is_grouped(value))
    {
        best = Quality::Drawn;
    }
    best
}

/// What is counted of a chain of letters and digits.
#[derive(Clone, Copy, Default)]
struct Counts {
    length: u32,
    digits: u32,
    upper: u32,
    hex: u32,
    /// How often small letters, capitals and digits change place. A word that begins with a
    /// capital does not count, so names in programs have few.
    changes: u32,
    /// Whether the last one was a digit, and whether a capital.
    kind: (bool, bool),
    /// Consonants in a row, and how many rows were long: written words have four at most.
    consonants: u32,
    rows: u32,
}

impl Counts {
    #[inline(always)]
    fn add(&mut self, byte: u8, class: u8, next: u8) {
        let kind = (class & DIGIT != 0, class & UPPER != 0);
        let begins_word = kind.1 && next & LOWER != 0;
        let goes_on = self.kind.1 && !kind.0;
        let is_change = self.length > 0 && kind != self.kind && !begins_word && !goes_on;
        self.length += 1;
        self.digits += u32::from(kind.0);
        self.upper += u32::from(kind.1);
        self.hex += u32::from(class & HEX != 0);
        self.changes += u32::from(is_change);
        // Of each letter whether it is a vowel, from `@` on.
        let vowel = 1_u32 << (byte & 0x1f) & 0x0220_8222 != 0;
        let row = if kind == self.kind {
            self.consonants + 1
        } else {
            1
        };
        self.consonants = if kind.0 || vowel { 0 } else { row };
        // Abbreviations within a name are such rows too, unless all of it is in capitals.
        let abbreviated = kind.1 && self.upper + self.digits < self.length;
        self.rows += u32::from(self.consonants >= 5 && !abbreviated);
        self.kind = kind;
    }

    /// Adds what was counted of another chain behind this one.
    fn join(&mut self, next: &Self) {
        let meets = self.length > 0 && next.length > 0;
        self.length += next.length;
        self.digits += next.digits;
        self.upper += next.upper;
        self.hex += next.hex;
        self.changes += next.changes + u32::from(meets && self.kind != next.kind);
        self.rows += next.rows;
        self.kind = next.kind;
    }

    /// How many letters are small.
    fn lower(&self) -> u32 {
        self.length - self.digits - self.upper
    }

    fn often(&self) -> bool {
        self.changes * 4 >= self.length
    }

    /// Whether letters of both kinds and digits are as mixed as in base64.
    fn is_mixed(&self) -> bool {
        self.length >= 36
            && self.often()
            && self.digits >= 3
            && self.upper >= 3
            && self.lower() >= 3
    }

    fn is_hex(&self) -> bool {
        self.hex == self.length && (self.lower() == 0 || self.upper == 0)
    }

    fn quality(&self) -> Quality {
        let &Self {
            length,
            digits,
            changes,
            rows,
            ..
        } = self;
        if length < 8 || digits == length {
            return if length >= 24 {
                Quality::Doubtful
            } else {
                Quality::Written
            };
        }
        if digits == 0 {
            return match rows {
                _ if length >= 16 && self.often() && self.upper >= 3 => Quality::Drawn,
                2.. if length >= 20 => Quality::Drawn,
                2.. if length >= 12 => Quality::Doubtful,
                _ => Quality::Written,
            };
        }
        let mixed = self.lower() > 0 && self.upper > 0;
        if length >= 24 && digits >= 2 && self.often() && mixed {
            return Quality::Random;
        }
        if length >= 16 && self.is_hex()
            || digits >= 2 && changes >= 3 && length >= if self.lower() == 0 { 12 } else { 10 }
            || length >= 16 && (self.often() || rows > 0 || digits >= 4 && changes >= 2)
        {
            return Quality::Drawn;
        }
        if digits >= 4 && length >= 10 || rows > 0 {
            Quality::Doubtful
        } else {
            Quality::Written
        }
    }

    /// Whether parts that look like words are one value together.
    fn joins_up(&self) -> bool {
        self.digits >= 1
            && self.length >= 16
            && self.often()
            && (self.upper > 0 && self.lower() > 0)
            || self.length >= 24 && self.is_hex() && self.digits >= 6 && self.digits < self.length
    }
}

/// Groups of capitals and digits of one length, joined by dashes.
fn is_grouped(value: &[u8]) -> bool {
    let mut groups = value.split(|&byte| byte == b'-');
    let first = groups.next().map_or(0, <[u8]>::len);
    value.len() >= 20
        && (4..value.len()).contains(&first)
        && value
            .iter()
            .all(|&byte| byte == b'-' || bytes::is(byte, CAPITALS))
        && value.iter().any(|&byte| bytes::is(byte, UPPER))
        && groups.all(|group| group.len() == first)
}

/// A UUID, perhaps with something before it.
fn ends_in_uuid(value: &[u8]) -> bool {
    value.len() >= 36
        && is_uuid(&value[value.len() - 36..])
        && (value.len() == 36 || !bytes::is(value[value.len() - 37], WORD))
}

/// `8-4-4-4-12`. Any letter counts: some vendors go beyond hexadecimal.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, &byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => bytes::is(byte, WORD),
        })
        && value.iter().any(|&byte| bytes::is(byte, DIGIT))
        && distinct(value) > 4
}

/// Whether a value stands for another: documentation, a mask, one character again and again.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOK)];
    let different = distinct(value) as usize;
    if different < 5.min(value.len() / 2) {
        return true;
    }
    // An alphabet: every character once, in order.
    if value.len() >= 32 && different == value.len() && value.starts_with(b"0123456789") {
        return true;
    }
    // A long random value holds any short word by chance, so long words only.
    (0..value.len()).any(|at| {
        let rest = &value[at..];
        placeholders(rest[0])
            .iter()
            .any(|word| word.len() * 12 >= value.len() && begins_folded(rest, word))
    })
}

/// The words that begin with a letter and say that a value is to be put in, or was taken out.
fn placeholders(first: u8) -> &'static [&'static [u8]] {
    match first | 0x20 {
        b'e' => &[b"example"],
        b'x' => &[b"xxxx"],
        b'y' => &[
            b"your-",
            b"your_",
            b"yourown",
            b"yourtoken",
            b"yourapi",
            b"yoursecret",
            b"yourkey",
            b"yourpass",
        ],
        b'p' => &[b"placeholder"],
        b'c' => &[b"changeme", b"change-me", b"change_me"],
        b'r' => &[b"redacted", b"replace"],
        b'i' => &[b"insert"],
        b'd' => &[b"dummy"],
        b's' => &[b"sample"],
        b'-' => &[b"-here"],
        0x7f => &[b"_here"],
        b'.' => &[b"..."],
        b'*' => &[b"****"],
        _ => &[],
    }
}

fn begins_folded(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// How many different letters, digits and signs there are.
pub(super) fn distinct(value: &[u8]) -> u32 {
    value
        .iter()
        .fold(0_u128, |seen, &byte| seen | 1 << (byte & 0x7f))
        .count_ones()
}
