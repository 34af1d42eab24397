//! What stands before a value, and what that says of it.

use super::{
    bytes::{self, DIGIT, LOWER, NAME, UPPER, WORD},
    words::{self, Word},
};

/// How far back one looks for a name.
const REACH: usize = 80;
/// The longest name.
const NAME_LIMIT: usize = 64;

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// Nothing.
    None,
    /// It is a service's.
    Vendor,
    /// It may be a secret.
    Key,
    /// It is one.
    Secret,
}

/// The name of a value and how it stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) label: Label,
    /// Whether nothing but signs stands between.
    pub(super) direct: bool,
    /// Whether a sign such as `=` or `:` gives the value to the name.
    pub(super) assigned: bool,
    /// Whether the value is in quotes.
    pub(super) quoted: bool,
}

/// What stands before the value that begins at `at`.
pub(super) fn before(bytes: &[u8], at: usize) -> Context {
    let mut context = Context {
        label: Label::None,
        direct: true,
        assigned: false,
        quoted: at > 0 && matches!(bytes[at - 1], b'"' | b'\'' | b'`'),
    };
    let mut to = at;
    let mut lines = 0;
    let mut strangers = 0;
    let mut words = 2 * WORDS;
    let (mut vendor, mut key, mut named_value) = (false, false, false);
    for step in 0..5 {
        let mut listed = false;
        while to > 0 && at - to < REACH && !bytes::is(bytes[to - 1], WORD) {
            to -= 1;
            match bytes[to] {
                b'\n' => lines += 1,
                b'=' | b':' | b'>' | b'(' | b'|' if step == 0 => context.assigned = true,
                b',' => listed = true,
                b';' | b'}' | 0x80.. => lines = 2,
                _ => {}
            }
        }
        // A name on the line before counts if the value is given to it, not if it is another item.
        let apart = lines == 1 && (listed && !named_value || !context.assigned);
        if to == 0 || at - to >= REACH || lines > 1 || apart {
            break;
        }
        let mut start = bytes::run_start(bytes, to, NAME, NAME_LIMIT);
        if start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't') {
            start += 1;
        }
        let name = &bytes[start..to];
        to = start;
        // A value before the value: a list of them has no names.
        if is_value(name) {
            break;
        }
        match (meaning_within(name, &mut words), key) {
            (Word::Secret, _) => {
                context.label = Label::Secret;
                return context;
            }
            // `"name": "api_token", "value": "…"`
            (Word::Filler, false) => named_value |= name == b"value",
            (Word::Key | Word::Filler, true) => {}
            (Word::Key, false) => {
                key = true;
                // A key alone is one of many things: what stands before it decides.
                let alone = last_word(name).is_some_and(|(before, _)| before.is_empty());
                if !alone || vendor {
                    context.label = Label::Key;
                    return context;
                }
            }
            (Word::Other, true) => return context,
            (Word::Other, false) if strangers == 0 => return context,
            (Word::Vendor | Word::Kind, true) => {
                context.label = Label::Secret;
                return context;
            }
            (Word::Unknown, true) => {
                if !is_stop_word(name) && lines == 0 {
                    context.label = Label::Key;
                }
                return context;
            }
            (Word::Vendor, false) => vendor = true,
            _ => {
                strangers += 1;
                context.direct = false;
                if strangers > 1 || vendor {
                    break;
                }
            }
        }
    }
    if vendor {
        context.label = Label::Vendor;
    }
    context
}

/// Whether a word is long and has digits, as values are and names are not.
fn is_value(name: &[u8]) -> bool {
    let digits = || name.iter().filter(|&&byte| bytes::is(byte, DIGIT)).count();
    let is_one_word = || name.iter().all(|&byte| bytes::is(byte, WORD));
    name.len() >= 12
        && match digits() {
            0 => false,
            1..4 => name.len() >= 16 && is_one_word(),
            _ => true,
        }
}

/// Reads a name from its end, for what it is called last is what it is.
pub(super) fn meaning(name: &[u8]) -> Word {
    let mut left = WORDS;
    meaning_within(name, &mut left)
}

