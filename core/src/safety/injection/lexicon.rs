//! The words of [`super::words`], made searchable: by a hash that grows letter by letter, so that
//! a word, its stems and the words of a script without spaces are found in one walk.
//!
//! Invariant: looking up takes no longer for hostile words than for others.

use alloc::{vec, vec::Vec};

use super::words::{BETRAYING, CIPHERED, Concepts, REVERSED, WORDS};
use crate::safety::normal::{NOTHING, fold};

/// The longest word that is looked for, in letters.
pub(super) const LONGEST: usize = 20;

/// How many states there are: a power of two.
const STATES: usize = 1 << 16;

/// How many places for words: a power of two, twice the words at least.
const PLACES: usize = 1 << 13;

/// The hash of no letters.
pub(super) const EMPTY: u32 = 0x811c_9dc5;

/// The hash with one more letter (FNV-1a, Fowler, Noll and Vo).
pub(super) fn with(hash: u32, letter: u32) -> u32 {
    (hash ^ letter).wrapping_mul(0x0100_0193)
}

/// The hash of words that follow each other.
pub(super) fn then(first: u32, second: u32) -> u32 {
    (first.rotate_left(9) ^ second).wrapping_mul(0x85eb_ca6b) ^ 0x27d4_eb2f
}

/// The letter a folded character counts as: digits and signs as the letters they imitate, and
/// letters that share an imitation as one. Zero for what is no letter.
pub(super) fn letter(folded: char) -> u32 {
    match folded {
        'l' | '1' | '|' => u32::from('i'),
        '0' => u32::from('o'),
        '3' => u32::from('e'),
        '4' | '@' => u32::from('a'),
        '5' | '$' => u32::from('s'),
        '7' => u32::from('t'),
        '6' | '9' => u32::from('g'),
        '8' => u32::from('b'),
        '2' => u32::from('z'),
        c if c.is_ascii_lowercase() || !c.is_ascii() => u32::from(c),
        _ => 0,
    }
}

/// The hash of a whole word.
pub(super) fn hash(word: &str) -> u32 {
    word.chars()
        .map(fold)
        .filter(|c| !matches!(*c, NOTHING | '\''))
        .fold(EMPTY, |hash, c| with(hash, letter(c)))
}

/// The words, searchable.
pub(super) struct Lexicon {
    /// A bit for each hash: whether a word begins so.
    begins: Vec<u64>,
    /// A bit for each hash: whether a word or phrase is that.
    whole: Vec<u64>,
    /// Hash and concepts; a stem's hash is marked.
    words: Vec<(u32, Concepts, bool)>,
}

impl Lexicon {
    /// Makes the words searchable.
    pub(super) fn new() -> Self {
        let mut lexicon = Self {
            begins: vec![0; STATES / 64],
            whole: vec![0; STATES / 64],
            words: vec![(0, 0, false); PLACES],
        };
        for (concepts, _, row) in WORDS {
            for entry in row.split(", ") {
                lexicon.learn(entry, *concepts);
            }
        }
        for word in BETRAYING.split(',') {
            let word = word.trim();
            for shift in [3, 13, 23] {
                let moved: u32 = word.bytes().fold(EMPTY, |h, b| {
                    with(h, letter(char::from(b'a' + (b - b'a' + shift) % 26)))
                });
                lexicon.put(moved, CIPHERED, false);
            }
            let mirrored = word
                .bytes()
                .fold(EMPTY, |h, b| with(h, letter(char::from(b'a' + (b'z' - b)))));
            lexicon.put(mirrored, CIPHERED, false);
            let turned = word
                .bytes()
                .rev()
                .fold(EMPTY, |h, b| with(h, letter(char::from(b))));
            lexicon.put(turned, REVERSED, false);
        }
        lexicon
    }

    fn learn(&mut self, entry: &str, concepts: Concepts) {
        let is_stem = entry.ends_with('*') && !entry.contains(' ');
        let mut phrase = 0;
        let mut count = 0;
        for word in entry.trim_end_matches('*').split(' ') {
            let hash = hash(word);
            phrase = if count == 0 { hash } else { then(phrase, hash) };
            count += 1;
        }
        self.put(phrase, concepts, is_stem);
        if count == 1 {
            // Found by its beginning: a stem, and a word of a text without spaces.
            let letters = entry.trim_end_matches('*').chars().map(fold);
            let mut hash = EMPTY;
            for c in letters.filter(|c| !matches!(*c, NOTHING | '\'')) {
                hash = with(hash, letter(c));
                mark(&mut self.begins, hash);
            }
        }
    }

    fn put(&mut self, hash: u32, concepts: Concepts, is_stem: bool) {
        mark(&mut self.whole, hash);
        let mut place = place(hash);
        // There are twice as many places as words, so one is free.
        while self.words[place].1 != 0 && self.words[place].0 != hash {
            place = (place + 1) % PLACES;
        }
        let (known, all, stem) = &mut self.words[place];
        *known = hash;
        *all |= concepts;
        *stem |= is_stem;
    }

    /// Whether a word begins so.
    pub(super) fn begins(&self, hash: u32) -> bool {
        is_marked(&self.begins, hash)
    }

    /// What a whole word or phrase stands for; with `is_stem`, only if longer words may begin so.
    pub(super) fn concepts(&self, hash: u32, is_stem: bool) -> Concepts {
        if !is_marked(&self.whole, hash) {
            return 0;
        }
        let mut place = place(hash);
        loop {
            let (known, concepts, stem) = self.words[place];
            if concepts == 0 {
                return 0;
            }
            if known == hash {
                return if stem || !is_stem { concepts } else { 0 };
            }
            place = (place + 1) % PLACES;
        }
    }
}

fn mark(bits: &mut [u64], hash: u32) {
    let state = state(hash);
    bits[state / 64] |= 1 << (state % 64);
}

fn is_marked(bits: &[u64], hash: u32) -> bool {
    let state = state(hash);
    bits[state / 64] >> (state % 64) & 1 != 0
}

fn state(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

fn place(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 19) as usize
}
