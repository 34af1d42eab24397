//! How much a value looks like something a machine drew, and whether it is only an example.

use super::bytes::{self, CAPITALS, DIGIT, LOWER, UPPER, WORD};

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
    let (mut slashes, mut written) = (0, 0);
    for chunk in value.chunks(64) {
        let kinds = Kinds::of(chunk);
        slashes += count(kinds.slash);
        kinds.add_to(&mut whole);
        // Where chains of four and of eight go on.
        let all = kinds.all();
        let four = all & all >> 1 & all >> 2 & all >> 3;
        let mut eight = four & four >> 4;
        written += count(four & !(four << 1));
        while eight != 0 {
            let start = eight.trailing_zeros();
            let length = (!(all >> start)).trailing_zeros().min(64 - start);
            let past = u64::MAX.checked_shl(start + length);
            eight &= past.unwrap_or_default();
            let quality = kinds.count(chunk, start, length).quality();
            best = best.max(quality);
            written -= u32::from(quality != Quality::Written);
        }
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

/// Whether small letters and capitals alternate as they do when drawn: a quarter of each at least.
pub(super) fn mixes_case(value: &[u8]) -> bool {
    let count = |class| value.iter().filter(|&&byte| bytes::is(byte, class)).count();
    value.len() >= 20 && count(UPPER).min(count(LOWER)) * 4 >= value.len()
}

/// What is counted of a chain of letters and digits.
#[derive(Clone, Copy, Default)]
struct Counts {
    length: u32,
    digits: u32,
    upper: u32,
    /// How many are no digits of hexadecimal.
    beyond_hex: u32,
    /// How often small letters, capitals and digits change place. A word that begins with a
    /// capital does not count, so names in programs have few.
    changes: u32,
    /// Ends of rows of consonants that are longer than those of written words.
    rows: u32,
}

/// What the characters of at most 64 bytes are, a bit for each.
struct Kinds {
    digit: u64,
    upper: u64,
    lower: u64,
    hex: u64,
    slash: u64,
}

impl Kinds {
    /// Eight bytes at a time; all of them are ASCII.
    fn of(chunk: &[u8]) -> Self {
        const ONE: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x80 * ONE;
        // The high bit of each byte within a range.
        let within = |word: u64, first: u8, last: u8| {
            let from = word + ONE * u64::from(0x80 - first);
            let past = word + ONE * u64::from(0x7f - last);
            from & !past & HIGH
        };
        let gather = |high: u64| (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        let mut kinds = Self {
            digit: 0,
            upper: 0,
            lower: 0,
            hex: 0,
            slash: 0,
        };
        for at in (0..chunk.len()).step_by(8) {
            let rest = &chunk[at..];
            let word = match rest.first_chunk::<8>() {
                Some(eight) => u64::from_le_bytes(*eight),
                None => rest
                    .iter()
                    .rev()
                    .fold(0, |word, &byte| word << 8 | u64::from(byte)),
            } & !HIGH;
            let digit = within(word, b'0', b'9');
            let upper = within(word, b'A', b'Z');
            let lower = within(word, b'a', b'z');
            let hex = digit | within(word | (0x20 * ONE), b'a', b'f');
            kinds.slash |= gather(within(word, b'/', b'/')) << at;
            kinds.digit |= gather(digit) << at;
            kinds.upper |= gather(upper) << at;
            kinds.lower |= gather(lower) << at;
            kinds.hex |= gather(hex) << at;
        }
        kinds
    }

    fn all(&self) -> u64 {
        self.digit | self.upper | self.lower
    }

    /// Where small letters, capitals and digits change place, `by` places after the other.
    fn changes(&self, by: u32) -> u64 {
        let differs = self.digit ^ self.digit << by | self.upper ^ self.upper << by;
        let begins_word = self.upper & self.lower >> 1;
        let goes_on = self.upper << by & !self.digit;
        differs & !begins_word & !goes_on
    }

    /// Counts all chains as if they were one.
    fn add_to(&self, whole: &mut Counts) {
        let all = self.all();
        let apart = all & !(all << 1) & all << 2;
        whole.length += count(all);
        whole.digits += count(self.digit);
        whole.upper += count(self.upper);
        whole.beyond_hex += count(all & !self.hex);
        whole.changes += count(self.changes(1) & all & all << 1);
        let differs = self.digit ^ self.digit << 2 | self.upper ^ self.upper << 2;
        whole.changes += count(differs & apart);
    }

    /// Counts one chain of letters and digits.
    fn count(&self, chunk: &[u8], start: u32, length: u32) -> Counts {
        let set = u64::MAX >> (64 - length) << start;
        let (upper, lower) = (self.upper & set, self.lower & set);
        let five = |set: u64| set & set << 1 & set << 2 & set << 3 & set << 4;
        let mut rows = 0;
        if five(lower) | five(upper) != 0 {
            let vowel = vowels(&chunk[start as usize..(start + length) as usize]) << start;
            // Abbreviations within a name are such rows too, unless all of it is in capitals.
            let before_small = (lower & lower.wrapping_neg()).wrapping_sub(1);
            rows = five(lower & !vowel) | five(upper & !vowel) & before_small;
        }
        Counts {
            length,
            digits: count(self.digit & set),
            upper: count(upper),
            beyond_hex: u32::from(set & !self.hex != 0),
            changes: count(self.changes(1) & set & set << 1),
            rows: count(rows),
        }
    }
}

/// How many bits are set. Where the processor has no instruction for it, none is often the case.
fn count(bits: u64) -> u32 {
    if bits == 0 { 0 } else { bits.count_ones() }
}

/// Which of at most 64 letters are vowels; of other characters it says nothing.
fn vowels(chunk: &[u8]) -> u64 {
    // A bit for each letter, from `@` on.
    const VOWELS: u64 = 0x0220_8222;
    let places = chunk.iter().rev();
    places.fold(0, |bits, byte| bits << 1 | VOWELS >> (byte & 0x1f) & 1)
}

impl Counts {
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
        self.beyond_hex == 0 && (self.lower() == 0 || self.upper == 0)
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
    if !has_distinct(value, 5.min(value.len() / 2)) {
        return true;
    }
    // An alphabet: every character once, in order.
    if value.len() >= 32
        && value.starts_with(b"0123456789")
        && distinct(value) as usize == value.len()
    {
        return true;
    }
    // A long random value holds any short word by chance, so long words only.
    if value.len() > LONGEST * 12 {
        return false;
    }
    value.windows(2).enumerate().any(|(at, two)| {
        BEGINNINGS[usize::from(two[0] & 0x7f)].0 & BEGINNINGS[usize::from(two[1] & 0x7f)].1 != 0
            && placeholders(two[0])
                .iter()
                .any(|word| word.len() * 12 >= value.len() && begins_folded(&value[at..], word))
    })
}

/// Whether at least so many different characters are there.
fn has_distinct(value: &[u8], least: usize) -> bool {
    let mut seen = 0_u128;
    least == 0
        || value.iter().any(|&byte| {
            seen |= 1 << (byte & 0x7f);
            seen.count_ones() as usize >= least
        })
}

/// The longest word of [`placeholders`].
const LONGEST: usize = 11;

/// Which of the pairs that words of [`placeholders`] begin with a character is the first of, and
/// which the second.
static BEGINNINGS: [(u16, u16); 128] = {
    const PAIRS: [&[u8; 2]; 13] = [
        b"ex", b"xx", b"yo", b"pl", b"ch", b"re", b"in", b"du", b"sa", b"-h", b"_h", b"..", b"**",
    ];
    let mut table = [(0, 0); 128];
    let mut pair = 0;
    while pair < PAIRS.len() {
        let [first, second] = *PAIRS[pair];
        table[first as usize].0 |= 1 << pair;
        table[second as usize].1 |= 1 << pair;
        table[first.to_ascii_uppercase() as usize].0 |= 1 << pair;
        table[second.to_ascii_uppercase() as usize].1 |= 1 << pair;
        pair += 1;
    }
    table
};

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
