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
    let mut vendor = false;
    let mut key = false;
    for step in 0..5 {
        while to > 0 && at - to < REACH && !bytes::is(bytes[to - 1], WORD) {
            to -= 1;
            match bytes[to] {
                b'\n' => lines += 1,
                b'=' | b':' | b'>' | b'(' | b'|' | b',' if step == 0 => context.assigned = true,
                b'n' | b'r' | b't' | b';' | b'}' | 0x80.. => lines = 2,
                _ => {}
            }
        }
        // A name on the line before counts if the value is given to it.
        if to == 0 || at - to >= REACH || lines > 1 || lines == 1 && !context.assigned {
            break;
        }
        let start = bytes::run_start(bytes, to, NAME, NAME_LIMIT);
        let name = &bytes[start..to];
        to = start;
        match meaning(name) {
            Meaning::Secret => {
                context.label = Label::Secret;
                return context;
            }
            Meaning::Key if key => {}
            Meaning::Key => {
                key = true;
                // A key alone is one of many things: what stands before it decides.
                if name.len() > 8 || vendor {
                    context.label = Label::Key;
                    return context;
                }
            }
            Meaning::Other if key || strangers == 0 => return context,
            Meaning::Filler => {}
            Meaning::Vendor => {
                if key {
                    context.label = Label::Secret;
                    return context;
                }
                vendor = true;
            }
            Meaning::Kind if key => {
                context.label = Label::Secret;
                return context;
            }
            Meaning::Unknown if key => {
                if !is_stop_word(name) && lines == 0 {
                    context.label = Label::Key;
                }
                return context;
            }
            _ => {
                if vendor {
                    break;
                }
                strangers += 1;
                context.direct = false;
                if strangers > 1 {
                    return context;
                }
            }
        }
    }
    if vendor {
        context.label = Label::Vendor;
    }
    context
}

/// What a whole name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Secret,
    Key,
    Kind,
    Other,
    Filler,
    Vendor,
    Unknown,
}

/// Reads a name from its end: what it is called last is what it is.
pub(super) fn meaning(name: &[u8]) -> Meaning {
    let mut rest = name;
    let mut seen = 0;
    let mut found = Meaning::Unknown;
    let mut unknown = false;
    while let Some((before, word)) = last_word(rest) {
        rest = before;
        seen += 1;
        if seen > 6 {
            break;
        }
        let mut folded = [0; 24];
        let length = word.len().min(24);
        folded[..length].copy_from_slice(&word[..length]);
        folded.make_ascii_lowercase();
        let word = words::classify(&folded[..length]);
        match (word, found) {
            (Word::Secret, _) => return Meaning::Secret,
            (Word::Key, Meaning::Unknown | Meaning::Filler) if !unknown => found = Meaning::Key,
            (Word::Kind | Word::Vendor | Word::Key, Meaning::Key) => return Meaning::Secret,
            (Word::Other, _) => return Meaning::Other,
            (Word::Unknown, Meaning::Key) => return Meaning::Key,
            (Word::Filler, Meaning::Unknown) if !unknown => found = Meaning::Filler,
            (Word::Vendor, _) => found = Meaning::Vendor,
            (Word::Kind, Meaning::Unknown) if !unknown => found = Meaning::Kind,
            (Word::Unknown, _) => unknown = true,
            _ => {}
        }
    }
    match found {
        Meaning::Filler | Meaning::Kind if unknown => Meaning::Unknown,
        found => found,
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
    const WORDS: &[u8] =
        b"the a an this that of for with by and or in on at from its his her our same each";
    WORDS
        .split(|&byte| byte == b' ')
        .any(|stop| stop.eq_ignore_ascii_case(word))
}
