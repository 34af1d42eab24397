//! The table of prefixes as the program keeps it: in columns, a row of four bytes, with every letter
//! there once.
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

/// For how many rows together it is kept where their text begins.
const GROUP: usize = 8;
const GROUPS: usize = ALL.div_ceil(GROUP);

/// Columns, for like stands beside like: what is loaded over a network is compressed.
struct Tables {
    /// The lengths of the prefixes.
    lengths: [u8; ALL],
    classes: [u8; ALL],
    /// The least length of a body, and [`EXACT`].
    least: [u8; ALL],
    /// Which of [`ALSO`], and [`BEGINS`].
    also: [u8; ALL],
    /// For each group where its prefixes begin, and the number of its first family.
    groups: [(u16, u16); GROUPS],
    prefixes: [u8; SIZES.0],
    names: [u8; SIZES.1],
    /// Where the name of each family ends in `names`.
    ends: [u16; SIZES.2],
}

/// That a row has another family than the one before.
const BEGINS: u8 = 128;
const ALSO: [Also; 4] = [Also::Drawn, Also::Digit, Also::Crc, Also::Masked];

const TABLES: Tables = {
    let mut tables = Tables {
        lengths: [0; ALL],
        classes: [0; ALL],
        least: [0; ALL],
        also: [0; ALL],
        groups: [(0, 0); GROUPS],
        prefixes: [0; SIZES.0],
        names: [0; SIZES.1],
        ends: [0; SIZES.2],
    };
    let (mut prefix, mut name, mut families) = (0, 0, 0);
    let mut at = 0;
    while at < ALL {
        let rule = row(at);
        let begins = begins_family(at);
        if begins {
            name = append(&mut tables.names, name, rule.family.as_bytes());
            tables.ends[families] = name as u16;
            families += 1;
        }
        if at % GROUP == 0 {
            tables.groups[at / GROUP] = (prefix as u16, families as u16 - 1);
        }
        assert!(rule.least < EXACT, "the longest length that is asked for");
        tables.lengths[at] = rule.prefix.len() as u8;
        tables.classes[at] = rule.class;
        tables.least[at] = rule.least | if rule.exact { EXACT } else { 0 };
        tables.also[at] = rule.also as u8 | if begins { BEGINS } else { 0 };
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

static TABLE: Tables = TABLES;

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct Form(usize);

/// The rule of a number, if it is one of those that are found anywhere.
#[inline]
pub(super) fn form(number: usize) -> Option<Form> {
    (number < RULES).then_some(Form(number))
}

impl Form {
    /// Where its prefix begins in the table.
    #[inline]
    fn start(self) -> usize {
        let group = self.0 / GROUP;
        let before = &TABLE.lengths[group * GROUP..self.0];
        let start = usize::from(TABLE.groups[group].0);
        before
            .iter()
            .fold(start, |start, &length| start + usize::from(length))
    }

    #[inline]
    pub(super) fn prefix(self) -> &'static [u8] {
        let start = self.start();
        TABLE
            .prefixes
            .get(start..start + usize::from(TABLE.lengths[self.0]))
            .unwrap_or_default()
    }

    pub(super) fn family(self) -> &'static str {
        let group = self.0 / GROUP;
        let after = &TABLE.also[group * GROUP + 1..=self.0.max(group * GROUP)];
        let more = after.iter().filter(|&&also| also & BEGINS != 0).count();
        let family = usize::from(TABLE.groups[group].1) + more;
        let start = family.checked_sub(1).map_or(0, |before| TABLE.ends[before]);
        let name = TABLE
            .names
            .get(usize::from(start)..usize::from(TABLE.ends[family]))
            .and_then(|name| core::str::from_utf8(name).ok());
        name.unwrap_or_default()
    }

    #[inline]
    pub(super) fn class(self) -> u8 {
        TABLE.classes[self.0]
    }

    #[inline]
    pub(super) fn also(self) -> Also {
        ALSO[usize::from(TABLE.also[self.0] & 3)]
    }

    #[inline]
    pub(super) fn least(self) -> usize {
        usize::from(TABLE.least[self.0] & !EXACT)
    }

    #[inline]
    pub(super) fn most(self) -> usize {
        if TABLE.least[self.0] & EXACT == 0 {
            usize::MAX
        } else {
            self.least()
        }
    }
}

/// The short prefixes that `run` begins with.
#[inline]
pub(super) fn short(run: &[u8]) -> impl Iterator<Item = Form> {
    let heads = run
        .first()
        .and_then(|&first| SHORT_HEADS.get(usize::from(first)));
    let (from, count) = heads.copied().unwrap_or_default();
    let from = RULES + usize::from(from);
    let mut start = if count == 0 { 0 } else { Form(from).start() };
    (from..from + usize::from(count)).filter_map(move |number| {
        let end = start + usize::from(TABLE.lengths[number]);
        let prefix = TABLE.prefixes.get(start..end).unwrap_or_default();
        start = end;
        let may_be = prefix.len() == 1 || prefix.get(1) == run.get(1);
        (may_be && run.starts_with(prefix)).then_some(Form(number))
    })
}

/// For each letter the first of the short prefixes that begins with it, and how many do.
static SHORT_HEADS: [(u8, u8); 128] = {
    let mut heads = [(0, 0); 128];
    let mut at = 0;
    while at < SHORT.len() {
        let first = SHORT[at].prefix.as_bytes()[0] as usize;
        if heads[first].1 == 0 {
            heads[first].0 = at as u8;
        } else {
            let before = SHORT[at - 1].prefix.as_bytes()[0] as usize;
            assert!(before == first, "prefixes of one letter stand together");
        }
        heads[first].1 += 1;
        at += 1;
    }
    heads
};
