//! The table of prefixes as the program keeps it: packed, so that a row is eight bytes and every
//! letter is there once.
//!
//! Invariant: rule `n` is row `n` of [`ANYWHERE`], then of [`SHORT`].

use super::{
    bytes::WORD,
    vendors::{ANYWHERE, SHORT},
};

/// One form of token.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) prefix: &'static str,
    pub(super) family: &'static str,
    pub(super) class: u8,
    /// How long the body is, at least.
    pub(super) least: u8,
    /// Whether a longer body is something else.
    pub(super) exact: bool,
    pub(super) also: Also,
}

/// What is asked of a body besides its characters and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Also {
    /// That it is no example and no written word.
    Drawn,
    /// The same, and that it has a digit: the prefix alone says little.
    Digit,
    /// The same as `Drawn`; the last six characters are its CRC-32 in base 62 if it is real.
    Crc,
    /// Only that it is not written: a mask is taken for the real thing.
    Masked,
}

pub(super) const fn at_least(
    prefix: &'static str,
    family: &'static str,
    class: u8,
    least: u8,
) -> Rule {
    Rule {
        prefix,
        family,
        class,
        least,
        exact: false,
        also: Also::Drawn,
    }
}

pub(super) const fn exactly(
    prefix: &'static str,
    family: &'static str,
    class: u8,
    length: u8,
) -> Rule {
    Rule {
        exact: true,
        ..at_least(prefix, family, class, length)
    }
}

pub(super) const fn weak(prefix: &'static str, family: &'static str, class: u8, least: u8) -> Rule {
    Rule {
        also: Also::Digit,
        ..at_least(prefix, family, class, least)
    }
}

pub(super) const fn crc(prefix: &'static str, family: &'static str, least: u8) -> Rule {
    Rule {
        also: Also::Crc,
        ..at_least(prefix, family, WORD, least)
    }
}

pub(super) const fn masked(
    prefix: &'static str,
    family: &'static str,
    class: u8,
    least: u8,
) -> Rule {
    Rule {
        also: Also::Masked,
        ..at_least(prefix, family, class, least)
    }
}

/// How many prefixes are found anywhere; those of tokens' beginnings follow.
pub(super) const RULES: usize = ANYWHERE.len();
const ALL: usize = RULES + SHORT.len();

const fn row(at: usize) -> Rule {
    if at < RULES {
        ANYWHERE[at]
    } else {
        SHORT[at - RULES]
    }
}

/// The first four bytes of a prefix that is found anywhere.
pub(super) const fn head(at: usize) -> [u8; 4] {
    let prefix = ANYWHERE[at].prefix.as_bytes();
    assert!(prefix.len() >= 4, "a prefix has four bytes");
    [prefix[0], prefix[1], prefix[2], prefix[3]]
}

#[derive(Clone, Copy)]
struct Packed {
    /// Where the prefix begins in [`PREFIXES`].
    prefix: u16,
    /// Which of [`FAMILIES`].
    family: u16,
    length: u8,
    class: u8,
    least: u8,
    also: Also,
}

/// The sizes of the tables: bytes of prefixes, of families' names, and how many families there are.
const SIZES: (usize, usize, usize) = {
    let (mut prefixes, mut names, mut families) = (0, 0, 0);
    let mut at = 0;
    while at < ALL {
        prefixes += row(at).prefix.len();
        if begins_family(at) {
            names += row(at).family.len();
            families += 1;
        }
        at += 1;
    }
    (prefixes, names, families)
};

/// Whether a row has another family than the one before.
const fn begins_family(at: usize) -> bool {
    if at == 0 {
        return true;
    }
    let (one, two) = (row(at - 1).family.as_bytes(), row(at).family.as_bytes());
    let mut same = one.len() == two.len();
    let mut letter = 0;
    while same && letter < one.len() {
        same = one[letter] == two[letter];
        letter += 1;
    }
    !same
}

/// The bit of `least` that says that a longer body is something else.
const EXACT: u8 = 128;

struct Tables {
    rows: [Packed; ALL],
    prefixes: [u8; SIZES.0],
    names: [u8; SIZES.1],
    /// Where the name of each family ends in `names`.
    ends: [u16; SIZES.2],
}