/// The same; no more than `left` words are read.
fn meaning_within(name: &[u8], left: &mut usize) -> Word {
    let mut reading = Reading::default();
    let mut rest = name;
    for _ in 0..WORDS.min(*left) {
        let Some((before, word)) = last_word(rest) else {
            break;
        };
        *left -= 1;
        rest = before;
        if let Some(meaning) = reading.read(words::classify(word)) {
            return meaning;
        }
    }
    reading.end()
}

/// How many words of a name are read.
const WORDS: usize = 6;

/// What a name says as far as it was read, from its end on.
struct Reading {
    found: Word,
    unknown: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            found: Word::Unknown,
            unknown: false,
        }
    }
}

impl Reading {
    /// Reads the word before; gives the meaning if nothing before it can change that.
    fn read(&mut self, word: Word) -> Option<Word> {
        match (word, self.found) {
            (Word::Secret, _) => return Some(Word::Secret),
            (Word::Other, _) => return Some(Word::Other),
            (Word::Kind | Word::Vendor | Word::Key, Word::Key) => return Some(Word::Secret),
            (Word::Unknown, Word::Key) => return Some(Word::Key),
            (Word::Vendor, _) => self.found = Word::Vendor,
            (Word::Unknown, _) => self.unknown = true,
            (Word::Key, Word::Unknown | Word::Filler) if !self.unknown => self.found = Word::Key,
            (word @ (Word::Filler | Word::Kind), Word::Unknown) if !self.unknown => {
                self.found = word;
            }
            _ => {}
        }
        None
    }

    fn end(self) -> Word {
        if self.unknown && matches!(self.found, Word::Filler | Word::Kind) {
            return Word::Unknown;
        }
        self.found
    }
}

/// The words of a name that goes on: each is looked up once.
pub(super) struct Growing {
    /// The last of them, in a ring.
    words: [Word; WORDS],
    count: usize,
    /// Whether one of them says anything.
    speaks: bool,
}

impl Growing {
    pub(super) fn new() -> Self {
        Self {
            words: [Word::Unknown; WORDS],
            count: 0,
            speaks: false,
        }
    }

    /// Adds what stands between two signs; gives what the whole name says by now.
    pub(super) fn add(&mut self, piece: &[u8]) -> Word {
        let mut held = [Word::Unknown; WORDS];
        let mut count = 0;
        let mut rest = piece;
        while let Some((before, word)) = last_word(rest)
            && let Some(place) = held.get_mut(count)
        {
            *place = words::classify(word);
            count += 1;
            rest = before;
        }
        for &word in held[..count].iter().rev() {
            self.words[self.count % WORDS] = word;
            self.count += 1;
            self.speaks |= !matches!(word, Word::Unknown | Word::Filler);
        }
        if !self.speaks {
            return Word::Unknown;
        }
        let mut reading = Reading::default();
        for back in 1..=self.count.min(WORDS) {
            if let Some(meaning) = reading.read(self.words[(self.count - back) % WORDS]) {
                return meaning;
            }
        }
        reading.end()
    }
}

/// The last word of a name written with signs, with capitals or with digits between its words.
fn last_word(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = name
        .iter()
        .rposition(|&byte| bytes::is(byte, UPPER | LOWER))?
        + 1;
    let mut start = end - 1;
    let capitals = bytes::is(name[start], UPPER);
    while start > 0 {
        let before = name[start - 1];
        if bytes::is(before, DIGIT) && start >= 2 && bytes::is(name[start - 2], LOWER) && !capitals
        {
            // A digit within a word: `auth0`, `ip2location`.
            start -= 1;
            continue;
        }
        if !bytes::is(before, UPPER | LOWER) || capitals && bytes::is(before, LOWER) {
            break;
        }
        start -= 1;
        if !capitals && bytes::is(before, UPPER) {
            break;
        }
    }
    Some((&name[..start], &name[start..end]))
}

fn is_stop_word(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 20] = [
        b"the", b"a", b"an", b"this", b"that", b"of", b"for", b"with", b"by", b"and", b"or", b"in",
        b"on", b"at", b"from", b"its", b"our", b"same", b"each", b"is",
    ];
    WORDS.iter().any(|stop| stop.eq_ignore_ascii_case(word))
}