const TABLES: Tables = {
    let empty = Packed {
        prefix: 0,
        family: 0,
        length: 0,
        class: 0,
        least: 0,
        also: Also::Drawn,
    };
    let mut tables = Tables {
        rows: [empty; ALL],
        prefixes: [0; SIZES.0],
        names: [0; SIZES.1],
        ends: [0; SIZES.2],
    };
    let (mut prefix, mut name, mut families) = (0, 0, 0);
    let mut at = 0;
    while at < ALL {
        let rule = row(at);
        if begins_family(at) {
            name = append(&mut tables.names, name, rule.family.as_bytes());
            tables.ends[families] = name as u16;
            families += 1;
        }
        assert!(rule.least < EXACT, "the longest length that is asked for");
        tables.rows[at] = Packed {
            prefix: prefix as u16,
            family: families as u16 - 1,
            length: rule.prefix.len() as u8,
            class: rule.class,
            least: rule.least | if rule.exact { EXACT } else { 0 },
            also: rule.also,
        };
        prefix = append(&mut tables.prefixes, prefix, rule.prefix.as_bytes());
        at += 1;
    }
    tables
};

const fn append(text: &mut [u8], end: usize, piece: &[u8]) -> usize {
    let mut at = 0;
    while at < piece.len() {
        text[end + at] = piece[at];
        at += 1;
    }
    end + piece.len()
}

static ROWS: [Packed; ALL] = TABLES.rows;
static PREFIXES: [u8; SIZES.0] = TABLES.prefixes;
static NAMES: [u8; SIZES.1] = TABLES.names;
static ENDS: [u16; SIZES.2] = TABLES.ends;

/// A row, unpacked as far as it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Form {
    row: Packed,
}

/// The rule of a number below the number of rows.
#[inline]
pub(super) fn form(number: usize) -> Option<Form> {
    ROWS.get(number).map(|&row| Form { row })
}

impl Form {
    #[inline]
    pub(super) fn prefix(self) -> &'static [u8] {
        let start = usize::from(self.row.prefix);
        PREFIXES
            .get(start..start + usize::from(self.row.length))
            .unwrap_or_default()
    }

    pub(super) fn family(self) -> &'static str {
        let family = usize::from(self.row.family);
        let start = family.checked_sub(1).map_or(0, |before| ENDS[before]);
        NAMES
            .get(usize::from(start)..usize::from(ENDS[family]))
            .and_then(|name| core::str::from_utf8(name).ok())
            .unwrap_or_default()
    }

    #[inline]
    pub(super) fn class(self) -> u8 {
        self.row.class
    }

    #[inline]
    pub(super) fn also(self) -> Also {
        self.row.also
    }

    #[inline]
    pub(super) fn least(self) -> usize {
        usize::from(self.row.least & !EXACT)
    }

    #[inline]
    pub(super) fn most(self) -> usize {
        if self.row.least & EXACT == 0 {
            usize::MAX
        } else {
            self.least()
        }
    }
}

/// Where among the rules the short prefixes begin that have the letter `first`.
#[inline]
pub(super) fn short(first: u8) -> impl Iterator<Item = Form> {
    let from = SHORT_HEADS.get(usize::from(first)).copied().unwrap_or(0);
    let from = if from == 0 {
        ALL
    } else {
        RULES + usize::from(from) - 1
    };
    ROWS[from..]
        .iter()
        .map(|&row| Form { row })
        .take_while(move |form| form.prefix().first() == Some(&first))
}

/// For each letter the first of the short prefixes that begins with it, from 1 on.
static SHORT_HEADS: [u8; 128] = {
    let mut heads = [0; 128];
    let mut at = 0;
    while at < SHORT.len() {
        let first = SHORT[at].prefix.as_bytes()[0] as usize;
        if heads[first] == 0 {
            heads[first] = at as u8 + 1;
        } else {
            let before = SHORT[at - 1].prefix.as_bytes()[0] as usize;
            assert!(before == first, "prefixes of one letter stand together");
        }
        at += 1;
    }
    heads
};
